//! Where the anonymous memory of the service lies: in the heap and the arenas of glibc, or outside of them.
//!
//! Live bytes say nothing of what lies outside: a program may map memory for itself, as V8 and the JVM do. `smaps`
//! tells it mapping by mapping, at 11 to 16 µs for each resident MB, so it is read on a slow cadence and a thread of
//! its own.

use std::fs;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use steep_core::trace::{Heap, ProcessId};
use steep_judge::units::{Bytes, SinceStart};

/// Between two looks: enough of them in a soak of two minutes, and 0.2 % of a CPU at 1 GB.
const EVERY: Duration = Duration::from_secs(10);

/// glibc maps an arena of threads at a multiple of this and never lets it grow beyond (arena.c, `HEAP_MAX_SIZE`).
const ARENA_BYTES: u64 = 64 << 20;

/// Looks at the heap now and then.
#[derive(Debug, Default)]
pub struct HeapLooks {
    under_way: Option<Receiver<Option<Heap>>>,
    begun: Option<SinceStart>,
}

impl HeapLooks {
    /// What the last look found, if one has ended; begins the next one when it is due.
    pub fn tick(&mut self, now: SinceStart, processes: &[ProcessId]) -> Option<Heap> {
        let found = match self.under_way.as_ref().map(Receiver::try_recv) {
            Some(Ok(found)) => found,
            Some(Err(TryRecvError::Empty)) => return None,
            Some(Err(TryRecvError::Disconnected)) | None => None,
        };
        self.under_way = None;
        if self.begun.is_none_or(|begun| now.since(begun) >= EVERY) {
            self.begun = Some(now);
            let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
            let (sender, receiver) = mpsc::sync_channel(1);
            let look = move || {
                // The cell may be over by then.
                let _ = sender.send(pids.into_iter().map(heap_of).sum::<Option<Heap>>());
            };
            // Without a thread this look is left out.
            self.under_way = thread::Builder::new().name("heap".to_owned()).spawn(look).ok().map(|_| receiver);
        }
        found
    }
}

fn heap_of(pid: u32) -> Option<Heap> {
    let text = fs::read(format!("/proc/{pid}/smaps")).ok()?;
    Some(heap(&String::from_utf8_lossy(&text)))
}

/// One mapping, as far as it is needed.
struct Mapping {
    start: u64,
    end: u64,
    kind: Kind,
    anonymous: Bytes,
}

/// What a mapping may be, by its rights and its name.
#[derive(PartialEq, Eq)]
enum Kind {
    /// The heap of the main thread.
    Heap,
    /// Without a name, and written to.
    Unnamed,
    /// Without a name, and neither read nor written.
    Reserved,
    Other,
}

/// Sums up a text of `/proc/PID/smaps`.
fn heap(text: &str) -> Heap {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in text.lines() {
        if let Some(mapping) = head(line) {
            mappings.push(mapping);
        } else if let (Some(last), Some(value)) = (mappings.last_mut(), line.strip_prefix("Anonymous:")) {
            let kilobytes = value.trim().strip_suffix(" kB").and_then(|number| number.trim().parse().ok());
            last.anonymous = Bytes::kib(kilobytes.unwrap_or(0));
        }
    }
    let mut heap = Heap::default();
    for (place, mapping) in mappings.iter().enumerate() {
        if mapping.kind == Kind::Heap || is_arena(mapping, mappings.get(place + 1)) {
            heap.arenas_bytes = heap.arenas_bytes + mapping.anonymous;
        } else {
            heap.outside_bytes = heap.outside_bytes + mapping.anonymous;
        }
    }
    heap
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

/// `7f7cf0000000-7f7cf0021000 rw-p 00000000 00:00 0    [heap]`; none for `Rss:   4 kB`.
fn head(line: &str) -> Option<Mapping> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let rights = fields.next()?;
    let name = fields.nth(3).unwrap_or_default();
    let kind = match (name, &rights[..rights.len().min(2)]) {
        ("[heap]", _) => Kind::Heap,
        ("", "rw") => Kind::Unnamed,
        ("", "--") => Kind::Reserved,
        _ => Kind::Other,
    };
    Some(Mapping { start, end, kind, anonymous: Bytes::ZERO })
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
        let heap = heap(text);
        assert_eq!(heap.arenas_bytes, Bytes::kib(4000 + 2000 + 60_000));
        assert_eq!(
            heap.outside_bytes,
            Bytes::kib(8 + 500 + 300 + 16),
            "aligned by chance, and nothing reserved behind"
        );
    }

    #[test]
    fn this_process_has_a_heap() {
        let heap = heap_of(std::process::id()).expect("smaps");
        assert!(heap.arenas_bytes > Bytes::ZERO && heap.outside_bytes > Bytes::ZERO, "{heap:?}");
        assert_eq!(heap_of(0), None);
    }
}
