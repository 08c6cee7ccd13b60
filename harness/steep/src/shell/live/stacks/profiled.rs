//! Snapshots out of heap profiles, which each process writes when it does.

use std::collections::{BTreeMap, HashMap};

use super::{Key, Sizes, StackLog};
use steep_core::kept::{HeapProfile, Moment, SampledBy};
use steep_core::trace::ProcessId;

/// Stacks of one process that are followed; those that come later are left out. Each of the depth of 128 takes 1 KiB.
const STACKS: usize = 16 * 1024;

/// What is known of the processes that write profiles.
#[derive(Debug, Default)]
pub struct Profiled {
    /// The numbers of their stacks.
    numbers: BTreeMap<(u32, u64), HashMap<Vec<u64>, usize>>,
    /// What each said last.
    last: BTreeMap<(u32, u64), BTreeMap<Key, Sizes>>,
}

impl Profiled {
    /// Of processes that are gone what they had alive is.
    pub fn tidy(&mut self, processes: &[ProcessId]) {
        let is_there = |id: &(u32, u64)| processes.iter().any(|process| (process.pid, process.start_ticks) == *id);
        self.last.retain(|id, _| is_there(id));
        self.numbers.retain(|id, _| is_there(id));
    }
}

impl StackLog {
    /// Takes what `process` wrote at this moment for a snapshot, if one is due; of the others counts what they said
    /// last.
    pub fn see(&mut self, profiled: &mut Profiled, process: ProcessId, profile: HeapProfile, moment: Moment) {
        let id = (process.pid, process.start_ticks);
        let numbers = profiled.numbers.entry(id).or_default();
        let known = self.processes.entry(id).or_default();
        known.begin_in_allocator = true;
        known.maps = profile.mappings;
        let mut found = BTreeMap::new();
        for stack in profile.stacks {
            let next = numbers.len();
            if next >= STACKS && !numbers.contains_key(&stack.calls) {
                continue;
            }
            let number = *numbers.entry(stack.calls).or_insert(next);
            let sizes = Sizes {
                live_bytes: stack.live_bytes,
                allocated_bytes: stack.allocated_bytes,
                allocated_objects: stack.allocated_objects,
                allocator_ns: 0.0,
            };
            found.insert((id.0, id.1, number), sizes);
        }
        let mut stacks = vec![Vec::new(); numbers.len()];
        for (calls, number) in &*numbers {
            stacks[*number].clone_from(calls);
        }
        known.stacks = stacks;
        profiled.last.insert(id, found);
        self.sampled_by = SampledBy::Jemalloc;
        self.sample_every = profile.sample_every_bytes;
        self.looked = moment.t_s;
        self.seen += 1;
        let all = profiled.last.values().flatten().map(|(key, sizes)| (*key, *sizes)).collect();
        self.keep_if_due((moment, all));
    }
}
