//! Watches thresholds while a soak goes on, and tells at its end which were broken: by how much, when, for how long. A
//! soak under way and a trace that is read back go through the same code, so that they say the same.
//!
//! Pure: it sees what was recorded.

use std::collections::VecDeque;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::scenario::{Bound, Judged, Metric, Request, Role, Threshold, Unit};
use crate::trace::{Counts, Header, PhaseSpan, Sample, Trace, Traffic};
use crate::traffic::latency::LatencyLimit;
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Rps, SinceStart, duration_text};

/// A window is kept in at most this many steps: one of an hour ends and begins 6 s exactly.
const STEPS_PER_WINDOW: u32 = 600;

/// What came of a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ThresholdOutcome {
    /// The threshold.
    #[serde(flatten)]
    pub threshold: Threshold,
    /// The unit of its limit.
    pub unit: Unit,
    /// Whether it was broken.
    pub broken: bool,
    /// The value that was farthest to the bad side; none where nothing was measured. Of a latency it is the share of
    /// requests that took longer than the limit, which counts exactly.
    pub worst: Option<f64>,
    /// The unit of that.
    pub worst_unit: Unit,
    /// When it was first broken, and for how long in all; none where it was not, or is judged at the end only.
    pub breach: Option<Breach>,
}

/// When a threshold was broken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Breach {
    /// When first.
    pub since_s: SinceStart,
    /// For how long, in all.
    pub seconds: f64,
}

/// The thresholds of a soak.
#[derive(Debug)]
pub struct Watch {
    phases: Vec<PhaseSpan>,
    watched: Vec<Watched>,
    has_aborted: bool,
}

/// The times that the driver is to count the slower requests of: one for each threshold of a latency, in their order.
#[must_use]
pub fn latency_limits(thresholds: &[Threshold], requests: &[Request]) -> Vec<LatencyLimit> {
    let of_latency = thresholds.iter().filter(|threshold| threshold.metric.slower_share().is_some());
    let limit = |threshold: &Threshold| LatencyLimit {
        request: threshold.request.as_ref().and_then(|name| requests.iter().position(|known| known.name == *name)),
        limit: Duration::try_from_secs_f64(limit_of(threshold)).unwrap_or(Duration::MAX),
    };
    of_latency.map(limit).collect()
}

impl Watch {
    /// The thresholds of a soak that is over, with all its `trace` seen.
    #[must_use]
    pub fn over(trace: &Trace) -> Self {
        let mut watch = Self::new(&trace.header);
        trace.traffic.iter().for_each(|traffic| watch.see_traffic(traffic));
        trace.samples.iter().for_each(|sample| watch.see_sample(sample));
        watch
    }

    /// What came of them; `at_the_end` gives what is only known then.
    #[must_use]
    pub fn finish(self, at_the_end: impl Fn(Metric) -> Option<f64>) -> Vec<ThresholdOutcome> {
        self.watched.into_iter().map(|watched| watched.finish(&at_the_end)).collect()
    }

    /// The thresholds of the soak that begins with `header`.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let mut latencies = 0..;
        let watched = header.thresholds.iter().map(|threshold| {
            let nth_latency = threshold.metric.slower_share().and_then(|_| latencies.next());
            Watched::new(threshold.clone(), nth_latency)
        });
        Self { phases: header.phases.clone(), watched: watched.collect(), has_aborted: false }
    }

    /// Sees what the driver did.
    pub fn see_traffic(&mut self, traffic: &Traffic) {
        let is_steady =
            |phase: &PhaseSpan| phase.role == Role::Steady && (phase.start_s..=phase.end_s).contains(&traffic.t_s);
        let steady = self.phases.iter().any(is_steady);
        for watched in self.watched.iter_mut().filter(|watched| watched.threshold.metric.judged() == Judged::Rolling) {
            if watched.threshold.metric == Metric::Throughput && !steady {
                watched.interrupt();
            } else {
                watched.see_counts(traffic);
            }
        }
    }

    /// Sees memory, files and threads.
    pub fn see_sample(&mut self, sample: &Sample) {
        for watched in &mut self.watched {
            let value = match watched.threshold.metric {
                Metric::PeakMemory => sample.peak().as_f64(),
                Metric::OpenFiles => sample.activity.fds as f64,
                Metric::Threads => sample.activity.threads as f64,
                _ => continue,
            };
            watched.see_value(sample.t_s, value);
        }
    }

    /// Why the soak is to end, if a threshold has been broken for too long. Said once.
    #[must_use]
    pub fn why_abort(&mut self) -> Option<String> {
        if self.has_aborted {
            return None;
        }
        let too_long = self.watched.iter().find(|watched| watched.is_broken_for_too_long())?;
        let (since, until) = too_long.broken?;
        let what = described(&too_long.threshold);
        self.has_aborted = true;
        Some(format!(
            "stopped after {until}: {what} was broken for {} without a break",
            duration_text(until.since(since))
        ))
    }
}

/// Counts up to a moment; a value is the ratio of their differences.
#[derive(Debug, Clone, Copy, Default)]
struct Point {
    at: SinceStart,
    part: f64,
    whole: f64,
}

#[derive(Debug)]
struct Watched {
    threshold: Threshold,
    /// Its place among the thresholds of latencies.
    nth_latency: Option<usize>,
    /// The window, the oldest first: one point at its beginning or before, the others within.
    points: VecDeque<Point>,
    last: Option<Point>,
    /// Of the whole run.
    sums: (f64, f64),
    /// Broken now: from when, until when.
    broken: Option<(SinceStart, SinceStart)>,
    worst: Option<f64>,
    breach: Option<Breach>,
}

impl Watched {
    fn new(threshold: Threshold, nth_latency: Option<usize>) -> Self {
        let (points, sums) = (VecDeque::new(), (0.0, 0.0));
        let mut new =
            Self { threshold, nth_latency, points, last: None, sums, broken: None, worst: None, breach: None };
        if new.threshold.metric != Metric::Throughput {
            // All counts are 0 when the load begins; the throughput counts from where it is steady.
            new.last = Some(Point::default());
            new.points.push_back(Point::default());
        }
        new
    }

    /// What comes next does not follow on what was.
    fn interrupt(&mut self) {
        self.points.clear();
        (self.last, self.broken) = (None, None);
    }

    fn see_counts(&mut self, traffic: &Traffic) {
        let Some((part, whole)) = self.counted(traffic) else { return };
        let point = Point { at: traffic.t_s, part, whole };
        if let Some(last) = self.last.replace(point) {
            self.sums.0 += point.part - last.part;
            self.sums.1 += point.whole - last.whole;
        }
        let Some(window) = self.threshold.window else { return };
        let is_apart = |newest: &Point| point.at.since(newest.at) >= window / STEPS_PER_WINDOW;
        if self.points.back().is_none_or(is_apart) {
            self.points.push_back(point);
        }
        while self.points.get(1).is_some_and(|second| point.at.since(second.at) >= window) {
            self.points.pop_front();
        }
        let Some(oldest) = self.points.front().filter(|oldest| point.at.since(oldest.at) >= window) else { return };
        let (part, whole) = (point.part - oldest.part, point.whole - oldest.whole);
        if whole > 0.0 {
            self.see_value(point.at, part / whole);
        } else {
            self.broken = None;
        }
    }

    /// The counts that the metric is the ratio of.
    fn counted(&self, traffic: &Traffic) -> Option<(f64, f64)> {
        if let Some(nth) = self.nth_latency {
            let slower = traffic.slower.get(nth)?;
            return Some((slower.slower as f64, slower.of as f64));
        }
        let mut counts = Counts::default();
        let wanted = |name: &str| self.threshold.request.as_ref().is_none_or(|wanted| wanted == name);
        traffic.requests.iter().filter(|(name, _)| wanted(name)).for_each(|(_, of_one)| counts.add(of_one));
        let (part, whole) = match self.threshold.metric {
            Metric::ErrorRate => (counts.failed(), counts.failed().saturating_add(counts.ok)),
            Metric::Undelivered => (counts.missed.saturating_add(counts.dropped), counts.due),
            _ => return Some((counts.completed() as f64, traffic.t_s.as_secs_f64())),
        };
        Some((part as f64, whole as f64))
    }

    fn see_value(&mut self, at: SinceStart, value: f64) {
        self.note_worst(value);
        if !self.is_beyond(value) {
            self.broken = None;
            return;
        }
        let (since, before) = self.broken.unwrap_or((at, at));
        self.broken = Some((since, at));
        let breach = self.breach.get_or_insert(Breach { since_s: since, seconds: 0.0 });
        breach.seconds += at.since(before).as_secs_f64();
    }

    fn note_worst(&mut self, value: f64) {
        let is_worse = |worst: f64| match self.threshold.bound {
            Bound::Max(_) => value > worst,
            Bound::Min(_) => value < worst,
        };
        if self.worst.is_none_or(is_worse) {
            self.worst = Some(value);
        }
    }

    /// Whether `value`, as it is measured, breaks the threshold.
    fn is_beyond(&self, value: f64) -> bool {
        match (self.threshold.metric.slower_share(), self.threshold.bound) {
            (Some(share), _) => value > share,
            (None, Bound::Max(most)) => value > most,
            (None, Bound::Min(least)) => value < least,
        }
    }

    fn is_broken_for_too_long(&self) -> bool {
        let lasted = self.broken.map(|(since, until)| until.since(since));
        self.threshold.abort_after.zip(lasted).is_some_and(|(abort_after, lasted)| lasted >= abort_after)
    }

    fn finish(mut self, at_the_end: impl Fn(Metric) -> Option<f64>) -> ThresholdOutcome {
        let value = match self.threshold.metric.judged() {
            Judged::Rolling if self.threshold.window.is_none() => {
                let (part, whole) = self.sums;
                (whole > 0.0).then(|| part / whole)
            }
            Judged::AtTheEnd => at_the_end(self.threshold.metric),
            Judged::Rolling | Judged::Sampled => None,
        };
        if let Some(value) = value {
            self.note_worst(value);
        }
        let broken = self.breach.is_some() || value.is_some_and(|value| self.is_beyond(value));
        let unit = self.threshold.metric.unit();
        let worst_unit = if self.threshold.metric.slower_share().is_some() { Unit::Share } else { unit };
        ThresholdOutcome { unit, broken, worst: self.worst, worst_unit, breach: self.breach, threshold: self.threshold }
    }
}

impl ThresholdOutcome {
    /// What came of it, in words.
    #[must_use]
    pub fn note(&self) -> String {
        let Self { threshold, broken, worst, breach, .. } = self;
        let what = described(threshold);
        let Some(worst) = worst else { return format!("threshold {what}: nothing was measured") };
        let measured = match threshold.metric.slower_share() {
            Some(allowed) => {
                format!("{} of the requests took longer, where {} may", in_percent(*worst), in_percent(allowed))
            }
            None => in_unit(threshold.metric, *worst),
        };
        let at_worst = if threshold.window.is_some() { "at worst " } else { "" };
        match breach {
            _ if !broken => format!("threshold {what} was kept: {at_worst}{measured}"),
            None => format!("THRESHOLD {what} was broken: {measured}"),
            Some(Breach { since_s, seconds }) => {
                let lasted = duration_text(Duration::from_secs_f64(*seconds));
                format!("THRESHOLD {what} was broken after {since_s}, for {lasted} in all: {at_worst}{measured}")
            }
        }
    }
}

fn limit_of(threshold: &Threshold) -> f64 {
    let (Bound::Max(limit) | Bound::Min(limit)) = threshold.bound;
    limit
}

/// `p99 of get ≤ 50 ms over 60s`.
fn described(threshold: &Threshold) -> String {
    let Threshold { metric, request, bound, window, .. } = threshold;
    let of = request.as_ref().map_or_else(String::new, |request| format!(" of {request}"));
    let sign = if matches!(bound, Bound::Max(_)) { '≤' } else { '≥' };
    let over = window.map_or_else(String::new, |window| format!(" over {}", duration_text(window)));
    format!("{}{of} {sign} {}{over}", metric.name(), in_unit(*metric, limit_of(threshold)))
}

fn in_percent(share: f64) -> String {
    format!("{} %", (share * 10_000.0).round() / 100.0)
}

fn in_unit(metric: Metric, value: f64) -> String {
    match metric.unit() {
        Unit::Share => in_percent(value),
        Unit::RequestsPerSecond => Rps::new(value).to_string(),
        Unit::Seconds => format!("{} ms", (value * 1e6).round() / 1e3),
        Unit::Bytes => Bytes::new(value as u64).to_string(),
        Unit::BytesPerHour => BytesPerHour::new(value).to_string(),
        Unit::BytesPerRequest => BytesPerRequest::new(value).to_string(),
        Unit::Count => format!("{value}"),
        Unit::CountPerHour => format!("{value:.1}/h"),
    }
}

#[cfg(test)]
mod tests;
