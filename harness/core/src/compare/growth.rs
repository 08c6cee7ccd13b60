//! Growth of both runs.

use super::level::{FigureChange, Shift, becomes};
use super::pair::Pair;
use super::spread::Known;
use super::{Becomes, words};
use crate::history::Figure;
use crate::outcome::Outcome;
use steep_judge::growth::{Growth, Layer};
use steep_judge::units::{BytesPerHour, BytesPerRequest, Estimate};
use steep_judge::verdict::Verdict;

/// Growth that the same program has more or less of from soak to soak, as a share of what is worth finding:
/// 0.3 B/request where 4 are (METHOD.md; docs/isolation.md).
const CREEP: f64 = 0.075;
/// The same as a share of the growth itself: three soaks of the sample shop that forgets no session differed by 0.7 %
/// (standard deviation), and this is four times as much.
const OF_GROWTH: f64 = 0.03;

/// Of what grows in both runs a difference of less than this share does not matter: two soaks of one leak differ by as
/// much, and a leak is mended, and not tuned.
const OF_A_LEAK: f64 = 0.25;

/// What became of growth, where `share` of all that did not change may be called worse or better; none where neither
/// run has any.
pub(super) fn change(pair: &Pair<'_>, known: &Known, share: f64) -> Option<FigureChange> {
    let (base, run) = of_one_layer(pair)?;
    let figure = match (base.per_request, run.per_request) {
        (Some(_), Some(_)) => Figure::GrowthBytesPerRequest,
        _ => Figure::GrowthBytesPerHour,
    };
    let (was, is) = (estimate(figure, base), estimate(figure, run));
    let worth = worth_finding(figure, base).max(worth_finding(figure, run));
    let of_both = if pair.base.verdict().grows() && pair.run.verdict().grows() { was.value.min(is.value) } else { 0.0 };
    let matters_from = worth.max(OF_A_LEAK * of_both);
    let others = (CREEP * worth).hypot(OF_GROWTH * was.value.abs().max(is.value.abs()));
    let spread = known.spread(&pair.run.cell, figure, others);
    let variance = 2.0 * spread.standard_deviation.powi(2) + was.error().powi(2) + is.error().powi(2);
    let shift = Shift { value: is.value - was.value, error: variance.sqrt(), freedom: spread.freedom };
    let difference = shift.interval();
    let by_figures = becomes(shift.sure(share), difference, matters_from);
    let becomes = by_verdicts(pair, by_figures);
    Some(FigureChange {
        figure,
        base: Some(was.value),
        run: Some(is.value),
        difference: Some(difference),
        matters_from: Some(matters_from),
        run_to_run: Some(spread),
        becomes,
        sentence: words::growth(figure, pair, (&was, &is), &difference, becomes, matters_from),
    })
}

/// What the figures say, as far as the verdicts allow it: where both runs are cleared nothing got worse, and what was
/// not called growing by itself is not called worse here.
fn by_verdicts(pair: &Pair<'_>, by_figures: Becomes) -> Becomes {
    let (base, run) = (pair.base.verdict(), pair.run.verdict());
    match by_figures {
        _ if base.is_clear() && run.is_clear() => Becomes::Same,
        Becomes::Worse if !run.grows() => Becomes::Unknown,
        Becomes::Better if !base.grows() || !run.is_decided() => Becomes::Unknown,
        // Of what is not decided in both nobody knows that it is the same.
        Becomes::Same if !base.is_decided() || !run.is_decided() => Becomes::Unknown,
        other => other,
    }
}

/// Growth of the same memory in both: that which the verdicts rest on, or else resident memory. That is what grows
/// where the allocator holds it.
fn of_one_layer<'o>(pair: &Pair<'o>) -> Option<(&'o Growth, &'o Growth)> {
    let (base, run) = (pair.base.growth()?, pair.run.growth()?);
    let is_retained = [pair.base, pair.run].iter().any(|outcome| outcome.verdict() == Verdict::Retention);
    if base.source.layer() == run.source.layer() && !is_retained {
        return Some((base, run));
    }
    let resident = |outcome: &'o Outcome| {
        let own = outcome.growth().filter(|growth| growth.source.layer() == Layer::Resident);
        own.or(outcome.judgement.anonymous.as_ref())
    };
    Some((resident(pair.base)?, resident(pair.run)?))
}

fn estimate(figure: Figure, growth: &Growth) -> Estimate<f64> {
    match (figure, growth.per_request) {
        (Figure::GrowthBytesPerRequest, Some(growth)) => growth.map(BytesPerRequest::get),
        _ => growth.per_hour.map(BytesPerHour::get),
    }
}

/// The smallest growth worth finding, in the unit of the figure.
fn worth_finding(figure: Figure, growth: &Growth) -> f64 {
    let rate = growth.rate.get();
    if figure == Figure::GrowthBytesPerRequest && rate > 0.0 {
        growth.worth_finding.get_per_second() / rate
    } else {
        growth.worth_finding.get()
    }
}
