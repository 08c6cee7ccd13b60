//! Growth of a series that is not memory, such as open files, threads or latency: advice, and no verdict.

use schemars::JsonSchema;
use serde::Serialize;

use super::materiality::Materiality;
use super::series::{Series, Unjudgeable};
use super::source::Layer;
use super::{Interval, Run};
use crate::stats::order::median;
use crate::units::Estimate;

/// Growth over the run counts from this share of the typical value on. A choice: a twentieth more threads or latency is
/// what a person would look at.
const NOTABLE_SHARE: f64 = 0.05;

/// What a series does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// It grows, notably and by the evidence.
    Grows,
    /// Notable growth is excluded.
    Still,
    /// Neither.
    Open,
}

/// Growth of a series in its own unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Advice {
    /// What it does.
    pub trend: Trend,
    /// Growth per hour with its 95 % interval.
    pub per_hour: Estimate<f64>,
    /// As [`super::Growth::evidence`].
    pub evidence: f64,
    /// The median over the blocks.
    pub typical: f64,
    /// Growth over the run from which on it counts: the larger of `least` and 5 % of the typical value.
    pub notable: f64,
}

/// Growth of `values` at `t_s` seconds with `requests` completed; `least` is the smallest growth over the run that
/// counts, in the unit of the values (one file, one thread). Counts are whole numbers, so that their noise is not that
/// of memory; what differs from memory is the scale, and that nothing fails by it.
///
/// # Errors
/// Why the series cannot be judged.
pub fn advice(t_s: &[f64], values: &[f64], requests: &[f64], least: f64) -> Result<Advice, Unjudgeable> {
    let series = Series {
        t_s: t_s.to_vec(),
        memory_bytes: values.to_vec(),
        requests: requests.to_vec(),
        disturbances_s: Some(Vec::new()),
        ..Series::default()
    };
    let materiality = Materiality::default();
    let run = Run::of(&series, Layer::Resident, &materiality)?;
    let typical = median(&run.cut.level);
    let notable = least.max(NOTABLE_SHARE * typical.abs());
    let hours = run.readings.seconds() / 3600.0;
    let interval = if run.never_changes() {
        Interval::NOTHING
    } else {
        let competition = run.competition(&run.environment(&series));
        Interval::of(&competition, run.cut.at.len(), run.readings.seconds(), materiality.bar)
            .ok_or(Unjudgeable::Singular)?
    };
    let trend = if interval.evidence > materiality.bar && interval.growth.value >= notable {
        Trend::Grows
    } else if interval.growth.high < notable {
        Trend::Still
    } else {
        Trend::Open
    };
    let per_hour = interval.growth.map(|growth| growth / hours);
    Ok(Advice { trend, per_hour, evidence: interval.evidence, typical, notable })
}

#[cfg(test)]
mod tests {
    use super::super::planted::Planted;
    use super::*;

    /// A third of the requests are in flight at once, and of each thousand `kept` leave a file open.
    fn files(kept: f64) -> Advice {
        let series = Planted { seconds: 1800, base: 0.0, noise: 0.7, ..Planted::CALM }.series();
        let open = |i: usize| (64.0 + kept * series.requests[i] / 1000.0 + series.memory_bytes[i]).round();
        let values: Vec<f64> = (0..series.t_s.len()).map(open).collect();
        advice(&series.t_s, &values, &series.requests, 1.0).expect("a series that can be judged")
    }

    #[test]
    fn files_that_stay_open_are_reported_and_their_number_is_right() {
        let advice = files(0.1);
        assert_eq!(advice.trend, Trend::Grows, "{advice:?}");
        assert!(advice.per_hour.low < 108.0 && advice.per_hour.high > 108.0, "{advice:?}");
    }

    #[test]
    fn files_that_are_closed_are_still() {
        let advice = files(0.0);
        assert_eq!(advice.trend, Trend::Still, "{advice:?}");
    }

    #[test]
    fn a_number_that_never_changes_is_still() {
        let t_s: Vec<f64> = (0..600).map(f64::from).collect();
        let advice = advice(&t_s, &[8.0; 600], &[0.0; 600], 1.0).expect("a series that can be judged");
        assert_eq!((advice.trend, advice.per_hour), (Trend::Still, Estimate::default()));
    }
}
