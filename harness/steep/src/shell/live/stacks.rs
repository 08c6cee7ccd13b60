//! Snapshots of the stacks while a cell is under load, and what they come to at its end.

mod calendar;
mod profiled;
mod survivors;

use std::collections::BTreeMap;
use std::fs;

use steep_live::layout::FILE_BYTES;
use steep_live::{Snapshot, file_name};

use self::calendar::{Calendar, counted};
pub use self::profiled::Profiled;
use self::survivors::{Birthdays, Survivors, survivors};
use super::preloaded::Preloaded;
use super::symbols::{Located, Symbols, places};
use crate::shell::clock::Moment;
use crate::shell::files;
use steep_core::kept::{self, Call, Frame, Module, SCHEMA, SampledBy, Series, Stack, is_of_allocator};
use steep_core::trace::{ProcessId, Sample};
use steep_judge::units::SinceStart;

/// Snapshots that are kept. When there are as many, every other one goes, and half as many come.
const SNAPSHOTS: usize = 24;

/// Samples between two looks at what is alive, however seldom a snapshot is kept: the last one is the state at the end.
const FRESH: u64 = 10;

/// Stacks that are kept of all processes together: those that allocated most. A service of axum with four routes has
/// 300 to 450.
const STACKS_KEPT: usize = 16 * 1024;

/// Processes whose stacks are followed, those with the lowest numbers: the parents of a tree.
const PROCESSES: usize = 32;

/// Stacks by process, as the beginning of its count tells it apart from a later one, and number.
type Key = (u32, u64, usize);

/// What a stack came to until some moment, as its samples stand for it.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    live_bytes: f64,
    allocated_bytes: f64,
    allocated_objects: f64,
    allocator_ns: f64,
}

/// All stacks at one moment.
type Sight = (kept::Moment, BTreeMap<Key, Sizes>);

/// What is known of a process, as of the last snapshot.
#[derive(Debug, Clone, Default)]
struct Process {
    /// The return addresses of its stacks.
    stacks: Vec<Vec<u64>>,
    /// Its mappings, as the kernel writes them.
    maps: String,
    /// Whether the stacks begin inside of its allocator.
    begin_in_allocator: bool,
}

/// Calls among which the allocator's own are looked for: jemalloc's are four to eight, with its unwinder.
const OF_ALLOCATOR: usize = 16;

impl Process {
    /// How many calls of a stack are inside of the allocator.
    fn calls_of_allocator(&self, stack: &[Located]) -> usize {
        let is_inside = |call: &Located| {
            let file = call.module.as_ref().map_or("", |module| &module.file);
            call.frames.iter().any(|frame| is_of_allocator(file, &frame.function))
        };
        let first = stack.iter().take(OF_ALLOCATOR).rposition(is_inside).filter(|_| self.begin_in_allocator);
        first.map_or(0, |last| last + 1)
    }
}

/// The snapshots of a cell.
#[derive(Debug, Clone)]
pub struct StackLog {
    /// When the cell's clock began, by the clock that births are counted by.
    origin_ns: u128,
    snapshots: Vec<Sight>,
    /// What was seen after the last of them.
    fresh: Option<Sight>,
    /// What was alive at the last look, by its birth.
    alive: BTreeMap<Key, Survivors>,
    /// The first look, and the last.
    begun: Option<SinceStart>,
    looked: SinceStart,
    /// What was asked meanwhile.
    calendar: Calendar,
    /// One of this many samples is one.
    stride: u64,
    seen: u64,
    processes: BTreeMap<(u32, u64), Process>,
    sampled_by: SampledBy,
    sample_every: u64,
    lost_samples: u64,
}

impl StackLog {
    /// None yet, of a cell whose clock began at this moment.
    #[must_use]
    pub fn since(origin: Moment) -> Self {
        Self {
            origin_ns: origin.monotonic.as_nanos(),
            snapshots: Vec::new(),
            fresh: None,
            alive: BTreeMap::new(),
            begun: None,
            looked: SinceStart::ZERO,
            calendar: Calendar::default(),
            stride: 1,
            seen: 0,
            processes: BTreeMap::new(),
            sampled_by: SampledBy::Preload,
            sample_every: 0,
            lost_samples: 0,
        }
    }

    /// Takes a snapshot if one is due. To be called with each sample that is judged.
    pub fn tick(&mut self, preloaded: &Preloaded, sample: &Sample, moment: kept::Moment) {
        self.seen += 1;
        if !self.is_due() && !self.seen.is_multiple_of(FRESH) {
            return;
        }
        if let Some(sight) = self.look(preloaded, &sample.processes, moment) {
            self.keep_if_due(sight);
        }
    }

    fn is_due(&self) -> bool {
        self.seen.is_multiple_of(self.stride)
    }

    fn keep_if_due(&mut self, sight: Sight) {
        if self.is_due() {
            self.keep(sight);
        } else {
            self.fresh = Some(sight);
        }
    }

    /// Until `at` these requests were completed: births are counted by such moments.
    pub fn mark(&mut self, at: SinceStart, completed: &BTreeMap<String, u64>) {
        self.calendar.mark(at, completed);
    }

    /// Takes a snapshot.
    pub fn take(&mut self, preloaded: &Preloaded, processes: &[ProcessId], moment: kept::Moment) {
        if let Some(sight) = self.look(preloaded, processes, moment) {
            self.keep(sight);
        }
    }

    /// What the stacks have alive now; none where nobody counts.
    fn look(&mut self, preloaded: &Preloaded, processes: &[ProcessId], moment: kept::Moment) -> Option<Sight> {
        let mut found = BTreeMap::new();
        let mut alive = BTreeMap::new();
        let mut lost = 0;
        let begun = *self.begun.get_or_insert(moment.t_s);
        for process in processes.iter().take(PROCESSES) {
            let file = files::read(&preloaded.folder.join(file_name(process.pid)), FILE_BYTES as u64);
            let Some(snapshot) = file.ok().and_then(|bytes| Snapshot::read(&bytes).ok()) else { continue };
            let maps = fs::read(format!("/proc/{}/maps", process.pid)).unwrap_or_default();
            let id = (process.pid, snapshot.start_ns);
            self.sample_every = snapshot.counts.sample_every;
            lost += snapshot.counts.lost_samples;
            for (number, stack) in snapshot.stacks.iter().enumerate() {
                let sizes = Sizes {
                    live_bytes: stack.allocated_bytes.saturating_sub(stack.freed_bytes) as f64,
                    allocated_bytes: stack.allocated_bytes as f64,
                    allocated_objects: stack.allocated_objects,
                    allocator_ns: stack.allocator_ns,
                };
                found.insert((id.0, id.1, number), sizes);
            }
            let birthdays = Birthdays { begun, now: moment.t_s, origin_ns: self.origin_ns };
            for (number, of_stack) in survivors(&snapshot, &birthdays) {
                alive.insert((id.0, id.1, number), of_stack);
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
            return None;
        }
        self.alive = alive;
        self.looked = moment.t_s;
        Some((moment, found))
    }

    fn keep(&mut self, sight: Sight) {
        if self.snapshots.len() == SNAPSHOTS {
            let mut index = 0;
            self.snapshots.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
            self.processes.retain(|id, _| {
                let has = |stacks: &BTreeMap<Key, Sizes>| stacks.keys().any(|key| (key.0, key.1) == *id);
                self.snapshots.iter().any(|(_, stacks)| has(stacks)) || has(&sight.1)
            });
        }
        self.snapshots.push(sight);
        self.fresh = None;
    }

    /// The series, with the places in the source that the stacks lead to; none where there was no snapshot. Reads the
    /// programs' debug information, which takes seconds.
    #[must_use]
    pub fn finish(mut self) -> Option<Series> {
        if let Some(fresh) = self.fresh.take() {
            if self.snapshots.len() == SNAPSHOTS {
                self.snapshots.pop();
            }
            self.snapshots.push(fresh);
        }
        if self.snapshots.is_empty() {
            return None;
        }
        let mut symbols = Symbols::default();
        let mut naming = Naming::default();
        // Stacks of the same frames are one: a program that runs as several processes has each of them several times.
        let mut stacks: BTreeMap<Vec<usize>, Stack> = BTreeMap::new();
        let count = self.snapshots.len();
        let bins = self.calendar.bins(self.looked);
        for ((pid, start), process) in &self.processes {
            let places = places(&process.maps);
            for (number, addresses) in process.stacks.iter().enumerate() {
                let mut located: Vec<Located> =
                    addresses.iter().map(|address| symbols.call(&places, *address)).collect();
                located.drain(..process.calls_of_allocator(&located));
                let calls: Vec<usize> = located.into_iter().map(|call| naming.call(call)).collect();
                let frames: Vec<usize> = calls.iter().flat_map(|call| naming.frames_of(*call)).copied().collect();
                let stack = stacks.entry(frames.clone()).or_insert_with(|| Stack {
                    frames,
                    calls,
                    live_bytes: vec![0.0; count],
                    allocated_bytes: vec![0.0; count],
                    allocated_objects: vec![0.0; count],
                    allocator_ns: vec![0.0; count],
                    ..Stack::default()
                });
                let key = (*pid, *start, number);
                for (at, (_, found)) in self.snapshots.iter().enumerate() {
                    let sizes = found.get(&key).copied().unwrap_or_default();
                    stack.live_bytes[at] += sizes.live_bytes;
                    stack.allocated_bytes[at] += sizes.allocated_bytes;
                    stack.allocated_objects[at] += sizes.allocated_objects;
                    stack.allocator_ns[at] += sizes.allocator_ns;
                }
                if let Some(alive) = self.alive.get(&key) {
                    alive.add_to(stack);
                    let born = bins.as_ref().map(|bins| counted(alive.births_ms(), bins)).unwrap_or_default();
                    add(&mut stack.born_samples, born);
                }
            }
        }
        let mut stacks: Vec<Stack> = stacks.into_values().collect();
        if stacks.len() > STACKS_KEPT {
            let allocated = |stack: &Stack| stack.allocated_bytes.last().copied().unwrap_or(0.0);
            stacks.sort_by(|one, other| allocated(other).total_cmp(&allocated(one)));
            stacks.truncate(STACKS_KEPT);
        }
        let Naming { frames, modules, calls } = naming;
        Some(Series {
            schema: SCHEMA,
            sampled_by: self.sampled_by,
            sample_every_bytes: self.sample_every,
            lost_samples: self.lost_samples,
            snapshots: self.snapshots.into_iter().map(|(moment, _)| moment).collect(),
            frames: frames.in_order(),
            stacks,
            modules: modules.in_order(),
            calls: calls.in_order(),
            bins,
        })
    }
}

/// Adds how many were `born` in each bin to those of other processes.
fn add(to: &mut Vec<(u32, u32)>, mut born: BTreeMap<u32, u32>) {
    to.drain(..).for_each(|(bin, samples)| *born.entry(bin).or_insert(0) += samples);
    to.extend(born);
}

/// What the stacks lead through, each once.
#[derive(Debug, Default)]
struct Naming {
    frames: Numbered<Frame>,
    modules: Numbered<Module>,
    calls: Numbered<Call>,
}

impl Naming {
    /// The number of a call.
    fn call(&mut self, Located { module, address, frames }: Located) -> usize {
        let module = module.map(|module| self.modules.number(module));
        let frames = frames.into_iter().map(|frame| self.frames.number(frame)).collect();
        self.calls.number(Call { module, address, frames })
    }

    fn frames_of(&self, call: usize) -> &[usize] {
        self.calls.known.get(call).map_or(&[], |call| &call.frames)
    }
}

/// Things by their numbers.
#[derive(Debug)]
struct Numbered<T> {
    numbers: BTreeMap<T, usize>,
    known: Vec<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), known: Vec::new() }
    }
}

impl<T: Ord + Clone> Numbered<T> {
    fn number(&mut self, thing: T) -> usize {
        if let Some(number) = self.numbers.get(&thing) {
            return *number;
        }
        self.numbers.insert(thing.clone(), self.known.len());
        self.known.push(thing);
        self.known.len() - 1
    }

    fn in_order(self) -> Vec<T> {
        self.known
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
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
        let preloaded = Preloaded::lay(folder.path(), 64 * 1024).expect("it is laid");
        let own = ProcessId { pid: std::process::id(), start_ticks: 0 };
        fs::write(preloaded.folder.join(file_name(own.pid)), file()).expect("a file");
        let mut log = StackLog::since(Moment::now());
        for second in 1..=500 {
            let t_s = SinceStart::new(Duration::from_secs(second));
            let requests = BTreeMap::from([("get".to_owned(), second)]);
            let sample = Sample { processes: vec![own], requests, ..Sample::default() };
            log.mark(t_s, &sample.requests);
            log.tick(&preloaded, &sample, kept::Moment { t_s, completed: second });
        }
        let series = log.finish().expect("snapshots");
        let count = series.snapshots.len();
        assert!((SNAPSHOTS / 2..=SNAPSHOTS).contains(&count), "{count}");
        let (first, last) = (series.snapshots[0].completed, series.snapshots[count - 1].completed);
        assert!(first < 50 && last > 450, "from {first} to {last}");
        assert_eq!(series.stacks[0].live_bytes, vec![3_000.0; count]);
        let bins = series.bins.as_ref().expect("bins");
        assert_eq!(bins.edges_s.last().copied(), Some(SinceStart::new(Duration::from_secs(last))));
        assert_eq!(bins.requests["get"], vec![1; last as usize - 1]);
        assert_eq!(series.frames_of(&series.stacks[0]), [&Frame::default()], "nothing is at that address");
        assert!(StackLog::since(Moment::now()).finish().is_none());
    }
}
