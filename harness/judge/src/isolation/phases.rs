//! Growth that only phases beside the fitted ones show: such phases are compared from cell to cell by themselves, as
//! the fitted ones are, and what is said of a flag is the worse of both. A flag is innocent only where neither speaks
//! against it.

use super::cell::{JudgedCell, Measured, PhasesSeen};
use super::sentence::sentence;
use super::{AxisFinding, Finding, Guilt, Isolation, NAMED, Settling};
use crate::verdict::{Judgement, Verdict};

/// The stretches of phases that the verdict of some cell rests on, beside the fitted ones.
pub(super) fn grown_in(outcomes: &[JudgedCell]) -> Vec<Vec<String>> {
    let mut places: Vec<Vec<String>> = Vec::new();
    for place in outcomes.iter().filter_map(|outcome| outcome.grows_in.as_ref()) {
        if !places.contains(place) {
            places.push(place.clone());
        }
    }
    places
}

/// The same cells with what their fitted phases show.
pub(super) fn as_fitted(outcomes: &[JudgedCell]) -> Vec<JudgedCell> {
    let of = |outcome: &JudgedCell| match outcome.grows_in {
        Some(_) => seen_by(outcome, |phase| phase.is_fitted),
        None => outcome.clone(),
    };
    outcomes.iter().map(of).collect()
}

/// The same cells with what these phases show. A cell that cannot be judged cannot here either.
pub(super) fn as_in(outcomes: &[JudgedCell], place: &[String]) -> Vec<JudgedCell> {
    // Stacks are followed through the fitted phases.
    let seen = |outcome| JudgedCell { stacks: None, ..seen_by(outcome, |phase| phase.phases == place) };
    outcomes.iter().map(seen).collect()
}

fn seen_by(outcome: &JudgedCell, is_meant: impl Fn(&PhasesSeen) -> bool) -> JudgedCell {
    if matches!(outcome.verdict(), Verdict::Invalid | Verdict::Crashed) {
        // Growth until a crash was weighed where it was seen.
        let judgement = Judgement { growth: None, anonymous: None, ..outcome.judgement.clone() };
        return JudgedCell { judgement, ..outcome.clone() };
    }
    let found = outcome.phases.iter().find(|phase| is_meant(phase)).map(|phase| phase.judgement.clone());
    let judgement = found.unwrap_or_else(Judgement::not_soaked);
    JudgedCell { judgement, grows_in: None, ..outcome.clone() }
}

/// What the fitted phases say, and what others do.
pub(super) fn worse_of(mut fitted: Isolation, others: Vec<(Vec<String>, Isolation)>) -> Isolation {
    for (place, other) in others {
        let place = place.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
        for (own, other) in fitted.flags.iter_mut().zip(other.flags) {
            take_worse(&mut own.finding, other.finding, &place);
        }
        for other in other.axes {
            let is_same = |own: &&mut AxisFinding| own.name() == other.name();
            match fitted.axes.iter_mut().find(is_same) {
                Some(own) => take_worse(&mut own.finding, other.finding, &place),
                None => fitted.axes.push(other),
            }
        }
        let is_named = |isolation: &Option<super::ProgramFinding>| {
            isolation.as_ref().is_some_and(|program| program.posterior >= NAMED)
        };
        if !is_named(&fitted.program) && is_named(&other.program) {
            fitted.program = other.program;
        }
        fitted.suspects = fitted.suspects.or(other.suspects);
        let unexplained: Vec<_> =
            other.unexplained.into_iter().filter(|cell| !fitted.unexplained.contains(cell)).collect();
        fitted.unexplained.extend(unexplained);
    }
    let sentence = sentence(&fitted);
    Isolation { sentence, ..fitted }
}

fn take_worse(own: &mut Finding, other: Finding, place: &str) {
    let weight = |guilt: &Guilt| match guilt {
        Guilt::Innocent => 0,
        Guilt::Undecided => 1,
        _ => 2,
    };
    if weight(&other.guilt) > weight(&own.guilt) {
        let reason = format!("in {place}: {}", other.reason);
        // How long that phase would have to last is not how long the soak would.
        let settling = other.settling.map(|settling| Settling { length: None, ..settling });
        *own = Finding { reason, settling, ..other };
    }
}

/// What cells say of growth by their fitted phases and in others: where a cell was found to grow, what shows it; else
/// what leaves more open.
pub(super) fn measured_in(
    outcomes: &[JudgedCell],
    fitted: Vec<Measured>,
    others: &[(Vec<String>, Vec<Measured>)],
) -> Vec<Measured> {
    let described = fitted.into_iter().map(|own| {
        let Some(outcome) = outcomes.iter().find(|outcome| outcome.cell == own.cell) else { return own };
        let there = |(place, cells): &(Vec<String>, Vec<Measured>)| {
            let found = cells.iter().find(|measured| measured.cell == own.cell)?;
            Some((outcome.grows_in.as_ref() == Some(place), found.clone()))
        };
        let seen: Vec<(bool, Measured)> = others.iter().filter_map(there).collect();
        if let Some((_, growing)) = seen.iter().find(|(grows, _)| *grows) {
            return Measured { stacks: own.stacks, ..growing.clone() };
        }
        if matches!(outcome.verdict(), Verdict::Leak | Verdict::Step) {
            return own;
        }
        let wider = |one: Measured, (_, other): (bool, Measured)| {
            if other.error > one.error { Measured { stacks: one.stacks, ..other } } else { one }
        };
        seen.into_iter().fold(own, wider)
    });
    described.collect()
}
