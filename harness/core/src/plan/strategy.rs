//! Which flag sets a strategy soaks under the constraints of a model.

use std::collections::BTreeMap;

use super::effort::TooHard;
use super::infeasible::NoRows;
use super::model::Model;
use super::notes::{Dropped, PlanNotes};
use super::pairwise::pairwise;
use super::screening::{Changed, Design, screened};
use super::solver::Solver;
use crate::scenario::{Foldover, Scenario, Strategy};
use steep_judge::ids::FlagSet;
use steep_judge::units::counted;

/// With more free flags than this, `auto` no longer soaks every combination: at most 8 cells.
const FULL_UP_TO: usize = 3;
/// Up to here half of all combinations is at most 16 cells, and tells every pair of flags from single ones.
const HALF_UP_TO: usize = 5;
/// Up to here a folded design is 16 cells.
const FOLDED_UP_TO: usize = 8;
/// Up to here a plain one is at most 24 cells; pairs take 10 to 12 for as many flags.
const PLAIN_UP_TO: usize = 23;
/// 2^16 is above any `max_cells`, and listed at once.
const MAX_COMBINATIONS: usize = 1 << 16;
/// So many combinations of two or three are kept book of, at a byte each: 128 flags for three, 2048 for two.
const MAX_TUPLES: usize = 1 << 24;

/// Factors that are free, each with the levels that it can have.
type Free = [(usize, Vec<usize>)];
type Sets = Vec<Vec<bool>>;

/// The flag sets of a strategy.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// What is soaked.
    pub(super) sets: Sets,
    /// What is soaked after them if they do not tell which flags leak: the opposites of a screening design, and
    /// production again.
    pub(super) opposites: Sets,
}

/// The flag sets, and in `told` what became of the others. Those of production are among them wherever sets are
/// compared.
///
/// # Errors
/// Why the strategy is not available, in words, or that it takes too many steps.
pub(super) fn sets(scenario: &Scenario, model: &Model, notes: &mut PlanNotes) -> Result<Chosen, NoRows> {
    let free = model.free()?;
    let mut is_plain = false;
    let strategy = match scenario.plan.strategy {
        Strategy::Auto if free.len() <= FULL_UP_TO => Strategy::Full,
        strategy => strategy,
    };
    let (design, mut sets) = match strategy {
        Strategy::Off => ("none on", vec![none(model)?]),
        Strategy::All => ("all on", all(model)),
        Strategy::Default => ("as in production", vec![model.production()]),
        Strategy::Each => ("each alone", each(model, notes)?),
        Strategy::LeaveOneOut => ("all but each", leave_one_out(model)),
        Strategy::Full => ("every combination", full(model, &free, notes)?),
        Strategy::Pairwise => covering(scenario, model, &free, notes)?,
        Strategy::Screening => {
            let folds = scenario.plan.foldover == Foldover::Always;
            is_plain = scenario.plan.foldover == Foldover::IfAmbiguous;
            balanced(model, &free, if folds { Design::Folded } else { Design::Plain }, notes)?
        }
        Strategy::Auto => {
            let (design, sets) = auto(scenario, model, &free, notes)?;
            is_plain = design == PLAIN;
            (design, sets)
        }
    };
    if !matches!(strategy, Strategy::Off | Strategy::All | Strategy::Default) {
        let production = baseline(model, notes)?;
        if !sets.contains(&production) {
            sets.insert(0, production);
        }
    }
    notes.design = format!("{design}; {} free to vary", counted(free.len(), "flag"));
    let opposites = if is_plain { opposites(model, &free, &sets, notes)? } else { Vec::new() };
    Ok(Chosen { sets, opposites })
}

/// The rows of the opposite of a plain design that `sets` lack, and those of production, with which each block is
/// compared.
fn opposites(model: &Model, free: &Free, sets: &Sets, notes: &mut PlanNotes) -> Result<Sets, TooHard> {
    let folded = match screened(model, free, Design::Opposite) {
        Ok(folded) => folded,
        Err(NoRows::TooHard(too_hard)) => return Err(too_hard),
        Err(_) => return Ok(Vec::new()),
    };
    let mut opposites: Sets = folded.rows.into_iter().filter(|row| !sets.contains(row)).collect();
    if !opposites.is_empty() {
        opposites.insert(0, baseline(model, notes)?);
    }
    Ok(opposites)
}

/// A balanced design where the constraints leave one as it is, and else a covering one.
fn auto(
    scenario: &Scenario,
    model: &Model,
    free: &Free,
    notes: &mut PlanNotes,
) -> Result<(&'static str, Sets), NoRows> {
    let designs = [(HALF_UP_TO, Design::Half), (FOLDED_UP_TO, Design::Folded), (PLAIN_UP_TO, Design::Plain)];
    let design = designs.into_iter().find(|(up_to, _)| free.len() <= *up_to).map(|(_, design)| design);
    let mut of_design = PlanNotes::default();
    match design.map(|design| balanced(model, free, design, &mut of_design)) {
        Some(Ok(balanced)) if of_design.changed.is_empty() => {
            notes.aliasing = of_design.aliasing;
            Ok(balanced)
        }
        _ => covering(scenario, model, free, notes),
    }
}

/// What a design without opposites is called.
const PLAIN: &str = "balanced screening design";

fn balanced(model: &Model, free: &Free, design: Design, notes: &mut PlanNotes) -> Result<(&'static str, Sets), NoRows> {
    let screened = screened(model, free, design)?;
    notes.changed.extend(screened.changed);
    notes.aliasing = screened.aliasing;
    let name = match design {
        Design::Plain | Design::Opposite => PLAIN,
        Design::Folded => "balanced screening design with the opposite of each row",
        Design::Half => "balanced half of all combinations",
    };
    Ok((name, screened.rows))
}

fn covering(
    scenario: &Scenario,
    model: &Model,
    free: &Free,
    notes: &mut PlanNotes,
) -> Result<(&'static str, Sets), NoRows> {
    let strength = scenario.plan.strength;
    let levels: usize = free.iter().map(|(_, levels)| levels.len()).sum();
    if levels.checked_pow(strength as u32).is_none_or(|combinations| combinations > MAX_TUPLES) {
        let message = format!("{} are too many for strength {strength}", counted(free.len(), "flag"));
        return Err(NoRows::Strategy(message));
    }
    let first = nearest(model, &model.production())?;
    let (sets, impossible, more) = pairwise(model, free, strength, &first, scenario.seed.0)?;
    notes.more_impossible = notes.more_impossible.max(more);
    for one in impossible {
        if !notes.impossible.contains(&one) {
            notes.impossible.push(one);
        }
    }
    Ok((
        if strength == 2 { "every combination of any two flags" } else { "every combination of any three flags" },
        sets,
    ))
}

/// The flags of production, changed where the constraints demand it: what the others are compared with.
fn baseline(model: &Model, notes: &mut PlanNotes) -> Result<Vec<bool>, TooHard> {
    let production = model.production();
    let Some(reason) = model.clauses.broken_by(&production) else { return Ok(production) };
    let nearest = nearest(model, &production)?;
    let changed =
        Changed { wanted: model.flags(&production), soaked: model.flags(&nearest), reason: reason.to_owned() };
    if !notes.changed.contains(&changed) {
        notes.changed.push(changed);
    }
    Ok(nearest)
}

/// The flag set that keeps the constraints and is as `wanted` wherever that can be.
fn nearest(model: &Model, wanted: &[bool]) -> Result<Vec<bool>, TooHard> {
    let nearest = model.clauses.complete(&model.clauses.nothing_known(), wanted, 0)?;
    Ok(nearest.unwrap_or_else(|| unreachable!("constraints that clash were refused")))
}

/// None on, beside what the constraints demand.
fn none(model: &Model) -> Result<Vec<bool>, TooHard> {
    nearest(model, &vec![false; model.production().len()])
}

/// All on; flags with several values have them in turn, in as many sets as that takes.
fn all(model: &Model) -> Sets {
    let most = model.factors.iter().map(|factor| factor.levels.len() - 1).max().unwrap_or(1);
    let set = |turn: usize| {
        let mut set = vec![false; model.production().len()];
        for factor in &model.factors {
            let level = 1 + turn % (factor.levels.len() - 1);
            factor.levels[level].iter().for_each(|member| set[*member] = true);
        }
        model.settled(&set)
    };
    (0..most).map(set).collect()
}

/// None, and each alone with what it requires.
fn each(model: &Model, notes: &mut PlanNotes) -> Result<Sets, TooHard> {
    let off = none(model)?;
    let mut sets = vec![off.clone()];
    for factor in model.factors.iter().filter(|factor| !model.is_pinned(factor)) {
        for level in 1..factor.levels.len() {
            let mut known = model.clauses.nothing_known();
            factor.fix(level, &mut known);
            if let Some(set) = model.clauses.complete(&known, &off, 0)? {
                sets.push(set);
            } else if let Some(clash) = model.clauses.clash(&known)? {
                notes.drop_row(dropped(model.known_flags(&known), clash.notes()));
            }
        }
    }
    Ok(sets)
}

/// All, and all but each and what requires it.
fn leave_one_out(model: &Model) -> Sets {
    let all = all(model);
    let mut sets = all.clone();
    for set in &all {
        for factor in model.factors.iter().filter(|factor| !model.is_pinned(factor)) {
            let mut left = set.clone();
            factor.members.iter().for_each(|member| left[*member] = false);
            sets.push(model.settled(&model.without_dependents(&left)));
        }
    }
    sets
}

/// Every combination that the constraints allow.
fn full(model: &Model, free: &Free, notes: &mut PlanNotes) -> Result<Sets, NoRows> {
    let combinations = free.iter().try_fold(1_usize, |product, (_, levels)| product.checked_mul(levels.len()));
    if combinations.is_none_or(|combinations| combinations > MAX_COMBINATIONS) {
        let message = format!("every combination of {} is too many to list", counted(free.len(), "flag"));
        return Err(NoRows::Strategy(message));
    }
    let mut listing = Listing { model, levels: Vec::new(), sets: Vec::new(), refused: BTreeMap::new() };
    listing.list(&mut *model.excluding.ask()?)?;
    let Listing { sets, refused, .. } = listing;
    let mut refused: Vec<(Option<usize>, Refused)> = refused.into_iter().collect();
    refused.sort_by_key(|(_, (depth, sequence, _))| (*depth, *sequence));
    for (clause, (_, _, levels)) in refused {
        let mut known = model.excluding.nothing_known();
        levels.iter().enumerate().for_each(|(factor, level)| model.factors[factor].fix(*level, &mut known));
        let reason = match clause {
            Some(clause) => model.excluding.reason_of(clause).to_owned(),
            None => model.excluding.clash(&known)?.unwrap_or_default().notes(),
        };
        notes.drop_example(dropped(model.known_flags(&known), reason));
    }
    Ok(sets)
}

/// How many factors had a level, how many were refused before, and the levels of the factors from the first.
type Refused = (usize, usize, Vec<usize>);

/// Every combination, one factor after the other.
struct Listing<'m> {
    model: &'m Model,
    /// Of the factors so far.
    levels: Vec<usize>,
    sets: Sets,
    /// The first combination with the fewest factors that a clause is against; none: what was learned from several.
    refused: BTreeMap<Option<usize>, Refused>,
}

impl Listing<'_> {
    fn list(&mut self, asking: &mut Solver) -> Result<(), TooHard> {
        let Some(factor) = self.model.factors.get(self.levels.len()) else {
            let members = self.model.members();
            self.model.excluding.effort().spend(members)?;
            self.sets.push((0..members).map(|member| asking.value(member) == Some(true)).collect());
            return Ok(());
        };
        for level in 0..factor.levels.len() {
            self.levels.push(level);
            if asking.assume(factor.literals(level))? {
                self.list(asking)?;
                asking.back_to(asking.depth() - 1);
            } else {
                self.refuse(asking.failed());
            }
            self.levels.pop();
        }
        Ok(())
    }

    fn refuse(&mut self, clause: Option<usize>) {
        let (depth, sequence) = (self.levels.len(), self.refused.len());
        if self.refused.get(&clause).is_none_or(|(known, ..)| depth < *known) {
            self.refused.insert(clause, (depth, sequence, self.levels.clone()));
        }
    }
}

fn dropped(flags: FlagSet, reason: String) -> Dropped {
    Dropped { flags, axes: BTreeMap::new(), reason }
}
