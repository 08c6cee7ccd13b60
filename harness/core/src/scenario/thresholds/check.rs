//! Thresholds that can be judged.

use std::collections::BTreeSet;

use super::{Judged, Threshold};
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use steep_judge::units::duration_text;

impl Check<'_> {
    pub(in crate::scenario) fn thresholds(&mut self, scenario: &Scenario) {
        let requests: BTreeSet<&str> = scenario.requests.iter().map(|request| request.name.as_str()).collect();
        for (index, threshold) in scenario.thresholds.iter().enumerate() {
            self.threshold(&format!("thresholds[{index}]"), threshold, scenario, &requests);
        }
    }

    fn threshold(&mut self, path: &str, threshold: &Threshold, scenario: &Scenario, requests: &BTreeSet<&str>) {
        let Threshold { metric, request, window, abort_after, .. } = threshold;
        let name = metric.name();
        let lasts = scenario.soak_duration();
        for (key, time) in [("window", window), ("abort_after", abort_after)] {
            if let Some(time) = time.filter(|time| *time > lasts) {
                let message =
                    format!("\"{key}\" is longer than the soak: {} of {}", duration_text(time), duration_text(lasts));
                self.error(&format!("{path}.{key}"), message, "it would never be judged");
            }
        }
        if abort_after.is_some() && window.is_none() && metric.judged() == Judged::Rolling {
            let message = format!("\"abort_after\" of {name} needs a \"window\"");
            self.error(&format!("{path}.abort_after"), message, "without it the threshold is judged at the end");
        }
        if let Some(request) = request
            && !requests.contains(request.as_str())
        {
            self.error(
                &format!("{path}.request"),
                format!("there is no request {request:?}"),
                "name one of [[requests]]",
            );
        }
        if scenario.external.is_some() && metric.judged() == Judged::Rolling {
            let message = format!("{name} is not known of a load that another program makes");
            self.error(
                &format!("{path}.metric"),
                message,
                "let that program judge it, and end with a status other than 0",
            );
        }
    }
}
