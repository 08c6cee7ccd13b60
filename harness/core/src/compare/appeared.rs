//! Flags, endpoints and lines of code that grow in one of the runs only.

use std::fmt;

use serde::Serialize;

use super::Side;
use super::pair::Pair;
use crate::kept::{Cause, called};
use crate::outcome::{ByRequest, Outcome};
use steep_judge::growth::Layer;
use steep_judge::ids::CellId;
use steep_judge::isolation::{FlagFinding, Guilt};
use steep_judge::units::{BytesPerRequest, Estimate};

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// With a flag.
    Flag,
    /// With the requests of one name.
    Endpoint,
    /// By a line of the program.
    Line,
}

/// What grows in one of the runs, and not in the other as far as that is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Appeared {
    /// What kind of thing.
    pub kind: Kind,
    /// Its name: of a flag, of a request, `src/sessions.rs:118 in open`.
    pub name: String,
    /// Whether it grows in the run and did not before; false: it grew before and does not any more; none: it grows in
    /// the run, and of the base that is not known.
    pub is_new: Option<bool>,
    /// Growth for each request, in the cell that shows it most; none where requests are not known of.
    pub growth_bytes_per_request: Option<Estimate<BytesPerRequest>>,
    /// The cells that show it; empty for a flag, of which all cells tell together.
    pub cells: Vec<CellId>,
}

impl fmt::Display for Appeared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Flag => "flag",
            Kind::Endpoint => "endpoint",
            Kind::Line => "line",
        };
        write!(f, "{what} {}", self.name)?;
        match &self.growth_bytes_per_request {
            Some(growth) => write!(f, ", {}/request", growth.compact()),
            None => Ok(()),
        }
    }
}

/// What grows in one of the two only: flags, then endpoints, then lines; what is new first.
pub(super) fn appeared(base: &Side<'_>, run: &Side<'_>, pairs: &[Pair<'_>]) -> Vec<Appeared> {
    let mut all: Vec<Appeared> = of_flags(base.flags, run.flags);
    for pair in pairs {
        let now = |is_new| move |one: Seen| (one, is_new);
        let turned = Pair { base: pair.run, run: pair.base };
        let grown = endpoints(pair).into_iter().map(now(true)).chain(endpoints(&turned).into_iter().map(now(false)));
        let kept = lines(pair).into_iter().map(now(true)).chain(lines(&turned).into_iter().map(now(false)));
        for (seen, is_new) in grown.chain(kept) {
            // What is not known of the run says nothing of what is gone.
            if seen.is_sure || is_new {
                note(&mut all, seen, is_new, &pair.run.cell);
            }
        }
    }
    let order = |one: &Appeared| match one.is_new {
        Some(true) => 0,
        None => 1,
        Some(false) => 2,
    };
    all.sort_by_key(|one| (order(one), one.kind));
    all
}

/// What grows in one cell of one run and not in the other.
struct Seen {
    kind: Kind,
    name: String,
    growth: Estimate<BytesPerRequest>,
    /// Whether the other run surely did not have it.
    is_sure: bool,
}

fn note(all: &mut Vec<Appeared>, seen: Seen, is_new: bool, cell: &CellId) {
    let Seen { kind, name, growth, is_sure } = seen;
    let is_new = is_sure.then_some(is_new);
    let size = |growth: &Option<Estimate<BytesPerRequest>>| growth.map_or(0.0, |growth| growth.value.get());
    let known = all.iter_mut().find(|known| known.kind == kind && known.name == name && known.is_new == is_new);
    let Some(known) = known else {
        let growth_bytes_per_request = Some(growth);
        all.push(Appeared { kind, name, is_new, growth_bytes_per_request, cells: vec![cell.clone()] });
        return;
    };
    known.cells.push(cell.clone());
    if growth.value.get() > size(&known.growth_bytes_per_request) {
        known.growth_bytes_per_request = Some(growth);
    }
}

fn of_flags(base: &[FlagFinding], run: &[FlagFinding]) -> Vec<Appeared> {
    let other = |flags: &[FlagFinding], name: &str| {
        flags.iter().find(|flag| flag.flag == name).map(|flag| flag.finding.guilt.clone())
    };
    let of = |flag: &FlagFinding, is_new| Appeared {
        kind: Kind::Flag,
        name: flag.flag.clone(),
        is_new,
        growth_bytes_per_request: flag.finding.effect.as_ref().and_then(|effect| effect.per_request),
        cells: Vec::new(),
    };
    let new =
        run.iter().filter(|flag| flag.finding.guilt.is_named()).filter_map(|flag| match other(base, &flag.flag) {
            Some(guilt) if guilt.is_named() => None,
            Some(Guilt::Innocent) => Some(of(flag, Some(true))),
            _ => Some(of(flag, None)),
        });
    let is_cleared = |flag: &&FlagFinding| matches!(other(run, &flag.flag), Some(Guilt::Innocent));
    let gone = base.iter().filter(|flag| flag.finding.guilt.is_named()).filter(is_cleared);
    let gone = gone.map(|flag| of(flag, Some(false)));
    new.chain(gone).collect()
}

/// Whether live bytes decided that nothing grows.
fn is_cleared_by_live(outcome: &Outcome) -> bool {
    let is_live = outcome.growth().is_some_and(|growth| growth.source.layer() == Layer::Live);
    outcome.verdict().is_clear() && is_live
}

/// Endpoints that keep memory in the run for sure, and do not in the base as far as that is known.
fn endpoints(pair: &Pair<'_>) -> Vec<Seen> {
    let Some(ByRequest { requests, .. }) = &pair.run.by_request else { return Vec::new() };
    let in_base = |name: &str| {
        let parts = pair.base.by_request.as_ref()?;
        parts.requests.iter().find(|part| part.name == name)
    };
    let seen = |(name, growth): (&String, Estimate<BytesPerRequest>)| {
        let is_sure = match in_base(name) {
            Some(part) if part.is_sure => return None,
            Some(part) => part.bytes_per_request.high.get() < growth.low.get(),
            None => is_cleared_by_live(pair.base),
        };
        Some(Seen { kind: Kind::Endpoint, name: name.clone(), growth, is_sure })
    };
    let keeping = requests.iter().filter(|part| part.is_sure && !part.fades);
    keeping.map(|part| (&part.name, part.bytes_per_request)).filter_map(seen).collect()
}

/// Lines that keep memory in the run, and do not in the base as far as that is known. Lines move between commits: a
/// place is known by its file and function.
fn lines(pair: &Pair<'_>) -> Vec<Seen> {
    // What a cache fills is kept as well; a line is named where the cell was found to grow.
    if !pair.run.verdict().grows() {
        return Vec::new();
    }
    let seen = |cause: &Cause| {
        let is_here = |known: &&Cause| called(&known.frame) == called(&cause.frame);
        if pair.base.verdict().grows() && pair.base.kept_by.iter().any(|known| is_here(&known)) {
            return None;
        }
        let is_sure = kept_at_most(pair.base, cause).is_some_and(|most| most < cause.per_request.low.get());
        let place = cause.frame.place();
        let name = if cause.frame.file.is_empty() { place } else { format!("{place} in {}", cause.frame.name()) };
        Some(Seen { kind: Kind::Line, name, growth: cause.per_request, is_sure })
    };
    pair.run.kept_by.iter().filter_map(seen).collect()
}

/// What is kept at most for each request through the function of `cause`; none where nobody looked.
fn kept_at_most(outcome: &Outcome, cause: &Cause) -> Option<f64> {
    let stacks = outcome.stacks.as_ref()?;
    let function = called(&cause.frame);
    let through: Vec<&Estimate<BytesPerRequest>> =
        stacks.chains.iter().filter(|chain| chain.calls.contains(&function)).map(|chain| &chain.growth).collect();
    let unseen = 2.0 * stacks.unseen.get();
    let value: f64 = through.iter().map(|growth| growth.value.get()).sum();
    let square: f64 = through.iter().map(|growth| (growth.high.get() - growth.value.get()).powi(2)).sum();
    Some(value.max(0.0) + square.sqrt().max(unseen))
}
