//! Snapshots of the stacks while a cell is under load, and what they come to at its end.

use std::collections::BTreeMap;
use std::fs;

use steep_live::layout::FILE_BYTES;
use steep_live::{Snapshot, file_name};

use super::preloaded::Preloaded;
use super::symbols::{Symbols, places};
use crate::shell::files;
use steep_core::kept::{Frame, Moment, SCHEMA, Series, Stack};
use steep_core::trace::ProcessId;

/// Snapshots that are kept. When there are as many, every other one goes, and half as many come.
const SNAPSHOTS: usize = 24;

/// Processes whose stacks are followed, those with the lowest numbers: the parents of a tree.
const PROCESSES: usize = 32;

/// Stacks by process, as the beginning of its count tells it apart from a later one, and number.
type Key = (u32, u64, usize);

/// Bytes that each stack has alive, and those that it allocated so far.
type Sizes = BTreeMap<Key, (f64, f64)>;

/// What is known of a process, as of the last snapshot.
#[derive(Debug, Default)]
struct Process {
    /// The return addresses of its stacks.
    stacks: Vec<Vec<u64>>,
    /// Its mappings, as the kernel writes them.
    maps: String,
}

/// The snapshots of a cell.
#[derive(Debug)]
pub struct StackLog {
    snapshots: Vec<(Moment, Sizes)>,
    /// One of this many samples is one.
    stride: u64,
    seen: u64,
    processes: BTreeMap<(u32, u64), Process>,
    sample_every: u64,
    lost_samples: u64,
}

impl Default for StackLog {
    fn default() -> Self {
        Self { snapshots: Vec::new(), stride: 1, seen: 0, processes: BTreeMap::new(), sample_every: 0, lost_samples: 0 }
    }
}

impl StackLog {
    /// Takes a snapshot if one is due. To be called with each sample that is judged.
    pub fn tick(&mut self, preloaded: &Preloaded, processes: &[ProcessId], moment: Moment) {
        self.seen += 1;
        if self.seen.is_multiple_of(self.stride) {
            self.take(preloaded, processes, moment);
        }
    }

    /// Takes a snapshot.
    pub fn take(&mut self, preloaded: &Preloaded, processes: &[ProcessId], moment: Moment) {
        let mut found = BTreeMap::new();
        let mut lost = 0;
        for process in processes.iter().take(PROCESSES) {
            let file = files::read(&preloaded.folder.join(file_name(process.pid)), FILE_BYTES as u64);
            let Some(snapshot) = file.ok().and_then(|bytes| Snapshot::read(&bytes).ok()) else { continue };
            let maps = fs::read(format!("/proc/{}/maps", process.pid)).unwrap_or_default();
            let id = (process.pid, snapshot.start_ns);
            self.sample_every = snapshot.counts.sample_every;
            lost += snapshot.counts.lost_samples;
            for (number, stack) in snapshot.stacks.iter().enumerate() {
                let live = stack.allocated_bytes.saturating_sub(stack.freed_bytes) as f64;
                found.insert((id.0, id.1, number), (live, stack.allocated_bytes as f64));
            }
            let frames = snapshot.stacks.into_iter().map(|stack| stack.frames).collect();
            let known = self.processes.entry(id).or_default();
            known.stacks = frames;
            // A process that is about to end has no mappings any more.
            if !maps.is_empty() {
                known.maps = String::from_utf8_lossy(&maps).into_owned();
            }
        }
        self.lost_samples = self.lost_samples.max(lost);
        if found.is_empty() {
            return;
        }
        if self.snapshots.len() == SNAPSHOTS {
            let mut index = 0;
            self.snapshots.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
            self.processes.retain(|id, _| {
                self.snapshots.iter().any(|(_, stacks)| stacks.keys().any(|key| (key.0, key.1) == *id))
                    || found.keys().any(|key| (key.0, key.1) == *id)
            });
        }
        self.snapshots.push((moment, found));
    }

    /// The series, with the places in the source that the stacks lead to; none where there was no snapshot. Reads the
    /// programs' debug information, which takes seconds.
    #[must_use]
    pub fn finish(self) -> Option<Series> {
        if self.snapshots.is_empty() {
            return None;
        }
        let mut symbols = Symbols::default();
        let mut numbers: BTreeMap<Frame, usize> = BTreeMap::new();
        // Stacks of the same frames are one: a program that runs as several processes has each of them several times.
        let mut stacks: BTreeMap<Vec<usize>, Stack> = BTreeMap::new();
        let count = self.snapshots.len();
        for ((pid, start), process) in &self.processes {
            let places = places(&process.maps);
            for (number, addresses) in process.stacks.iter().enumerate() {
                let mut frames = Vec::new();
                for frame in addresses.iter().flat_map(|address| symbols.frames(&places, *address)) {
                    let next = numbers.len();
                    frames.push(*numbers.entry(frame).or_insert(next));
                }
                let stack = stacks.entry(frames.clone()).or_insert_with(|| Stack {
                    frames,
                    live_bytes: vec![0.0; count],
                    allocated_bytes: vec![0.0; count],
                });
                for (at, (_, found)) in self.snapshots.iter().enumerate() {
                    let (live, allocated) = found.get(&(*pid, *start, number)).copied().unwrap_or_default();
                    stack.live_bytes[at] += live;
                    stack.allocated_bytes[at] += allocated;
                }
            }
        }
        let mut frames: Vec<(Frame, usize)> = numbers.into_iter().collect();
        frames.sort_by_key(|(_, number)| *number);
        Some(Series {
            schema: SCHEMA,
            sample_every_bytes: self.sample_every,
            lost_samples: self.lost_samples,
            snapshots: self.snapshots.into_iter().map(|(moment, _)| moment).collect(),
            frames: frames.into_iter().map(|(frame, _)| frame).collect(),
            stacks: stacks.into_values().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use steep_judge::units::SinceStart;
    use steep_live::layout as at;

    /// A file of this process with one stack, as the library writes it.
    fn file() -> Vec<u8> {
        let mut file = vec![0; FILE_BYTES];
        let mut put = |place: usize, bytes: &[u8]| file[place..place + bytes.len()].copy_from_slice(bytes);
        put(at::MAGIC_AT, &at::MAGIC.to_le_bytes());
        put(at::VERSION_AT, &at::VERSION.to_le_bytes());
        put(at::STACKS_USED_AT, &1_u32.to_le_bytes());
        put(at::STACKS_AT + at::STACK_ALLOCATED_BYTES, &5_000_u64.to_le_bytes());
        put(at::STACKS_AT + at::STACK_FREED_BYTES, &2_000_u64.to_le_bytes());
        put(at::STACKS_AT + at::STACK_DEPTH, &1_u32.to_le_bytes());
        put(at::STACKS_AT + at::STACK_FRAMES, &4_096_u64.to_le_bytes());
        file
    }

    #[test]
    fn a_long_soak_keeps_as_many_snapshots_as_a_short_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let preloaded = Preloaded::lay(folder.path()).expect("it is laid");
        let own = ProcessId { pid: std::process::id(), start_ticks: 0 };
        fs::write(preloaded.folder.join(file_name(own.pid)), file()).expect("a file");
        let mut log = StackLog::default();
        for second in 1..=500 {
            let t_s = SinceStart::new(Duration::from_secs(second));
            log.tick(&preloaded, &[own], Moment { t_s, completed: second });
        }
        let series = log.finish().expect("snapshots");
        let count = series.snapshots.len();
        assert!((SNAPSHOTS / 2..=SNAPSHOTS).contains(&count), "{count}");
        let (first, last) = (series.snapshots[0].completed, series.snapshots[count - 1].completed);
        assert!(first < 50 && last > 450, "from {first} to {last}");
        assert_eq!(series.stacks[0].live_bytes, vec![3_000.0; count]);
        assert_eq!(series.frames_of(&series.stacks[0]), [&Frame::default()], "nothing is at that address");
        assert!(StackLog::default().finish().is_none());
    }
}
