//! What growth that is filed already must name.

use std::collections::BTreeSet;

use crate::scenario::check::{Check, Names};
use crate::scenario::{Flag, Scenario};

impl Check<'_> {
    pub(in crate::scenario) fn known(&mut self, scenario: &Scenario) {
        // A flag with values is named by the value that leaks.
        let members: Vec<String> = scenario.flags.iter().flat_map(Flag::members).collect();
        let names = Names::of(members.iter().map(String::as_str));
        let mut filed: BTreeSet<BTreeSet<&String>> = BTreeSet::new();
        for (index, known) in scenario.known.iter().enumerate() {
            let at = |key: &str| format!("known[{index}].{key}");
            let place = if self.spans.has(&at("flags")) { at("flags") } else { at("flag") };
            for flag in &known.flags {
                self.flag_exists(&place, flag, &names);
            }
            if known.flags.is_empty() && self.spans.has(&place) {
                self.error(&place, "the list names no flag", "name those that leak only together");
            }
            let flags: BTreeSet<&String> = known.flags.iter().collect();
            if flags.len() < known.flags.len() {
                self.error(&place, "a flag stands twice in the list", "");
            }
            if !flags.is_empty() && !filed.insert(flags) {
                self.error(
                    &place,
                    "growth of the same flags is known twice",
                    "make one of both, with the larger limit",
                );
            }
            if known.issue.trim().is_empty() {
                self.error(&at("issue"), "known growth is filed somewhere", "give the address of the issue");
            }
            let per_request = known.max_growth_bytes_per_request.is_some_and(|most| most.get() <= 0.0);
            let per_hour = known.max_growth_bytes_per_hour.is_some_and(|most| most.get() <= 0.0);
            for (is_nothing, key) in [(per_request, "max_growth_per_request"), (per_hour, "max_growth_per_hour")] {
                if is_nothing {
                    self.error(&at(key), format!("\"{key}\" is 0"), "growth that is known has a size");
                }
            }
        }
    }
}
