//! Whether the cells of a run leave open what leaks: then a screening design is folded over.

use super::cell::JudgedCell;
use super::{CLEARED, Guilt, Isolation, NAMED};
use crate::verdict::Verdict;

impl Isolation {
    /// What `outcomes`, of which this speaks, leave open, in words; none if nothing grew in them, or all of it has a
    /// name.
    #[must_use]
    pub fn ambiguity(&self, outcomes: &[JudgedCell]) -> Option<String> {
        if !outcomes.iter().any(|outcome| matches!(outcome.verdict(), Verdict::Leak | Verdict::Step)) {
            return None;
        }
        if let Some(suspects) = &self.suspects {
            return Some(format!("one of {} leaks", suspects.names.join(", ")));
        }
        if let Some(cell) = self.unexplained.first() {
            return Some(format!("{cell} grows by more than any flags or pairs explain"));
        }
        let with_several = self.flags.iter().find_map(|flag| {
            let (how, others) = match &flag.finding.guilt {
                Guilt::LeaksWith(others) => ("together with", others),
                Guilt::LeaksWithout(others) => ("without", others),
                _ => return None,
            };
            let others: Vec<&str> = others.iter().collect();
            (others.len() > 1).then(|| format!("{} leaks only {how} one of {}", flag.flag, others.join(", ")))
        });
        with_several.or_else(|| {
            let is_open = |posterior: f64| posterior > CLEARED && posterior < NAMED;
            let open = self.flags.iter().filter(|flag| flag.finding.posterior.is_some_and(is_open));
            let open: Vec<&str> = open.map(|flag| flag.flag.as_str()).collect();
            (!open.is_empty()).then(|| format!("whether {} leaks is open", open.join(", ")))
        })
    }
}
