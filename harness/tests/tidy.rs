//! Polices the source: the pure half has no effects, imports follow the arrows of ARCHITECTURE.md, files stay readable.
#![allow(clippy::expect_used, reason = "a test may fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// Where effects live: files, processes, sockets, clocks, output. `sim.rs` is not among them: its clock is simulated.
const EFFECTS: [&str; 3] = ["shell", "commands", "main"];

/// What the pure half must not contain.
const BANNED: [&str; 15] = [
    "std::fs",
    "std::process::Command",
    "std::net",
    "std::env::",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "tokio",
    "reqwest",
    "println!",
    "std::io",
    "Zoned::now",
    "TimeZone::system",
    "std::{",
    "crate::shell",
];

/// A module, and what it must not import: arrows point from what is told to what it is told from.
const ARROWS: [(&str, &[&str]); 21] = [
    ("stats", &["crate::growth", "crate::verdict", "crate::trace", "crate::scenario", "crate::units"]),
    ("growth", &["crate::verdict", "crate::trace", "crate::scenario", "crate::outcome"]),
    ("simulator", &["crate::verdict", "crate::trace", "crate::scenario", "crate::outcome"]),
    ("verdict", &["crate::trace", "crate::scenario", "crate::outcome", "crate::report"]),
    ("scenario", &["crate::plan", "crate::trace", "crate::traffic", "crate::soak", "crate::report"]),
    ("traffic", &["crate::plan", "crate::soak", "crate::growth", "crate::report", "crate::outcome"]),
    ("plan", &["crate::trace", "crate::traffic", "crate::soak", "crate::growth", "crate::report"]),
    ("trace", &["crate::soak", "crate::growth", "crate::verdict", "crate::outcome", "crate::report"]),
    ("soak", &["crate::growth", "crate::verdict", "crate::outcome", "crate::report", "crate::plan"]),
    ("threshold", &["crate::soak", "crate::growth", "crate::verdict", "crate::outcome", "crate::report"]),
    ("outcome", &["crate::isolation", "crate::report"]),
    ("known", &["crate::report", "crate::plan", "crate::soak", "crate::bisect"]),
    ("isolation", &["crate::known", "crate::report", "crate::bisect", "crate::plan"]),
    ("allocators", &["crate::report", "crate::isolation", "crate::plan", "crate::soak"]),
    ("levels", &["crate::report", "crate::isolation", "crate::plan", "crate::soak"]),
    ("alike", &["crate::report", "crate::plan", "crate::soak"]),
    ("bisect", &["crate::report", "crate::outcome", "crate::plan", "crate::growth", "crate::scenario"]),
    ("search", &["crate::report", "crate::night", "crate::growth", "crate::trace"]),
    ("night", &["crate::report", "crate::growth", "crate::trace", "crate::soak"]),
    ("import", &["crate::plan", "crate::trace", "crate::traffic", "crate::soak", "crate::growth", "crate::report"]),
    ("units", &["crate::"]),
];

/// Lines of a file, its tests included; a longer one holds a second noun.
const LONGEST_FILE: usize = 500;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            files.extend(sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    files.sort();
    files
}

/// All files of the program with the top-level module that each belongs to; those that hold only tests are left out.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .filter(|file| file.file_name().is_some_and(|name| name != "tests.rs"))
        .map(|file| {
            let first = file.strip_prefix(&root).expect("below src").components().next().expect("a name");
            let module = first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&file).expect("a source file");
            (module, file, text)
        })
        .collect()
}

/// The part of a file before its tests: those may do what they like.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\n").next().unwrap_or(text)
}

/// Lines with `what` in them that are no comments.
fn lines_with<'t>(text: &'t str, what: &str) -> Vec<&'t str> {
    without_tests(text).lines().filter(|line| line.contains(what) && !line.trim_start().starts_with("//")).collect()
}

#[test]
fn the_pure_half_has_no_effects() {
    let mut found = Vec::new();
    for (module, file, text) in modules() {
        if EFFECTS.contains(&module.as_str()) {
            continue;
        }
        for banned in BANNED {
            found.extend(lines_with(&text, banned).into_iter().map(|line| format!("{}: {line}", file.display())));
        }
    }
    assert!(found.is_empty(), "effects in the pure half:\n{}", found.join("\n"));
}

/// What connects, or looks up where to: only `shell/loopback.rs` does, which goes to this host and nowhere else.
const CONNECTS: [&str; 8] = [
    "TcpStream::connect",
    "TcpSocket::new",
    "to_socket_addrs",
    "ToSocketAddrs",
    "lookup_host",
    "reqwest::get",
    "reqwest::Client",
    "BlockingStream::connect",
];

#[test]
fn every_connection_begins_in_one_place() {
    let mut found = Vec::new();
    for (_, file, text) in modules() {
        if file.ends_with("shell/loopback.rs") {
            // The list is up to date: what it bans is what is used there.
            assert!(!lines_with(&text, "TcpSocket::new").is_empty() && !lines_with(&text, "lookup_host").is_empty());
            continue;
        }
        // The drivers' own tests are services as well.
        if file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        for connects in CONNECTS {
            found.extend(lines_with(&text, connects).into_iter().map(|line| format!("{}: {line}", file.display())));
        }
    }
    assert!(found.is_empty(), "connections that begin elsewhere than in shell/loopback.rs:\n{}", found.join("\n"));
}

#[test]
fn imports_follow_the_arrows() {
    let mut found = Vec::new();
    for (module, file, text) in modules() {
        for (from, against) in ARROWS {
            if module != from {
                continue;
            }
            for import in against {
                found.extend(lines_with(&text, import).into_iter().map(|line| format!("{}: {line}", file.display())));
            }
        }
    }
    assert!(found.is_empty(), "imports against the arrows:\n{}", found.join("\n"));
}

/// Ways to files that steep does not go but in `shell/files.rs`, except to those of the kernel.
const WAYS_TO_FILES: [&str; 8] = [
    "File::open(",
    "File::create(",
    "OpenOptions::new()",
    "fs::read(",
    "fs::read_to_string(",
    "fs::write(",
    "fs::copy(",
    "create_dir_all(",
];

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
const SPEAKERS: [&str; 4] =
    ["shell/console.rs", "shell/supervisor.rs", "shell/supervisor/guard.rs", "shell/runtime.rs"];

/// Lines of the effects with one of `what`, outside the files `but`, that have none of `fine`.
fn elsewhere(what: &[&str], but: &[&str], fine: &[&str]) -> Vec<String> {
    let is_test = |file: &Path| file.components().any(|part| part.as_os_str() == "tests");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all = modules().into_iter().filter(|(_, file, _)| {
        !but.iter().any(|end| file.ends_with(end)) && !is_test(file.strip_prefix(&root).expect("below src"))
    });
    all.flat_map(|(_, file, text)| {
        let lines = what.iter().flat_map(|what| lines_with(&text, what)).collect::<Vec<_>>();
        let bad = lines.into_iter().filter(|line| !fine.iter().any(|fine| line.contains(fine)));
        bad.map(|line| format!("{}: {line}", file.display())).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn files_are_opened_and_texts_are_shown_in_one_place() {
    let ways = elsewhere(&WAYS_TO_FILES, &OTHER_WAYS.map(|(file, _)| file), &["files::", "/proc", "/sys", "/dev/"]);
    assert!(ways.is_empty(), "a FIFO or a link may be there, use shell/files.rs:\n{}", ways.join("\n"));
    let spoken =
        elsewhere(&["stdout()", "stderr()", "print!(", "println!("], &SPEAKERS, &["is_terminal", "use_stderr"]);
    assert!(spoken.is_empty(), "a text of others may steer the terminal, use shell/console.rs:\n{}", spoken.join("\n"));
}

#[test]
fn files_stay_readable() {
    let long: Vec<String> = modules()
        .into_iter()
        .filter(|(_, _, text)| text.lines().count() > LONGEST_FILE)
        .map(|(_, file, text)| format!("{}: {} lines", file.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "files that hold a second noun:\n{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = modules()
        .into_iter()
        .filter(|(_, _, text)| !text.starts_with("//! "))
        .map(|(_, file, _)| file.display().to_string())
        .collect();
    assert!(silent.is_empty(), "files without a header:\n{}", silent.join("\n"));
}

#[test]
fn the_tidy_test_can_fail() {
    assert_eq!(lines_with("use std::fs;\n// use std::fs;\n", "std::fs"), ["use std::fs;"]);
    assert_eq!(lines_with("fn a() {}\n#[cfg(test)]\nuse std::fs;\n", "std::fs"), [""; 0]);
}
