//! Turns growth into a verdict with its reason and, where it is open, with what would decide it.
//!
//! Pure: no files, processes, sockets, clocks, threads or output.

pub mod advice;
mod need;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use self::need::advised;
use crate::growth::{AfterCap, GivenBack, Growth, Materiality, MemorySource, Series, Shape, Unjudgeable, fit};
use crate::units::{Bytes, BytesPerHour, BytesPerRequest, duration_text};

/// A run is cleared only if the evidence stays this far below the bar (METHOD.md, verdict).
const CLEARING_MARGIN: f64 = 1.5;

/// Growth below this share of what is worth finding is cleared whatever the evidence.
const NEGLIGIBLE_SHARE: f64 = 0.25;

/// Jumps that are spread over the run need this much evidence of growth (METHOD.md, jumps).
const STEP_EVIDENCE: f64 = 1.0;

/// Jumps of one height with nothing beside them need only not be spoken against: few jumps are no line.
const REGULAR_EVIDENCE: f64 = -2.0;

/// Against a calm model that is this much better even jumps that double are part of its noise.
const LEAST_STEP_EVIDENCE: f64 = -6.0;

/// A calm model that beats the constant by this much means that memory grew and stopped.
const PLATEAU_GAIN: f64 = 2.0;

/// A rise below this is no plateau that a person would see: glibc extends its heap by 128 KiB at the least
/// (`M_TOP_PAD`).
const LEAST_RISE: Bytes = Bytes::kib(128);

/// Of what resident memory grows by at least, live bytes must be known to grow by less than this share for the rest to
/// be said to lie outside of them.
const HELD_OUTSIDE: f64 = 0.5;

/// A run that stays open is asked to last this much longer at the least (METHOD.md, verdict).
const LEAST_LONGER: f64 = 1.3;

/// Longest time that is asked for: more is no advice.
const LONGEST_NEED: Duration = Duration::from_hours(30 * 24);

/// What is said about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence with its numbers.
    pub reason: String,
    /// What to do so that it is decided, a command or a key of the scenario; none where it is, and where others know
    /// better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// How long a run would have to last to decide, if it is open.
    #[serde(rename = "need_seconds", serialize_with = "as_seconds")]
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
    /// The same numbers under a verdict that something else than growth decides: a crash, load not delivered.
    #[must_use]
    pub fn overruled(self, verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), need: None, advice: None, ..self }
    }

    /// A judgement without numbers.
    #[must_use]
    pub fn without_growth(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), advice: None, need: None, growth: None, anonymous: None }
    }

    /// The same with what to do so that it is decided.
    #[must_use]
    pub fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

impl From<Unjudgeable> for Judgement {
    fn from(unjudgeable: Unjudgeable) -> Self {
        let verdict = if unjudgeable.is_invalid() { Verdict::Invalid } else { Verdict::Inconclusive };
        let judgement = Self::without_growth(verdict, unjudgeable.to_string());
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
    mut fit: impl FnMut(&Series, MemorySource, &Materiality) -> Result<Growth, Unjudgeable>,
) -> Judgement {
    let anonymous = fit(series, MemorySource::Anonymous, materiality);
    if !series.has_live_bytes() {
        return anonymous.map_or_else(Judgement::from, |growth| by_growth(growth, materiality));
    }
    let mut judgement = fit(series, MemorySource::Live, materiality)
        .map_or_else(Judgement::from, |growth| by_growth(growth, materiality));
    let Ok(anonymous) = anonymous else { return judgement };
    let held = by_growth(anonymous, materiality);
    if let (Verdict::Leak | Verdict::Step, true) = (held.verdict, is_held_outside(&judgement, &held)) {
        judgement.reason = format!(
            "resident memory: {}; live bytes do not grow like that ({}): the allocator holds the rest, or it is native \
             memory outside the heap",
            held.reason, judgement.reason
        );
        (judgement.verdict, judgement.need, judgement.advice) = (Verdict::Retention, None, None);
    } else if let Some(growth) = &held.growth {
        judgement.reason = format!("{}; resident memory grows by {}", judgement.reason, estimate(growth));
    }
    judgement.anonymous = held.growth;
    judgement
}

/// Whether the growth of resident memory is not that of live bytes: they are cleared, or what they can grow by at most
/// is less than half of what resident memory grows by at least.
fn is_held_outside(live: &Judgement, held: &Judgement) -> bool {
    let most = |judgement: &Judgement| judgement.growth.as_ref().map(|growth| growth.ceiling.get());
    let least = held.growth.as_ref().map_or(0.0, |growth| growth.floor.get());
    let excluded = || most(live).is_some_and(|most| most < HELD_OUTSIDE * least);
    live.verdict.is_clear() || live.verdict == Verdict::Inconclusive && excluded()
}

/// The verdict on one fit. The order of the rules is part of the method.
fn by_growth(growth: Growth, materiality: &Materiality) -> Judgement {
    let (verdict, reason, need) = decide(&growth, materiality.bar);
    let need = need.map(|need| advised(need, &growth, materiality.bar).min(LONGEST_NEED));
    let advice = (verdict == Verdict::Inconclusive).then(|| advice::of_open(&growth, need));
    Judgement { verdict, reason, advice, need, growth: Some(growth), anonymous: None }
}

type Decision = (Verdict, String, Option<Duration>);

fn decide(growth: &Growth, bar: f64) -> Decision {
    let Growth { jumps, evidence, .. } = growth;
    let material = growth.is_material();
    let lasted = lasted(growth);
    let asked = |least: f64| if jumps.few { bar } else { least };
    let doubling = jumps.doubling && *evidence > asked(LEAST_STEP_EVIDENCE);
    if doubling || jumps.regular && *evidence > asked(REGULAR_EVIDENCE) || jumps.spread && *evidence > STEP_EVIDENCE {
        let kind = if doubling { " that double" } else { "" };
        let last = duration_text(lasted.mul_f64(jumps.last_at));
        return (
            Verdict::Step,
            format!("{} jumps{kind}, together {}, the last after {last}", jumps.count, jumps.total),
            None,
        );
    }
    let is_sure = *evidence > growth.evidence_asked(bar) && material && !growth.environment_noisy;
    if let Some(GivenBack { fallen, at_s, missing_s }) = growth.given_back.filter(|_| is_sure) {
        let when = duration_text(Duration::from_secs_f64(at_s));
        let reason = format!(
            "grows, but fell back by {fallen} after {when} and has not passed that height again: it may be one long tooth"
        );
        let need = Duration::try_from_secs_f64(growth.seconds + missing_s).unwrap_or(LONGEST_NEED);
        return (Verdict::Inconclusive, reason, Some(need.max(lasted.mul_f64(LEAST_LONGER))));
    }
    if is_sure {
        return (Verdict::Leak, leak_reason(growth), None);
    }
    if growth.environment_noisy {
        let reason = format!("disturbed {} times: load or sampling was not even", growth.disturbances);
        return (Verdict::Inconclusive, reason, Some(lasted));
    }
    if jumps.dominant {
        let reason = format!("{} late jumps, together {}, of an open cause", jumps.count, jumps.total);
        return (Verdict::Inconclusive, reason, Some(lasted * 2));
    }
    if jumps.open {
        let last = duration_text(lasted.mul_f64(jumps.last_at));
        let reason = {
            let jumped = if jumps.count == 1 { "a jump" } else { "jumps, the last" };
            format!("rose by {} in {jumped} after {last}: whether another follows is open", jumps.total)
        };
        return (Verdict::Inconclusive, reason, Some(lasted.mul_f64((2.2 * jumps.last_at).max(LEAST_LONGER))));
    }
    if is_cleared(growth, bar, material) {
        return clear(growth, bar);
    }
    let (reason, need) = open(growth, bar, material);
    (Verdict::Inconclusive, reason, Some(need))
}

fn leak_reason(growth: &Growth) -> String {
    format!("grows by {}, evidence {:.1}", estimate(growth), growth.evidence)
}

/// The estimate per request where requests are known, else per hour.
fn estimate(growth: &Growth) -> String {
    growth.per_request.map_or_else(
        || format!("{} per hour", growth.per_hour.compact()),
        |growth| format!("{} per request", growth.compact()),
    )
}

/// Whether all growth that is worth finding is excluded.
fn is_cleared(growth: &Growth, bar: f64, material: bool) -> bool {
    let (high, worth) = (growth.ceiling.get().max(0.0), growth.worth_finding.get());
    let ends_flat = growth.excluded().is_some();
    if growth.hidden_by_peaks.is_some()
        || growth.must_end_flat() && !ends_flat
        || growth.is_short() && growth.adjusted && growth.second_half.get() > worth
    {
        return false;
    }
    high < worth && (growth.evidence < bar - CLEARING_MARGIN || !material) || high < NEGLIGIBLE_SHARE * worth
}

fn clear(growth: &Growth, bar: f64) -> Decision {
    let is_curved = growth.calm_model != Shape::Constant && growth.calm_gain > PLATEAU_GAIN;
    if growth.evidence > bar {
        let reason = format!("grows by {}, and {} is worth finding", estimate(growth), worth(growth));
        return (Verdict::Stable, reason, None);
    }
    let ended = is_curved && growth.risen >= LEAST_RISE.as_f64();
    let bound = in_its_unit(growth, BytesPerHour::new(growth.ceiling.get().max(0.0)));
    let reason = format!("no leak of {} or more was active during this run: growth is at most {bound}", worth(growth));
    (if ended { Verdict::Plateau } else { Verdict::Stable }, reason, None)
}

/// δ in words.
fn worth(growth: &Growth) -> String {
    in_its_unit(growth, growth.worth_finding)
}

/// An amount of growth per request where requests are known, else per hour.
fn in_its_unit(growth: &Growth, amount: BytesPerHour) -> String {
    let rps = growth.rate.get();
    if rps > 0.0 { BytesPerRequest::new(amount.get_per_second() / rps).to_string() } else { amount.to_string() }
}

fn lasted(growth: &Growth) -> Duration {
    Duration::from_secs_f64(growth.seconds)
}

/// Why the run stays open, and how long one must last that decides.
fn open(growth: &Growth, bar: f64, material: bool) -> (String, Duration) {
    let half_width = (growth.per_hour.high.get() - growth.per_hour.low.get()) / 2.0;
    // The standard error falls with T^(−3/2) (METHOD.md, verdict).
    let factor = (1.2 * (half_width / growth.worth_finding.get()).powf(2.0 / 3.0)).max(LEAST_LONGER);
    let seconds = (growth.seconds * factor).min(LONGEST_NEED.as_secs_f64());
    let need = Duration::from_secs_f64(seconds);
    if growth.evidence > bar && !material && growth.is_short() && growth.source == MemorySource::Anonymous {
        let least = growth.least_growth;
        let grown = Bytes::new(growth.over_run().max(0.0) as u64);
        let reason = format!("grew by {grown}, and a run this short needs {least}: allocators take that by themselves");
        return (reason, need.max(Duration::from_mins(5)));
    }
    if growth.must_end_flat() && growth.excluded().is_none() && growth.ceiling.get() < growth.worth_finding.get() {
        let reason = format!("no flat end as yet that excludes {}: a run this short could hide it", worth(growth));
        return (reason, need);
    }
    let least = growth.least_growth.as_f64();
    if growth.evidence > bar && growth.over_run() < least && growth.floor.get() > 0.0 {
        // At this rate the run must last until growth has come to what counts.
        let factor = (1.1 * least / growth.over_run()).max(LEAST_LONGER);
        let need = Duration::try_from_secs_f64(growth.seconds * factor).unwrap_or(LONGEST_NEED);
        let grown = Bytes::new(growth.over_run().max(0.0) as u64);
        return (
            format!("grew by {grown}, and beside {} of memory only {} counts", growth.typical, growth.least_growth),
            need,
        );
    }
    let asked = growth.evidence_asked(bar);
    if let Some(AfterCap { full_s, filled, crept }) = growth.after_cap.filter(|_| growth.is_after_cap()) {
        let when = duration_text(Duration::from_secs_f64(full_s));
        let reason = format!(
            "rose by {filled} until {when} and by {crept} since: the heap of a full cache creeps on like that, and so does a \
             leak beside it; live bytes (`service.probe`) tell them apart at once"
        );
        // A cache has turned over often enough, and a line added up, by then.
        return (reason, need.max(lasted(growth) * 2));
    }
    if material && growth.evidence > bar {
        let reason = format!("grows ever more slowly, and evidence {:.1} is below {asked:.1}", growth.evidence);
        return (reason, need);
    }
    if let Some(more) = growth.hidden_by_peaks.filter(|_| growth.ceiling.get() < growth.worth_finding.get()) {
        let reason = format!("a load peak left memory so high that growth of {} could hide beneath", worth(growth));
        return (reason, need.max(Duration::try_from_secs_f64(growth.seconds + more).unwrap_or(LONGEST_NEED)));
    }
    let amount = estimate(growth);
    let reason = format!("{amount} is too uncertain: growth of {} is not excluded", worth(growth));
    (reason, need)
}

#[cfg(test)]
mod tests;
