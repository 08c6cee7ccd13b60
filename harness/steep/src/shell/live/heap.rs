//! Where the anonymous memory of the service lies: in the heap and the arenas of glibc, in stacks, or elsewhere.
//!
//! Live bytes say nothing of what lies outside of the heap and the arenas: a program may map memory for itself, as V8
//! and the JVM do. `smaps` tells it mapping by mapping, at 11 to 16 µs for each resident MB, so it is read on a slow
//! cadence and a thread of its own.

use std::fs;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use steep_live::pid_of;

use super::arenas::Memory;
use crate::shell::clock::Moment;
use steep_core::trace::{Heap, Places, ProcessId};
use steep_judge::units::{Bytes, SinceStart};

/// Between two looks, in a long soak and in a short one: enough of them for a slope in a minute.
const EVERY: Duration = Duration::from_secs(10);
const EVERY_AT_FIRST: Duration = Duration::from_secs(1);

/// Looks come this many times more often than a soak has lasted, within these bounds.
const LOOKS: u32 = 60;

/// A look that takes no longer belongs to the moment of its sample; a slower one comes with the next sample.
const SAME_MOMENT: Duration = Duration::from_millis(10);

/// A look waits for this many times what the last one took: 1 % of a CPU at most, however large the service is.
const REST: u32 = 100;

/// glibc maps an arena of threads at a multiple of this and never lets it grow beyond (arena.c, `HEAP_MAX_SIZE`).
const ARENA_BYTES: u64 = 64 << 20;

/// The guard below a stack is not larger: 4 KiB by default, 64 KiB where pages are so large.
const LARGEST_GUARD: u64 = 64 << 10;

/// Looks at the heap now and then.
#[derive(Debug, Default)]
pub struct HeapLooks {
    under_way: Option<Receiver<(Option<Heap>, Duration)>>,
    begun: Option<SinceStart>,
    took: Duration,
}

impl HeapLooks {
    /// What a look found; begins one when it is due.
    pub fn tick(&mut self, now: SinceStart, processes: &[ProcessId]) -> Option<Heap> {
        if self.under_way.is_some() {
            return self.found(Duration::ZERO);
        }
        let every = (now.elapsed() / LOOKS).clamp(EVERY_AT_FIRST, EVERY).max(self.took * REST);
        // Samples are not due to the microsecond.
        if self.begun.is_some_and(|begun| now.since(begun) + SAME_MOMENT < every) {
            return None;
        }
        self.begun = Some(now);
        let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
        let (sender, receiver) = mpsc::sync_channel(1);
        let look = move || {
            let begun = Moment::now();
            let found = pids.into_iter().map(heap_of).sum::<Option<Heap>>();
            // The cell may be over by then.
            let _ = sender.send((found, Moment::now().monotonic.saturating_sub(begun.monotonic)));
        };
        // Without a thread this look is left out.
        self.under_way = thread::Builder::new().name("heap".to_owned()).spawn(look).ok().map(|_| receiver);
        self.found(SAME_MOMENT)
    }

    /// What the look under way found, if it ends within this time.
    fn found(&mut self, within: Duration) -> Option<Heap> {
        match self.under_way.as_ref()?.recv_timeout(within) {
            Ok((found, took)) => {
                (self.under_way, self.took) = (None, took);
                found
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.under_way = None;
                None
            }
        }
    }
}

fn heap_of(pid: u32) -> Option<Heap> {
    let text = fs::read(format!("/proc/{pid}/smaps")).ok()?;
    let memory = Memory::of(pid);
    Some(heap(&String::from_utf8_lossy(&text), |start| memory.has_heap_at(start, ARENA_BYTES)))
}

/// One mapping, as far as it is needed.
struct Mapping {
    start: u64,
    end: u64,
    kind: Kind,
    resident: Bytes,
    /// Its pages, each divided by the number of processes that have it.
    share: Bytes,
    anonymous: Bytes,
}

/// What a mapping may be, by its rights and its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The heap of the main thread.
    Heap,
    /// The stack of the main thread, or one that says it is a thread's.
    Stack,
    /// Without a name, and written to.
    Unnamed,
    /// Without a name, and neither read nor written.
    Reserved,
    /// Of a file.
    File,
    /// Of a file that the preloaded library counts in.
    Counting,
    Other,
}

/// What the memory of a mapping is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    MainHeap,
    Arena,
    Stack,
    Variables,
    Other,
}

impl Mapping {
    /// Its anonymous memory, a page of several processes in parts.
    fn anonymous_share(&self) -> Bytes {
        // Kernels without proportional shares tell none.
        if self.resident.is_zero() || self.share.is_zero() {
            return self.anonymous;
        }
        Bytes::new((self.anonymous.as_f64() * self.share.as_f64() / self.resident.as_f64()) as u64)
    }

    fn length(&self) -> u64 {
        self.end - self.start
    }
}

/// Sums up a text of `/proc/PID/smaps`; an arena is only what `begins_heap`.
fn heap(text: &str, begins_heap: impl Fn(u64) -> bool) -> Heap {
    let mappings = mappings(text);
    let mut heap = Heap::default();
    let mut places = Places::default();
    for (number, mapping) in mappings.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|before| mappings.get(before));
        if mapping.kind == Kind::Counting {
            places.counting_bytes = places.counting_bytes + mapping.share;
        }
        let place = place(mapping, before, mappings.get(number + 1), &begins_heap);
        let is_of_glibc = matches!(place, Place::MainHeap | Place::Arena);
        let sum = if is_of_glibc { &mut heap.arenas_bytes } else { &mut heap.outside_bytes };
        *sum = *sum + mapping.anonymous;
        let share = mapping.anonymous_share();
        let sum = match place {
            Place::MainHeap => &mut places.main_heap_bytes,
            Place::Arena => &mut places.arenas_bytes,
            Place::Stack => &mut places.stacks_bytes,
            Place::Variables => &mut places.variables_bytes,
            Place::Other => &mut places.other_bytes,
        };
        *sum = *sum + share;
        if place == Place::Arena && !share.is_zero() {
            places.arenas += mapping.length().div_ceil(ARENA_BYTES);
            places.largest_arena_bytes = places.largest_arena_bytes.max(share);
        }
    }
    Heap { places: Some(places), ..heap }
}

fn mappings(text: &str) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in text.lines() {
        if let Some(mapping) = head(line) {
            mappings.push(mapping);
        } else if let (Some(last), Some((name, value))) = (mappings.last_mut(), line.split_once(':')) {
            let field = match name {
                "Rss" => &mut last.resident,
                "Pss" => &mut last.share,
                "Anonymous" => &mut last.anonymous,
                _ => continue,
            };
            let kilobytes = value.trim().strip_suffix(" kB").and_then(|number| number.trim().parse().ok());
            *field = Bytes::kib(kilobytes.unwrap_or(0));
        }
    }
    mappings
}

/// What `mapping` is, by itself and by what lies directly `before` and after it.
fn place(
    mapping: &Mapping,
    before: Option<&Mapping>,
    next: Option<&Mapping>,
    begins_heap: &impl Fn(u64) -> bool,
) -> Place {
    match mapping.kind {
        Kind::Heap => Place::MainHeap,
        Kind::Stack => Place::Stack,
        Kind::File | Kind::Counting => Place::Variables,
        _ if is_arena(mapping, next) && begins_heap(mapping.start) => Place::Arena,
        Kind::Unnamed if before.is_some_and(|before| is_guard(before, mapping)) => Place::Stack,
        Kind::Unnamed | Kind::Reserved | Kind::Other => Place::Other,
    }
}

/// Whether `mapping` is an arena, or several that lie one after the other: what it may still grow by is reserved behind
/// it.
fn is_arena(mapping: &Mapping, next: Option<&Mapping>) -> bool {
    let is_candidate = mapping.kind == Kind::Unnamed && mapping.start.is_multiple_of(ARENA_BYTES);
    let is_whole = mapping.end.is_multiple_of(ARENA_BYTES);
    let has_rest = next.is_some_and(|next| {
        next.kind == Kind::Reserved
            && next.start == mapping.end
            && next.end >= mapping.end.next_multiple_of(ARENA_BYTES)
    });
    is_candidate && (is_whole || has_rest)
}

/// Whether `before` is the guard of a stack `mapping`: the pages below it, which nobody may touch. The kernel makes one
/// mapping of it and of what an arena that ends there has reserved.
fn is_guard(before: &Mapping, mapping: &Mapping) -> bool {
    let is_behind_arena = before.length() > LARGEST_GUARD && (1..=LARGEST_GUARD).contains(&(before.end % ARENA_BYTES));
    let is_small = before.length() <= LARGEST_GUARD;
    before.kind == Kind::Reserved && before.end == mapping.start && (is_small || is_behind_arena)
}

/// `7f7cf0000000-7f7cf0021000 rw-p 00000000 00:00 0    [heap]`; none for `Rss:   4 kB`.
fn head(line: &str) -> Option<Mapping> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let rights = fields.next()?;
    let name = fields.nth(3).unwrap_or_default();
    // Since glibc 2.39 a tunable lets it give names to what it maps.
    let is_unnamed = name.is_empty() || line.contains("[anon: glibc: malloc");
    let kind = match &rights[..rights.len().min(2)] {
        _ if line.ends_with("[heap]") => Kind::Heap,
        _ if line.ends_with("[stack]") || line.contains("[anon: glibc: pthread stack") => Kind::Stack,
        "rw" if is_unnamed => Kind::Unnamed,
        "--" if is_unnamed => Kind::Reserved,
        _ if name.starts_with('/') && line.rsplit('/').next().and_then(pid_of).is_some() => Kind::Counting,
        _ if name.starts_with('/') => Kind::File,
        _ => Kind::Other,
    };
    let none = Bytes::ZERO;
    Some(Mapping { start, end, kind, resident: none, share: none, anonymous: none })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_and_the_arenas_are_told_from_what_the_program_maps_itself() {
        let text = "\
55d000000000-55d000100000 r-xp 00000000 08:01 77   /usr/bin/shop\nAnonymous:             0 kB
55d000200000-55d000300000 rw-p 00100000 08:01 77   /usr/bin/shop\nAnonymous:             8 kB
55d001000000-55d001400000 rw-p 00000000 00:00 0    [heap]\nRss:  4096 kB\nAnonymous:          4000 kB
7f0000000000-7f0000200000 rw-p 00000000 00:00 0 \nAnonymous:          2000 kB
7f0000200000-7f0004000000 ---p 00000000 00:00 0 \nAnonymous:             0 kB
7f0004000000-7f0008000000 rw-p 00000000 00:00 0 \nAnonymous:         60000 kB
7f000c000000-7f000c100000 rw-p 00000000 00:00 0 \nAnonymous:           500 kB
7f0010000123-7f0010100000 rw-p 00000000 00:00 0 \nAnonymous:           300 kB
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0    [stack]\nAnonymous:            16 kB
";
        let of_jvm = heap(text, |start| start != 0x7f00_0400_0000);
        assert_eq!(of_jvm.arenas_bytes, Bytes::kib(4000 + 2000), "at its place, and no arena");
        let heap = heap(text, |_| true);
        assert_eq!(heap.arenas_bytes, Bytes::kib(4000 + 2000 + 60_000));
        assert_eq!(
            heap.outside_bytes,
            Bytes::kib(8 + 500 + 300 + 16),
            "aligned by chance, and nothing reserved behind"
        );
        let places = heap.places.expect("its parts");
        assert_eq!(places.main_heap_bytes, Bytes::kib(4000));
        assert_eq!((places.arenas, places.arenas_bytes), (2, Bytes::kib(62_000)));
        assert_eq!(places.largest_arena_bytes, Bytes::kib(60_000));
        assert_eq!((places.variables_bytes, places.stacks_bytes), (Bytes::kib(8), Bytes::kib(16)));
        assert_eq!(places.other_bytes, Bytes::kib(800));
    }

    #[test]
    fn a_stack_is_known_by_its_guard_also_behind_an_arena() {
        let text = "\
7f0000000000-7f0000200000 rw-p 00000000 00:00 0 \nAnonymous:          2000 kB
7f0000200000-7f0004001000 ---p 00000000 00:00 0 \nAnonymous:             0 kB
7f0004001000-7f0004201000 rw-p 00000000 00:00 0 \nAnonymous:            24 kB
7f0005000000-7f0005001000 ---p 00000000 00:00 0 \nAnonymous:             0 kB
7f0005001000-7f0005801000 rw-p 00000000 00:00 0 \nAnonymous:            12 kB
7f0006000000-7f0007000000 ---p 00000000 00:00 0 \nAnonymous:             0 kB
7f0007000000-7f0007801000 rw-p 00000000 00:00 0 \nAnonymous:             7 kB
7f0008000000-7f0008801000 rw-p 00000000 00:00 0  [anon: glibc: pthread stack: 12]\nAnonymous:  4 kB
";
        let places = heap(text, |_| true).places.expect("its parts");
        assert_eq!(places.stacks_bytes, Bytes::kib(24 + 12 + 4));
        assert_eq!((places.arenas_bytes, places.other_bytes), (Bytes::kib(2000), Bytes::kib(7)), "a large reserve");
    }

    #[test]
    fn the_file_that_steep_itself_counts_in_is_told_from_those_of_the_program() {
        let file = steep_live::file_name(77);
        let text = format!(
            "7f0000000000-7f0000630000 rw-s 00000000 fe:00 9   /out/baseline/live/{file}\nRss: 200 kB\nPss: 200 kB\nAnonymous: 0 kB\n\
             7f0001000000-7f0001630000 r--p 00000000 fe:00 9   /usr/lib/libc.so.6\nRss: 300 kB\nPss: 40 kB\nAnonymous: 0 kB\n"
        );
        assert_eq!(heap(&text, |_| true).places.map(|places| places.counting_bytes), Some(Bytes::kib(200)));
    }

    #[test]
    fn of_pages_that_two_processes_share_each_has_half() {
        let text = "55d001000000-55d001400000 rw-p 00000000 00:00 0    [heap]\nRss:  4000 kB\nPss:  2000 kB\nAnonymous: 4000 kB\n";
        let both: Heap = [heap(text, |_| true), heap(text, |_| true)].into_iter().sum();
        assert_eq!(both.places.map(|places| places.main_heap_bytes), Some(Bytes::kib(4000)));
        assert_eq!(both.arenas_bytes, Bytes::kib(8000), "as older traces have it");
    }

    #[test]
    fn this_process_has_a_heap() {
        let heap = heap_of(std::process::id()).expect("smaps");
        assert!(heap.arenas_bytes > Bytes::ZERO && heap.outside_bytes > Bytes::ZERO, "{heap:?}");
        assert_eq!(heap_of(0), None);
    }
}
