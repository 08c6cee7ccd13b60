//! Constraints as clauses over what is on and off, and whether and how they can all be kept.

/// That something is on, or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal {
    /// Number of a member of flag sets.
    pub(super) member: usize,
    pub(super) is_on: bool,
}

/// A statement as clauses: in each of them at least one literal holds. No clause: always true. An empty one: never.
pub(super) type Statement = Vec<Vec<Literal>>;

/// At least one of `statements` holds. Alternatives multiply; a constraint has few.
pub(super) fn any(statements: &[Statement]) -> Statement {
    statements.iter().fold(vec![Vec::new()], |so_far, statement| {
        let with = |clause: &Vec<Literal>| {
            statement.iter().map(|other| clause.iter().chain(other).copied().collect()).collect::<Vec<_>>()
        };
        so_far.iter().flat_map(with).collect()
    })
}

/// What is known of each member: on, off, or open.
pub(super) type Known = Vec<Option<bool>>;

/// All clauses of a plan, each with the constraint that it comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Clauses {
    /// Each with the number of its reason.
    demanded: Vec<(Vec<Literal>, usize)>,
    reasons: Vec<String>,
    /// Members in the order in which they are decided where nothing forces them: what is on in production comes last, so that it
    /// is what a list of which one must be on falls back to.
    order: Vec<usize>,
}

impl Clauses {
    /// No clause, over as many members as `order` names.
    pub(super) fn over(order: Vec<usize>) -> Self {
        Self { order, ..Self::default() }
    }

    /// Adds what `reason` demands.
    pub(super) fn demand(&mut self, reason: String, statement: Statement) {
        let number = self.reasons.len();
        self.reasons.push(reason);
        self.demanded.extend(statement.into_iter().map(|clause| (clause, number)));
    }

    /// Nothing is known of any member.
    pub(super) fn nothing_known(&self) -> Known {
        vec![None; self.order.len()]
    }

    /// Whether nothing is demanded.
    pub(super) fn is_empty(&self) -> bool {
        self.demanded.is_empty()
    }

    /// The constraint that all of `on` (a flag set in full) breaks first.
    pub(super) fn broken_by(&self, on: &[bool]) -> Option<&str> {
        let broken =
            self.demanded.iter().find(|(clause, _)| clause.iter().all(|literal| on[literal.member] != literal.is_on));
        broken.map(|(_, reason)| self.reasons[*reason].as_str())
    }

    /// Adds to `known` what follows from it at once.
    ///
    /// # Errors
    /// The constraint that cannot be kept any more.
    pub(super) fn follow(&self, known: &mut Known) -> Result<(), &str> {
        self.follow_but(known, &[]).map_err(|reason| self.reasons[reason].as_str())
    }

    fn follow_but(&self, known: &mut Known, without: &[usize]) -> Result<(), usize> {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for (clause, reason) in self.demanded.iter().filter(|(_, reason)| !without.contains(reason)) {
                if clause.iter().any(|literal| known[literal.member] == Some(literal.is_on)) {
                    continue;
                }
                let mut open = clause.iter().filter(|literal| known[literal.member].is_none());
                match (open.next(), open.next()) {
                    (None, _) => return Err(*reason),
                    (Some(last), None) => {
                        known[last.member] = Some(last.is_on);
                        is_settled = false;
                    }
                    (Some(_), Some(_)) => {}
                }
            }
        }
        Ok(())
    }

    /// A flag set that agrees with `known`, keeps every constraint, and has each member as `preferred` wherever that can be, those
    /// that are decided first before the others; `first` shifts that order. None: there is no such set.
    pub(super) fn complete(&self, known: &Known, preferred: &[bool], first: usize) -> Option<Vec<bool>> {
        let order: Vec<usize> = self.order.iter().cycle().skip(first).take(self.order.len()).copied().collect();
        self.search(known.clone(), preferred, &order, &[])
    }

    /// Whether any flag set agrees with `known`.
    pub(super) fn allow(&self, known: &Known) -> bool {
        self.is_empty() || self.complete(known, &vec![false; known.len()], 0).is_some()
    }

    fn search(&self, mut known: Known, preferred: &[bool], order: &[usize], without: &[usize]) -> Option<Vec<bool>> {
        self.follow_but(&mut known, without).ok()?;
        let Some(open) = order.iter().copied().find(|member| known[*member].is_none()) else {
            return known.into_iter().collect();
        };
        [preferred[open], !preferred[open]].into_iter().find_map(|is_on| {
            let mut tried = known.clone();
            tried[open] = Some(is_on);
            self.search(tried, preferred, order, without)
        })
    }

    /// The constraints that clash where `known` is so: without any one of them the others could be kept. Empty: nothing clashes.
    pub(super) fn clash(&self, known: &Known) -> Vec<&str> {
        if self.allow(known) {
            return Vec::new();
        }
        let off = vec![false; known.len()];
        let mut needless = Vec::new();
        for reason in 0..self.reasons.len() {
            needless.push(reason);
            if self.search(known.clone(), &off, &self.order, &needless).is_some() {
                needless.pop();
            }
        }
        let clashing = (0..self.reasons.len()).filter(|reason| !needless.contains(reason));
        clashing.map(|reason| self.reasons[reason].as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(member: usize, is_on: bool) -> Literal {
        Literal { member, is_on }
    }

    /// 0 requires 1, 1 requires 2, 2 conflicts with 3.
    fn chain() -> Clauses {
        let mut clauses = Clauses::over(vec![0, 1, 2, 3]);
        clauses.demand("0 requires 1".into(), vec![vec![literal(0, false), literal(1, true)]]);
        clauses.demand("1 requires 2".into(), vec![vec![literal(1, false), literal(2, true)]]);
        clauses.demand("2 conflicts with 3".into(), vec![vec![literal(2, false), literal(3, false)]]);
        clauses
    }

    #[test]
    fn what_follows_is_found() {
        let mut known = vec![Some(true), None, None, None];
        assert_eq!(chain().follow(&mut known), Ok(()));
        assert_eq!(known, [Some(true), Some(true), Some(true), Some(false)]);
        let mut known = vec![Some(true), None, None, Some(true)];
        assert!(chain().follow(&mut known).is_err());
    }

    #[test]
    fn a_set_is_completed_with_as_little_as_can_be() {
        let known = vec![None, Some(true), None, None];
        assert_eq!(chain().complete(&known, &[false; 4], 0), Some(vec![false, true, true, false]));
        assert_eq!(chain().complete(&known, &[true; 4], 0), Some(vec![true, true, true, false]));
    }

    #[test]
    fn a_clash_is_told_without_what_has_no_part_in_it() {
        let mut clauses = chain();
        clauses.demand("3 is pinned".into(), vec![vec![literal(3, true)]]);
        let known = vec![None, Some(true), None, None];
        assert_eq!(clauses.clash(&known), ["1 requires 2", "2 conflicts with 3", "3 is pinned"]);
        assert!(clauses.clash(&clauses.nothing_known()).is_empty());
    }

    #[test]
    fn of_alternatives_one_must_hold() {
        let both = vec![vec![literal(0, true)], vec![literal(1, true)]];
        let third = vec![vec![literal(2, true)]];
        assert_eq!(
            any(&[both.clone(), third]),
            [[literal(0, true), literal(2, true)], [literal(1, true), literal(2, true)]]
        );
        assert_eq!(any(&[both, vec![]]), Statement::new(), "what is always true makes the whole so");
        assert_eq!(any(&[]), [vec![]], "none of nothing holds");
    }
}
