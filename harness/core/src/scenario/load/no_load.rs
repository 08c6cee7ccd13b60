//! A soak without traffic: what has no meaning in it.

use super::Model;
use crate::scenario::check::Check;
use crate::scenario::{Judged, Metric, Scenario};

impl Check<'_> {
    pub(in crate::scenario) fn no_load(&mut self, scenario: &Scenario) {
        if scenario.load.model != Model::None {
            return;
        }
        for (list, is_given) in [
            ("requests", !scenario.requests.is_empty()),
            ("flows", !scenario.flows.is_empty()),
            ("params", !scenario.params.is_empty()),
        ] {
            if is_given {
                let help = "take them out, or send them: [load] model = \"open\" and a rate";
                self.warning(list, format!("no {list} are sent with [load] model = \"none\""), help);
            }
        }
        if self.spans.has("judge.min_growth_per_request") {
            let help = "without requests it is min_growth_per_hour that says what is worth finding";
            self.warning("judge.min_growth_per_request", "no growth per request is known here", help);
        }
        for (index, threshold) in scenario.thresholds.iter().enumerate() {
            if threshold.metric.judged() == Judged::Rolling || threshold.metric == Metric::GrowthPerRequest {
                let message = format!("{} is not known where nothing is sent", threshold.metric.name());
                self.error(&format!("thresholds[{index}].metric"), message, "take it out");
            }
        }
        let worth = scenario.judge.min_growth_bytes_per_hour;
        if worth.get() <= 0.0 {
            let help = "say what is worth finding, such as \"1MiB\": without requests nothing else does";
            self.error("judge.min_growth_per_hour", "\"min_growth_per_hour\" is 0", help);
        }
    }
}
