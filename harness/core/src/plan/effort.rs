//! How much a plan may be thought about: one measure for everything whose time could grow faster than the scenario.

use std::cell::Cell;
use std::rc::Rc;

use thiserror::Error;

/// Steps that a plan may take, each a clause looked at, a literal written, or as much of something else. A release
/// build takes some five seconds for this many; plans of 300 flags that imply each other take less than a tenth (see
/// `tests/explosions.rs`).
pub(super) const MAX_STEPS: u64 = 400_000_000;

/// Steps that a literal of a clause is counted as where it is made and kept: it takes memory, some hundred bytes with
/// all copies. 600,000 pairs of flags that exclude each other are the most.
pub(super) const STEPS_OF_A_LITERAL: usize = 128;

/// What is left of [`MAX_STEPS`], shared by all that works on one plan.
#[derive(Debug, Clone)]
pub(super) struct Effort(Rc<Cell<u64>>);

/// The steps were used up before there was an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("after {MAX_STEPS} steps it was not known which flag sets keep all constraints")]
pub(super) struct TooHard;

impl Default for Effort {
    fn default() -> Self {
        Self::of(MAX_STEPS)
    }
}

impl Effort {
    /// So many steps.
    pub(super) fn of(steps: u64) -> Self {
        Self(Rc::new(Cell::new(steps)))
    }

    /// Takes `steps` off what is left.
    pub(super) fn spend(&self, steps: usize) -> Result<(), TooHard> {
        let left = self.0.get().checked_sub(steps as u64);
        self.0.set(left.unwrap_or(0));
        left.map(drop).ok_or(TooHard)
    }

    /// At most `steps` of what is left, kept apart while `act` uses them: it may fail without the rest. What it leaves
    /// is left.
    pub(super) fn with_part<T>(&self, steps: u64, act: impl FnOnce(&Self) -> T) -> T {
        let part = Self::of(steps.min(self.0.get()));
        self.0.set(self.0.get() - part.0.get());
        let done = act(&part);
        self.0.set(self.0.get() + part.0.get());
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_part_leaves_is_left() {
        let effort = Effort::of(100);
        assert!(effort.with_part(40, |part| part.spend(30)).is_ok());
        assert!(effort.clone().with_part(1_000, |part| part.spend(70)).is_ok());
        assert_eq!(effort.spend(1), Err(TooHard));
        let effort = Effort::of(100);
        assert_eq!(effort.with_part(40, |part| part.spend(41)), Err(TooHard));
        assert!(effort.spend(60).is_ok());
        assert_eq!(effort.spend(1), Err(TooHard));
    }
}
