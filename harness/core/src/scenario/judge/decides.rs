//! Whether the soak lasts long enough to name growth that is worth finding.

use std::time::Duration;

use crate::scenario::check::{Check, SHORTEST_FIT};
use crate::scenario::{Model, Phase, Program, Role, Scenario, Shape};
use steep_judge::growth::MemorySource;
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Rps, duration_text};

/// Growth over a soak from which on a leak is named, scaled down below [`SHORT`] (METHOD.md, what decides).
const LEAST_GROWTH: Bytes = Bytes::mib(1);
/// See [`LEAST_GROWTH`].
const SHORT: Duration = Duration::from_secs(290);
/// What an allocator may take by itself: all of it counts in a soak of the first length, and none in one of the second,
/// if the line is plain (METHOD.md, what decides).
const DRIFTING: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(2));
/// Under load a soak is warned of that names nothing below this many times what is worth finding. Of one that is only
/// somewhat short the report says what was seen, and most leaks are larger than the smallest that is worth finding.
const FAR: f64 = 10.0;

impl Check<'_> {
    /// Warns of a soak in which what is worth finding is too little to be named.
    pub(in crate::scenario) fn decides(&mut self, scenario: &Scenario) {
        let Some((judged, rate)) = judged(scenario).filter(|(judged, _)| *judged >= SHORTEST_FIT) else { return };
        let judge = &scenario.judge;
        let per_request = judge.min_growth_bytes_per_request.at(rate);
        let worth = BytesPerHour::new(per_request.get().max(judge.min_growth_bytes_per_hour.get()));
        let far = if scenario.load.model == Model::None { 1.0 } else { FAR };
        // A package is in Rust, whose memory the library sees unless an allocator of its own is linked in.
        let is_package = matches!(scenario.service.program, Program::Package(_));
        let service = &scenario.service;
        let is_counted = service.live_from().is_some() || service.lets_program_decide() && is_package;
        let source = if is_counted { MemorySource::Live } else { MemorySource::Anonymous };
        let named = BytesPerHour::per_second(least_named(judged, source) / judged.as_secs_f64());
        if worth.get() <= 0.0 || named.get() <= far * worth.get() {
            return;
        }
        let need = Duration::try_from_secs_f64(LEAST_GROWTH.as_f64() / worth.get_per_second()).unwrap_or(Duration::MAX);
        let need = duration_text(need.max(SHORT));
        let lasts = duration_text(judged);
        let (message, help) = if rate.get() > 0.0 {
            let each = |growth: BytesPerHour| BytesPerRequest::new(growth.get_per_second() / rate.get());
            let message = format!(
                "a leak of {} ({worth}) is worth finding, and {lasts} at {rate} cannot decide it: they name one of {} or more",
                each(worth),
                each(named)
            );
            (
                message,
                format!("lengthen the steady phase to {need}, or raise judge.min_growth_per_request to what matters"),
            )
        } else {
            let who = match &scenario.external {
                Some(_) => "nobody counts the requests of load.command:",
                None => "without requests",
            };
            let message = format!("{who} a leak of {worth} is worth finding, and {lasts} name one of {named} or more");
            let count =
                if scenario.external.is_some() { ", or let load.requests_from or load.counter count them" } else { "" };
            (message, format!("lengthen the steady phase to {need}, or raise judge.min_growth_per_hour{count}"))
        };
        self.warning("phases", message, help);
    }
}

/// Growth that a soak of this length is sure to name by a source, in bytes.
fn least_named(lasts: Duration, source: MemorySource) -> f64 {
    let seconds = lasts.as_secs_f64();
    let scaled = LEAST_GROWTH.as_f64() * (seconds / SHORT.as_secs_f64()).min(1.0);
    let (all, none) = (DRIFTING.0.as_secs_f64(), DRIFTING.1.as_secs_f64());
    let drifting = ((none - seconds) / (none - all)).clamp(0.0, 1.0);
    source.drift().map_or(scaled, |drift| scaled.max(drift.as_f64() * drifting))
}

/// How long the longest stretch lasts that is fitted, and the rate of requests in it; none where the rate follows from
/// the answers, or is only known to another program that is counted.
fn judged(scenario: &Scenario) -> Option<(Duration, Rps)> {
    let is_fitted = |phase: &Phase| matches!(phase.role, Role::Warmup | Role::Steady);
    let lasts = |stretch: &[Phase]| stretch.iter().map(|phase| phase.duration).sum::<Duration>();
    let longest = scenario.phases.split(|phase| !is_fitted(phase)).max_by_key(|stretch| lasts(stretch))?;
    let is_counted = scenario.external.as_ref().is_some_and(|load| load.counter.is_some() || load.reported.is_some());
    let is_unknown =
        |phase: &Phase| matches!(phase.shape, Shape::Users { .. }) || phase.shape == Shape::External && is_counted;
    if longest.iter().any(is_unknown) {
        return None;
    }
    let sends_nothing = scenario.load.model == Model::None || scenario.external.is_some();
    // The highest of each: nobody is warned of a rate that is only lower for a while.
    let requests: f64 = longest.iter().map(|phase| phase.shape.peak().get() * phase.duration.as_secs_f64()).sum();
    let seconds = lasts(longest).as_secs_f64();
    // A rate of 0 without a word for it is an error already.
    (seconds > 0.0 && (requests > 0.0 || sends_nothing)).then(|| (lasts(longest), Rps::new(requests / seconds)))
}
