//! Turns growth into a verdict with the rule that decided, its reason and, where it is open, with what would decide it.
//!
//! The rules stand in `rules`, in their order. Pure: no files, processes, sockets, clocks, threads or output.

pub mod advice;
mod early_stop;
mod explain;
mod limits;
mod need;
pub mod rules;
mod words;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

pub use self::early_stop::{EarlyStop, looks};
pub use self::explain::{Explanation, explain};
pub use self::limits::Limits;
use self::need::advised;
use self::rules::{NOT_READ, OF_BOTH, OF_GROWTH, OF_NUMBERS, Rule, TOO_FEW_READINGS, TOO_UNCERTAIN, first};
use self::words::estimate;
use crate::growth::{Growth, Layer, Materiality, Series, Unjudgeable, fit};

/// What is said about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Sustained growth.
    Leak,
    /// Growth in lasting jumps.
    Step,
    /// It grew, and then stopped.
    Plateau,
    /// No growth that is worth finding.
    Stable,
    /// Resident memory grows, live bytes do not.
    Retention,
    /// Not decided.
    Inconclusive,
    /// The service ended by itself.
    Crashed,
    /// The run cannot be judged.
    Invalid,
}

impl Verdict {
    /// As written in scenarios and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Step => "step",
            Self::Plateau => "plateau",
            Self::Stable => "stable",
            Self::Retention => "retention",
            Self::Inconclusive => "inconclusive",
            Self::Crashed => "crashed",
            Self::Invalid => "invalid",
        }
    }

    /// What the verdict means, in plain words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Leak => "growing, and if it is a cache, one that fills more slowly than this run lasted",
            Self::Step => "growing in lasting jumps",
            Self::Plateau => "it grew, and then stopped",
            Self::Stable => "no growth that is worth finding was active during this run",
            Self::Retention => "resident memory keeps growing while live bytes do not: the allocator holds it",
            Self::Inconclusive => "not decided",
            Self::Crashed => "the service ended by itself",
            Self::Invalid => "the run cannot be judged",
        }
    }

    /// Whether the statistics decided, one way or the other.
    #[must_use]
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Leak | Self::Step | Self::Plateau | Self::Stable | Self::Retention)
    }

    /// Whether memory was found to grow, whoever holds it.
    #[must_use]
    pub const fn grows(self) -> bool {
        matches!(self, Self::Leak | Self::Step | Self::Retention)
    }

    /// Whether this verdict clears the service.
    #[must_use]
    pub const fn is_clear(self) -> bool {
        matches!(self, Self::Plateau | Self::Stable)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A verdict with everything that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The rule that decided, by its name.
    #[schemars(with = "String")]
    pub rule: Rule,
    /// Why, in one sentence with its numbers.
    pub reason: String,
    /// What to do so that it is decided, a command or a key of the scenario; none where it is, and where others know
    /// better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// How long a run would have to last to decide, if it is open.
    #[serde(rename = "need_seconds", serialize_with = "as_seconds")]
    #[schemars(with = "Option<f64>")]
    pub need: Option<Duration>,
    /// Growth of the memory that the verdict rests on; `None` if nothing could be fitted.
    pub growth: Option<Growth>,
    /// Growth of the anonymous memory, where live bytes decided.
    pub anonymous: Option<Growth>,
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn as_seconds<S: Serializer>(need: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    need.map(|need| need.as_secs_f64()).serialize(serializer)
}

impl Judgement {
    /// The same numbers under a rule that asks for something else than growth: a crash, load not delivered. A rule
    /// without a verdict of its own leaves that as it is.
    #[must_use]
    pub fn overruled(self, rule: Rule, reason: impl Into<String>) -> Self {
        let verdict = rule.verdict.unwrap_or(self.verdict);
        Self { verdict, rule, reason: reason.into(), need: None, advice: None, ..self }
    }

    /// Of an input that cannot be read, or that is not there.
    #[must_use]
    pub fn not_read(reason: impl Into<String>) -> Self {
        Self::ruled(NOT_READ, reason)
    }

    /// Of phases that were not soaked in a cell that otherwise was.
    pub(crate) fn not_soaked() -> Self {
        Self::ruled(TOO_FEW_READINGS, "was not soaked")
    }

    /// What `rule` says, without numbers.
    fn ruled(rule: Rule, reason: impl Into<String>) -> Self {
        let verdict = rule.verdict.unwrap_or(Verdict::Inconclusive);
        Self { verdict, rule, reason: reason.into(), advice: None, need: None, growth: None, anonymous: None }
    }

    /// The same with what to do so that it is decided.
    #[must_use]
    pub fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

impl From<Unjudgeable> for Judgement {
    fn from(unjudgeable: Unjudgeable) -> Self {
        let broken = first(&OF_NUMBERS, |applies| applies(&unjudgeable).then_some(()));
        let rule = broken.map_or(TOO_FEW_READINGS, |(rule, ())| rule);
        let judgement = Self::ruled(rule, unjudgeable.to_string());
        Self { need: unjudgeable.need(), ..judgement }.advising(advice::of_unjudgeable(&unjudgeable))
    }
}

/// Judges a series: by live bytes where at least 90 % of the readings carry them, else by anonymous memory.
#[must_use]
pub fn judge(series: &Series, materiality: &Materiality) -> Judgement {
    judge_by(series, materiality, fit)
}

/// As [`judge`], with growth that `fit` finds: by [`fit`], and maybe keeps what led to it.
pub fn judge_by(
    series: &Series,
    materiality: &Materiality,
    mut fit: impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>,
) -> Judgement {
    let anonymous = fit(series, Layer::Resident, materiality);
    if !series.has_live_bytes() {
        return anonymous.map_or_else(Judgement::from, |growth| by_growth(growth, materiality));
    }
    let mut judgement =
        fit(series, Layer::Live, materiality).map_or_else(Judgement::from, |growth| by_growth(growth, materiality));
    let Ok(anonymous) = anonymous else { return judgement };
    let resident = by_growth(anonymous, materiality);
    if let Some((rule, ())) = first(&OF_BOTH, |applies| applies(&judgement, &resident).then_some(())) {
        let reason = format!(
            "resident memory: {}; live bytes do not grow like that ({}): the allocator holds the rest, or it is native \
             memory outside the heap",
            resident.reason, judgement.reason
        );
        judgement = judgement.overruled(rule, reason);
    } else if let Some(growth) = &resident.growth {
        judgement.reason = format!("{}; resident memory grows by {}", judgement.reason, estimate(growth));
    }
    judgement.anonymous = resident.growth;
    judgement
}

/// The judgement on one fit.
fn by_growth(growth: Growth, materiality: &Materiality) -> Judgement {
    let limits = Limits::of(&growth, materiality.bar);
    let (rule, said) = first(&OF_GROWTH, |decide| decide(&growth, &limits))
        .unwrap_or_else(|| (TOO_UNCERTAIN, rules::too_uncertain(&growth)));
    let need = said.need.map(|need| advised(need, &growth, materiality.bar));
    let judgement = Judgement::ruled(rule, said.reason);
    let advice = (judgement.verdict == Verdict::Inconclusive).then(|| advice::of_open(&growth, need));
    Judgement { advice, need, growth: Some(growth), ..judgement }
}

#[cfg(test)]
mod tests;
