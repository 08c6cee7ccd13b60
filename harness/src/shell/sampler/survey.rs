//! The slow and exact look at all trees: who is there, and how much of each process's memory is its own.
//!
//! On a thread of its own, because walking the page tables of 1 GB takes 16 ms, and the driver's next request is due in one.

use std::io;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use super::process::measure;
use super::tree::{Measured, Tree};
use crate::shell::clock::Moment;
use crate::shell::kinship;
use crate::shell::procfs::Stat;
use crate::trace::ProcessId;

/// What a survey found, tree by tree in the order asked for.
#[derive(Debug)]
pub struct Survey {
    /// Who is there, parents before their children.
    pub found: Vec<Vec<Stat>>,
    /// Their shares; empty where they were not asked for.
    pub measured: Vec<Vec<Measured>>,
    /// How long it took.
    pub took: Duration,
}

/// Looks at the trees below `supervisors`, and measures them if asked.
#[must_use]
pub fn survey(supervisors: &[u32], with_shares: bool) -> Survey {
    let begun = Moment::now();
    let all = kinship::processes();
    let found: Vec<Vec<Stat>> = supervisors.iter().map(|&supervisor| kinship::descendants(&all, supervisor)).collect();
    let shares_of = |process: &Stat| {
        let id = ProcessId { pid: process.pid, start_ticks: process.start_ticks };
        Some((id, measure(id)?))
    };
    let measured = found
        .iter()
        .map(|tree| tree.iter().filter(|process| with_shares && !process.ended).filter_map(shares_of).collect())
        .collect();
    Survey { found, measured, took: Moment::now().monotonic.saturating_sub(begun.monotonic) }
}

/// A survey under way.
#[derive(Debug)]
pub struct UnderWay(Receiver<Survey>);

impl UnderWay {
    /// Begins one.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn begin(trees: &[Tree], with_shares: bool) -> io::Result<Self> {
        let supervisors: Vec<u32> = trees.iter().map(Tree::supervisor).collect();
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::Builder::new().name("survey".to_owned()).spawn(move || {
            // The sampler may be gone by then.
            let _ = sender.send(survey(&supervisors, with_shares));
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
