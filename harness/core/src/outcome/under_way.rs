//! A soak under way: what it is to be fitted by is kept as it comes, so that its growth can be looked at without
//! reading the trace back.

use super::stretches::{fitted_pieces, is_replaced, is_without_load, lasted, read};
use crate::trace::{PhaseSpan, ProcessId, Record, Sample};
use steep_judge::growth::{Growth, Layer, Materiality, Reading, RunningSeries};
use steep_judge::units::SinceStart;

/// What was recorded of a soak so far, in bounded memory.
#[derive(Debug)]
pub struct UnderWay {
    stretches: Vec<Running>,
    /// The last moment that was recorded.
    soaked: SinceStart,
    materiality: Materiality,
}

/// A stretch that may come to be the fitted one.
#[derive(Debug)]
struct Running {
    start_s: SinceStart,
    end_s: SinceStart,
    /// Whether it is known that nothing is asked in it.
    is_silent: bool,
    series: RunningSeries,
    /// Of its first sample.
    completed_before: Option<u64>,
    /// Of its last one.
    processes: Vec<ProcessId>,
}

impl UnderWay {
    /// The soak of `phases`, in which growth is worth finding as `materiality` says.
    #[must_use]
    pub fn new(phases: &[PhaseSpan], materiality: Materiality) -> Self {
        let stretches = fitted_pieces(phases).filter_map(Running::new).collect();
        Self { stretches, soaked: SinceStart::default(), materiality }
    }

    /// Takes in what is recorded.
    pub fn see(&mut self, record: &Record) {
        match record {
            Record::Sample(sample) => {
                self.soaked = self.soaked.max(sample.t_s);
                self.stretches.iter_mut().for_each(|stretch| stretch.sampled(sample));
            }
            Record::Traffic(traffic) => self.soaked = self.soaked.max(traffic.t_s),
            Record::Disturbance(disturbance) => {
                let at = disturbance.t_s;
                let hit = self.stretches.iter_mut().filter(|stretch| stretch.spans(at));
                hit.for_each(|stretch| stretch.series.disturbed(at.as_secs_f64()));
            }
            // Whether what a preloaded library counts may decide is known at the end.
            Record::LiveCount(_)
            | Record::Header(_)
            | Record::Start(_)
            | Record::Phase(_)
            | Record::WorkerEnd(_)
            | Record::Metrics(_)
            | Record::LogEvent(_)
            | Record::LogFlood(_)
            | Record::End(_) => {}
        }
    }

    /// The growth in the phases that are fitted, as [`Outcome::fitted_growth`] of the trace so far would have it; none
    /// if nothing can be fitted yet, or none of these phases has begun.
    ///
    /// [`Outcome::fitted_growth`]: super::Outcome::fitted_growth
    #[must_use]
    pub fn growth(&self) -> Option<Growth> {
        let soaked = self.stretches.iter().filter(|stretch| stretch.completed_before.is_some());
        let fitted = soaked.max_by_key(|stretch| lasted(stretch.start_s, stretch.end_s, self.soaked))?;
        fitted.series.growth(&self.materiality)
    }
}

impl Running {
    fn new(phases: &[PhaseSpan]) -> Option<Self> {
        Some(Self {
            start_s: phases.first()?.start_s,
            end_s: phases.last()?.end_s,
            is_silent: phases.iter().all(is_without_load),
            series: RunningSeries::default(),
            completed_before: None,
            processes: Vec::new(),
        })
    }

    fn spans(&self, moment: SinceStart) -> bool {
        (self.start_s..=self.end_s).contains(&moment)
    }

    fn sampled(&mut self, sample: &Sample) {
        if !self.spans(sample.t_s) {
            return;
        }
        let t_s = sample.t_s.as_secs_f64();
        if self.completed_before.is_some() && is_replaced(&self.processes, &sample.processes) {
            self.series.replaced(t_s);
        }
        self.processes.clone_from(&sample.processes);
        let completed = sample.completed();
        let before = *self.completed_before.get_or_insert(completed);
        let sources = Layer::ALL.into_iter().filter_map(|layer| sample.judged(layer));
        sources.for_each(|(source, _)| self.series.read_from(source));
        let requests = if self.is_silent { 0 } else { completed.saturating_sub(before) };
        self.series.push(Reading {
            t_s,
            memory_bytes: read(sample, Layer::Resident),
            live_bytes: read(sample, Layer::Live),
            requests: requests as f64,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::outcome::{Outcome, materiality};
    use crate::scenario::decode::decode;
    use crate::sim::{SimService, soak};
    use crate::trace::Trace;

    /// A phase: role, rate (0: a pause), seconds.
    type Planned = (&'static str, u32, u64);

    fn trace(phases: &[Planned], service: &SimService, stalls: &[(u64, u64)]) -> Trace {
        let mut text =
            "name = \"shop\"\n[service]\ncommand = [\"shop\"]\nurl = \"http://127.0.0.1:{{port}}\"\n".to_owned();
        for (index, (role, rate, seconds)) in phases.iter().enumerate() {
            let shape = if *rate == 0 {
                "shape = \"pause\"".to_owned()
            } else {
                format!("shape = \"constant\"\nrate = {rate}")
            };
            text +=
                &format!("[[phases]]\nname = \"p{index}\"\nrole = \"{role}\"\n{shape}\nduration = \"{seconds}s\"\n");
        }
        text += "[[requests]]\nname = \"get\"\npath = \"/\"\n";
        let decoded = decode(&text);
        let scenario = decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems));
        let at = |seconds: u64| SinceStart::new(Duration::from_secs(seconds));
        let stalls: Vec<_> = stalls.iter().map(|(from, lasted)| (at(*from), at(from + lasted))).collect();
        soak(&scenario, service, &stalls).expect("a trace")
    }

    /// Of what was recorded in the first `seconds`.
    fn begun(trace: &Trace, seconds: u64) -> (UnderWay, Trace) {
        let is_over = |at: SinceStart| at.elapsed().as_secs() <= seconds;
        let mut so_far = Trace::begin(trace.header.clone()).expect("a header of this version");
        let samples = trace.samples.iter().cloned().map(|sample| (sample.t_s, Record::Sample(sample)));
        let traffic = trace.traffic.iter().cloned().map(|traffic| (traffic.t_s, Record::Traffic(traffic)));
        let disturbances = trace.disturbances.iter().cloned().map(|at| (at.t_s, Record::Disturbance(at)));
        let mut records: Vec<_> = samples.chain(traffic).chain(disturbances).filter(|(at, _)| is_over(*at)).collect();
        records.sort_by_key(|(at, _)| *at);
        let mut under_way = UnderWay::new(&trace.header.phases, materiality(&trace.header.judge));
        for (_, record) in records {
            under_way.see(&record);
            so_far.push(record);
        }
        (under_way, so_far)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever the phases, and whenever it is looked at.
        #[test]
        fn a_soak_under_way_grows_as_its_trace_does(
            phases in prop::collection::vec(
                (prop::sample::select(vec!["warmup", "steady", "steady", "idle", "cooldown"]), 0_u32..3, 100_u64..700),
                1..5,
            ),
            steady in 0_usize..5,
            leak in 0_u32..4,
            probe: bool,
            stalls in prop::collection::vec((0_u64..1500, 1_u64..20), 0..4),
            restart in prop::option::of(0_usize..1500),
            looked_at in 60_u64..2500,
        ) {
            let mut phases: Vec<Planned> =
                phases.into_iter().map(|(role, rate, seconds)| (role, 40 * rate, seconds)).collect();
            // A scenario without one is refused.
            let steady = steady % phases.len();
            (phases[steady].0, phases[steady].1) = ("steady", 40);
            let service = SimService { leak_per_request: 700.0 * f64::from(leak), probe, ..SimService::default() };
            let mut trace = trace(&phases, &service, &stalls);
            for sample in trace.samples.iter_mut().skip(restart.unwrap_or(usize::MAX)) {
                sample.processes = vec![ProcessId { pid: 77, start_ticks: 1 }];
            }
            let (under_way, so_far) = begun(&trace, looked_at);
            if under_way.stretches.iter().all(|stretch| stretch.completed_before.is_none()) {
                // Before the first phase that is fitted a trace shows what phases beside it do, which ends no soak.
                prop_assert_eq!(under_way.growth(), None);
                return Ok(());
            }
            let outcome = Outcome::of(&so_far);
            // What follows from the phases beside the fitted ones does not matter to an early stop.
            let follows = outcome.fitted_growth().map(|growth| growth.follows);
            let growth = under_way.growth().map(|growth| Growth { follows: follows.unwrap_or(growth.follows), ..growth });
            prop_assert_eq!(growth.as_ref(), outcome.fitted_growth());
        }
    }
}
