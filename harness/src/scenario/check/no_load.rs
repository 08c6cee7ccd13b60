//! A soak without traffic: what has no meaning in it, and what growth it can see in its time.

use std::time::Duration;

use super::super::{Judged, Metric, Model, Phase, Role, Scenario};
use super::Check;
use crate::units::{Bytes, BytesPerHour, in_words};

/// Growth over a soak from which on a leak is named: of a soak of [`SHORT`] and more, and of a shorter one without live bytes (METHOD.md,
/// what decides).
const LEAST_GROWTH: Bytes = Bytes::mib(1);
/// See [`LEAST_GROWTH`].
const LEAST_SHORT_GROWTH: Bytes = Bytes::mib(16);
/// See [`LEAST_GROWTH`].
const SHORT: Duration = Duration::from_secs(290);

impl Check<'_> {
    pub(super) fn no_load(&mut self, scenario: &Scenario) {
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
            return;
        }
        self.seen_in_time(scenario, worth);
    }

    /// What growth a soak of this length names, where that is more than what is worth finding.
    fn seen_in_time(&mut self, scenario: &Scenario, worth: BytesPerHour) {
        let is_fitted = |phase: &Phase| matches!(phase.role, Role::Warmup | Role::Steady);
        let lasts = |stretch: &[Phase]| stretch.iter().map(|phase| phase.duration).sum::<Duration>();
        let judged = scenario.phases.split(|phase| !is_fitted(phase)).map(lasts).max().unwrap_or_default();
        let is_short = judged < SHORT && scenario.service.probe.is_none();
        let least = if is_short { LEAST_SHORT_GROWTH } else { LEAST_GROWTH }.as_f64();
        let seconds = judged.as_secs_f64();
        let named = BytesPerHour::per_second(least / seconds);
        let need = Duration::try_from_secs_f64(LEAST_GROWTH.as_f64() / worth.get_per_second()).unwrap_or(Duration::MAX);
        if seconds > 0.0 && named.get() > worth.get() {
            let message = format!(
                "without requests a leak of {worth} is worth finding, and {} name one of {named} or more",
                in_words(judged)
            );
            let help = format!(
                "lengthen the steady phase to {}, or raise judge.min_growth_per_hour",
                in_words(need.max(SHORT))
            );
            self.warning("phases", message, help);
        }
    }
}
