//! The pure crates touch nothing outside of themselves, and the effects go their ways through one door each.

use super::code::Source;

/// Crates without effects.
pub const PURE: [&str; 2] = ["judge", "core"];

/// Ways out of a pure crate: each path that begins so, and these macros.
pub const EFFECTS: [&str; 21] = [
    "std::fs",
    "std::process",
    "std::net",
    "std::env",
    "std::thread",
    "std::io",
    "std::os",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::*",
    "Instant::now",
    "SystemTime::now",
    "jiff::Zoned::now",
    "jiff::Timestamp::now",
    "jiff::tz::TimeZone::system",
    "tokio",
    "reqwest",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
];

/// Paths of `source` that are one of `names`, or lie below it, with their lines.
pub fn beginning(source: &Source, names: &[&str]) -> Vec<String> {
    let is_below = |name: &str, above: &&str| {
        name.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let found = source.names.iter().filter(|named| names.iter().any(|name| is_below(&named.name, name)));
    found.map(|named| format!("harness/{}/src/{}:{}: {}", source.krate, source.path, named.line, named.name)).collect()
}

/// Paths of `source` that end in one of `names`, with their lines, but for lines with one of `fine` in them.
pub fn ending(source: &Source, names: &[&str], fine: &[&str]) -> Vec<String> {
    let is_one = |name: &str, end: &&str| name == *end || name.ends_with(&format!("::{end}"));
    let lines: Vec<&str> = source.text.lines().collect();
    let found = source.names.iter().filter(|named| names.iter().any(|name| is_one(&named.name, name)));
    found
        .map(|named| (named.line, lines.get(named.line - 1).copied().unwrap_or_default()))
        .filter(|(_, line)| !fine.iter().any(|fine| line.contains(fine)))
        .map(|(number, line)| format!("harness/{}/src/{}:{number}: {}", source.krate, source.path, line.trim()))
        .collect()
}

/// What connects, or looks up where to: only `shell/loopback.rs` does, which goes to this host and nowhere else.
pub const CONNECTS: [&str; 9] = [
    "TcpStream::connect",
    "TcpSocket::new_v4",
    "TcpSocket::new_v6",
    "to_socket_addrs",
    "ToSocketAddrs",
    "lookup_host",
    "reqwest::get",
    "reqwest::Client",
    "BlockingStream::connect",
];

/// Ways to files that steep does not go but in `shell/files.rs`, except to those of the kernel.
pub const WAYS_TO_FILES: [&str; 8] = [
    "File::open",
    "File::create",
    "OpenOptions::new",
    "fs::read",
    "fs::read_to_string",
    "fs::write",
    "fs::copy",
    "create_dir_all",
];
