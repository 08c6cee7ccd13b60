//! What a cell means for the exit status, once all is said of it.

use super::Outcome;
use crate::exit::Status;
use crate::scenario::Finding;
use steep_judge::verdict::Verdict;

impl Outcome {
    /// What a cell means for the exit status. The first that applies: a finding (a verdict of `fail_on`, a broken
    /// threshold, the headroom), a soak that was not done, an open verdict.
    #[must_use]
    pub fn status(&self, fail_on: &[Finding]) -> Status {
        let finding = match self.verdict() {
            Verdict::Leak => Some(Finding::Leak),
            Verdict::Step => Some(Finding::Step),
            Verdict::Retention => Some(Finding::Retention),
            Verdict::Crashed => Some(Finding::Crashed),
            Verdict::Plateau | Verdict::Stable | Verdict::Inconclusive | Verdict::Invalid => None,
        };
        let fails = |finding| fail_on.contains(&finding);
        let broken = self.thresholds.iter().any(|kept| kept.broken);
        if broken || finding.is_some_and(fails) || self.headroom_exceeded && fails(Finding::Headroom) {
            Status::Finding
        } else if self.cut_short.is_some() || matches!(self.verdict(), Verdict::Invalid | Verdict::Crashed) {
            Status::NotDone
        } else if self.verdict() == Verdict::Inconclusive {
            Status::Undecided
        } else {
            Status::Clean
        }
    }
}
