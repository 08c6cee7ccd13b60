//! The tables of constraints and rules.

use super::{Constraints, Rule};
use crate::scenario::read::{Reader, Section};

pub(in crate::scenario) fn constraints(reader: &mut Reader, top: &Section<'_>) -> Constraints {
    let section = &reader.table(top, "constraints");
    let mut lists = |name| reader.text_lists(section, name).unwrap_or_default();
    Constraints {
        mutually_exclusive: lists("mutually_exclusive"),
        at_least_one_of: lists("at_least_one_of"),
        exactly_one_of: lists("exactly_one_of"),
        pinned: reader.choices_by_name(section, "pinned").unwrap_or_default(),
    }
}

pub(in crate::scenario) fn rule(reader: &mut Reader, section: &Section<'_>) -> Rule {
    let when = reader.choices_by_name(section, "when").unwrap_or_default();
    Rule { when, then: reader.choices_by_name(section, "then").unwrap_or_default() }
}
