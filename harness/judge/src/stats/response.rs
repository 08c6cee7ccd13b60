//! What a level does after events of one kind: by how much it changes, whether that is more than it does at any time,
//! how long until it is back, and what stays.

use super::order::{median, quantile, robust_sigma};
use super::student;

/// Readings before an event whose median is the level that it changes.
const BEFORE: f64 = 5.0;

/// The same at least, in seconds: readings ten times a second are of one moment.
const BEFORE_SECONDS: f64 = 2.0;

/// A line of a log is read some hundredths of a second after it was written: a reading this close before an event may
/// be of what follows it, in seconds.
const READ_LATE: f64 = 0.1;

/// Each lag that is looked at is this many times the one before.
const NEXT_LAG: f64 = 1.4;

/// The change is that of the first lag with this share of the largest.
const RISEN: f64 = 0.9;

/// Events that are not changed as much yet, at that lag.
const NEARLY_ALL: f64 = 0.1;

/// Events up to which their places are taken to hang together.
const LAGS: usize = 30;

/// Events come as by a clock where the middle half of the times between them differ by less than this share of them.
const REGULAR: f64 = 0.2;

/// A change that comes within this share of the time between events comes at once.
const AT_ONCE: f64 = 0.1;

/// A change is over when this share of it is left, or what noise makes of nothing.
const LEFT: f64 = 0.2;

/// Deviations of noise that count as nothing.
const NOISE: f64 = 3.0;

/// Moments without an event that are compared with.
const PLACEBOS: usize = 400;
/// Where fewer are free of events, all moments are compared with.
const FEW_PLACEBOS: usize = 30;

/// Fewer events are too few to tell their change from what the level does anyway.
pub const FEWEST: usize = 3;

/// Chance of a kind that changes nothing to be called one that does, over all kinds.
const FALSE_ALARM: f64 = 0.01;

/// A number and its interval of 95 %: value, low end, high end.
pub type Interval = [f64; 3];

/// What a level does after events.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Events that were looked at: those that come together are one.
    pub events: usize,
    /// The median change.
    pub change: Interval,
    /// Whether it is more than the level does at any time.
    pub is_sure: bool,
    /// Events of which it was seen how they went on.
    pub watched: usize,
    /// Of those, how many were back before the next event.
    pub back: usize,
    /// Within this time nearly all of them (95 %).
    pub back_within: Option<f64>,
    /// What was still there when the next event came, beyond how the level grows between events; none where too little
    /// lies between them.
    pub kept: Option<Interval>,
}

/// Readings of a level at increasing moments, all finite, and the moments from which another process holds it.
#[derive(Debug, Clone, Copy)]
pub struct Levels<'l> {
    /// Moments.
    pub ts: &'l [f64],
    /// Levels.
    pub ys: &'l [f64],
    /// Moments across which nothing is compared.
    pub breaks: &'l [f64],
}

/// What the level does after `events`, which are one of all `kinds` that are asked for, the `others` among
/// them; none where no event has readings around it.
#[must_use]
pub fn response(levels: Levels<'_>, events: &[f64], others: &[f64], kinds: usize) -> Option<Response> {
    let steps: Vec<f64> = levels.ts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let step = median(&steps);
    if !step.is_finite() || step <= 0.0 {
        return None;
    }
    let reach = (BEFORE * step).max(BEFORE_SECONDS);
    let starts = bursts(events, 2.0 * step);
    let mut windows: Vec<Window> = starts
        .iter()
        .enumerate()
        .filter_map(|(place, start)| Window::at(levels, *start, starts.get(place + 1).copied(), reach))
        .collect();
    if windows.is_empty() {
        return None;
    }
    let drift = drift(levels, &starts, others, step);
    for window in &mut windows {
        window.drift = drift;
    }
    let (lag, lags) = lag(levels, &windows)?;
    let changes: Vec<f64> = windows.iter().filter_map(|window| window.change(levels, lag)).collect();
    let noise = robust_sigma(&windows.iter().flat_map(|window| window.noise(levels)).collect::<Vec<_>>());
    let noise = if noise.is_finite() { noise } else { 0.0 };
    let change = of_median(&changes, noise)?;
    let placebos = placebos(levels, &starts, reach, lag, drift);
    let is_sure = changes.len() >= FEWEST
        && !is_chance_of_clocks(&starts, lag as f64 * step)
        && (change[1] > 0.0 || change[2] < 0.0)
        && stands_out(&changes, &placebos, FALSE_ALARM / (2 * kinds.max(1) * lags) as f64);
    let courses: Vec<Course> =
        windows.iter().filter_map(|window| window.course(levels, lag, change[0], noise)).collect();
    let back: Vec<f64> = courses.iter().filter_map(|course| course.back).collect();
    let watched = courses.iter().filter(|course| course.back.is_some() || course.is_long(&back)).count();
    let kept: Vec<f64> = windows.iter().filter_map(|window| window.kept(levels, lag, reach)).collect();
    Some(Response {
        events: changes.len(),
        change,
        is_sure,
        watched,
        back: back.len(),
        back_within: (!back.is_empty()).then(|| quantile(&back, 0.95)),
        kept: of_median(&kept, noise),
    })
}

/// The first of events that come closer than `apart` to the one before.
fn bursts(events: &[f64], apart: f64) -> Vec<f64> {
    let mut events: Vec<f64> = events.iter().copied().filter(|at| at.is_finite()).collect();
    events.sort_by(f64::total_cmp);
    let before = std::iter::once(f64::NEG_INFINITY).chain(events.iter().copied());
    before.zip(&events).filter(|(before, at)| **at - before >= apart).map(|(_, at)| *at).collect()
}

/// Whether the change comes so long after events that come as by a clock that another clock may make it: what a level
/// does each half minute by itself, it does at some time after each event of half a minute.
fn is_chance_of_clocks(starts: &[f64], after: f64) -> bool {
    let gaps: Vec<f64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let usual = median(&gaps);
    let is_regular = quantile(&gaps, 0.75) - quantile(&gaps, 0.25) < REGULAR * usual;
    is_regular && after > AT_ONCE * usual
}

/// The readings around an event.
#[derive(Debug, Clone, Copy)]
struct Window {
    start: f64,
    /// The level before.
    base: f64,
    /// The moment of that.
    base_at: f64,
    /// Readings of the level before: the first, and the one after the last.
    before: (usize, usize),
    /// The first reading after the event, and the one after the last before the next event.
    after: (usize, usize),
    /// How the level grows between events, in a unit of time.
    drift: f64,
}

/// How the change after an event went on.
struct Course {
    /// How long until it was back; none: it was not.
    back: Option<f64>,
    /// How long it was looked at.
    seen: f64,
}

impl Course {
    /// Whether it was looked at for as long as others took to be back.
    fn is_long(&self, back: &[f64]) -> bool {
        back.is_empty() || self.seen >= quantile(back, 0.95)
    }
}

impl Window {
    fn at(levels: Levels<'_>, start: f64, next: Option<f64>, reach: f64) -> Option<Self> {
        let Levels { ts, ys, breaks } = levels;
        let broken_before = breaks.iter().copied().filter(|at| *at <= start).fold(f64::NEG_INFINITY, f64::max);
        let broken_after = breaks.iter().copied().filter(|at| *at > start).fold(f64::INFINITY, f64::min);
        let from = (start - reach).max(broken_before);
        let before = (ts.partition_point(|t| *t < from), ts.partition_point(|t| *t <= start - READ_LATE));
        let end = next.unwrap_or(f64::INFINITY).min(broken_after);
        let after = (ts.partition_point(|t| *t < start), ts.partition_point(|t| *t < end - READ_LATE));
        if before.0 + 2 > before.1 || after.0 >= after.1 {
            return None;
        }
        let (base, base_at) = (median(&ys[before.0..before.1]), median(&ts[before.0..before.1]));
        Some(Self { start, base, base_at, before, after, drift: 0.0 })
    }

    /// The change at the reading `place`.
    fn risen(&self, levels: Levels<'_>, place: usize) -> f64 {
        levels.ys[place] - self.base - self.drift * (levels.ts[place] - self.base_at)
    }

    fn change(&self, levels: Levels<'_>, lag: usize) -> Option<f64> {
        let place = self.after.0 + lag;
        (place < self.after.1).then(|| self.risen(levels, place))
    }

    fn noise<'l>(&self, levels: Levels<'l>) -> impl Iterator<Item = f64> + use<'l> {
        let base = self.base;
        levels.ys[self.before.0..self.before.1].iter().map(move |y| y - base)
    }

    /// None where the event did not do what events of its kind do, or nothing was read after its change.
    fn course(&self, levels: Levels<'_>, lag: usize, typical: f64, noise: f64) -> Option<Course> {
        let change = self.change(levels, lag)?;
        if change * typical.signum() < typical.abs() / 2.0 || self.after.0 + lag + 1 >= self.after.1 {
            return None;
        }
        let nothing = (LEFT * change.abs()).max(NOISE * noise);
        let mut later = self.after.0 + lag + 1..self.after.1;
        let back = later.find(|place| self.risen(levels, *place) * change.signum() <= nothing);
        let last = back.unwrap_or(self.after.1 - 1);
        Some(Course { back: back.map(|_| levels.ts[last] - self.start), seen: levels.ts[last] - self.start })
    }

    /// What is left at the end, where that is well after the change.
    fn kept(&self, levels: Levels<'_>, lag: usize, reach: f64) -> Option<f64> {
        let end = levels.ts[self.after.1 - 1];
        let from = levels.ts[self.after.0..self.after.1].partition_point(|t| *t < end - reach) + self.after.0;
        if from <= self.after.0 + lag + 1 {
            return None;
        }
        let rests: Vec<f64> = (from..self.after.1).map(|place| self.risen(levels, place)).collect();
        Some(median(&rests))
    }
}

/// How the level grows while nothing happens: the median slope over the later halves of the stretches between events of
/// any kind, the longest of them, by when what events took is mostly back.
fn drift(levels: Levels<'_>, starts: &[f64], others: &[f64], step: f64) -> f64 {
    let Levels { ts, ys, breaks } = levels;
    let gaps: Vec<f64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let gap = if gaps.is_empty() { f64::INFINITY } else { median(&gaps) };
    let mut moments = bursts(&[starts, others].concat(), 2.0 * step);
    moments.push(ts[ts.len() - 1] + READ_LATE + step);
    let stretches: Vec<(usize, usize)> = moments
        .windows(2)
        .filter(|pair| !breaks.iter().any(|at| (pair[0]..pair[1]).contains(at)))
        .map(|pair| (pair[0], pair[1].min(pair[0] + gap) - READ_LATE))
        .map(|(from, to)| (ts.partition_point(|t| *t < from), ts.partition_point(|t| *t < to)))
        .collect();
    let longest = stretches.iter().map(|(from, to)| to.saturating_sub(*from)).max().unwrap_or(0);
    let slope = |(from, to): &(usize, usize)| {
        let quarter = to.saturating_sub(*from) / 4;
        if quarter < 2 || 8 * quarter < longest {
            return None;
        }
        let part = |from: usize| (median(&ts[from..from + quarter]), median(&ys[from..from + quarter]));
        let ((t0, y0), (t1, y1)) = (part(to - 2 * quarter), part(to - quarter));
        Some((y1 - y0) / (t1 - t0))
    };
    let slope = median(&stretches.iter().filter_map(slope).collect::<Vec<_>>());
    if slope.is_finite() { slope } else { 0.0 }
}

/// The lag, in readings after an event, at which the change is there, and how many were looked at: the first at which
/// nearly all events are changed nearly as much as they ever are, or the middle one where they go apart.
fn lag(levels: Levels<'_>, windows: &[Window]) -> Option<(usize, usize)> {
    let least = windows.len().div_ceil(2);
    let mut lags = vec![0_usize];
    loop {
        let last = lags[lags.len() - 1];
        let next = (last + 1).max((last as f64 * NEXT_LAG) as usize);
        if windows.iter().filter(|window| window.after.0 + next < window.after.1).count() < least {
            break;
        }
        lags.push(next);
    }
    let changes = |lag: &usize| windows.iter().filter_map(|window| window.change(levels, *lag)).collect::<Vec<_>>();
    let at_least = |lag: &usize| {
        let changes = changes(lag);
        let (low, high) = (quantile(&changes, NEARLY_ALL), -quantile(&changes, 1.0 - NEARLY_ALL));
        low.max(high).max(0.0)
    };
    let of_most = |lag: &usize| median(&changes(lag)).abs();
    let first = |size: &dyn Fn(&usize) -> f64| {
        let sizes: Vec<f64> = lags.iter().map(size).collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let found = lags.iter().zip(&sizes).find(|(_, size)| **size >= RISEN * largest).map(|(lag, _)| *lag);
        found.filter(|_| largest > 0.0)
    };
    let found = first(&at_least).or_else(|| first(&of_most)).or(lags.first().copied());
    found.map(|lag| (lag, lags.len()))
}

/// The same change at moments without an event.
fn placebos(levels: Levels<'_>, starts: &[f64], reach: f64, lag: usize, drift: f64) -> Vec<f64> {
    let Levels { ts, .. } = levels;
    let every = ts.len().div_ceil(PLACEBOS).max(1);
    let at = |place: usize| {
        let start = ts[place];
        let window = Window::at(levels, start, None, reach)?;
        let window = Window { drift, ..window };
        let change = window.change(levels, lag)?;
        let end = ts[window.after.0 + lag];
        let is_free = !starts.iter().any(|event| (start - reach - READ_LATE..=end + READ_LATE).contains(event));
        Some((change, is_free))
    };
    let all: Vec<(f64, bool)> = (0..ts.len()).step_by(every).filter_map(at).collect();
    let free: Vec<f64> = all.iter().filter(|(_, is_free)| *is_free).map(|(change, _)| *change).collect();
    if free.len() >= FEW_PLACEBOS { free } else { all.into_iter().map(|(change, _)| change).collect() }
}

/// Whether the places of `changes` among `placebos` lie to one side by more than `chance` (one-sided) makes. Of events
/// that change nothing each place is as likely as any other, whatever the level does. Events that come as regularly as
/// the level moves have places that hang together, and are worth fewer ones.
fn stands_out(changes: &[f64], placebos: &[f64], chance: f64) -> bool {
    if placebos.is_empty() {
        return false;
    }
    let place = |change: &f64| {
        let below = placebos.iter().filter(|placebo| *placebo < change).count() as f64;
        let above = placebos.iter().filter(|placebo| *placebo > change).count() as f64;
        let equal = placebos.len() as f64 - below - above;
        // Beyond all of them there may be others yet.
        (below + equal / 2.0 + 0.5) / (placebos.len() + 1) as f64
    };
    let places: Vec<f64> = changes.iter().map(place).collect();
    let n = places.len() as f64;
    let mean = places.iter().sum::<f64>() / n;
    let worth = n / (UNIFORM * long_run(&places, mean)).max(1.0);
    if worth < n || places.len() > EXACT {
        return (mean - 0.5).abs() * (UNIFORM * worth).sqrt() > student::normal_quantile(1.0 - chance);
    }
    let rest: f64 = places.iter().map(|place| if mean > 0.5 { 1.0 - place } else { *place }).sum();
    below_sum(rest, places.len()) < chance
}

/// One over the variance of a uniform number.
const UNIFORM: f64 = 12.0;

/// Up to this many numbers the distribution of their sum is reckoned exactly; of more it is normal.
const EXACT: usize = 12;

/// The chance that this many uniform numbers add up to less than `sum` (Irwin 1927, Hall 1927).
fn below_sum(sum: f64, count: usize) -> f64 {
    let (mut total, mut choose, mut factorial) = (0.0, 1.0, 1.0);
    for k in 0..=count {
        if k > 0 {
            choose *= (count + 1 - k) as f64 / k as f64;
            factorial *= k as f64;
        }
        if sum > k as f64 {
            let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
            total += sign * choose * (sum - k as f64).powf(count as f64);
        }
    }
    total / factorial
}

/// The variance of values that hang together, for their mean (Newey and West 1987).
fn long_run(values: &[f64], mean: f64) -> f64 {
    let n = values.len();
    let product =
        |lag: usize| values[lag..].iter().zip(values).map(|(one, other)| (one - mean) * (other - mean)).sum::<f64>();
    let lags = (n / 3).min(LAGS);
    let weighted = (1..=lags).map(|lag| 2.0 * (1.0 - lag as f64 / (lags + 1) as f64) * product(lag)).sum::<f64>();
    (product(0) + weighted) / n as f64
}

/// The median of `values` with its interval: between order statistics where there are enough of them (David and
/// Nagaraja 2003, section 7.1), else by Student's t; of one value by the `noise` of two readings.
fn of_median(values: &[f64], noise: f64) -> Option<Interval> {
    const ENOUGH: usize = 6;
    let n = values.len();
    let value = median(values);
    let of_noise = 1.96 * noise * (1.0 + 1.0 / BEFORE).sqrt() / (n as f64).sqrt();
    match n {
        0 => None,
        1 => Some([value, value - of_noise, value + of_noise]),
        2..ENOUGH => {
            let mean = values.iter().sum::<f64>() / n as f64;
            let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            let error = (squares / (n - 1) as f64 / n as f64).sqrt();
            let half = (student::quantile(0.975, (n - 1) as f64) * error).max(of_noise);
            Some([value, (mean - half).min(value), (mean + half).max(value)])
        }
        _ => {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            // The normal approximation of the binomial; of 6 values it takes the first and the last, which is 97 %.
            let place = ((n as f64 - 1.96 * (n as f64).sqrt()) / 2.0).floor().max(0.0) as usize;
            Some([value, sorted[place], sorted[n - 1 - place]])
        }
    }
}

#[cfg(test)]
mod tests;
