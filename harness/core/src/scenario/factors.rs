//! What is varied between cells: flags, axes, allocators, and the rules by which they become a plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::JsonPath;
use steep_judge::ids::FlagSet;

/// A switch of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Its name in cell ids and reports.
    pub name: String,
    /// How it is switched.
    pub switch: Switch,
    /// What it may be, beyond on and off; the first is what it is in production. Empty: on or off.
    pub values: Vec<String>,
    /// Whether it is on in production.
    pub default: bool,
    /// Flags of the same group are switched together.
    pub group: Option<String>,
    /// Flags that must be on where this one is.
    pub requires: Vec<String>,
    /// Flags that must be off where this one is on.
    pub conflicts_with: Vec<String>,
    /// How to see that it took effect.
    pub verify: Option<Verify>,
}

/// Where the value of a flag with values stands in `on` and in `verify.contains`.
const VALUE: &str = "{{value}}";

/// What a flag without values may be.
const OFF_OR_ON: [&str; 2] = ["false", "true"];

impl Flag {
    /// What it may be: its values, or `false` and `true`. The first takes no member.
    #[must_use]
    pub fn levels(&self) -> Vec<&str> {
        if self.values.is_empty() { OFF_OR_ON.to_vec() } else { self.values.iter().map(String::as_str).collect() }
    }

    /// What of it may be a member of a flag set: its name; or `cache=lru` for each value but the first.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        match self.values.split_first() {
            None => vec![self.name.clone()],
            Some((_, others)) => others.iter().map(|value| self.member(value)).collect(),
        }
    }

    /// The member of a flag set that says that it has this `value`.
    #[must_use]
    pub fn member(&self, value: &str) -> String {
        format!("{}={value}", self.name)
    }

    /// The value that it has in `flags`, which is the first where they name none; none: it is a flag without values.
    #[must_use]
    pub fn value_in(&self, flags: &FlagSet) -> Option<&str> {
        let (first, others) = self.values.split_first()?;
        Some(others.iter().find(|value| flags.contains(&self.member(value))).unwrap_or(first))
    }

    /// Whether `text` has a place for the value.
    #[must_use]
    pub fn names_value(text: &str) -> bool {
        text.contains(VALUE)
    }

    /// `text` with the value in its place, as it is.
    #[must_use]
    pub fn with_value(text: &str, value: &str) -> String {
        text.replace(VALUE, value)
    }
}

/// How a flag is switched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// A cargo feature of the package.
    CargoFeature {
        /// The feature.
        feature: String,
    },
    /// A condition of the source that rustc is told of.
    Cfg {
        /// What follows `--cfg`.
        cfg: String,
    },
    /// A variable of the service's environment.
    Env {
        /// The variable.
        var: String,
        /// Its value where the flag is on; of a flag with values always, with the value in it.
        on: String,
        /// Its value where the flag is off; none: unset.
        off: Option<String>,
    },
    /// Arguments of the service.
    Arg {
        /// Added where the flag is on; of a flag with values always, with the value in them.
        on: Vec<String>,
        /// Added where the flag is off.
        off: Vec<String>,
    },
    /// A value in a file of the service, written before each start.
    Config {
        /// Which file, as its `from` says; none: the only one that there is.
        file: Option<PathBuf>,
        /// Where in it.
        key: JsonPath,
        /// Written where the flag is on; of a flag with values always, with the value in it.
        on: Value,
        /// Written where the flag is off; none: what stands there stays.
        off: Option<Value>,
    },
    /// A request to the service once it is ready, after each start.
    Http {
        /// Sent where the flag is on.
        on: SwitchRequest,
        /// Sent where the flag is off; none: nothing is.
        off: Option<SwitchRequest>,
    },
}

/// A request that switches a flag. Nothing is replaced in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRequest {
    /// HTTP method, in capitals.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: Option<String>,
}

/// Where it shows that a flag is on, or an allocator in use: there then, and only then. Of a flag with values always,
/// with the value in the text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Verify {
    /// In the answer to a GET.
    Http {
        /// What is asked.
        path: String,
        /// What is in the answer.
        contains: String,
    },
    /// In Prometheus text.
    Metric {
        /// What is asked.
        path: String,
        /// The metric.
        metric: String,
        /// The sum of its series; none: whatever it is.
        value: Option<f64>,
    },
    /// In a line of the service's log before the load.
    Log {
        /// What the line contains.
        log: String,
    },
    /// In the symbol table of the program.
    Symbol {
        /// What the name of the symbol contains.
        symbol: String,
    },
    /// Among the files that are mapped into the main process.
    Library {
        /// What the name of the file contains.
        library: String,
    },
}

impl Verify {
    /// The text that is looked for.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Http { contains: text, .. }
            | Self::Metric { metric: text, .. }
            | Self::Log { log: text }
            | Self::Symbol { symbol: text }
            | Self::Library { library: text } => text,
        }
    }

    /// The same for a flag that has this value.
    #[must_use]
    pub fn with_value(&self, value: &str) -> Self {
        let mut verify = self.clone();
        match &mut verify {
            Self::Http { contains: text, .. }
            | Self::Metric { metric: text, .. }
            | Self::Log { log: text }
            | Self::Symbol { symbol: text }
            | Self::Library { library: text } => *text = Flag::with_value(text, value),
        }
        verify
    }
}

/// Something crossed with every flag set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: AxisKind,
    /// Its values; the first is the default, left out of cell ids.
    pub values: Vec<String>,
}

/// What the values of an axis are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AxisKind {
    /// `system`, or a key of `[allocators]`.
    Allocator,
    /// Values of a variable of the service's environment.
    Env {
        /// The variable.
        var: String,
    },
    /// Values of an argument.
    Arg {
        /// What stands before the value; the value is an argument of its own unless this ends in `=`.
        arg: String,
    },
    /// Cargo features of which one is on, or [`AxisKind::NO_FEATURE`].
    CargoFeature,
    /// Revisions of the git repository that the package is in, the oldest first.
    Revision,
}

impl AxisKind {
    /// The value of an axis of features that stands for none of them.
    pub const NO_FEATURE: &str = "none";
}

/// How an allocator is provided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Allocator {
    /// Cargo features that choose it.
    pub features: Vec<String>,
    /// Environment that tunes it.
    pub env: BTreeMap<String, String>,
    /// A shared library that is loaded before all others: a name, or with a `/` a path relative to the scenario file.
    #[serde(default)]
    pub preload: Option<String>,
    /// How to see that it is in use.
    #[serde(default)]
    pub verify: Option<Verify>,
}

/// What shows that an allocator is in use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Proof<'a> {
    /// What the scenario says.
    Said(&'a Verify),
    /// The preloaded library is mapped.
    Mapped(&'a str),
    /// It is an allocator whose traces are known.
    Known(KnownAllocator),
}

/// An allocator that is recognised by what it leaves in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAllocator {
    /// What its own and its libraries' names contain.
    pub name: &'static str,
    /// What the names of its functions begin with: as C programs know them, and as crates prefix them.
    pub symbols: &'static [&'static str],
}

/// Symbols as jemalloc 5 and mimalloc 2 and 3 export them; `_rjem_` is the prefix of the crate tikv-jemalloc-sys.
const KNOWN_ALLOCATORS: [KnownAllocator; 2] = [
    KnownAllocator { name: "jemalloc", symbols: &["_rjem_", "je_", "mallocx", "mallctl"] },
    KnownAllocator { name: "mimalloc", symbols: &["mi_malloc", "_mi_"] },
];

impl KnownAllocator {
    /// The one that an allocator called `name` is, as far as its name tells.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        KNOWN_ALLOCATORS.into_iter().find(|known| name.contains(known.name))
    }
}

/// The value of an axis of allocators that stands for the system's.
pub const SYSTEM: &str = "system";

impl Allocator {
    /// What shows that this allocator, called `name`, is in use; none: nothing can.
    #[must_use]
    pub fn proof(&self, name: &str) -> Option<Proof<'_>> {
        let known = || KnownAllocator::of(name);
        match (&self.verify, &self.preload) {
            (Some(verify), _) => Some(Proof::Said(verify)),
            (None, Some(library)) => Some(Proof::Mapped(library)),
            // What only tunes the environment may be linked in any way, into a program without symbols.
            (None, None) if self.features.is_empty() => None,
            (None, None) => known().map(Proof::Known),
        }
    }
}

/// What flag sets must hold beside what each flag says itself. Names are flags, or flags with a value: `cache=lru`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Constraints {
    /// At most one of each list is on.
    pub mutually_exclusive: Vec<Vec<String>>,
    /// At least one of each list is on.
    pub at_least_one_of: Vec<Vec<String>>,
    /// Exactly one of each list is on.
    pub exactly_one_of: Vec<Vec<String>>,
    /// Flags that are never varied, with what they are.
    pub pinned: BTreeMap<String, Vec<String>>,
}

/// A constraint between axes and flags. Each name is followed by what the axis or flag may be: `true`, `false`, or
/// values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Where all of this is so,
    pub when: BTreeMap<String, Vec<String>>,
    /// all of this must be.
    pub then: BTreeMap<String, Vec<String>>,
}

/// Which flag sets become cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRules {
    /// How flag sets are chosen.
    pub strategy: Strategy,
    /// How many flags at once `pairwise` covers.
    pub strength: usize,
    /// When `screening` soaks each row's opposite, too.
    pub foldover: Foldover,
    /// How often each is soaked.
    pub replicates: u32,
    /// More cells than this are an error, never cut.
    pub max_cells: usize,
    /// How often a cell that did not have its load is soaked once more.
    #[serde(default = "PlanRules::usual_retries")]
    pub retries: u32,
    /// Flag sets added.
    pub include: Vec<Row>,
    /// Flag sets taken out.
    pub exclude: Vec<Row>,
}

impl PlanRules {
    /// What a run of an older steep is resumed with.
    const fn usual_retries() -> u32 {
        1
    }
}

/// When a screening design soaks the opposite of each of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Foldover {
    /// Never.
    Never,
    /// After the others, where they do not tell which flags leak.
    IfAmbiguous,
    /// With the others.
    Always,
}

/// How flag sets are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// None on.
    Off,
    /// All on.
    All,
    /// Those that are on in production.
    Default,
    /// None, and each alone.
    Each,
    /// All, and all but each.
    LeaveOneOut,
    /// Every combination of any two (or three) flags, in few rows.
    Pairwise,
    /// A balanced design in which every cell informs about every flag.
    Screening,
    /// Every combination.
    Full,
    /// By the number of free flags.
    Auto,
}

/// A line of `include` or `exclude`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Exactly these flags are on.
    pub flags: Vec<String>,
    /// Values of axes; an axis that is not named means each of its values.
    pub axes: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocator_is_proven_by_what_is_said_or_else_by_what_is_known_of_it() {
        let built = Allocator { features: vec!["jemalloc".to_owned()], ..Allocator::default() };
        assert_eq!(built.proof("tuned-jemalloc"), Some(Proof::Known(KNOWN_ALLOCATORS[0])));
        assert_eq!(built.proof("snmalloc"), None);
        let preloaded = Allocator { preload: Some("libtcmalloc.so.4".to_owned()), ..Allocator::default() };
        assert_eq!(preloaded.proof("tcmalloc"), Some(Proof::Mapped("libtcmalloc.so.4")));
        let said = Verify::Log { log: "snmalloc".to_owned() };
        let verified = Allocator { verify: Some(said.clone()), ..preloaded };
        assert_eq!(verified.proof("tcmalloc"), Some(Proof::Said(&said)));
        assert_eq!(Allocator::default().proof("jemalloc"), None);
    }

    #[test]
    fn every_way_to_verify_is_read_back_as_it_was_written() {
        let ways = [
            Verify::Http { path: "/flags".to_owned(), contains: "cache".to_owned() },
            Verify::Metric { path: "/metrics".to_owned(), metric: "cache".to_owned(), value: None },
            Verify::Log { log: "cache".to_owned() },
            Verify::Symbol { symbol: "cache".to_owned() },
            Verify::Library { library: "cache".to_owned() },
        ];
        for way in ways {
            let written = serde_json::to_string(&way).expect("JSON");
            assert_eq!(serde_json::from_str::<Verify>(&written).expect("a way"), way);
        }
    }
}
