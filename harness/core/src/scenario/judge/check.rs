//! That something counts as a finding.

use crate::scenario::Scenario;
use crate::scenario::check::Check;

impl Check<'_> {
    pub(in crate::scenario) fn judge(&mut self, scenario: &Scenario) {
        let judge = &scenario.judge;
        if judge.min_growth_bytes_per_request.get() <= 0.0 && judge.min_growth_bytes_per_hour.get() <= 0.0 {
            let help = "what is worth finding must be above 0, or nothing could ever be cleared";
            self.error("judge", "\"min_growth_per_request\" and \"min_growth_per_hour\" are both 0", help);
        }
    }
}
