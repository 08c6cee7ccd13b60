//! The slow and exact look at all trees: who is there, and how much of each process's memory is its own.
//!
//! On a thread of its own, because walking the page tables of 1 GB takes 16 ms, and the driver's next request is due in
//! one.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use super::held::Key;
use super::held::mapped::{self, Found};
use super::process::{Shares, measure};
use super::tree::{Measured, Tree};
use crate::shell::clock::Moment;
use crate::shell::process_tree;
use crate::shell::procfs::Stat;
use steep_core::trace::ProcessId;
use steep_judge::units::Bytes;

/// What a survey found, tree by tree in the order asked for.
#[derive(Debug)]
pub struct Survey {
    /// Who is there, parents before their children.
    pub found: Vec<Vec<Stat>>,
    /// Their shares; empty where they were not asked for.
    pub measured: Vec<Vec<Measured>>,
    /// What the first tree has mapped of what it holds; none where it was not asked for.
    pub mapped: Option<Found>,
    /// How long it took.
    pub took: Duration,
}

/// Looks at the trees below `supervisors`, and measures them if asked; and where objects are `known` that the first
/// tree holds, how much of them is mapped there.
#[must_use]
pub fn survey(supervisors: &[u32], with_shares: bool, known: Option<&BTreeSet<Key>>) -> Survey {
    let begun = Moment::now();
    let all = process_tree::processes();
    let found: Vec<Vec<Stat>> =
        supervisors.iter().map(|&supervisor| process_tree::descendants(&all, supervisor)).collect();
    let shares_of = |process: &Stat| {
        let id = ProcessId { pid: process.pid, start_ticks: process.start_ticks };
        Some((id, measure(id)?))
    };
    let measured: Vec<Vec<Measured>> = found
        .iter()
        .map(|tree| tree.iter().filter(|process| with_shares && !process.ended).filter_map(shares_of).collect())
        .collect();
    let mapped = known.zip(measured.first()).filter(|_| with_shares).map(|(known, measured)| {
        let has_shared = |shares: &Shares| match shares {
            Shares::Known(memory, _) => memory.shmem_bytes + memory.hugetlb_bytes > Bytes::ZERO,
            Shares::Unknown => false,
        };
        let sharing: Vec<ProcessId> =
            measured.iter().filter(|(_, shares)| has_shared(shares)).map(|(id, _)| *id).collect();
        mapped::find(&sharing, known)
    });
    Survey { found, measured, mapped, took: Moment::now().monotonic.saturating_sub(begun.monotonic) }
}

/// A survey under way.
#[derive(Debug)]
pub struct UnderWay(Receiver<Survey>);

impl UnderWay {
    /// Begins one.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn begin(trees: &[Tree], with_shares: bool, known: Option<BTreeSet<Key>>) -> io::Result<Self> {
        let supervisors: Vec<u32> = trees.iter().map(Tree::supervisor).collect();
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::Builder::new().name("survey".to_owned()).spawn(move || {
            // The sampler may be gone by then.
            let _ = sender.send(survey(&supervisors, with_shares, known.as_ref()));
        })?;
        Ok(Self(receiver))
    }

    /// What it found, or itself again as long as it is under way; none when its thread failed.
    ///
    /// # Errors
    /// Itself, when it is not done.
    pub fn finish(self) -> Result<Option<Survey>, Self> {
        match self.0.try_recv() {
            Ok(survey) => Ok(Some(survey)),
            Err(TryRecvError::Disconnected) => Ok(None),
            Err(TryRecvError::Empty) => Err(self),
        }
    }
}
