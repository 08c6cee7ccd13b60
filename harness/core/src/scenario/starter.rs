//! A first scenario for a cargo package: its features as flags, and guesses, said to be such, at where it listens.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::flags::check::RESERVED_FLAGS;
use super::package::PackageFacts;
use steep_judge::ids::in_id;

/// How the service is told its port, as far as its sources show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortGuess {
    /// In the variable `PORT`.
    Variable,
    /// As `--port`.
    Argument,
    /// It always listens on this one.
    Fixed(u16),
    /// Nothing shows it.
    Unknown,
}

/// Where services answer that they are ready, the most telling first.
const HEALTH_PATHS: [&str; 7] = ["/readyz", "/healthz", "/health", "/ready", "/livez", "/ping", "/status"];
/// Words in features that choose an allocator.
const ALLOCATORS: [&str; 3] = ["jemalloc", "mimalloc", "snmalloc"];
/// Before a port that stands in a source.
const ADDRESSES: [&str; 4] = ["127.0.0.1:", "0.0.0.0:", "localhost:", "[::]:"];

impl PortGuess {
    /// What `sources` show.
    #[must_use]
    pub fn of(sources: &[String]) -> Self {
        let any = |text: &str| sources.iter().any(|source| source.contains(text));
        if any("--port") || any("port: u16") {
            return Self::Argument;
        }
        if any("\"PORT\"") {
            return Self::Variable;
        }
        let fixed = sources.iter().find_map(|source| ADDRESSES.iter().find_map(|address| port_after(source, address)));
        fixed.map_or(Self::Unknown, Self::Fixed)
    }
}

/// The first port behind `address`; port 0 means any.
fn port_after(source: &str, address: &str) -> Option<u16> {
    source.split(address).skip(1).find_map(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok().filter(|port| *port > 0)
    })
}

/// The path that tells whether the service is ready, as far as `sources` show.
#[must_use]
pub fn health_path(sources: &[String]) -> Option<&'static str> {
    let stands = |path: &&&str| sources.iter().any(|source| source.contains(&format!("\"{path}\"")));
    HEALTH_PATHS.iter().find(stands).copied()
}

/// The text of a scenario for `package`, of which cargo says `facts` and the sources show a `port` and a `health` path.
#[must_use]
pub fn starter(package: &str, facts: &PackageFacts, port: &PortGuess, health: Option<&str>) -> String {
    let chosen = Chosen::of(facts);
    let mut text = format!(
        "# Written by `steep init`. Lines with \"guess\" are to be looked at; `steep check` tells what is wrong,\n\
         # `steep plan` what would be soaked, and `steep run` soaks it. All keys: docs/scenario.md of steep.\n\n\
         name = {package:?}\n"
    );
    text += &service(package, facts, &chosen, port, health);
    text += TRAFFIC;
    let mut names = BTreeSet::new();
    for feature in &chosen.flags {
        let mut name = flag_name(feature);
        while !names.insert(name.clone()) {
            name.push('-');
        }
        text += &flag(&name, feature, chosen.default.contains(*feature));
    }
    text += &allocators(&chosen);
    text += PLAN;
    if !chosen.allocators.is_empty() {
        text += "max_cells = 100      # each flag set is soaked with each allocator\n";
    }
    text
}

/// What becomes of each feature.
struct Chosen<'f> {
    flags: Vec<&'f str>,
    allocators: Vec<(&'static str, &'f str)>,
    /// Features that are on in production.
    default: BTreeSet<String>,
    /// What every build has: those among them that are neither flag nor allocator, and what the binary requires.
    kept: Vec<&'f str>,
}

impl<'f> Chosen<'f> {
    fn of(facts: &'f PackageFacts) -> Self {
        let features = &facts.features;
        let required = features.with(facts.required_by(None));
        let default = features.with(features.names().filter(|name| *name == "default"));
        let mut chosen = Self { flags: Vec::new(), allocators: Vec::new(), default, kept: Vec::new() };
        for feature in features.names().filter(|name| *name != "default") {
            let allocator = ALLOCATORS.into_iter().find(|allocator| feature.contains(allocator));
            match allocator {
                _ if required.contains(feature) => chosen.kept.push(feature),
                Some(allocator) if chosen.allocators.iter().all(|(known, _)| *known != allocator) => {
                    chosen.allocators.push((allocator, feature));
                }
                None if !features.is_of_dependency(feature) => chosen.flags.push(feature),
                _ if chosen.default.contains(feature) => chosen.kept.push(feature),
                _ => {}
            }
        }
        chosen
    }
}

/// What the flag of a feature is called: its name becomes part of file names.
fn flag_name(feature: &str) -> String {
    let name = in_id(feature);
    let means_more = RESERVED_FLAGS.contains(&feature) || feature.starts_with("not-");
    if means_more || feature.starts_with('.') || name != feature { format!("feature-{name}") } else { name }
}

fn service(package: &str, facts: &PackageFacts, chosen: &Chosen<'_>, port: &PortGuess, health: Option<&str>) -> String {
    let mut text = format!("\n[service]\npackage = {package:?}\n");
    if let [first, _, ..] = facts.binaries.as_slice() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "bin = {first:?}  # a guess: the package has {}", facts.binaries.join(", "));
    }
    if chosen.default.iter().any(|feature| feature != "default") {
        text += "default_features = false   # the default features are flags below, on in production\n";
    }
    if !chosen.kept.is_empty() {
        let _ = writeln!(text, "features = {:?}", chosen.kept);
    }
    text += match port {
        PortGuess::Variable => "env = { PORT = \"{{port}}\" }     # a guess: the sources name this variable\n",
        PortGuess::Argument => {
            "args = [\"--port\", \"{{port}}\"] # a guess: the sources show a port among the arguments\n"
        }
        PortGuess::Fixed(_) => {
            "# A guess: the sources show a fixed port. If it can be told one, use {{port}}, which steep picks.\n"
        }
        PortGuess::Unknown => "args = [\"--port\", \"{{port}}\"] # a guess: how is the service told its port?\n",
    };
    text += &match port {
        PortGuess::Fixed(port) => format!("url = \"http://127.0.0.1:{port}\"\n"),
        _ => "url = \"http://127.0.0.1:{{port}}\"\n".to_owned(),
    };
    let why =
        if health.is_some() { "the sources name this path" } else { "any path that answers 200 once it is ready" };
    let path = health.unwrap_or("/");
    let _ = writeln!(text, "ready = {{ path = {path:?}, timeout = \"30s\" }} # a guess: {why}");
    text + "# memory_limit = \"512MiB\"  # of production: the report says when it is reached\n"
}

const TRAFFIC: &str = r#"
# Growth is looked for in all phases together. Half an hour sees some 16 bytes per request without any change to the service.
[[phases]]
name = "warmup"
role = "warmup"
shape = "ramp"
start_rate = 0
target_rate = 100    # requests per second
duration = "2m"

[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 100
duration = "30m"

# What goes on growing when nobody asks? Judged by itself, per hour. For nothing else, all night: [load] model = "none".
# [[phases]]
# name = "after"
# role = "idle"
# shape = "pause"
# duration = "10m"

# What users do, by weight. A leak is only found on a path that is asked for.
[[requests]]
name = "root"
path = "/"           # a guess: replace it by what your users ask for
# path = "/items/{{item}}"

# [params.item]
# dist = "zipf"
# min = 1
# max = 100000
# exponent = 1.1
"#;

fn flag(name: &str, feature: &str, is_default: bool) -> String {
    let mut text = format!("\n[[flags]]\nname = {name:?}\nkind = \"cargo-feature\"\nfeature = {feature:?}\n");
    if is_default {
        text += "default = true\n";
    }
    text
}

/// The axis of the allocators, with that of production first.
fn allocators(chosen: &Chosen<'_>) -> String {
    if chosen.allocators.is_empty() {
        return String::new();
    }
    let is_default = |(_, feature): &&(&str, &str)| chosen.default.contains(*feature);
    let (first, others): (Vec<_>, Vec<_>) = chosen.allocators.iter().partition(is_default);
    let names = |list: &[&(&'static str, &str)]| list.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let values = [names(&first), vec!["system"], names(&others)].concat();
    let mut text = format!("\n[[axes]]\nname = \"allocator\"\nkind = \"allocator\"\nvalues = {values:?}\n");
    for (name, feature) in &chosen.allocators {
        let _ = write!(text, "\n[allocators.{name}]\nfeatures = [{feature:?}]\n");
    }
    text
}

const PLAN: &str = r#"
# Which flags cannot be together, or must be; what cargo's features imply is known.
# [constraints]
# mutually_exclusive = [["a", "b"]]
# pinned = { c = true }

[plan]
strategy = "auto"    # few cells that inform about every flag; "each" soaks each alone
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_tell_of_ports_and_paths() {
        let guess = |source: &str| PortGuess::of(&[source.to_owned()]);
        assert_eq!(guess("std::env::var(\"PORT\")"), PortGuess::Variable);
        assert_eq!(guess("#[arg(long)] port: u16,"), PortGuess::Argument);
        assert_eq!(guess("bind(\"127.0.0.1:0\"); bind(\"0.0.0.0:3000\")"), PortGuess::Fixed(3000));
        assert_eq!(guess("bind(address)"), PortGuess::Unknown);
        let source = "route(\"/health\", get(health)).route(\"/healthz\", get(health))".to_owned();
        assert_eq!(health_path(&[source]), Some("/healthz"));
        assert_eq!(health_path(&["/healthier".to_owned()]), None);
    }
}
