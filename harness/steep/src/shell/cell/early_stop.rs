//! Looks at a soak under way, where the scenario lets it end early: the trace as written so far is judged as
//! it would be at the end.

use std::path::PathBuf;
use std::time::Duration;

use crate::shell::store::{StoreError, read_trace};
use steep_core::outcome::{Outcome, materiality};
use steep_core::scenario::{Judge, Role, StopEarly};
use steep_core::trace::PhaseSpan;
use steep_judge::units::{SinceStart, duration_text};
use steep_judge::verdict::{EarlyStop, looks};

/// The looks at one soak.
#[derive(Debug)]
pub(super) struct EarlyStopChecks {
    cell_folder: PathBuf,
    phases: Vec<PhaseSpan>,
    early_stop: EarlyStop,
    /// Moments of the looks to come, the last first.
    to_come: Vec<Duration>,
}

impl EarlyStopChecks {
    /// The looks at the soak of `duration` whose trace is written in `cell_folder`; none unless `judge` wants them.
    pub(super) fn new(judge: &Judge, phases: Vec<PhaseSpan>, duration: Duration, cell_folder: PathBuf) -> Option<Self> {
        if judge.stop_early == StopEarly::Never {
            return None;
        }
        let mut to_come: Vec<Duration> = looks(duration).collect();
        to_come.reverse();
        Some(Self { cell_folder, phases, early_stop: EarlyStop::new(materiality(judge).bar), to_come })
    }

    /// If a look is due at `now` and decides: why, in words.
    ///
    /// # Errors
    /// The trace cannot be read back.
    pub(super) fn look(&mut self, now: SinceStart) -> Result<Option<String>, StoreError> {
        if self.to_come.pop_if(|look| *look <= now.elapsed()).is_none() {
            return Ok(None);
        }
        let outcome = Outcome::of(&read_trace(&self.cell_folder)?);
        let to_come = self.phases.iter().filter(|phase| phase.end_s > now);
        let only_steady = to_come.into_iter().all(|phase| phase.role == Role::Steady);
        let may_stop = self.early_stop.may_stop(outcome.fitted_growth(), only_steady);
        Ok(may_stop.then(|| {
            let evidence = outcome.fitted_growth().map_or(0.0, |growth| growth.evidence);
            format!(
                "stopped early after {}: at two looks in a row the evidence was above {:.1} ({evidence:.1} at the last); a cache that fills slowly would look the same",
                duration_text(now.elapsed()),
                self.early_stop.bar()
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::shell::store::TraceWriter;
    use steep_core::scenario::Scenario;
    use steep_core::scenario::decode::decode;
    use steep_core::sim::{SimService, soak};
    use steep_core::trace::{Record, Trace};

    fn scenario() -> Scenario {
        let text = r#"
name = "early"
[service]
command = ["shop"]
url = "http://127.0.0.1:{{port}}"
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 100
duration = "1h"
[[requests]]
name = "get"
path = "/"
[judge]
stop_early = "leak"
"#;
        decode(text).scenario.expect("a scenario")
    }

    /// The first `minutes` of a soak, as they would have been written by then.
    fn write(trace: &Trace, minutes: u64, folder: &Path) {
        let _ = std::fs::remove_file(folder.join("trace.jsonl"));
        let mut writer = TraceWriter::create(folder).expect("a trace");
        writer.write(&Record::Header(Box::new(trace.header.clone()))).expect("a header");
        for (sample, traffic) in trace.samples.iter().zip(&trace.traffic).take(minutes as usize * 60) {
            writer.write(&Record::Sample(sample.clone())).expect("a sample");
            writer.write(&Record::Traffic(traffic.clone())).expect("traffic");
        }
    }

    /// The minute at which a soak of `service` would stop, if it would.
    fn stops_at(service: &SimService, with_cooldown: bool) -> Option<u64> {
        let scenario = scenario();
        let folder = tempfile::tempdir().expect("a folder");
        let trace = soak(&scenario, service, &[]).expect("a trace");
        let mut phases = trace.header.phases.clone();
        if with_cooldown {
            phases[0].role = Role::Warmup;
        }
        let mut looks =
            EarlyStopChecks::new(&scenario.judge, phases, scenario.soak_duration(), folder.path().to_owned())?;
        [7, 10, 15, 20].into_iter().find(|minutes| {
            write(&trace, *minutes, folder.path());
            let now = SinceStart::new(Duration::from_mins(*minutes));
            looks.look(now).expect("a trace").is_some()
        })
    }

    #[test]
    fn a_leak_stops_a_soak_at_the_second_look_and_calm_never() {
        let leaking = SimService { leak_per_request: 4096.0, ..SimService::default() };
        assert_eq!(stops_at(&leaking, false), Some(10));
        assert_eq!(stops_at(&SimService::default(), false), None);
    }

    #[test]
    fn a_soak_with_other_than_steady_phases_to_come_is_not_stopped() {
        let leaking = SimService { leak_per_request: 4096.0, ..SimService::default() };
        assert_eq!(stops_at(&leaking, true), None);
    }

    #[test]
    fn nothing_is_looked_at_unless_the_scenario_wants_it() {
        let mut scenario = scenario();
        scenario.judge.stop_early = StopEarly::Never;
        let looks = EarlyStopChecks::new(&scenario.judge, Vec::new(), scenario.soak_duration(), PathBuf::new());
        assert!(looks.is_none());
    }
}
