//! Memory as a sample tells it: by kind, as the program itself counts it, as the kernel shares it out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use steep_judge::units::Bytes;

/// Resident memory by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Anonymous resident pages: heap and stacks.
    pub anon_bytes: Bytes,
    /// Resident pages of files.
    pub file_bytes: Bytes,
    /// Resident pages of shared memory.
    pub shmem_bytes: Bytes,
    /// Swapped-out anonymous memory.
    pub swap_bytes: Bytes,
    /// Mapped pages of hugetlb, which are in none of the other kinds.
    #[serde(default, skip_serializing_if = "Bytes::is_zero")]
    pub hugetlb_bytes: Bytes,
    /// Pages of memfd, tmpfs, System V segments and hugetlb that the service holds and no process has mapped, those
    /// swapped out included: in the resident memory of nobody, and charged to the service's container.
    #[serde(default, skip_serializing_if = "Bytes::is_zero")]
    pub unmapped_bytes: Bytes,
    /// The kernel's own high-water mark of resident memory, so that a spike between two samples is seen. Summed over a
    /// tree, less the pages counted twice, and so an upper bound there.
    pub peak_bytes: Bytes,
}

impl Memory {
    /// What a leak shows in: anonymous, shared and swapped-out memory, mapped or not; no pages of files on disks.
    #[must_use]
    pub fn judged(&self) -> Bytes {
        self.anon_bytes + self.swap_bytes + self.shared()
    }

    /// Of that, what no allocator hands out: shared memory and huge pages, mapped or not. Live bytes know nothing of
    /// it.
    #[must_use]
    pub fn shared(&self) -> Bytes {
        self.shmem_bytes + self.hugetlb_bytes + self.unmapped_bytes
    }

    /// All that is resident or swapped out, with pages of files on disks.
    #[must_use]
    pub fn resident(&self) -> Bytes {
        self.judged() + self.file_bytes
    }
}

/// What the program itself holds, whatever its allocator keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Bytes requested and not yet freed.
    pub live_bytes: Bytes,
    /// Allocations not yet freed.
    pub live_objects: u64,
    /// All allocations so far, freed or not; none where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_objects: Option<u64>,
}

/// Where anonymous memory lies, which decides what live bytes can explain. Read on a slow cadence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    /// Resident in the heap and the arenas of glibc, and in the memory of another allocator where that is known.
    pub arenas_bytes: Bytes,
    /// Resident outside of them: large blocks, stacks, and what the program maps for itself.
    pub outside_bytes: Bytes,
    /// The same in its parts; none in older traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<Places>,
    /// The blocks of glibc that lie outside, where a preloaded library knows them. None where nobody does, and where
    /// there are too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large_blocks: Option<Vec<LargeBlock>>,
}

/// The places of anonymous resident memory. Of a page that several processes share each has its part, so that the sum
/// over a tree counts it once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// The heap of the main thread (`brk`).
    pub main_heap_bytes: Bytes,
    /// The arenas that glibc makes for other threads.
    pub arenas_bytes: Bytes,
    /// How many heaps of 64 MiB these arenas have in which anything is resident.
    pub arenas: u64,
    /// What is resident in the largest mapping of them.
    pub largest_arena_bytes: Bytes,
    /// Stacks of threads, as far as they are known by the guard below them.
    pub stacks_bytes: Bytes,
    /// Pages of programs and libraries that were written: their variables.
    pub variables_bytes: Bytes,
    /// Pages of the file that a preloaded library of steep's counts in: resident pages of a file, and not anonymous.
    #[serde(default, skip_serializing_if = "Bytes::is_zero")]
    pub counting_bytes: Bytes,
    /// All else: large blocks, what the program maps for itself, the heaps of other allocators.
    pub other_bytes: Bytes,
    /// Anonymous memory that the program mapped for itself, resident or not, as a preloaded library counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_mappings_bytes: Option<Bytes>,
    /// Whether a preloaded library found another allocator behind itself than glibc's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_other_allocator: bool,
}

impl Places {
    /// What lies in the heap and the arenas of glibc.
    #[must_use]
    pub fn of_glibc(&self) -> Bytes {
        self.main_heap_bytes + self.arenas_bytes
    }

    /// What a preloaded library counts is not summed up here: it counts for all processes together.
    fn with(self, other: Self) -> Self {
        Self {
            main_heap_bytes: self.main_heap_bytes + other.main_heap_bytes,
            arenas_bytes: self.arenas_bytes + other.arenas_bytes,
            arenas: self.arenas + other.arenas,
            largest_arena_bytes: self.largest_arena_bytes.max(other.largest_arena_bytes),
            stacks_bytes: self.stacks_bytes + other.stacks_bytes,
            variables_bytes: self.variables_bytes + other.variables_bytes,
            counting_bytes: self.counting_bytes + other.counting_bytes,
            other_bytes: self.other_bytes + other.other_bytes,
            ..self
        }
    }
}

/// A block so large that glibc has made a mapping of its own for it. Blocks of different processes, addresses and sizes
/// are different ones: one that is grown is another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeBlock {
    /// Its process.
    pub pid: u32,
    /// Where it lies.
    pub address: u64,
    /// What live bytes count of it.
    pub bytes: Bytes,
    /// What is resident of it.
    pub resident_bytes: Bytes,
}

impl LargeBlock {
    /// Whether it is the same block as `other`, at another moment.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (self.pid, self.address, self.bytes) == (other.pid, other.address, other.bytes)
    }
}

impl Heap {
    /// The same where `own` of what lies at the end of the heap are not the allocator's, but the program's own.
    #[must_use]
    pub fn without(self, own: Bytes) -> Self {
        let own = own.min(self.arenas_bytes);
        let arenas_bytes = Bytes::new(self.arenas_bytes.get() - own.get());
        Self { arenas_bytes, outside_bytes: self.outside_bytes + own, ..self }
    }
}

impl Heap {
    /// The same where `resident` of what lies outside are the memory of another allocator: it holds what is alive, and
    /// what is free, as glibc's arenas do.
    #[must_use]
    pub fn with(self, resident: Bytes) -> Self {
        let resident = resident.min(self.outside_bytes);
        let outside_bytes = self.outside_bytes.saturating_sub(resident);
        Self { arenas_bytes: self.arenas_bytes + resident, outside_bytes, ..self }
    }
}

impl std::iter::Sum for Heap {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        let sum = |sum: Self, heap: Self| Self {
            arenas_bytes: sum.arenas_bytes + heap.arenas_bytes,
            outside_bytes: sum.outside_bytes + heap.outside_bytes,
            places: sum.places.zip(heap.places).map(|(one, other)| one.with(other)),
            // They are asked for afterwards.
            large_blocks: None,
        };
        each.reduce(sum).unwrap_or_default()
    }
}

/// `/proc/PID/smaps_rollup`, summed over the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// Proportional set size: a page shared by n processes counts 1/n in each.
    pub pss_bytes: Bytes,
    /// Its anonymous part.
    pub pss_anon_bytes: Bytes,
    /// Pages of this process alone, written.
    pub private_dirty_bytes: Bytes,
    /// Pages of this process alone, not written.
    pub private_clean_bytes: Bytes,
    /// Given back with `MADV_FREE` and not yet taken.
    pub lazy_free_bytes: Bytes,
    /// Held by transparent huge pages.
    pub anon_huge_pages_bytes: Bytes,
}

/// steep's own memory and CPU: its users may ask whether it disturbs what it measures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Own {
    /// Anonymous resident memory.
    pub anon_bytes: Bytes,
    /// CPU time since its start.
    pub cpu_s: f64,
}
