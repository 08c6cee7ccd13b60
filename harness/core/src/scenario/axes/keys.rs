//! Keys of axes.

use crate::scenario::schema::Kind::{Choice, Tables, Text, Texts};
use crate::scenario::schema::Presence::{Default, Required};
use crate::scenario::schema::{Key, key, only};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("axes", Tables, Default("[]"), "What is crossed with every flag set."),
    key("axes[].name", Text, Required, "Its name."),
    key("axes[].kind", Choice(&["allocator", "env", "arg", "cargo-feature", "revision"], &[]), Required, "What its values are: allocators, values of an environment variable (worker threads, `MALLOC_ARENA_MAX`) or of an argument, cargo features of which one is on (`none`: none), or git revisions (tags, commits, branches without a `/`) from the oldest to the newest: each is built from a worktree of its own, whatever is changed in the folder, and the report says since which one memory grows. One axis at most has this kind."),
    key("axes[].values", Texts, Required, "Its values; the first is the default and stays out of cell ids. What a folder's name cannot have is a `-` there: `narenas:1` is `narenas-1`."),
    only(key("axes[].var", Text, Required, "The variable of the service's environment."), "kind", &["env"]),
    only(key("axes[].arg", Text, Required, "The argument that takes the value: `--workers` adds `--workers 4`, and `--workers=` adds `--workers=4`."), "kind", &["arg"]),
];
