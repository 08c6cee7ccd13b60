//! Keys of flags of all kinds, around those of each kind.

use super::kinds::{KEYS, NAMES};
use crate::scenario::schema::Kind::{Boolean, Choice, Number, Table, Tables, Text, Texts};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, key};

/// All of them, in the order of the reference.
pub(in crate::scenario) fn keys() -> impl Iterator<Item = &'static [Key]> + Clone {
    std::iter::once(BEFORE).chain(KEYS).chain(std::iter::once(AFTER))
}

#[rustfmt::skip]
const BEFORE: &[Key] = &[
    key("flags", Tables, Default("[]"), "Switches of the service: what may leak."),
    key("flags[].name", Text, Required, "Its name in cell ids and reports."),
    key("flags[].kind", Choice(&NAMES, &[]), Required, "How it is switched."),
];

#[rustfmt::skip]
const AFTER: &[Key] = &[
    key("flags[].default", Boolean, Default("false"), "Whether it is on in production; cell ids name what differs from that."),
    key("flags[].group", Text, Optional, "Flags of the same group are switched together. Not for a flag with `values`."),
    key("flags[].requires", Texts, Default("[]"), "Flags that must be on where this one is. What cargo's features imply needs not be said: where `cache = [\"storage\"]`, the flag of `storage` counts as on with `cache`."),
    key("flags[].conflicts_with", Texts, Default("[]"), "Flags that must be off where this one is on."),
    key("flags[].verify", Table, Optional, "How to see that it took effect. A `cargo-feature` needs none: cargo tells which features the program has that it built. Others without it are \"unverified\" in the report."),
    key("flags[].verify.contains", Text, Optional, "The answer to a GET of `path` contains this text exactly when the flag is on. Of a flag with `values`: always, with `{{value}}` in it; the texts below likewise."),
    key("flags[].verify.metric", Text, Optional, "Prometheus text at `path` has this metric exactly when the flag is on."),
    key("flags[].verify.value", Number, Optional, "The sum of the series of `metric` is this number exactly when the flag is on."),
    key("flags[].verify.path", Text, Optional, "What `contains` (needed there) and `metric` (there `/metrics` without it) ask once the service is ready."),
    key("flags[].verify.log", Text, Optional, "A line of the service's log before the load contains this text exactly when the flag is on."),
    key("flags[].verify.symbol", Text, Optional, "The symbol table of the program has a name with this text in it exactly when the flag is on."),
    key("flags[].verify.library", Text, Optional, "A file with this text in its name is mapped into the service's main process exactly when the flag is on."),
];
