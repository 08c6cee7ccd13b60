//! Looks at a soak under way, where the scenario lets it end early: what was recorded so far is judged as it would be
//! at the end.

use std::time::Duration;

use steep_core::outcome::{UnderWay, materiality};
use steep_core::scenario::{Judge, Role, StopEarly};
use steep_core::trace::{PhaseSpan, Record};
use steep_judge::units::{SinceStart, duration_text};
use steep_judge::verdict::{EarlyStop, looks};

/// The looks at one soak.
#[derive(Debug)]
pub(super) struct EarlyStopChecks {
    phases: Vec<PhaseSpan>,
    under_way: UnderWay,
    early_stop: EarlyStop,
    /// Moments of the looks to come, the last first.
    to_come: Vec<Duration>,
}

impl EarlyStopChecks {
    /// The looks at the soak of `phases`, `duration` long; none unless `judge` wants them.
    pub(super) fn new(judge: &Judge, phases: Vec<PhaseSpan>, duration: Duration) -> Option<Self> {
        if judge.stop_early == StopEarly::Never {
            return None;
        }
        let mut to_come: Vec<Duration> = looks(duration).collect();
        to_come.reverse();
        let materiality = materiality(judge);
        let early_stop = EarlyStop::new(materiality.bar);
        Some(Self { under_way: UnderWay::new(&phases, materiality), phases, early_stop, to_come })
    }

    /// Takes in what is recorded.
    pub(super) fn see(&mut self, record: &Record) {
        self.under_way.see(record);
    }

    /// If a look is due at `now` and decides: why, in words.
    pub(super) fn look(&mut self, now: SinceStart) -> Option<String> {
        self.to_come.pop_if(|look| *look <= now.elapsed())?;
        let growth = self.under_way.growth();
        let to_come = self.phases.iter().filter(|phase| phase.end_s > now);
        let only_steady = to_come.into_iter().all(|phase| phase.role == Role::Steady);
        let may_stop = self.early_stop.may_stop(growth.as_ref(), only_steady);
        may_stop.then(|| {
            let evidence = growth.map_or(0.0, |growth| growth.evidence);
            format!(
                "stopped early after {}: at two looks in a row the evidence was above {:.1} ({evidence:.1} at the last); a cache that fills slowly would look the same",
                duration_text(now.elapsed()),
                self.early_stop.bar()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steep_core::scenario::Scenario;
    use steep_core::sim::{SimService, soak};
    use steep_core::testing::{decoded, sound};

    fn scenario() -> Scenario {
        decoded(&sound("1h", "[judge]\nstop_early = \"leak\"\n"))
    }

    /// The minute at which a soak of `service` would stop, if it would.
    fn stops_at(service: &SimService, with_cooldown: bool) -> Option<u64> {
        let scenario = scenario();
        let trace = soak(&scenario, service, &[]).expect("a trace");
        let mut phases = trace.header.phases.clone();
        if with_cooldown {
            phases[0].role = Role::Warmup;
        }
        let mut looks = EarlyStopChecks::new(&scenario.judge, phases, scenario.soak_duration())?;
        trace.samples.iter().zip(trace.traffic).find_map(|(sample, traffic)| {
            looks.see(&Record::Sample(sample.clone()));
            looks.see(&Record::Traffic(traffic));
            looks.look(sample.t_s).map(|_| sample.t_s.elapsed().as_secs() / 60)
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
        let looks = EarlyStopChecks::new(&scenario.judge, Vec::new(), scenario.soak_duration());
        assert!(looks.is_none());
    }
}
