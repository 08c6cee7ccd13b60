//! A soak as it was recorded, taken in line by line for its outcome: a day of traffic is never held whole.

use super::Outcome;
use crate::threshold::Watch;
use crate::trace::{FromRecords, Header, Record, Trace, TraceError};
use steep_judge::growth::{Growth, Layer, Materiality, Series, Unjudgeable, fit};

/// What an outcome asks of a soak: all samples, and of the traffic what [`Trace::seconds`] gives and what the
/// thresholds have seen.
#[derive(Debug)]
pub struct Recorded {
    trace: Trace,
    watch: Watch,
}

impl Recorded {
    /// What was soaked.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.trace.header
    }

    /// What is to be said of it: as [`Outcome::of`] the whole trace.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        self.outcome_by(fit)
    }

    /// The same, with growth that `fit` finds.
    pub fn outcome_by(self, fit: impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>) -> Outcome {
        Outcome::watched(&self.trace, self.watch, fit)
    }
}

impl FromRecords for Recorded {
    fn begin(header: Header) -> Result<Self, TraceError> {
        let watch = Watch::new(&header);
        Ok(Self { trace: Trace::begin(header)?, watch })
    }

    fn push(&mut self, record: Record) {
        match &record {
            Record::Traffic(traffic) => self.watch.see_traffic(traffic),
            Record::Sample(sample) => self.watch.see_sample(sample),
            _ => {}
        }
        self.trace.push(record);
        self.trace.condense();
    }

    fn broken_line(&mut self) {
        self.trace.broken_line();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::scenario::decode::decode;
    use crate::sim::{SimService, soak};
    use crate::trace::{Cpus, HostCpu, LoadStart, Percentiles, ThreadTime};
    use steep_judge::units::SinceStart;

    const SCENARIO: &str = r#"
name = "shop"
service = { command = ["shop"], url = "http://127.0.0.1:{{port}}" }
requests = [{ name = "get", path = "/" }]
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 50
duration = "4m"
[[phases]]
name = "cooldown"
role = "cooldown"
shape = "pause"
duration = "1m"
[[thresholds]]
metric = "undelivered"
max = 0.01
window = "10s"
[[thresholds]]
metric = "throughput"
min = 10
[[thresholds]]
metric = "peak_memory"
max = "20MiB"
"#;

    /// A soak that was stalled in its middle, with a driver that was busy and answers that grew slower.
    fn trace() -> Trace {
        let at = |seconds: u64| SinceStart::new(Duration::from_secs(seconds));
        let scenario = decode(SCENARIO).scenario.expect("a scenario");
        let service = SimService { leak_per_request: 700.0, ..SimService::default() };
        let mut trace = soak(&scenario, &service, &[(at(100), at(112))]).expect("a trace");
        trace.start =
            Some(LoadStart { cpus: Some(Cpus { service: 2, driver: 2, quota: None }), ..LoadStart::default() });
        for (second, traffic) in trace.traffic.iter_mut().enumerate() {
            let slow = Percentiles { count: 50, p99_us: 900 + 10 * second as u64, ..Percentiles::default() };
            traffic.latency = BTreeMap::from([("get".to_owned(), slow)]);
            traffic.driver = Some(ThreadTime { ran_s: 0.9 * second as f64, waited_s: 0.1 * second as f64 });
        }
        trace.samples.iter_mut().for_each(|sample| sample.host = Some(HostCpu::default()));
        trace
    }

    fn recorded(trace: &Trace) -> Recorded {
        let mut recorded = Recorded::begin(trace.header.clone()).expect("a header of this version");
        let start = trace.start.clone().map(Record::Start);
        if let Some(start) = start {
            recorded.push(start);
        }
        let samples = trace.samples.iter().cloned().map(|sample| (sample.t_s, Record::Sample(sample)));
        let traffic = trace.traffic.iter().cloned().map(|traffic| (traffic.t_s, Record::Traffic(traffic)));
        let disturbances = trace.disturbances.iter().cloned().map(|at| (at.t_s, Record::Disturbance(at)));
        let mut records: Vec<_> = samples.chain(traffic).chain(disturbances).collect();
        records.sort_by_key(|(at, _)| *at);
        for (_, record) in records {
            recorded.push(record);
        }
        if let Some(end) = trace.end.clone() {
            recorded.push(Record::End(end));
        }
        recorded
    }

    #[test]
    fn what_is_taken_in_line_by_line_has_the_outcome_of_the_whole_trace() {
        let trace = trace();
        let whole = Outcome::of(&trace);
        assert!(whole.shortage.is_some() && whole.thresholds.iter().any(|threshold| threshold.broken), "{whole:?}");
        let names: Vec<_> = whole.other_series.iter().map(|other| other.name).collect();
        assert!(names.contains(&"p99 of the slowest request"), "{names:?}");
        assert_eq!(recorded(&trace).outcome(), whole);
    }

    #[test]
    fn of_the_traffic_only_the_last_line_is_held_whole() {
        let trace = trace();
        let recorded = recorded(&trace);
        assert_eq!(recorded.trace.traffic, trace.traffic[trace.traffic.len() - 1..]);
        assert!(recorded.trace.seconds().eq(trace.seconds()));
        assert_eq!(recorded.trace.last_moment(), trace.last_moment());
    }
}
