//! Mistakes in flags, axes, allocators and constraints: what is said, where, and what to do.

use steep_core::scenario::decode::decode;
use steep_core::testing::{SOUND, and};

#[test]
fn a_kind_that_is_unknown_is_one_problem() {
    insta::assert_snapshot!(and("[[flags]]\nname = \"fast\"\nkind = \"flagd\"\n"));
}

#[test]
fn what_a_command_cannot_switch_and_what_would_verify_nothing_are_problems() {
    let more = r#"
[[flags]]
name = "unstable"
kind = "cfg"
cfg = "tokio_unstable"
verify = { symbol = "tokio", library = "libtokio" }

[[flags]]
name = "cache"
kind = "http"
request = { path = "cache/on", headers = { "x y" = "1" } }
off_request = { method = "DELETE", path = "/cache" }
verify = { log = "" }

[[flags]]
name = "trace"
kind = "http"
request = { path = "/trace" }
off_request = { path = "/trace" }
verify = { contains = "on" }

[[flags]]
name = "lost"
kind = "http"
verify = { metric = "lost", value = 1, path = "/m" }

[[flags]]
name = "late"
kind = "env"
var = "LATE"
verify = { symbol = "late", value = 1 }

[[axes]]
name = "tls"
kind = "cargo-feature"
values = ["none", "tls"]

[[axes]]
name = "workers"
kind = "arg"
values = ["1", "4"]

[[axes]]
name = "release"
kind = "revision"
values = ["v1", "v2"]

[[axes]]
name = "commit"
kind = "revision"
values = ["HEAD~1", "HEAD"]

[allocators.jemalloc]
preload = "libjemalloc.so.2:other"
env = { LD_PRELOAD = "libother.so" }
verify = {}
"#;
    insta::assert_snapshot!(and(more));
}

#[test]
fn a_constraint_that_names_no_flag_is_a_problem() {
    let more = r#"
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
requires = ["cahce"]
conflicts_with = ["storage"]

[plan]
include = [{ flags = ["cache", "nothing"], allocator = "jemalloc" }]
"#;
    insta::assert_snapshot!(and(more));
}

#[test]
fn a_feature_of_a_command_is_a_problem() {
    insta::assert_snapshot!(and("\n[[flags]]\nname = \"cache\"\nkind = \"cargo-feature\"\nfeature = \"cache\"\n"));
}

#[test]
fn an_allocator_that_nobody_describes_is_a_problem() {
    let axis = "\n[[axes]]\nname = \"allocator\"\nkind = \"allocator\"\nvalues = [\"system\", \"jemalloc\"]\n";
    insta::assert_snapshot!(and(axis));
}

#[test]
fn names_that_steep_uses_itself_are_refused() {
    let flag = |name: &str| format!("\n[[flags]]\nname = \"{name}\"\nkind = \"arg\"\non = [\"--{name}\"]\n");
    let more = flag("baseline") + &flag("not-x") + "\n[[dependencies]]\nname = \"service\"\ncommand = [\"true\"]\n";
    insta::assert_snapshot!(and(&more));
}

#[test]
fn flags_with_values_that_cannot_be_are_reported() {
    let more = r#"
[[flags]]
name = "one"
kind = "env"
var = "ONE"
values = ["off"]

[[flags]]
name = "cache"
kind = "arg"
on = ["--cache"]
off = ["--no-cache"]
values = ["off", "lru", "lru", "a=b"]
group = "memory"
verify = { path = "/flags", contains = "cache" }

[[flags]]
name = "plain"
kind = "arg"
on = ["--plain={{value}}"]

[[flags]]
name = "storage"
kind = "env"
var = "STORAGE"
group = "memory"

[[flags]]
name = "index"
kind = "env"
var = "INDEX"
group = "memory"
default = true
requires = ["cache=lru", "cache=arc"]
"#;
    insta::assert_snapshot!(and(more));
}

#[test]
fn constraints_and_rules_that_name_what_is_not_there_are_reported() {
    let more = r#"
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
values = ["off", "lru"]

[[flags]]
name = "audit"
kind = "env"
var = "AUDIT"

[[axes]]
name = "arenas"
kind = "env"
var = "MALLOC_ARENA_MAX"
values = ["8", "2"]

[constraints]
mutually_exclusive = [["cache=lru", "audit", "audit"]]
at_least_one_of = [["cash", "audit"], []]
exactly_one_of = "audit"
pinned = { audit = "lru", cache = ["off", "lru"], nothing = true }

[[rules]]
when = { arena = "8", cache = true }
then = {}

[[rules]]
when = { arenas = [2, 4] }
then = { audit = [] }
"#;
    insta::assert_snapshot!(and(more));
}

#[test]
fn what_two_would_switch_is_reported() {
    let more = r#"
[[flags]]
name = "sessions"
kind = "env"
var = "SESSIONS"

[[flags]]
name = "old-sessions"
kind = "env"
var = "SESSIONS"
on = "old"

[[flags]]
name = "verbose"
kind = "arg"
on = ["-v"]

[[flags]]
name = "chatty"
kind = "arg"
on = ["-v"]

[[flags]]
name = "conf"
kind = "env"
var = "MALLOC_CONF"

[[axes]]
name = "allocator"
kind = "allocator"
values = ["system", "jemalloc"]

[[axes]]
name = "arenas"
kind = "env"
var = "MALLOC_CONF"
values = ["narenas:1", "narenas:2"]

[[axes]]
name = "more-arenas"
kind = "env"
var = "MALLOC_CONF"
values = ["narenas:3", "narenas-3", "", "narenas:4\nnarenas:5"]

[allocators.jemalloc]
env = { MALLOC_CONF = "background_thread:true" }

[allocators.mimalloc]
env = { MIMALLOC_PURGE_DELAY = "0" }
"#;
    insta::assert_snapshot!(and(more));
}

#[test]
fn what_stands_in_braces_in_values_of_flags_and_axes_is_known_to_the_service() {
    let flag = |on: &str| format!("\n[[flags]]\nname = \"wal\"\nkind = \"arg\"\non = [\"{on}\"]\n");
    assert_eq!(decode(&(SOUND.to_owned() + &flag("--wal={{dir}}/wal"))).problems, []);
    let axes = "\n[[axes]]\nname = \"conf\"\nkind = \"env\"\nvar = \"CONF\"\nvalues = [\"{{home}}\", \"{{ }}\"]\n";
    insta::assert_snapshot!(and(&(flag("--wal={{folder}}") + axes)));
}

#[test]
fn a_cfg_that_rustc_would_not_take_is_reported_and_others_are_not() {
    let flag = |cfg: &str| format!("\n[[flags]]\nname = \"fast\"\nkind = \"cfg\"\ncfg = '{cfg}'\n");
    for cfg in ["", "a b", "fast-path", "1st", "cache=lru", "cache=\"l\"ru\""] {
        assert!(and(&flag(cfg)).contains("nothing that rustc takes after --cfg"), "{cfg}");
    }
    for cfg in ["fast_path", "_x", "cache=\"lru\"", "größe"] {
        // Something else is wrong: a command has no cfg.
        assert!(!and(&flag(cfg)).contains("nothing that rustc takes"), "{cfg}");
    }
}
