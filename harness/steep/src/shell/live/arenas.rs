//! Whether a mapping begins as the arenas of glibc do. By its place alone it may be the heap of a JVM as well, which
//! begins at such a multiple, with what it may still grow by reserved behind it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// What glibc writes at the beginning of a heap of an arena (arena.c, `heap_info`): the arena, the heap before, its
/// size, and how much of it is readable and writable.
const WORDS: usize = 4;

/// The smallest pages of the machines that the library is built for.
const PAGE: u64 = 4096;

/// The memory of a process, as far as it may be read.
#[derive(Debug)]
pub struct Memory(Option<File>);

impl Memory {
    /// Of a process.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self(File::open(format!("/proc/{pid}/mem")).ok())
    }

    /// Whether a heap of glibc of at most `most` bytes begins at `start`. Where the kernel does not let it be read, it
    /// is taken to be none: then live bytes decide less, and nothing is cleared that they do not see.
    #[must_use]
    pub fn has_heap_at(&self, start: u64, most: u64) -> bool {
        let mut bytes = [0_u8; WORDS * 8];
        let read = self.0.as_ref().map(|memory| memory.read_exact_at(&mut bytes, start));
        matches!(read, Some(Ok(()))) && is_heap(&bytes, most)
    }
}

fn is_heap(bytes: &[u8; WORDS * 8], most: u64) -> bool {
    let word = |place: usize| u64::from_le_bytes(bytes[place * 8..][..8].try_into().unwrap_or_default());
    let [arena, before, size, writable] = [0, 1, 2, 3].map(word);
    let is_length = |length: u64| length > 0 && length <= most && length.is_multiple_of(PAGE);
    let is_address = |address: u64| address.is_multiple_of(16) && address < 1 << 56;
    arena != 0 && is_address(arena) && is_address(before) && is_length(size) && is_length(writable) && size <= writable
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 64 << 20;

    #[test]
    fn a_heap_of_glibc_is_known_by_what_it_begins_with() {
        let bytes = |words: [u64; 4]| -> [u8; 32] {
            let all: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            all.try_into().expect("four words")
        };
        assert!(is_heap(&bytes([0x7f00_0000_0030, 0, 0x2_1000, 0x2_1000]), MOST));
        assert!(is_heap(&bytes([0x7f00_0000_0030, 0x7eff_0400_0000, MOST, MOST]), MOST), "a second heap of its arena");
        // An object of a JVM: its mark, its class, its fields.
        assert!(!is_heap(&bytes([1, 0x80_0000_2f08, 0x11, 0x2_1000]), MOST));
        assert!(!is_heap(&bytes([0; 4]), MOST));
        assert!(!is_heap(&bytes([0x7f00_0000_0030, 0, 0x2_1000, 0x2_0000]), MOST));
    }

    #[test]
    fn an_arena_of_this_process_is_seen_in_its_memory() {
        // A block of another thread lies in an arena that is not the main one, at most 64 MiB behind its beginning.
        let block = std::thread::spawn(|| Box::new([7_u8; 100])).join().expect("it ends");
        let start = block.as_ptr() as u64 / MOST * MOST;
        let memory = Memory::of(std::process::id());
        assert_eq!(memory.has_heap_at(start, MOST), cfg!(target_env = "gnu"));
        assert!(!memory.has_heap_at(block.as_ptr() as u64, MOST) && !Memory::of(0).has_heap_at(start, MOST));
    }
}
