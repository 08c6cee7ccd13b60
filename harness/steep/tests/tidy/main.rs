//! Polices the source: the pure crates have no effects, imports follow the arrows of ARCHITECTURE.md, files stay
//! readable, references lead somewhere.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod arrows;
mod circles;
mod code;
mod dialect;
mod effects;
mod prose;
mod unused;

use std::collections::BTreeSet;

use self::arrows::{against, drawn, imports, written};
use self::circles::circles;
use self::code::{CRATES, Source, files, root, sources};
use self::effects::{CONNECTS, EFFECTS, PURE, WAYS_TO_FILES, beginning, ending};

/// Lines of a file, its tests included; a longer one holds a second noun.
const LONGEST_FILE: usize = 500;

/// Lines that go to files past `shell/files.rs` all the same: the end of each, and why.
const OTHER_WAYS: [(&str, &str); 13] = [
    ("shell/files.rs", "it is the way"),
    ("shell/process/oom.rs", "counters of the kernel's cgroups"),
    ("shell/cgroups.rs", "the kernel's cgroups"),
    ("shell/listener.rs", "sockets of a process, below /proc"),
    ("shell/sampler/held/cgroup.rs", "the kernel's cgroups"),
    ("shell/sampler/held/descriptors.rs", "descriptors of a process, below /proc"),
    ("shell/sampler/held/mapped.rs", "maps of a process, below /proc"),
    ("shell/sampler/held/segments.rs", "below /proc"),
    ("shell/sampler/process.rs", "below /proc"),
    ("shell/verification.rs", "the program and the maps of a process, below /proc"),
    ("shell/service/launching.rs", "folders that the author of the scenario names"),
    ("shell/store.rs", "the folder that the user names"),
    ("shell/supervisor/guard.rs", "/dev/null"),
];

/// Where something is written to stdout or stderr.
const SPEAKERS: [&str; 5] = [
    "shell/console.rs",
    "shell/supervisor.rs",
    "shell/supervisor/guard.rs",
    "shell/runtime.rs",
    // Its standard output is a socket that is listened on.
    "commands/live_view.rs",
];

fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

fn pure() -> impl Iterator<Item = &'static Source> {
    sources().iter().filter(|source| PURE.contains(&source.krate))
}

/// The files of the program that are no tests, but for those at `but`.
fn effects_but<'b>(but: &'b [&'b str]) -> impl Iterator<Item = &'static Source> + 'b {
    sources().iter().filter(|source| {
        let is_test = source.path.split('/').any(|part| part == "tests");
        source.krate == "steep" && !is_test && !but.contains(&source.path.as_str())
    })
}

#[test]
fn the_pure_crates_have_no_effects() {
    let found: Vec<String> = pure().flat_map(|source| beginning(source, &EFFECTS)).collect();
    none(&found, "effects in the pure crates");
}

#[test]
fn imports_follow_the_arrows() {
    none(&against(&written(), &drawn(sources())), "the arrows of ARCHITECTURE.md and the code differ");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = circles::imports(sources());
    none(&circles(&imports), "files that import each other in a circle: move what both need to a file of its own");
}

#[test]
fn an_import_back_that_is_planted_in_a_file_of_each_crate_is_found() {
    let all = sources();
    for krate in CRATES {
        let sources: Vec<Source> = all.iter().filter(|source| source.krate == krate).cloned().collect();
        let path = |source: &Source| format!("{krate}/src/{}", source.path);
        let imports = circles::imports(&sources);
        let is_child = |import: &&circles::Import| import.from.starts_with(import.to.trim_end_matches(".rs"));
        let import = imports.iter().find(|import| !is_child(import)).expect("an import");
        let (from, to) = (&import.from, &import.to);
        let module = sources.iter().find(|source| path(source) == *from).expect("a file").module_path().join("::");
        let back = |source: &Source| {
            let planted = || source.with(format!("{}\nuse crate::{module}::Planted;\n", source.text));
            if path(source) == *to { planted() } else { source.clone() }
        };
        let found = circles(&circles::imports(&sources.iter().map(back).collect::<Vec<_>>()));
        let arrow = format!("{to} -> {from}: Planted");
        assert!(found.contains(&arrow), "{arrow}: {found:#?}");
    }
}

#[test]
fn a_circle_is_found_through_what_is_handed_on_and_a_parent_is_made_of_its_children() {
    let source = |path: &str, text: &str| Source::parsed("core", path.to_owned(), text.to_owned());
    let parent = "pub use self::c::Third as Handed;\nuse self::b::act;\npub struct Own;\nfn a() { act() }\n";
    let files = |third: &str| {
        [
            source("a.rs", parent),
            source("a/b.rs", "use super::{Handed, Own};\npub fn act() {}\n"),
            source("a/c.rs", third),
            source(
                "d.rs",
                "pub fn made() -> u8 { crate::a::b::act() }\n#[cfg(test)]\nmod tests { use crate::a::c::x; }\n",
            ),
        ]
    };
    assert_eq!(circles(&circles::imports(&files("pub struct Third(super::Own);\n"))), [""; 0]);
    let found = circles(&circles::imports(&files("use crate::d::made;\npub struct Third;\n")));
    assert_eq!(
        found,
        [
            "core/src/a/b.rs -> core/src/a/c.rs: Third",
            "core/src/a/c.rs -> core/src/d.rs: made",
            "core/src/d.rs -> core/src/a/b.rs: act"
        ]
    );
}

/// What is planted in a copy of each pure module, each of which must be found.
const PLANTED: [&str; 12] = [
    "fn planted() { let _text = std::fs::read_to_string(\"x\"); }",
    "fn planted() { println!(\"heard\"); }",
    "fn planted() -> std::time::Instant { std::time::Instant::now() }",
    "use std::time::SystemTime;",
    "use std::{fs, time::Duration};",
    "use std::fs as cupboard;",
    "fn planted() { use std::net::TcpStream; }",
    "mod planted { pub fn act() { let _ = std::env::var(\"HOME\"); } }",
    "fn planted() { std::thread::spawn(|| ()); }",
    "const fn planted() { let _ = format_args!(\"{:?}\", std::process::id()); }",
    "async fn planted() { tokio::task::yield_now().await }",
    "fn planted() { eprintln!(\"heard\"); }",
];

#[test]
fn an_effect_that_is_planted_in_a_pure_module_is_found_wherever_its_tests_stand() {
    let mut modules = BTreeSet::new();
    for source in pure() {
        // Each module once is enough, by its own file.
        if source.path.contains('/') || source.module() == "lib" {
            continue;
        }
        modules.insert(source.module().to_owned());
        for text in [source.text.clone(), tests_first(&source.text)] {
            // All in one copy, each on a line of its own, on which it is to be found.
            let text = text.trim_end();
            let before = text.lines().count();
            let found = beginning(&source.with(format!("{text}\n{}\n", PLANTED.join("\n"))), &EFFECTS);
            for (line, planted) in (before + 1..).zip(PLANTED) {
                let place = format!("{}:{line}: ", source.path);
                assert!(found.iter().any(|found| found.contains(&place)), "{place}{planted} is not found: {found:?}");
            }
        }
    }
    let all: BTreeSet<String> = pure().map(|source| source.module().to_owned()).collect();
    assert_eq!(modules.len() + 1, all.len(), "a module without a file of its own name: {all:?}");
}

/// The same file with a module of tests at its top.
fn tests_first(text: &str) -> String {
    let is_inner = |line: &&str| line.starts_with("//!") || line.starts_with("#![") || line.is_empty();
    let heads = text.lines().take_while(is_inner).count();
    let (head, rest): (Vec<&str>, Vec<&str>) = (text.lines().take(heads).collect(), text.lines().skip(heads).collect());
    format!("{}\n#[cfg(test)]\nmod first {{}}\n{}", head.join("\n"), rest.join("\n"))
}

#[test]
fn an_import_that_is_planted_against_the_arrows_is_found_in_each_module() {
    let (written, sources) = (written(), sources());
    let drawn = drawn(sources);
    for source in sources.iter().filter(|source| !source.path.contains('/') && source.module() != "lib") {
        let (_, allowed) = written.iter().find(|(module, _)| module == source.module()).expect("a row");
        let other = written.iter().map(|(module, _)| module);
        let Some(other) = other.into_iter().find(|other| *other != source.module() && !allowed.contains(*other)) else {
            continue;
        };
        for import in [format!("use crate::{other}::X;"), format!("fn planted() {{ steep_judge::{other}::act(); }}")] {
            let copy = source.with(format!("{}\n{import}\n", source.text));
            let mut with = drawn.clone();
            with.entry(source.module().to_owned()).or_default().extend(imports(&copy));
            let wrong = against(&written, &with);
            assert!(
                wrong.iter().any(|wrong| wrong.contains(&format!("imports `{other}`"))),
                "{}: {import}",
                source.path
            );
        }
    }
}

#[test]
fn a_module_without_a_row_and_a_row_without_a_module_are_found() {
    let mut rows = written();
    let (gone, _) = rows.pop().expect("rows");
    rows.push(("attic".to_owned(), BTreeSet::new()));
    let wrong = against(&rows, &drawn(sources()));
    assert!(wrong.iter().any(|wrong| wrong.starts_with(&format!("`{gone}` has no row"))), "{wrong:?}");
    assert!(wrong.iter().any(|wrong| wrong.contains("`attic` is of no module")), "{wrong:?}");
}

#[test]
fn every_connection_begins_in_one_place() {
    let found: Vec<String> =
        effects_but(&["shell/loopback.rs"]).flat_map(|source| ending(source, &CONNECTS, &[])).collect();
    none(&found, "connections that begin elsewhere than in shell/loopback.rs");
    // The list is up to date: what it bans is what is used there.
    let loopback = sources().iter().find(|source| source.path == "shell/loopback.rs").expect("it");
    assert!(!ending(loopback, &["TcpSocket::new_v4", "lookup_host"], &[]).is_empty());
}

#[test]
fn files_are_opened_and_texts_are_shown_in_one_place() {
    let but = OTHER_WAYS.map(|(file, _)| file);
    let fine = ["files::", "/proc", "/sys", "/dev/"];
    let ways: Vec<String> = effects_but(&but).flat_map(|source| ending(source, &WAYS_TO_FILES, &fine)).collect();
    none(&ways, "a FIFO or a link may be there, use shell/files.rs");
    let speaking = ["io::stdout", "io::stderr", "print!", "println!", "eprint!", "eprintln!"];
    let fine = ["is_terminal", "use_stderr"];
    let spoken: Vec<String> = effects_but(&SPEAKERS).flat_map(|source| ending(source, &speaking, &fine)).collect();
    none(&spoken, "a text of others may steer the terminal, use shell/console.rs");
}

#[test]
fn files_stay_readable() {
    let harness = root().join("harness");
    let long: Vec<String> = CRATES
        .iter()
        .flat_map(|krate| files(&harness.join(krate), &["rs"]))
        .map(|file| (std::fs::read_to_string(&file).expect("a source file").lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    none(&long, "files that hold a second noun");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().iter().filter(|source| !source.text.starts_with("//! "));
    none(
        &silent.map(|source| format!("{}/{}", source.krate, source.path)).collect::<Vec<_>>(),
        "files without a header",
    );
}

#[test]
fn what_is_public_is_used_by_others() {
    none(&unused::unused(), "`pub`, and no other file names it");
}

#[test]
fn what_only_its_own_file_and_its_tests_name_is_found() {
    let file = |path: &str, text: &str| (format!("harness/core/src/{path}"), text.to_owned());
    let own = "/// See [`used`].\npub fn used() { unused(); }\npub fn unused() {}\nfn private() {}\n";
    let tests = "fn it() { super::unused() }\n";
    let all = [file("a.rs", own), file("a/tests.rs", tests), file("b.rs", "/// `unused`\nfn b() { used() }\n")];
    assert_eq!(unused::unused_of(&all.into()), ["harness/core/src/a.rs: `unused`"]);
}

#[test]
fn prose_fits_the_width() {
    none(&prose::too_wide(), "prose that is wider than 120 columns");
}

#[test]
fn what_is_written_is_plain_english() {
    none(&dialect::dialect(), "a dialect");
}

#[test]
fn a_dialect_is_found() {
    let text = "A flaw is told.\nThere is no file, and they are told apart.\n\"{x}\" is no number, and so many are left\n\
                How it is had\nlet told = 1;\nexceeds λ\nno more than so many that wait\n";
    let found = dialect::dialect_of(text);
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 3, 3, 4, 5, 6], "{found:?}");
}

#[test]
fn references_lead_somewhere() {
    none(&prose::dead_references(), "references that lead nowhere");
}

#[test]
fn a_dead_reference_is_found() {
    let pages =
        [("docs/a.md".to_owned(), "# One page\n\n[b](b.md#two), [x](c.md), [y](#one-page)\n## Later\n".to_owned())];
    let more = [("docs/b.md".to_owned(), "# B\n".to_owned())];
    let found = prose::dead_links(&[pages, more].concat(), &|path| path == "docs/b.md");
    assert_eq!(found, ["docs/a.md: b.md#two has no such section", "docs/a.md: there is no c.md"]);
}

#[test]
fn names_are_those_of_the_code_without_its_tests_and_documentation() {
    let text = "//! std::fs\n/// std::fs\nuse super::*;\nuse self::deep::{a, b as c};\nfn a() { x::y!(\"std::fs\", z::w()); }\n\
                #[cfg(test)]\nmod tests { use std::fs; }\n#[cfg(not(test))]\nfn b() { super::super::up::act() }\n";
    let source = Source::parsed("core", "one/two.rs".to_owned(), text.to_owned());
    let names: Vec<String> = source.names.into_iter().map(|named| named.name).collect();
    for name in
        ["crate::one::*", "crate::one::two::deep::a", "crate::one::two::deep::b", "x::y!", "z::w", "crate::up::act"]
    {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    assert!(names.iter().all(|name| !name.contains("std::fs")), "{names:?}");
}
