//! Keys of flags, axes, allocators and the plan.

use super::Kind::{Boolean, Choice, Integer, Table, TableMap, Tables, Text, TextMap, TextOrTexts, Texts};
use super::Presence::{Default, Optional, Required};
use super::{Key, key, later, only};

const FEATURE: &[&str] = &["cargo-feature"];

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("flags", Tables, Default("[]"), "Switches of the service: what may leak."),
    key("flags[].name", Text, Required, "Its name in cell ids and reports."),
    key("flags[].kind", Choice(&["cargo-feature", "env", "arg"], &["cfg", "config", "http"]), Required, "How it is switched."),
    only(key("flags[].feature", Text, Required, "The cargo feature."), "kind", FEATURE),
    only(key("flags[].var", Text, Required, "The variable of the service's environment."), "kind", &["env"]),
    only(key("flags[].on", TextOrTexts, Default("\"1\""), "Value of the variable, or the arguments, where the flag is on."), "kind", &["env", "arg"]),
    only(key("flags[].off", TextOrTexts, Optional, "The same where it is off. Without it: the variable is unset, no arguments."), "kind", &["env", "arg"]),
    key("flags[].default", Boolean, Default("false"), "Whether it is on in production; cell ids name what differs from that."),
    key("flags[].requires", Texts, Default("[]"), "Flags that must be on where this one is."),
    key("flags[].conflicts_with", Texts, Default("[]"), "Flags that must be off where this one is on."),
    key("flags[].verify", Table, Optional, "How to see that it took effect. Without it the report says \"unverified\"."),
    key("flags[].verify.path", Text, Required, "A GET of this path is made once the service is ready."),
    key("flags[].verify.contains", Text, Required, "The answer contains this text exactly when the flag is on."),
    later("flags[].values", Texts),
    later("flags[].group", Text),
    only(later("flags[].cfg", Text), "kind", &["cfg"]),
    only(later("flags[].key", Text), "kind", &["config"]),
    only(later("flags[].request", Table), "kind", &["http"]),
    key("axes", Tables, Default("[]"), "What is crossed with every flag set."),
    key("axes[].name", Text, Required, "Its name."),
    key("axes[].kind", Choice(&["allocator", "env"], &["arg", "cargo-feature"]), Required, "What its values are: allocators, or values of an environment variable."),
    key("axes[].values", Texts, Required, "Its values; the first is the default and stays out of cell ids."),
    only(key("axes[].var", Text, Required, "The variable of the service's environment."), "kind", &["env"]),
    key("allocators", TableMap, Default("{}"), "How each allocator but `system` is had."),
    key("allocators.*.features", Texts, Default("[]"), "Cargo features that choose it."),
    key("allocators.*.env", TextMap, Default("{}"), "Environment that tunes it."),
    later("allocators.*.preload", Text),
    key("plan", Table, Default("{}"), "Which flag sets become cells."),
    key("plan.strategy", Choice(&["off", "all", "default", "each", "leave-one-out", "full", "auto"], &["pairwise", "screening"]), Default("\"auto\""), "`off`: none on; `each`: none, and each alone (with what it requires); `leave-one-out`: all, and all but each; `auto`: `full` for up to three flags, `each` and `all` beyond."),
    key("plan.replicates", Integer(1, 1_000), Default("1"), "How often each flag set is soaked."),
    key("plan.max_cells", Integer(1, 10_000), Default("64"), "More cells than this are an error, never cut."),
    key("plan.include", Tables, Default("[]"), "Flag sets added; beside `flags`, values of axes by their name."),
    key("plan.include[].flags", Texts, Required, "Exactly these flags are on."),
    key("plan.include[].*", Text, Optional, "Value of the axis of this name; an axis that is not named means each of its values."),
    key("plan.exclude", Tables, Default("[]"), "Flag sets taken out, written like `include`."),
    key("plan.exclude[].flags", Texts, Required, "Exactly these flags are on."),
    key("plan.exclude[].*", Text, Optional, "Value of the axis of this name."),
];
