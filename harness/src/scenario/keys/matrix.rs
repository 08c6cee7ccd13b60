//! Keys of flags, axes, allocators and the plan.

use super::Kind::{
    Boolean, Choice, ChoiceMap, Integer, Table, TableMap, Tables, Text, TextLists, TextMap, TextOrTexts, Texts,
};
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
    only(key("flags[].on", TextOrTexts, Optional, "Value of the variable, or the arguments, where the flag is on; `\"1\"` if not given. Of a flag with `values`: always, with `{{value}}` in it; the value alone if not given."), "kind", &["env", "arg"]),
    only(key("flags[].off", TextOrTexts, Optional, "The same where it is off. Without it: the variable is unset, no arguments. Not for a flag with `values`."), "kind", &["env", "arg"]),
    only(key("flags[].values", Texts, Optional, "Beyond on and off: what it may be; the first is what it is in production. The others show in cell ids and lists of flags as `cache=lru`; no two of them are on at once."), "kind", &["env", "arg"]),
    key("flags[].default", Boolean, Default("false"), "Whether it is on in production; cell ids name what differs from that."),
    key("flags[].group", Text, Optional, "Flags of the same group are switched together. Not for a flag with `values`."),
    key("flags[].requires", Texts, Default("[]"), "Flags that must be on where this one is. What cargo's features imply needs not be said: where `cache = [\"storage\"]`, the flag of `storage` counts as on with `cache`."),
    key("flags[].conflicts_with", Texts, Default("[]"), "Flags that must be off where this one is on."),
    key("flags[].verify", Table, Optional, "How to see that it took effect. Without it the report says \"unverified\"."),
    key("flags[].verify.path", Text, Required, "A GET of this path is made once the service is ready."),
    key("flags[].verify.contains", Text, Required, "The answer contains this text exactly when the flag is on. Of a flag with `values`: always, with `{{value}}` in it."),
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
    key("constraints", Table, Default("{}"), "What flag sets must hold. Lists name flags, or flags with a value: `cache=lru`."),
    key("constraints.mutually_exclusive", TextLists, Default("[]"), "At most one flag of each list is on."),
    key("constraints.at_least_one_of", TextLists, Default("[]"), "At least one flag of each list is on. Where a strategy turns on none of them, steep turns on the one that is on in production, or else the one that stands first in the file."),
    key("constraints.exactly_one_of", TextLists, Default("[]"), "Exactly one flag of each list is on."),
    key("constraints.pinned", ChoiceMap, Default("{}"), "Flags that are never varied, and what they are: `{ telemetry = true, cache = \"lru\" }`."),
    key("rules", Tables, Default("[]"), "What holds between axes and flags: where all of `when` is so, all of `then` must be."),
    key("rules[].when", ChoiceMap, Required, "Axes and flags with what they are: `{ allocator = [\"jemalloc\", \"mimalloc\"], cache = true }`."),
    key("rules[].then", ChoiceMap, Required, "The same, of what must be: `{ MALLOC_ARENA_MAX = \"unset\" }`."),
    key("plan", Table, Default("{}"), "Which flag sets become cells."),
    key("plan.strategy", Choice(&["off", "all", "default", "each", "leave-one-out", "pairwise", "screening", "full", "auto"], &[]), Default("\"auto\""), "`off`: none on; `each`: none, and each alone (with what it requires); `leave-one-out`: all, and all but each; `pairwise`: every combination of any two flags stands in some cell; `screening`: a balanced design (Plackett–Burman) in which every cell informs about every flag; `full`: every combination; `auto`: by the number n of flags that are free to vary: n ≤ 3 `full`, 4 and 5 half of `full`, 6 to 8 `screening` with `foldover`, 9 to 23 `screening`, beyond that `pairwise`, and `pairwise` from 4 on where a constraint or a third value does not allow the others. All but `off`, `all` and `default` have the flags of production as a cell in each replicate."),
    only(key("plan.strength", Integer(2, 3), Default("2"), "How many flags at once are covered: every combination of any two, or of any three."), "strategy", &["pairwise"]),
    only(key("plan.foldover", Boolean, Default("false"), "Soaks the opposite of each row, too: twice the cells, and pairs of flags are told from single ones."), "strategy", &["screening"]),
    key("plan.replicates", Integer(1, 1_000), Default("1"), "How often each flag set is soaked. All of it once is a block, shuffled by itself, and blocks follow each other."),
    key("plan.max_cells", Integer(1, 10_000), Default("64"), "More cells than this are an error, never cut."),
    key("plan.include", Tables, Default("[]"), "Flag sets added; beside `flags`, values of axes by their name."),
    key("plan.include[].flags", Texts, Required, "Exactly these flags are on, beside those that are pinned or implied."),
    key("plan.include[].*", Text, Optional, "Value of the axis of this name; an axis that is not named means each of its values."),
    key("plan.exclude", Tables, Default("[]"), "Flag sets taken out, written like `include`."),
    key("plan.exclude[].flags", Texts, Required, "Exactly these flags are on, beside those that are pinned or implied."),
    key("plan.exclude[].*", Text, Optional, "Value of the axis of this name."),
];
