//! How allocators are provided, and what shows that one is in use.

mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Verify;

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
}
