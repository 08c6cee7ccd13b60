//! Cells of simulated services, through all that a soak's readings go through: trace, growth, verdict, outcome.

use std::collections::BTreeMap;
use std::error::Error;

use steep_core::outcome::Outcome;
use steep_core::scenario::decode::decode;
use steep_core::sim::{SimService, soak};
use steep_core::trace::{Counts, Disturbance, DisturbanceKind, Memory, ProcessId, Sample, Trace};
use steep_judge::growth::Series;
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::units::{Bytes, SinceStart};

/// Growth worth finding is what it is by default: 4 B/request.
const SCENARIO: &str = r#"
name = "simulated"
[service]
command = ["shop"]
url = "http://127.0.0.1:{{port}}"
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 1
duration = "10s"
[[requests]]
name = "get"
path = "/"
"#;

/// The trace of a soak, of which all but the readings is kept.
pub struct Cells(Trace);

impl Cells {
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let scenario = decode(SCENARIO).scenario.ok_or("the scenario has mistakes")?;
        Ok(Self(soak(&scenario, &SimService::default(), &[])?))
    }

    /// What is said of a cell with these flags on, whose readings were these.
    pub fn outcome(&self, flags: &FlagSet, series: &Series) -> Outcome {
        Outcome::of(&self.trace(flags, series))
    }

    fn trace(&self, flags: &FlagSet, series: &Series) -> Trace {
        let mut trace = self.0.clone();
        let end = SinceStart::from_secs_f64(series.t_s.last().copied().unwrap_or_default());
        trace.header.flags = flags.clone();
        trace.header.cell = CellId::parse(&if flags.is_empty() { "baseline".to_owned() } else { flags.to_string() });
        trace.header.phases.iter_mut().for_each(|phase| phase.end_s = end);
        trace.samples = samples(series);
        let known = series.disturbances_s.iter().flatten();
        trace.disturbances = known
            .map(|&at| Disturbance {
                t_s: SinceStart::from_secs_f64(at),
                kind: DisturbanceKind::DriverStarved,
                seconds: 1.0,
            })
            .collect();
        let sent = series.requests.last().copied().unwrap_or_default() as u64;
        let counts = Counts { due: sent, sent, ok: sent, ..Counts::default() };
        for traffic in &mut trace.traffic {
            traffic.t_s = end;
            traffic.requests = BTreeMap::from([("get".to_owned(), counts)]);
        }
        if let Some(ended) = &mut trace.end {
            ended.t_s = end;
        }
        trace
    }
}

fn samples(series: &Series) -> Vec<Sample> {
    let reading = |place: usize| {
        let t_s = series.t_s[place];
        let anon_bytes = Bytes::new(series.memory_bytes[place].max(0.0) as u64);
        let worker = series.replaced_s.iter().filter(|at| **at <= t_s).count() as u32;
        Sample {
            t_s: SinceStart::from_secs_f64(t_s),
            memory: Memory { anon_bytes, peak_bytes: anon_bytes, ..Memory::default() },
            requests: BTreeMap::from([("get".to_owned(), series.requests[place] as u64)]),
            processes: vec![ProcessId { pid: 1 + worker, start_ticks: 1 }],
            ..Sample::default()
        }
    };
    (0..series.t_s.len()).map(reading).collect()
}
