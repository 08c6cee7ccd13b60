//! Memory as a sample tells it: by kind, as the program itself counts it, as the kernel shares it out.

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
}

/// What the program itself holds, whatever its allocator keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Bytes requested and not yet freed.
    pub live_bytes: Bytes,
    /// Allocations not yet freed.
    pub live_objects: u64,
}

/// Where anonymous memory lies, which decides what live bytes can explain. Read on a slow cadence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    /// Resident in the heap and the arenas of glibc.
    pub arenas_bytes: Bytes,
    /// Resident outside of them: large blocks, stacks, and what the program maps for itself.
    pub outside_bytes: Bytes,
}

impl std::iter::Sum for Heap {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |sum, heap| Self {
            arenas_bytes: sum.arenas_bytes + heap.arenas_bytes,
            outside_bytes: sum.outside_bytes + heap.outside_bytes,
        })
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// Anonymous resident memory.
    pub anon_bytes: Bytes,
    /// CPU time since its start.
    pub cpu_s: f64,
}
