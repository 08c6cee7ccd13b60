//! The figures of a cell or of what is varied, each with its interval where it has one.

use crate::outcome::Outcome;
use crate::trace::Percentiles;
use steep_judge::isolation::Finding;
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Estimate, HALF_WIDTH};

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// What it is called everywhere: with its unit, as in `report.json`.
    pub(super) name: &'static str,
    /// What it is, in words.
    pub(super) help: &'static str,
    /// The figure: finite.
    pub(super) value: f64,
    /// The ends of its 95 % interval: finite, and the value lies between them.
    pub(super) bounds: Option<(f64, f64)>,
}

/// A figure, if it is a number.
fn figure(name: &'static str, help: &'static str, value: f64, bounds: Option<(f64, f64)>) -> Option<Figure> {
    let bounds = bounds.filter(|(low, high)| low.is_finite() && high.is_finite());
    let bounds = bounds.map(|(low, high)| (low.min(value), high.max(value)));
    value.is_finite().then_some(Figure { name, help, value, bounds })
}

fn estimated(name: &'static str, help: &'static str, estimate: Estimate<f64>) -> Option<Figure> {
    figure(name, help, estimate.value, Some((estimate.low, estimate.high)))
}

const PER_REQUEST: &str = "Growth of memory per completed request.";
const PER_HOUR: &str = "Growth of memory per hour.";

/// What is known of a cell, in figures.
pub(super) fn of_cell(outcome: &Outcome) -> Vec<Figure> {
    let growth = outcome.growth();
    let per_request = growth.and_then(|growth| growth.per_request).map(|growth| growth.map(BytesPerRequest::get));
    let per_hour = growth.map(|growth| growth.per_hour.map(BytesPerHour::get));
    let costs = outcome.figures.as_ref();
    let settled = costs.map(|costs| costs.settled_anon_bytes.as_f64());
    let cpu = costs.and_then(|costs| {
        let value = costs.cpu_us_per_request?;
        let half = costs.cpu_error_us_per_request.map(|error| HALF_WIDTH * error);
        let bounds = half.map(|half| (value - half, value + half));
        figure("cpu_us_per_request", "CPU time of the service per completed request.", value, bounds)
    });
    let plain = |name, help, value: Option<f64>| figure(name, help, value?, None);
    let slowest = |of: fn(&Percentiles) -> u64| outcome.latency.values().map(of).max().map(|us| us as f64);
    let counts = outcome.external.is_none().then_some(&outcome.requests);
    [
        per_request.and_then(|growth| estimated("growth_bytes_per_request", PER_REQUEST, growth)),
        per_hour.and_then(|growth| estimated("growth_bytes_per_hour", PER_HOUR, growth)),
        plain(
            "seen_at_least_bytes_per_hour",
            "The smallest growth per hour that this soak would have called a leak.",
            growth.map(|growth| growth.seen_at_least.get()),
        ),
        plain("settled_anon_bytes", "Anonymous memory over the second half of what is judged: the median.", settled),
        plain("peak_bytes", "The highest resident memory.", outcome.peak_bytes.map(Bytes::as_f64)),
        plain(
            "memory_limit_bytes",
            "What production gives the service.",
            outcome.memory_limit_bytes.map(Bytes::as_f64),
        ),
        outcome.seconds_to_limit.and_then(|seconds| {
            estimated(
                "seconds_to_limit",
                "When growth would reach the memory limit, from the end of the soak.",
                seconds,
            )
        }),
        cpu,
        plain("requests_per_s", "Completed requests per second.", costs.and_then(|costs| costs.requests_per_s)),
        plain("latency_p50_us", "Median latency, of the slowest name of a request.", slowest(|times| times.p50_us)),
        plain(
            "latency_p99_us",
            "99th percentile of the latency, of the slowest name of a request.",
            slowest(|times| times.p99_us),
        ),
        plain("requests_due", "Requests that the schedule called for.", counts.map(|counts| counts.due as f64)),
        plain("requests_sent", "Requests that were sent.", counts.map(|counts| counts.sent as f64)),
        plain(
            "requests_failed",
            "Requests that were sent and not answered as expected.",
            counts.map(|counts| counts.failed() as f64),
        ),
        plain("requests_completed", "Requests that were answered.", outcome.completed.map(|count| count as f64)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is known of a flag, or a value of an axis, in figures.
pub(super) fn of_finding(finding: &Finding) -> Vec<Figure> {
    let effect = finding.effect.as_ref();
    let per_request = effect.and_then(|effect| effect.per_request).map(|growth| growth.map(BytesPerRequest::get));
    let per_hour = effect.map(|effect| effect.per_hour.map(BytesPerHour::get));
    [
        finding.posterior.and_then(|value| figure("posterior", "The probability that it leaks.", value, None)),
        per_request.and_then(|growth| estimated("growth_bytes_per_request", PER_REQUEST, growth)),
        per_hour.and_then(|growth| estimated("growth_bytes_per_hour", PER_HOUR, growth)),
    ]
    .into_iter()
    .flatten()
    .collect()
}
