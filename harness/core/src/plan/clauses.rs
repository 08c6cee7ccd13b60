//! Constraints as clauses over what is on and off, and whether and how they can all be kept.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use super::effort::{Effort, STEPS_OF_A_LITERAL, TooHard};
use super::solver::{Lit, Solver, lit};

/// That something is on, or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal {
    /// Number of a member of flag sets.
    pub(super) member: usize,
    pub(super) is_on: bool,
}

impl Literal {
    fn lit(self) -> Lit {
        lit(self.member, self.is_on)
    }
}

/// A statement as clauses: in each of them at least one literal holds. No clause: always true. An empty one: never.
pub(super) type Statement = Vec<Vec<Literal>>;

/// At least one of `statements` holds. Alternatives multiply: a constraint has few, and what has many is too hard.
pub(super) fn any(statements: &[Statement], effort: &Effort) -> Result<Statement, TooHard> {
    let mut whole = vec![Vec::new()];
    for statement in statements {
        let length = |clauses: &[Vec<Literal>]| clauses.iter().map(Vec::len).sum::<usize>();
        let (before, more) = (length(&whole) + whole.len(), length(statement) + statement.len());
        let literals = before.saturating_mul(statement.len()).saturating_add(whole.len().saturating_mul(more));
        effort.spend(literals.saturating_mul(STEPS_OF_A_LITERAL))?;
        let with = |clause: &Vec<Literal>| {
            statement.iter().map(|other| clause.iter().chain(other).copied().collect()).collect::<Vec<_>>()
        };
        whole = whole.iter().flat_map(with).collect();
    }
    Ok(whole)
}

/// What is known of each member: on, off, or open.
pub(super) type Known = Vec<Option<bool>>;

/// Steps to find a clash with as few constraints as can be; one that takes more is reported with those that were found
/// to have a part in it.
const MAX_STEPS_OF_A_CLASH: u64 = 2_000_000;

/// All clauses of a plan, each with the constraint that it comes from.
#[derive(Debug, Clone)]
pub(super) struct Clauses {
    /// Each with the number of its reason.
    demanded: Vec<(Vec<Lit>, usize)>,
    reasons: Vec<String>,
    /// Members in the order in which they are decided where nothing forces them: what is on in production comes last,
    /// so that it is what a list of which one must be on falls back to.
    order: Vec<usize>,
    effort: Effort,
    /// What answers questions, with what it has learned from those before; none until there is one.
    solver: RefCell<Option<Solver>>,
}

/// Constraints that clash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Clash<'c> {
    pub(super) reasons: Vec<&'c str>,
    /// Whether the others could be kept without any one of them.
    pub(super) is_smallest: bool,
}

impl Clash<'_> {
    /// The constraints as one text, of which nobody reads more than a few.
    pub(super) fn notes(&self) -> String {
        const MAX_TOLD: usize = 12;
        let notes: Vec<&str> = self.reasons.iter().take(MAX_TOLD).copied().collect();
        match self.reasons.len() - notes.len() {
            0 => notes.join("; "),
            more => format!("{}; and {more} more", notes.join("; ")),
        }
    }
}

/// A solver that is asked one thing after the other. What was assumed is taken back in the end.
pub(super) struct Asking<'c>(RefMut<'c, Solver>);

impl Deref for Asking<'_> {
    type Target = Solver;

    fn deref(&self) -> &Solver {
        &self.0
    }
}

impl DerefMut for Asking<'_> {
    fn deref_mut(&mut self) -> &mut Solver {
        &mut self.0
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.back_to(0);
    }
}

impl Clauses {
    /// No clause, over as many members as `order` names.
    pub(super) fn over(order: Vec<usize>, effort: Effort) -> Self {
        Self { demanded: Vec::new(), reasons: Vec::new(), order, effort, solver: RefCell::new(None) }
    }

    /// What questions may take.
    pub(super) fn effort(&self) -> &Effort {
        &self.effort
    }

    /// Members in the order in which they are decided.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Adds what `reason` demands.
    pub(super) fn demand(&mut self, reason: String, statement: Statement) -> Result<(), TooHard> {
        self.effort.spend(STEPS_OF_A_LITERAL * statement.iter().map(|clause| 1 + clause.len()).sum::<usize>())?;
        let number = self.reasons.len();
        self.reasons.push(reason);
        let lits = |clause: Vec<Literal>| clause.into_iter().map(Literal::lit).collect();
        self.demanded.extend(statement.into_iter().map(|clause| (lits(clause), number)));
        *self.solver.get_mut() = None;
        Ok(())
    }

    /// Nothing is known of any member.
    pub(super) fn nothing_known(&self) -> Known {
        vec![None; self.order.len()]
    }

    /// The constraint that all of `on` (a flag set in full) breaks first.
    pub(super) fn broken_by(&self, on: &[bool]) -> Option<&str> {
        let holds = |literal: Lit| on[(literal >> 1) as usize] == (literal & 1 == 1);
        let broken = self.demanded.iter().find(|(clause, _)| !clause.iter().any(|literal| holds(*literal)));
        broken.map(|(_, reason)| self.reasons[*reason].as_str())
    }

    /// The solver, in which nothing is assumed.
    pub(super) fn ask(&self) -> Result<Asking<'_>, TooHard> {
        let mut solver = self.solver.borrow_mut();
        if solver.is_none() {
            let clauses = self.demanded.iter().map(|(clause, _)| clause.clone());
            *solver = Some(Solver::new(self.order.len(), clauses, self.effort.clone())?);
        }
        Ok(Asking(RefMut::map(solver, |solver| solver.get_or_insert_with(|| unreachable!("it was made above")))))
    }

    /// The constraint of the clause with this number.
    pub(super) fn reason_of(&self, clause: usize) -> &str {
        &self.reasons[self.demanded[clause].1]
    }

    /// A flag set that agrees with `known`, keeps every constraint, and has each member as `preferred` wherever that
    /// can be, those that are decided first before the others; `first` shifts that order. None: there is no such set.
    pub(super) fn complete(
        &self,
        known: &Known,
        preferred: &[bool],
        first: usize,
    ) -> Result<Option<Vec<bool>>, TooHard> {
        let order: Vec<usize> = self.order.iter().cycle().skip(first).take(self.order.len()).copied().collect();
        let mut asking = self.ask()?;
        if asking.assume(lits(known))? { asking.complete(preferred, &order) } else { Ok(None) }
    }

    /// The constraints that clash where `known` is so: without any one of them the others could be kept. None: nothing
    /// clashes.
    pub(super) fn clash(&self, known: &Known) -> Result<Option<Clash<'_>>, TooHard> {
        let assumed: Vec<Lit> = lits(known).collect();
        let at_once = self.ask()?.refuted_by(&assumed)?;
        let clauses = if at_once.is_some() { at_once } else { self.searched_clash(&assumed)? };
        let Some(clauses) = clauses else { return Ok(None) };
        let reasons: BTreeSet<usize> = clauses.into_iter().map(|clause| self.demanded[clause].1).collect();
        let found = self.effort.with_part(MAX_STEPS_OF_A_CLASH, |part| self.smallest(&assumed, &reasons, part));
        let is_smallest = found.is_ok();
        let reasons = found.unwrap_or(reasons);
        Ok(Some(Clash {
            reasons: reasons.into_iter().map(|reason| self.reasons[reason].as_str()).collect(),
            is_smallest,
        }))
    }

    /// The clauses that clash where `assumed` is so, with all that a search needs to find that.
    fn searched_clash(&self, assumed: &[Lit]) -> Result<Option<Vec<usize>>, TooHard> {
        let all = self.demanded.iter().map(|(clause, _)| clause.clone());
        let mut solver = Solver::new(self.order.len(), all, self.effort.clone())?.with_proof();
        solver.clash(assumed, &self.order)
    }

    /// Of `reasons`, which clash where `assumed` is so, as few as clash by themselves.
    fn smallest(
        &self,
        assumed: &[Lit],
        reasons: &BTreeSet<usize>,
        effort: &Effort,
    ) -> Result<BTreeSet<usize>, TooHard> {
        let clauses: Vec<_> = self.demanded.iter().filter(|(_, reason)| reasons.contains(reason)).collect();
        let off = vec![false; self.order.len()];
        let mut needed = reasons.clone();
        for reason in reasons {
            needed.remove(reason);
            effort.spend(clauses.len() + self.order.len())?;
            let left = clauses.iter().filter(|(_, of)| needed.contains(of)).map(|(clause, _)| clause.clone());
            let mut solver = Solver::new(self.order.len(), left, effort.clone())?;
            if solver.assume(assumed.iter().copied())? && solver.complete(&off, &self.order)?.is_some() {
                needed.insert(*reason);
            }
        }
        Ok(needed)
    }
}

/// What is known as literals.
fn lits(known: &Known) -> impl Iterator<Item = Lit> {
    known.iter().enumerate().filter_map(|(member, on)| on.map(|on| lit(member, on)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(member: usize, is_on: bool) -> Literal {
        Literal { member, is_on }
    }

    fn of(members: usize, demanded: Vec<(&str, Statement)>) -> Clauses {
        let mut clauses = Clauses::over((0..members).collect(), Effort::default());
        for (reason, statement) in demanded {
            clauses.demand(reason.to_owned(), statement).expect("few steps");
        }
        clauses
    }

    /// Each may take two million steps, and takes some hundred.
    #[test]
    fn many_clashes_are_reported_with_the_effort_of_a_few() {
        let pairs: Vec<(usize, usize)> = (0..20).flat_map(|one| (0..one).map(move |other| (other, one))).collect();
        let mut clauses = Clauses::over((0..20).collect(), Effort::of(3 * MAX_STEPS_OF_A_CLASH));
        for &(one, other) in &pairs {
            let never = vec![vec![literal(one, false), literal(other, false)]];
            clauses.demand(format!("{one} and {other}"), never).expect("few steps");
        }
        for &(one, other) in &pairs {
            let mut known = clauses.nothing_known();
            (known[one], known[other]) = (Some(true), Some(true));
            let clash = clauses.clash(&known).expect("few steps").expect("they exclude each other");
            assert!(clash.is_smallest && clash.reasons.len() == 1, "{clash:?}");
        }
    }

    /// 0 requires 1, 1 requires 2, 2 conflicts with 3.
    fn chain(more: Vec<(&str, Statement)>) -> Clauses {
        let chain = vec![
            ("0 requires 1", vec![vec![literal(0, false), literal(1, true)]]),
            ("1 requires 2", vec![vec![literal(1, false), literal(2, true)]]),
            ("2 conflicts with 3", vec![vec![literal(2, false), literal(3, false)]]),
        ];
        of(4, [chain, more].concat())
    }

    fn completed(clauses: &Clauses, known: &Known, preferred: &[bool]) -> Option<Vec<bool>> {
        clauses.complete(known, preferred, 0).expect("few steps")
    }

    #[test]
    fn what_follows_is_found_and_what_it_clashes_with_named() {
        let chain = chain(vec![]);
        let mut asking = chain.ask().expect("few steps");
        assert_eq!(asking.assume([lit(0, true)]), Ok(true));
        assert_eq!([1, 2, 3].map(|member| asking.value(member)), [Some(true), Some(true), Some(false)]);
        assert_eq!(asking.assume([lit(3, true)]), Ok(false));
        assert_eq!(asking.failed().map(|clause| chain.reason_of(clause)), Some("2 conflicts with 3"));
        asking.back_to(0);
        assert_eq!(asking.value(1), None);
    }

    #[test]
    fn a_set_is_completed_with_as_little_as_can_be() {
        let known = vec![None, Some(true), None, None];
        assert_eq!(completed(&chain(vec![]), &known, &[false; 4]), Some(vec![false, true, true, false]));
        assert_eq!(completed(&chain(vec![]), &known, &[true; 4]), Some(vec![true, true, true, false]));
    }

    #[test]
    fn a_clash_is_reported_without_what_has_no_part_in_it() {
        let clauses = chain(vec![("3 is pinned", vec![vec![literal(3, true)]])]);
        let known = vec![None, Some(true), None, None];
        let clash = clauses.clash(&known).expect("few steps").expect("a clash");
        assert_eq!(
            (clash.reasons, clash.is_smallest),
            (vec!["1 requires 2", "2 conflicts with 3", "3 is pinned"], true)
        );
        assert_eq!(clauses.clash(&clauses.nothing_known()), Ok(None));
        let dead = of(1, vec![("off", vec![vec![literal(0, false)]]), ("on", vec![vec![literal(0, true)]])]);
        let clash = dead.clash(&dead.nothing_known()).expect("few steps").expect("a clash");
        assert_eq!(clash.reasons, ["off", "on"]);
    }

    #[test]
    fn of_alternatives_one_must_hold() {
        let effort = Effort::default();
        let any = |statements: &[Statement]| any(statements, &effort).expect("few steps");
        let both = vec![vec![literal(0, true)], vec![literal(1, true)]];
        let third = vec![vec![literal(2, true)]];
        assert_eq!(
            any(&[both.clone(), third]),
            [[literal(0, true), literal(2, true)], [literal(1, true), literal(2, true)]]
        );
        assert_eq!(any(&[both, vec![]]), Statement::new(), "what is always true makes the whole so");
        assert_eq!(any(&[]), [vec![]], "none of nothing holds");
    }

    #[test]
    fn alternatives_that_multiply_are_too_hard() {
        let ten = (0..10).map(|member| vec![literal(member, true)]).collect::<Statement>();
        assert_eq!(any(&vec![ten; 12], &Effort::default()), Err(TooHard));
    }

    /// Ten pigeons in nine holes: no search by deciding one after the other gets through all their ways.
    #[test]
    fn what_is_too_hard_is_given_up_after_this_many_steps() {
        let at = |pigeon: usize, hole: usize| pigeon * 9 + hole;
        let mut clauses = Clauses::over((0..90).collect(), Effort::of(1_000_000));
        for pigeon in 0..10 {
            let some = (0..9).map(|hole| literal(at(pigeon, hole), true)).collect();
            clauses.demand(format!("{pigeon} somewhere"), vec![some]).expect("few steps");
            for (other, hole) in (0..pigeon).flat_map(|other| (0..9).map(move |hole| (other, hole))) {
                let either = vec![literal(at(pigeon, hole), false), literal(at(other, hole), false)];
                clauses.demand("not both".to_owned(), vec![either]).expect("few steps");
            }
        }
        assert_eq!(clauses.complete(&clauses.nothing_known(), &[false; 90], 0), Err(TooHard));
    }

    /// All assignments, in the order in which members are decided.
    fn first_of_all(clauses: &Clauses, known: &Known, preferred: &[bool]) -> Option<Vec<bool>> {
        let members = preferred.len();
        let all = (0..1_u32 << members).map(|bits| {
            (0..members)
                .map(|member| preferred[member] ^ (bits >> (members - 1 - member) & 1 == 1))
                .collect::<Vec<bool>>()
        });
        let agrees = |set: &[bool]| known.iter().zip(set).all(|(known, on)| known.is_none_or(|known| known == *on));
        all.into_iter().find(|set| agrees(set) && clauses.broken_by(set).is_none())
    }

    proptest::proptest! {
        /// Against all assignments of eight members, one question after the other to the same solver.
        #[test]
        fn the_first_set_of_the_order_is_found_and_clashes_are_real_and_smallest(
            demanded in proptest::collection::vec(proptest::collection::vec((0_usize..8, proptest::bool::ANY), 1..4), 0..40),
            questions in proptest::collection::vec((
                proptest::collection::vec(proptest::option::weighted(0.2, proptest::bool::ANY), 8),
                proptest::collection::vec(proptest::bool::ANY, 8),
            ), 1..5),
        ) {
            let literals = |clause: &Vec<(usize, bool)>| clause.iter().map(|(member, is_on)| literal(*member, *is_on)).collect();
            let statements: Vec<Statement> = demanded.iter().map(|clause| vec![literals(clause)]).collect();
            let names: Vec<String> = (0..demanded.len()).map(|number| number.to_string()).collect();
            let named = |without: Option<&str>| {
                let all = names.iter().map(String::as_str).zip(statements.iter().cloned());
                of(8, all.filter(|(name, _)| Some(*name) != without).collect())
            };
            let clauses = named(None);
            for (known, preferred) in questions {
                let wanted = first_of_all(&clauses, &known, &preferred);
                proptest::prop_assert_eq!(&completed(&clauses, &known, &preferred), &wanted);
                let clash = clauses.clash(&known).expect("few steps");
                proptest::prop_assert_eq!(clash.is_none(), wanted.is_some());
                let Some(Clash { reasons, is_smallest }) = clash else { continue };
                let only = |without: Option<&str>| {
                    let all = names.iter().map(String::as_str).zip(statements.iter().cloned());
                    of(8, all.filter(|(name, _)| reasons.contains(name) && Some(*name) != without).collect())
                };
                proptest::prop_assert!(is_smallest && completed(&only(None), &known, &preferred).is_none());
                for reason in &reasons {
                    proptest::prop_assert!(completed(&only(Some(reason)), &known, &preferred).is_some());
                }
            }
        }
    }
}
