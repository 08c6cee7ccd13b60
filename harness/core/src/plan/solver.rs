//! Whether clauses can all hold, and the assignment nearest to a wish: unit propagation over two watched literals, and
//! learning from conflicts (Marques-Silva and Sakallah, "GRASP", 1999; Eén and Sörensson, "An Extensible SAT-solver",
//! 2003).
//!
//! Members are decided in the order and with the values that are asked for, never by activity: what comes out is the
//! first assignment of that order, the same on every machine. No crate for satisfiability promises that, and none says
//! which clauses clash.

use super::effort::{Effort, TooHard};

/// A member with its value: twice the member's number, and one more where it is on.
pub(super) type Lit = u32;

/// The literal that says the opposite.
pub(super) fn not(lit: Lit) -> Lit {
    lit ^ 1
}

/// The literal for `member`.
pub(super) fn lit(member: usize, is_on: bool) -> Lit {
    (member as Lit) << 1 | Lit::from(is_on)
}

fn member(lit: Lit) -> usize {
    (lit >> 1) as usize
}

/// A decision, or what was given, rather than what follows from a clause.
const NONE: u32 = u32::MAX;

/// A search over clauses that goes on from question to question with what it has learned.
#[derive(Debug, Clone)]
pub(super) struct Solver {
    /// First those that were given, then those that were learned.
    clauses: Vec<Vec<Lit>>,
    given: usize,
    /// By literal, the clauses that watch it, each with another of its literals: as long as that is true, the clause
    /// need not be looked at.
    watches: Vec<Vec<(Lit, u32)>>,
    /// By literal: 1 true, -1 false, 0 open.
    values: Vec<i8>,
    level: Vec<u32>,
    /// The clause that forced the value of a member.
    forced_by: Vec<u32>,
    trail: Vec<Lit>,
    /// Where on the trail each level begins.
    levels: Vec<usize>,
    followed: usize,
    /// Of each learned clause those that it was made from.
    made_from: Vec<Vec<u32>>,
    keeps_proof: bool,
    /// A clause that fails, and the depth at which it does: 0 is whatever is assumed.
    dead: Option<(u32, usize)>,
    /// Learned to hold whatever is assumed, at a depth where that could not be noted.
    units: Vec<(Lit, u32)>,
    conflict: u32,
    marked: Vec<bool>,
    effort: Effort,
}

impl Solver {
    /// Over this many `members`, with these clauses.
    pub(super) fn new(
        members: usize,
        clauses: impl Iterator<Item = Vec<Lit>>,
        effort: Effort,
    ) -> Result<Self, TooHard> {
        let mut solver = Self {
            clauses: Vec::new(),
            given: 0,
            watches: vec![Vec::new(); 2 * members],
            values: vec![0; 2 * members],
            level: vec![0; members],
            forced_by: vec![NONE; members],
            trail: Vec::new(),
            levels: Vec::new(),
            followed: 0,
            made_from: Vec::new(),
            keeps_proof: false,
            dead: None,
            units: Vec::new(),
            conflict: NONE,
            marked: vec![false; members],
            effort,
        };
        for mut clause in clauses {
            solver.effort.spend(1 + clause.len())?;
            clause.sort_unstable();
            clause.dedup();
            let number = solver.clauses.len() as u32;
            match clause[..] {
                [] => solver.dead = solver.dead.or(Some((number, 0))),
                [only] => {
                    if !solver.assign(only, number) {
                        solver.dead = solver.dead.or(Some((number, 0)));
                    }
                }
                // A clause with a literal and its opposite always holds, and is watched by nobody.
                _ if clause.windows(2).any(|pair| pair[0] == not(pair[1])) => {}
                [one, other, ..] => {
                    solver.watches[one as usize].push((other, number));
                    solver.watches[other as usize].push((one, number));
                }
            }
            solver.clauses.push(clause);
        }
        solver.given = solver.clauses.len();
        solver.settle()?;
        Ok(solver)
    }

    /// Notes what of each learned clause it was made from, for [`Solver::clash`].
    pub(super) fn with_proof(mut self) -> Self {
        self.keeps_proof = true;
        self
    }

    /// Follows what holds whatever is assumed. False: no assignment holds.
    fn settle(&mut self) -> Result<bool, TooHard> {
        if self.dead.is_none() && self.depth() == 0 && !self.follow()? {
            self.dead = Some((self.conflict, 0));
        }
        if let Some((clause, _)) = self.dead {
            self.conflict = clause;
        }
        Ok(self.dead.is_none())
    }

    /// What is known of `member` at the moment.
    pub(super) fn value(&self, member: usize) -> Option<bool> {
        match self.values[lit(member, true) as usize] {
            0 => None,
            value => Some(value > 0),
        }
    }

    /// How many groups of literals are assumed.
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Assumes all of `literals` on top of what is assumed, with what follows at once. False, and nothing is changed:
    /// they clash.
    pub(super) fn assume(&mut self, literals: impl IntoIterator<Item = Lit>) -> Result<bool, TooHard> {
        if !self.settle()? {
            return Ok(false);
        }
        self.levels.push(self.trail.len());
        for literal in literals {
            if self.values[literal as usize] < 0 {
                // The clause that forced the opposite, if it was one.
                self.conflict = self.forced_by[member(literal)];
                self.back_to(self.levels.len() - 1);
                return Ok(false);
            }
            self.assign(literal, NONE);
        }
        let follows = self.follow()?;
        if !follows {
            self.back_to(self.levels.len() - 1);
        }
        Ok(follows)
    }

    /// The clause that failed last, if it was one of those that were given.
    pub(super) fn failed(&self) -> Option<usize> {
        let number = self.conflict as usize;
        (number < self.given).then_some(number)
    }

    /// Takes back what was assumed beyond `depth` groups.
    pub(super) fn back_to(&mut self, depth: usize) {
        let Some(&begin) = self.levels.get(depth) else { return };
        for literal in self.trail.drain(begin..) {
            self.values[literal as usize] = 0;
            self.values[not(literal) as usize] = 0;
        }
        self.levels.truncate(depth);
        self.followed = self.followed.min(begin);
        self.dead = self.dead.filter(|(_, at)| *at <= depth);
        if depth == 0 {
            for (literal, clause) in std::mem::take(&mut self.units) {
                if !self.assign(literal, clause) {
                    self.dead = self.dead.or(Some((clause, 0)));
                }
            }
        }
    }

    /// The assignment that holds with what is assumed and has each member as `preferred` wherever that can be, those
    /// that come first in `order` before the others. None: there is none.
    pub(super) fn complete(&mut self, preferred: &[bool], order: &[usize]) -> Result<Option<Vec<bool>>, TooHard> {
        if !self.settle()? {
            return Ok(None);
        }
        let base = self.depth();
        let mut from = vec![0];
        let found = loop {
            let next = order[*from.last().unwrap_or(&0)..].iter().position(|member| self.value(*member).is_none());
            let Some(next) = next else {
                break Some((0..self.level.len()).map(|m| self.value(m) == Some(true)).collect());
            };
            let at = from.last().unwrap_or(&0) + next;
            self.effort.spend(next + 1)?;
            from.push(at);
            self.levels.push(self.trail.len());
            self.assign(lit(order[at], preferred[order[at]]), NONE);
            let mut is_stuck = false;
            while !self.follow()? {
                if self.depth() <= base {
                    is_stuck = true;
                    break;
                }
                let back = self.learn(base)?;
                from.truncate(back - base + 1);
            }
            if is_stuck {
                self.dead = Some((self.conflict, base));
                break None;
            }
        };
        self.back_to(base);
        Ok(found)
    }

    /// Learns from the clause that failed, goes back to where what was learned forces something, but not before `base`;
    /// the level there.
    fn learn(&mut self, base: usize) -> Result<usize, TooHard> {
        let now = self.depth() as u32;
        let mut learned = vec![0];
        let mut from = vec![self.conflict];
        let mut open = 0;
        let mut clause = self.conflict;
        let mut at = self.trail.len();
        let mut marked = Vec::new();
        loop {
            self.effort.spend(self.clauses[clause as usize].len())?;
            for place in 0..self.clauses[clause as usize].len() {
                let literal = self.clauses[clause as usize][place];
                let member = member(literal);
                if self.values[literal as usize] > 0 || std::mem::replace(&mut self.marked[member], true) {
                    continue;
                }
                marked.push(member);
                match self.level[member] {
                    level if level == now => open += 1,
                    0 if self.keeps_proof => from.extend(self.supports(literal)?),
                    0 => {}
                    _ => learned.push(literal),
                }
            }
            let literal = loop {
                at -= 1;
                if self.marked[member(self.trail[at])] && self.level[member(self.trail[at])] == now {
                    break self.trail[at];
                }
            };
            open -= 1;
            if open == 0 {
                learned[0] = not(literal);
                break;
            }
            clause = self.forced_by[member(literal)];
            from.push(clause);
        }
        for member in marked {
            self.marked[member] = false;
        }
        // Watched beside the first: what is taken back next of the others.
        if let Some(highest) = (1..learned.len()).max_by_key(|place| self.level[member(learned[*place])]) {
            learned.swap(1, highest);
        }
        let level = learned.get(1).map_or(0, |literal| self.level[member(*literal)] as usize);
        let back = level.max(base);
        self.back_to(back);
        let number = self.clauses.len() as u32;
        let first = learned[0];
        if let [first, second, ..] = learned[..] {
            self.watches[first as usize].push((second, number));
            self.watches[second as usize].push((first, number));
        }
        if learned.len() == 1 && back > 0 {
            self.units.push((first, number));
        }
        self.clauses.push(learned);
        self.made_from.push(if self.keeps_proof { from } else { Vec::new() });
        self.assign(first, number);
        Ok(back)
    }

    /// The clauses by which `literal` is false whatever is assumed.
    fn supports(&self, literal: Lit) -> Result<Vec<u32>, TooHard> {
        let mut clauses = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut open = vec![member(literal)];
        while let Some(next) = open.pop() {
            let clause = self.forced_by[next];
            if clause != NONE && seen.insert(next) {
                self.effort.spend(self.clauses[clause as usize].len())?;
                clauses.push(clause);
                open.extend(self.clauses[clause as usize].iter().map(|literal| member(*literal)));
            }
        }
        Ok(clauses)
    }

    /// The clauses by which `literals` cannot all hold, where that follows at once from those that were given.
    pub(super) fn refuted_by(&mut self, literals: &[Lit]) -> Result<Option<Vec<usize>>, TooHard> {
        let depth = self.depth();
        let roots = self.failing(literals)?;
        self.back_to(depth);
        let is_given = |clause: &u32| (*clause as usize) < self.given;
        let clauses = roots.filter(|roots| roots.iter().all(is_given));
        Ok(clauses.map(|clauses| self.given_of(clauses)))
    }

    /// The clauses, of those that were given, by which `literals` cannot all hold; none if they can. Wants a proof.
    pub(super) fn clash(&mut self, literals: &[Lit], order: &[usize]) -> Result<Option<Vec<usize>>, TooHard> {
        let depth = self.depth();
        let mut roots = self.failing(literals)?;
        if roots.is_none() && self.complete(&vec![false; self.level.len()], order)?.is_none() {
            // It has gone back to what is assumed, where the clause fails.
            roots = Some(self.failed_with_supports()?);
        }
        self.back_to(depth);
        Ok(roots.map(|roots| self.given_of(roots)))
    }

    /// Assumes `literals` one after the other, and stays there. The clauses by which one of them fails, if one does.
    fn failing(&mut self, literals: &[Lit]) -> Result<Option<Vec<u32>>, TooHard> {
        if !self.settle()? {
            return self.failed_with_supports().map(Some);
        }
        for literal in literals {
            if self.values[*literal as usize] < 0 {
                return self.supports(*literal).map(Some);
            }
            self.levels.push(self.trail.len());
            self.assign(*literal, NONE);
            if !self.follow()? {
                return self.failed_with_supports().map(Some);
            }
        }
        Ok(None)
    }

    /// The clause that fails, and all by which its literals are false.
    fn failed_with_supports(&self) -> Result<Vec<u32>, TooHard> {
        let failed = &self.clauses[self.conflict as usize];
        let mut clauses = self.supports_assumed(failed)?;
        clauses.push(self.conflict);
        Ok(clauses)
    }

    /// The clauses that forced `literals`, and those that forced what they follow from.
    fn supports_assumed(&self, literals: &[Lit]) -> Result<Vec<u32>, TooHard> {
        let mut clauses = Vec::new();
        for literal in literals {
            clauses.extend(self.supports(*literal)?);
        }
        Ok(clauses)
    }

    /// Of these clauses those that were given, and those that the learned ones were made from.
    fn given_of(&self, roots: Vec<u32>) -> Vec<usize> {
        let mut seen = std::collections::BTreeSet::new();
        let mut open = roots;
        while let Some(clause) = open.pop() {
            if seen.insert(clause as usize)
                && let Some(learned) = (clause as usize).checked_sub(self.given)
            {
                open.extend(&self.made_from[learned]);
            }
        }
        seen.into_iter().filter(|clause| *clause < self.given).collect()
    }

    /// False: it has the opposite value.
    fn assign(&mut self, literal: Lit, forced_by: u32) -> bool {
        if self.values[literal as usize] != 0 {
            return self.values[literal as usize] > 0;
        }
        self.values[literal as usize] = 1;
        self.values[not(literal) as usize] = -1;
        self.level[member(literal)] = self.levels.len() as u32;
        self.forced_by[member(literal)] = forced_by;
        self.trail.push(literal);
        true
    }

    /// Assigns all that follows. False: a clause fails, and `conflict` is it.
    fn follow(&mut self) -> Result<bool, TooHard> {
        while let Some(&literal) = self.trail.get(self.followed) {
            self.followed += 1;
            let falsified = not(literal);
            let mut watching = std::mem::take(&mut self.watches[falsified as usize]);
            let mut steps = 1 + watching.len();
            let mut kept = 0;
            let mut failed = None;
            for place in 0..watching.len() {
                let (guard, number) = watching[place];
                watching[kept] = (guard, number);
                kept += 1;
                if failed.is_some() || self.values[guard as usize] > 0 {
                    continue;
                }
                let clause = &mut self.clauses[number as usize];
                if clause[0] == falsified {
                    clause.swap(0, 1);
                }
                let first = clause[0];
                if self.values[first as usize] > 0 {
                    watching[kept - 1] = (first, number);
                    continue;
                }
                let other = (2..clause.len()).find(|at| self.values[clause[*at] as usize] >= 0);
                steps += other.unwrap_or(clause.len());
                if let Some(other) = other {
                    clause.swap(1, other);
                    self.watches[clause[1] as usize].push((first, number));
                    kept -= 1;
                    continue;
                }
                if !self.assign(first, number) {
                    failed = Some(number);
                }
            }
            watching.truncate(kept);
            self.watches[falsified as usize] = watching;
            self.effort.spend(steps)?;
            if let Some(number) = failed {
                self.conflict = number;
                self.followed = self.trail.len();
                return Ok(false);
            }
        }
        Ok(true)
    }
}
