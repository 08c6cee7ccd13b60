//! Growth of what is recorded beside memory: open files, threads, latency. Advice, and no verdict.

use schemars::JsonSchema;
use serde::Serialize;

use super::stretches::fitted_samples;
use crate::trace::{Sample, Trace};
use steep_judge::growth::{Advice, Trend, advice};
use steep_judge::units::{Bytes, Estimate};

/// What a series beside memory does.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OtherSeries {
    /// Which.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What it does.
    #[serde(flatten)]
    pub advice: Advice,
}

impl OtherSeries {
    /// What a person should know of it; none where it is nothing.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        if self.advice.trend != Trend::Grows {
            return None;
        }
        let Estimate { value, low, high } = self.advice.per_hour;
        let Self { name, unit, .. } = self;
        Some(format!("{name} grew, too: by {value:.1} {unit} per hour ({low:.1} to {high:.1})"))
    }
}

/// What each series beside memory does over the stretch that is fitted; those that cannot be judged are left out.
pub(super) fn other_series(trace: &Trace) -> Vec<OtherSeries> {
    let samples = fitted_samples(trace);
    let sampled = |name, unit, least, value: fn(&Sample) -> f64| {
        let points = samples.iter().map(|sample| (sample.t_s.as_secs_f64(), value(sample), sample.completed() as f64));
        judged(name, unit, least, points)
    };
    let (first, last) = (samples.first().map(|sample| sample.t_s), samples.last().map(|sample| sample.t_s));
    let inside = trace.seconds().filter(|second| Some(second.t_s) >= first && Some(second.t_s) <= last);
    let latency = inside.filter_map(|second| {
        Some((second.t_s.as_secs_f64(), second.slowest_us? as f64 / 1000.0, second.completed as f64))
    });
    let kernel = samples.iter().filter_map(|sample| {
        let bytes = sample.held?.kernel_bytes?.as_f64();
        Some((sample.t_s.as_secs_f64(), bytes / Bytes::mib(1).as_f64(), sample.completed() as f64))
    });
    [
        sampled("open files", "files", 10.0, |sample| sample.activity.fds as f64),
        sampled("threads", "threads", 2.0, |sample| sample.activity.threads as f64),
        judged("p99 of the slowest request", "ms", 1.0, latency),
        judged("memory of the kernel for it (sockets, slab, page tables)", "MiB", 1.0, kernel),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `least` is the growth over the run from which on it is worth a word.
fn judged(
    name: &'static str,
    unit: &'static str,
    least: f64,
    points: impl Iterator<Item = (f64, f64, f64)>,
) -> Option<OtherSeries> {
    let (mut moments, mut values, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for (moment, value, completed) in points {
        moments.push(moment);
        values.push(value);
        requests.push(completed);
    }
    let advice = advice(&moments, &values, &requests, least).ok()?;
    Some(OtherSeries { name, unit, advice })
}
