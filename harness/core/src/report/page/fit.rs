//! The fitted growth as a curve: straight over time, or over the completed requests where growth follows these.

use super::course::Course;
use crate::outcome::Outcome;
use steep_judge::growth::{Follows, Growth};
use steep_judge::stats::order::median;
use steep_judge::units::{BytesPerHour, BytesPerRequest, Estimate};

/// Points of the curve.
const POINTS: usize = 60;

/// A fitted curve with its band.
pub(super) struct Fit {
    /// Moments.
    pub(super) at: Vec<f64>,
    pub(super) middle: Vec<f64>,
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
    /// The slope in words.
    pub(super) said: String,
}

/// The growth of `outcome` through `values`, which are what it was fitted to. The slope is that of the judgement; where
/// it passes is the median of what it leaves, and the band turns around the middle.
pub(super) fn fit(course: &Course, outcome: &Outcome, values: &[f64]) -> Option<Fit> {
    let growth = outcome.growth()?;
    let seconds = course.samples.seconds();
    let completed: Vec<f64> = course.samples.column("completed")?.recorded().map(|n| n.unwrap_or(0) as f64).collect();
    let (from, to) = fitted_span(course, outcome, growth)?;
    let rows: Vec<usize> =
        (0..seconds.len()).filter(|row| (from..=to).contains(&seconds[*row]) && values[*row].is_finite()).collect();
    let (along, slope, said) = sloped(growth, &seconds, &completed);
    if rows.len() < 2 {
        return None;
    }
    let middle = f64::midpoint(along[rows[0]], along[rows[rows.len() - 1]]);
    let rests: Vec<f64> = rows.iter().map(|row| values[*row] - slope.value * (along[*row] - middle)).collect();
    let level = median(&rests);
    let shown: Vec<usize> = (0..POINTS).map(|point| rows[point * (rows.len() - 1) / (POINTS - 1)]).collect();
    let through = |slope: f64| shown.iter().map(|row| level + slope * (along[*row] - middle)).collect();
    Some(Fit {
        at: shown.iter().map(|row| seconds[*row]).collect(),
        middle: through(slope.value),
        low: through(slope.low),
        high: through(slope.high),
        said,
    })
}

/// What growth goes along with, by how much, and in words.
fn sloped(growth: &Growth, seconds: &[f64], completed: &[f64]) -> (Vec<f64>, Estimate<f64>, String) {
    if let Some(each) = growth.per_request.filter(|_| growth.follows == Follows::Requests) {
        let said = format!("growth by {} per request", each.compact());
        return (completed.to_vec(), each.map(BytesPerRequest::get), said);
    }
    let said = format!("growth by {} per hour", growth.per_hour.compact());
    (seconds.to_vec(), growth.per_hour.map(BytesPerHour::get_per_second), said)
}

/// The time that was fitted.
fn fitted_span(course: &Course, outcome: &Outcome, growth: &Growth) -> Option<(f64, f64)> {
    let rests_on = |names: &[String]| outcome.grows_in.as_ref().is_some_and(|phases| phases == names);
    let of_phases = outcome.phases.iter().find(|phase| match outcome.grows_in {
        None => phase.fitted,
        Some(_) => rests_on(&phase.phases),
    });
    let whole = || {
        let mut fitted = course.header.phases.iter().filter(|phase| phase.is_fitted());
        let first = fitted.next()?;
        let last = fitted.next_back().unwrap_or(first);
        Some((first.start_s.as_secs_f64(), last.end_s.as_secs_f64()))
    };
    let (from, to) = of_phases.map(|phase| (phase.start_s.as_secs_f64(), phase.end_s.as_secs_f64())).or_else(whole)?;
    let to = to.min(course.last().as_secs_f64());
    // What came before was left out.
    Some((from + growth.since_s.unwrap_or(0.0), to)).filter(|(from, to)| from < to)
}
