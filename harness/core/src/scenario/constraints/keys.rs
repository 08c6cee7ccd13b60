//! Keys of constraints between flags, and of rules between axes and flags.

use crate::scenario::schema::Kind::{ChoiceMap, Table, Tables, TextLists};
use crate::scenario::schema::Presence::{Default, Required};
use crate::scenario::schema::{Key, key};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("constraints", Table, Default("{}"), "What flag sets must hold. Lists name flags, or flags with a value: `cache=lru`."),
    key("constraints.mutually_exclusive", TextLists, Default("[]"), "At most one flag of each list is on."),
    key("constraints.at_least_one_of", TextLists, Default("[]"), "At least one flag of each list is on. Where a strategy turns on none of them, steep turns on the one that is on in production, or else the one that stands first in the file."),
    key("constraints.exactly_one_of", TextLists, Default("[]"), "Exactly one flag of each list is on."),
    key("constraints.pinned", ChoiceMap, Default("{}"), "Flags that are never varied, and what they are: `{ telemetry = true, cache = \"lru\" }`."),
    key("rules", Tables, Default("[]"), "What holds between axes and flags: where all of `when` is so, all of `then` must be."),
    key("rules[].when", ChoiceMap, Required, "Axes and flags with what they are: `{ allocator = [\"jemalloc\", \"mimalloc\"], cache = true }`."),
    key("rules[].then", ChoiceMap, Required, "The same, of what must be: `{ MALLOC_ARENA_MAX = \"unset\" }`."),
];
