//! Change points: between which nights a figure changed, by a likelihood ratio that uses each night's own interval.
//!
//! After each night the nights since the last change are asked whether they are better described by two levels than by
//! one. The variance of a night is its own error, and what moves the figure from night to night; the latter is found in
//! the same nights, around the levels, and how little is known of it from few nights is a part of the ratio
//! (docs/history.md has the figures of the simulation).

/// The logarithm of the likelihood ratio must be above this and the logarithm of the number of nights: of 8,000
/// simulated histories of 40 nights without a change 0.0 to 3.4 % have one then, and a step of 3 standard deviations is
/// seen by its third night in 72 to 77 % (docs/history.md).
const THRESHOLD: f64 = 4.0;
/// Fewer nights than this are not asked: how far chance moves them is not known.
const FEWEST_NIGHTS: usize = 12;
/// Fewest nights of a level: one that is far off, and comes back, is not a lasting change.
const FEWEST_OF_LEVEL: usize = 2;
/// What moves a figure from night to night is at least this share of what is seen around the levels: in few nights it
/// often seems to be nothing, and then the ratio of a night with a small error of its own is far too large.
const LEAST_BETWEEN: f64 = 0.2;
/// Degrees of freedom that two levels and the place between them take.
const TAKEN: f64 = 3.0;
/// The change is one of these nights with this probability.
const SURE: f64 = 0.9;

/// A night: a figure with the variance that is its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The figure.
    pub value: f64,
    /// Its own variance.
    pub variance: f64,
}

/// A lasting change of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The first night after it, as the place among the points.
    pub at: usize,
    /// The first night that may be the first after it.
    pub from: usize,
    /// The last such night.
    pub until: usize,
    /// After which night it was seen first.
    pub seen: usize,
    /// The level before it.
    pub before: f64,
    /// The level after it.
    pub after: f64,
    /// The standard error of their difference.
    pub error: f64,
}

/// What nights are asked by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// What chance moves a figure by from night to night at least, as a variance: nights that agree by luck are not
    /// believed to be exact.
    pub least_variance: f64,
    /// Levels that differ by less do not matter.
    pub matters_from: f64,
    /// Series that are asked together: each has its share of the false alarms.
    pub series: usize,
}

/// The changes between `points`, in the order of time: what was said after a night is never taken back.
#[must_use]
pub fn change_points(points: &[Point], rules: Rules) -> Vec<ChangePoint> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut known = Known::default();
    for count in FEWEST_NIGHTS.min(points.len() + 1)..=points.len() {
        let Some(change) = change(&points[start..count], rules, known) else { continue };
        known = known.and(&points[start..start + change.at]);
        let place = |at: usize| start + at;
        let (at, from, until) = (place(change.at), place(change.from), place(change.until));
        found.push(ChangePoint { at, from, until, seen: count - 1, ..change });
        start = at;
    }
    refined(points, found)
}

/// The levels as all nights tell them, and not only those until the change was seen.
fn refined(points: &[Point], mut found: Vec<ChangePoint>) -> Vec<ChangePoint> {
    let places: Vec<usize> = found.iter().map(|change| change.at).collect();
    for (number, change) in found.iter_mut().enumerate() {
        let from = if number == 0 { 0 } else { places[number - 1] };
        let until = places.get(number + 1).copied().unwrap_or(points.len());
        let mean = |points: &[Point]| points.iter().map(|point| point.value).sum::<f64>() / points.len() as f64;
        (change.before, change.after) = (mean(&points[from..change.at]), mean(&points[change.at..until]));
    }
    found
}

/// How far nights before the last change were from their level.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    squares: f64,
    own: f64,
    freedom: f64,
}

impl Known {
    fn and(self, points: &[Point]) -> Self {
        let freedom = points.len().saturating_sub(1) as f64;
        Self {
            squares: self.squares + squares(points),
            own: self.own + own(points) * freedom,
            freedom: self.freedom + freedom,
        }
    }
}

/// The change between `points`, if there is one.
fn change(points: &[Point], rules: Rules, known: Known) -> Option<ChangePoint> {
    let count = points.len() as f64;
    let splits: Vec<Split> = (1..points.len()).map(|at| Split::of(points, at, rules, known)).collect();
    let best = splits.iter().max_by(|one, other| one.ratio.total_cmp(&other.ratio))?;
    let threshold = count.ln() + THRESHOLD + (rules.series.max(1) as f64).ln();
    // A night that stands alone so far may be the first of many: it is asked again after the next one.
    let is_alone = best.at < FEWEST_OF_LEVEL || points.len() - best.at < FEWEST_OF_LEVEL;
    if is_alone || best.ratio <= threshold || (best.after - best.before).abs() < rules.matters_from {
        return None;
    }
    let (from, until) = likely(&splits, best);
    let Split { at, before, after, error, .. } = *best;
    Some(ChangePoint { at, from, until, seen: 0, before, after, error })
}

/// The nights around the likeliest that have [`SURE`] of the probability together.
fn likely(splits: &[Split], best: &Split) -> (usize, usize) {
    let weights: Vec<f64> = splits.iter().map(|split| (split.ratio - best.ratio).exp()).collect();
    let total: f64 = weights.iter().sum();
    let of = |at: usize| weights.get(at.wrapping_sub(1)).copied().unwrap_or(0.0);
    let (mut from, mut until, mut held) = (best.at, best.at, of(best.at));
    while held < SURE * total {
        let (earlier, later) = (of(from - 1), of(until + 1));
        if earlier >= later {
            from -= 1;
            held += earlier;
        } else {
            until += 1;
            held += later;
        }
        if earlier.max(later) <= 0.0 {
            break;
        }
    }
    (from.max(1), until)
}

/// Two levels, of which the second begins at one night.
#[derive(Debug, Clone, Copy)]
struct Split {
    at: usize,
    before: f64,
    after: f64,
    error: f64,
    /// The logarithm of the likelihood ratio.
    ratio: f64,
}

impl Split {
    fn of(points: &[Point], at: usize, rules: Rules, known: Known) -> Self {
        let (first, second) = points.split_at(at);
        let freedom = (points.len() as f64 + known.freedom - TAKEN).max(1.0);
        let around = (squares(first) + squares(second) + known.squares) / freedom;
        let here = points.len() as f64 - 2.0;
        let own = (own(points) * here + known.own) / (here + known.freedom);
        let between = (around - own).max(LEAST_BETWEEN * around).max(rules.least_variance);
        let level = |points: &[Point]| {
            let weight = |point: &Point| 1.0 / (point.variance + between).max(f64::MIN_POSITIVE);
            let weights: f64 = points.iter().map(weight).sum();
            let sum: f64 = points.iter().map(|point| weight(point) * point.value).sum();
            (sum / weights, 1.0 / weights)
        };
        let ((before, one), (after, other)) = (level(first), level(second));
        let variance = one + other;
        let known_ratio = 0.5 * (after - before).powi(2) / variance;
        // That of Student's t: the variance is found in the nights themselves.
        let ratio = 0.5 * (freedom + 1.0) * (2.0 * known_ratio / freedom).ln_1p();
        Self { at, before, after, error: variance.sqrt(), ratio }
    }
}

/// Sum of the squares around the mean.
fn squares(points: &[Point]) -> f64 {
    let mean = points.iter().map(|point| point.value).sum::<f64>() / points.len().max(1) as f64;
    points.iter().map(|point| (point.value - mean).powi(2)).sum()
}

/// The mean of the variances that are the points' own.
fn own(points: &[Point]) -> f64 {
    points.iter().map(|point| point.variance).sum::<f64>() / points.len().max(1) as f64
}

#[cfg(test)]
mod tests;
