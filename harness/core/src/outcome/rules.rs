//! The rules that decide of a soak beside the growth of its fitted phases, in their order: the first that applies
//! decides. What growth by itself decides is in `verdict/rules.rs` of steep-judge; METHOD.md lists all ("The rules, in
//! order").
//!
//! First what became of the soak is asked, then what other phases show, then growth. A rule that takes a clear verdict
//! back is asked what would be said without it.

use super::delivery::{all_refused, not_as_planned};
use super::phases::beside::{Beside, Found, grows_beside, rose_beside, settles_higher};
use super::ruling::Said;
use super::soak::Soak;
use crate::trace::EndReason;
use steep_judge::units::{Bytes, duration_text};
use steep_judge::verdict::rules::{Rule, first};
use steep_judge::verdict::{Judgement, Verdict, rules};

/// Asked with what memory by itself says.
type OfSoak = fn(&Soak<'_>, &Judgement) -> Option<Said>;

/// What became of the soak.
const OF_SOAK: [(Rule, OfSoak); 5] = [
    (
        Rule::new(
            "soak_failed",
            Verdict::Invalid,
            "the build, the start of the service, a verification or steep itself failed",
        ),
        soak_failed,
    ),
    (Rule::new("crashed", Verdict::Crashed, "the service ended by itself"), crashed),
    (
        Rule::new(
            "load_not_as_planned",
            Verdict::Invalid,
            "none came due, more than is tolerated failed, were missed, dropped or late, or they were not counted",
        ),
        not_as_planned,
    ),
    (
        Rule::new("all_answers_refused", Verdict::Invalid, "memory is clear, and every answer refused what was asked"),
        all_refused,
    ),
    (
        Rule::new(
            "memory_of_unknown_owner",
            Verdict::Inconclusive,
            "memory is clear, and what grew on tmpfs or in System V segments may be the service's",
        ),
        memory_of_unknown_owner,
    ),
];

type OfPhases = fn(&Beside<'_>) -> Option<Found>;

/// What phases beside the fitted ones show.
const OF_PHASES: [(Rule, OfPhases); 3] = [
    (
        Rule {
            name: "grows_beside",
            verdict: None,
            when: "a phase that is not fitted is `leak`, `step` or `retention` by itself, and the fitted ones are not",
        },
        grows_beside,
    ),
    (
        Rule::new(
            "rose_beside",
            Verdict::Inconclusive,
            "memory is clear, and plainly rose in a phase that is not fitted, which does not decide whether that goes on",
        ),
        rose_beside,
    ),
    (
        Rule::new(
            "settles_higher",
            Verdict::Inconclusive,
            "memory is clear, and settles higher in each of three or more steady stretches",
        ),
        settles_higher,
    ),
];

/// All rules in the order in which they are asked, each with what it asks about.
#[must_use]
pub fn all() -> Vec<(&'static str, Rule)> {
    let soak = OF_SOAK.iter().map(|(rule, _)| ("the soak", *rule));
    let phases = OF_PHASES.iter().map(|(rule, _)| ("other phases", *rule));
    soak.chain(phases).chain(rules::all()).collect()
}

/// What is said of memory, unless something else about the soak decides.
pub(super) fn of_soak(soak: &Soak<'_>, memory: Judgement) -> Judgement {
    match first(&OF_SOAK, |decide| decide(soak, &memory)) {
        Some((rule, Said { reason, advice })) => {
            let judgement = memory.overruled(rule, reason);
            Judgement { advice: advice.map(str::to_owned), ..judgement }
        }
        None => memory,
    }
}

/// What all phases together say: the fitted ones, unless others decide, and the phases that the verdict rests on then.
pub(super) fn of_phases(beside: &Beside<'_>) -> (Judgement, Option<Vec<String>>) {
    match first(&OF_PHASES, |decide| decide(beside)) {
        Some((rule, Found { judgement, grows_in })) => {
            let verdict = rule.verdict.unwrap_or(judgement.verdict);
            (Judgement { rule, verdict, ..judgement }, grows_in)
        }
        None => (beside.fitted_only(), None),
    }
}

fn soak_failed(soak: &Soak<'_>, _: &Judgement) -> Option<Said> {
    use EndReason::{BuildFailed, Failed, NotReady, NotVerified};
    let end = soak.trace.end.as_ref()?;
    let has_failed = matches!(end.reason, BuildFailed | NotReady | NotVerified | Failed);
    has_failed.then(|| Said::because(end.message.clone()))
}

fn crashed(soak: &Soak<'_>, _: &Judgement) -> Option<Said> {
    let end = soak.trace.end.as_ref().filter(|end| end.reason == EndReason::Crashed)?;
    let exit = end.exit.map_or_else(|| "its end was not seen".to_owned(), |exit| exit.to_string());
    let after = duration_text(end.t_s.elapsed());
    Some(Said::because(format!("the service ended by itself after {after}: {exit}")))
}

fn memory_of_unknown_owner(soak: &Soak<'_>, memory: &Judgement) -> Option<Said> {
    soak.held.filter(|_| memory.verdict.is_clear())?.doubt(memory)
}

/// Whether the peak comes close to what production gives the service: a finding, however flat the slope.
pub(super) fn exceeds_headroom(limit: Option<Bytes>, peak: Option<Bytes>) -> bool {
    /// A peak above this share of the limit is too high.
    const HEADROOM: f64 = 0.9;
    limit.zip(peak).is_some_and(|(limit, peak)| peak.as_f64() > HEADROOM * limit.as_f64())
}
