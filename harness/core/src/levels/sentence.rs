//! What a factor costs, in one sentence.

use super::{FactorLevels, Level};
use crate::outcome::Measure;

/// A level that is there from the start has this share of the settled one then.
const FROM_THE_START: f64 = 0.8;

/// What `factor` costs, followed by `growth`: what is known of its growth. No full stop; none where nothing is said.
#[must_use]
pub fn sentence(factor: &FactorLevels, growth: &str) -> Option<String> {
    let parts: Vec<(bool, String)> = [
        memory(factor),
        part(factor, Measure::PeakBytes, "in the peak"),
        part(factor, Measure::P99Us, "in the 99th percentile of latency"),
        part(factor, Measure::CpuUsPerRequest, "of CPU per request"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let of =
        |adds: bool| parts.iter().filter(move |part| part.0 == adds).map(|part| part.1.clone()).collect::<Vec<_>>();
    let [adds, saves] = [("adds", of(true)), ("saves", of(false))]
        .map(|(verb, what)| (!what.is_empty()).then(|| format!("{verb} {}", listed(&what))));
    let described: Vec<String> = adds.into_iter().chain(saves).collect();
    if described.is_empty() {
        return None;
    }
    let quoted: Vec<String> = factor.names.iter().map(|name| format!("`{name}`")).collect();
    let names = match &quoted[..] {
        [one] => one.clone(),
        several => format!("one of {}, which the same cells had,", listed(several)),
    };
    let against = factor.against.as_ref().map_or_else(String::new, |against| format!(", against `{against}`"));
    let growth = if growth.is_empty() { String::new() } else { format!("; {growth}") };
    Some(format!("{names} {}{against}{growth}", described.join(" and ")))
}

fn memory(factor: &FactorLevels) -> Option<(bool, String)> {
    let (settled, start) = (factor.level(Measure::SettledAnonBytes), factor.said(Measure::StartAnonBytes));
    match (settled, start) {
        (Some(settled), start) if settled.is_said => {
            let is_early = start.is_some_and(|start| start.estimate.value / settled.estimate.value >= FROM_THE_START);
            let when = if is_early { " from the start" } else { "" };
            Some(amount(Measure::SettledAnonBytes, settled, &format!("of settled memory{when}")))
        }
        (_, start) => Some(amount(Measure::StartAnonBytes, start?, "of memory at the start")),
    }
}

fn part(factor: &FactorLevels, measure: Measure, what: &str) -> Option<(bool, String)> {
    factor.said(measure).map(|level| amount(measure, level, what))
}

/// Whether it is more, and how much.
fn amount(measure: Measure, level: &Level, what: &str) -> (bool, String) {
    let adds = level.estimate.value > 0.0;
    let size = if adds { level.estimate } else { level.estimate.negated() };
    (adds, format!("{} {what}", measure.shown(&size)))
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => names.join(""),
    }
}
