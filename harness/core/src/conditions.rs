//! What two soaks must share to be compared: the machine, the toolchain, and the schedule of requests. What differs is
//! said; which of them were compared all the same is for the user to say.
//!
//! Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::trace::{ExternalLoad, Header, PhaseSpan, Provenance};
use steep_judge::ids::{CellId, hex};
use steep_judge::units::{Bytes, counted};

/// A machine has as much memory as another within this share: what the kernel keeps for itself is not in the figure,
/// and differs between boots and versions.
const MEMORY_SHARE: f64 = 0.02;
/// Digits of a hash in messages.
const SHORT_HASH: usize = 12;
/// Digits of [`Conditions::hash`]: enough for the nights of one scenario.
const HASH: usize = 8;

/// What a condition belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Where it ran.
    Machine,
    /// What built it, and how its allocator is set.
    Toolchain,
    /// What was asked of it, and how it was measured.
    Schedule,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Machine => "machine",
            Self::Toolchain => "toolchain",
            Self::Schedule => "schedule",
        })
    }
}

/// The conditions of one soak. A condition that is not known, as in the traces of older versions, is empty, and
/// differs from nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions(Vec<Condition>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    subject: Subject,
    what: &'static str,
    value: String,
}

/// A condition that two runs do not share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it belongs to.
    pub subject: Subject,
    /// Which.
    pub what: &'static str,
    /// In the run that is compared with.
    pub base: String,
    /// In the run that is compared.
    pub run: String,
    /// In how many cells that both have.
    pub cells: usize,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, what, base, run, cells } = self;
        write!(f, "{subject}: {what} was {base}, is {run} ({})", counted(*cells, "cell"))
    }
}

impl Conditions {
    /// Those of the soak that `header` begins.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        let Provenance { kernel, cpu, cpus, memory_bytes, transparent_huge_pages, .. } = &header.provenance;
        let number = |number: u64| if number == 0 { String::new() } else { number.to_string() };
        let machine = [
            ("processor", cpu.clone()),
            ("logical processors", number(*cpus)),
            ("memory", number(memory_bytes.get())),
            ("kernel", series(kernel)),
            ("transparent huge pages", transparent_huge_pages.clone()),
        ];
        let Provenance { rustc, profile, rustflags, allocator_env, .. } = &header.provenance;
        let variables = allocator_env.iter().map(|(name, value)| format!("{name}={value}"));
        let toolchain = [
            ("rustc", rustc.clone()),
            ("profile", profile.clone()),
            ("rustflags", or_none(rustflags.join(" "))),
            ("variables of the allocator", or_none(variables.collect::<Vec<_>>().join(" "))),
        ];
        let all = machine.map(|one| (Subject::Machine, one)).into_iter();
        let all = all.chain(toolchain.map(|one| (Subject::Toolchain, one)));
        let all = all.chain(schedule(header).map(|one| (Subject::Schedule, one)));
        Self(all.map(|(subject, (what, value))| Condition { subject, what, value }).collect())
    }

    /// A short hash of all of them: equal in the nights that can be compared.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for Condition { what, value, .. } in &self.0 {
            let value = if *what == "memory" { rounded(value) } else { value.clone() };
            hash.update(format!("{what}={value}\n"));
        }
        hex(&hash.finalize())[..HASH].to_owned()
    }
}

/// What the cells that both have do not share.
#[must_use]
pub fn differences(base: &BTreeMap<CellId, Conditions>, run: &BTreeMap<CellId, Conditions>) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    let both = run.iter().filter_map(|(cell, run)| Some((base.get(cell)?, run)));
    for (one, other) in both.flat_map(|(base, run)| base.0.iter().zip(&run.0)) {
        if is_same(one, other) {
            continue;
        }
        let (base, run) = (shown(one), shown(other));
        match found.iter_mut().find(|known| known.what == one.what && known.base == base && known.run == run) {
            Some(known) => known.cells += 1,
            None => found.push(Difference { subject: one.subject, what: one.what, base, run, cells: 1 }),
        }
    }
    found
}

fn is_same(base: &Condition, run: &Condition) -> bool {
    let unknown = base.value.is_empty() || run.value.is_empty();
    let number = |condition: &Condition| condition.value.parse::<f64>().ok();
    let is_near = || match (number(base), number(run)) {
        (Some(one), Some(other)) => (one - other).abs() <= MEMORY_SHARE * one.max(other),
        _ => false,
    };
    unknown || base.value == run.value || base.what == "memory" && is_near()
}

fn shown(condition: &Condition) -> String {
    match condition.value.parse::<u64>() {
        Ok(bytes) if condition.what == "memory" => Bytes::new(bytes).to_string(),
        _ => condition.value.clone(),
    }
}

/// Memory in the hash: to the next 8 GiB, so that two boots of one machine have one.
fn rounded(bytes: &str) -> String {
    const STEP: f64 = (8_u64 << 30) as f64;
    bytes.parse::<f64>().map_or_else(|_| String::new(), |bytes| format!("{}", (bytes / STEP).ceil()))
}

/// `6.18` of `6.18.44-generic`: updates of a series come every week, and change nothing that is measured here.
fn series(kernel: &str) -> String {
    kernel.split(['.', '-']).take(2).collect::<Vec<_>>().join(".")
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn schedule(header: &Header) -> [(&'static str, String); 6] {
    let phase = |phase: &PhaseSpan| format!("{} {}", phase.name, SpanText(phase));
    let phases = header.phases.iter().map(phase).collect::<Vec<_>>().join(", ");
    let load = |external: &ExternalLoad| external.command.join(" ");
    let counts = header.live_from.map_or_else(|| "nobody".to_owned(), |from| format!("{from:?}").to_lowercase());
    [
        ("phases", phases),
        ("requests (hash of the schedule)", header.schedule_hash.chars().take(SHORT_HASH).collect()),
        ("program that makes the load", or_none(header.external.as_ref().map(load).unwrap_or_default())),
        ("connections", or_none(header.connections.map(|count| count.to_string()).unwrap_or_default())),
        ("seconds between samples", header.sampling_every_s.to_string()),
        ("who counts live bytes", counts),
    ]
}

/// How long a phase is planned to last.
struct SpanText<'p>(&'p PhaseSpan);

impl fmt::Display for SpanText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&steep_judge::units::duration_text(self.0.end_s.since(self.0.start_s)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{SimService, soak};
    use crate::testing::{decoded, sound};

    fn header() -> Header {
        let mut header = soak(&decoded(&sound("1m", "")), &SimService::default(), &[]).expect("a trace").header;
        header.schedule_hash = "0123456789abcdef".to_owned();
        header.provenance = Provenance {
            kernel: "6.18.44-generic".to_owned(),
            cpu: "Xeon".to_owned(),
            cpus: 2,
            memory_bytes: Bytes::new(25_276_502_016),
            rustc: "rustc 1.95.0".to_owned(),
            ..Provenance::default()
        };
        header
    }

    fn found(change: impl Fn(&mut Header)) -> Vec<String> {
        let (base, mut run) = (header(), header());
        change(&mut run);
        let of = |header: &Header| BTreeMap::from([(header.cell.clone(), Conditions::of(header))]);
        differences(&of(&base), &of(&run)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let rustc = |header: &mut Header| header.provenance.rustc = "rustc 1.96.0".to_owned();
        assert_eq!(found(rustc), ["toolchain: rustc was rustc 1.95.0, is rustc 1.96.0 (1 cell)"]);
        let schedule = |header: &mut Header| header.schedule_hash = "f".repeat(64);
        let said = "schedule: requests (hash of the schedule) was 0123456789ab, is ffffffffffff (1 cell)";
        assert_eq!(found(schedule), [said]);
        let machine = |header: &mut Header| {
            header.provenance.memory_bytes = Bytes::new(12_600_000_000);
            header.provenance.cpu = "EPYC".to_owned();
        };
        let said =
            ["machine: processor was Xeon, is EPYC (1 cell)", "machine: memory was 23.5 GiB, is 11.7 GiB (1 cell)"];
        assert_eq!(found(machine), said);
    }

    #[test]
    fn an_update_of_the_kernel_another_boot_a_commit_and_what_is_not_known_are_no_difference() {
        let same = |header: &mut Header| {
            let of = &mut header.provenance;
            (of.kernel, of.memory_bytes) = ("6.18.51-generic".to_owned(), Bytes::new(25_276_000_000));
            (of.git_commit, of.binary_sha256, of.rustc) = ("abc".to_owned(), "def".to_owned(), String::new());
        };
        assert_eq!(found(same), [""; 0]);
        let mut other = header();
        same(&mut other);
        other.provenance.rustc = header().provenance.rustc;
        assert_eq!(Conditions::of(&other).hash(), Conditions::of(&header()).hash());
        other.provenance.cpus = 4;
        assert_ne!(Conditions::of(&other).hash(), Conditions::of(&header()).hash());
    }
}
