//! All that is read at one moment: memory by source, and what the tree does beside holding it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cpu::HostCpu;
use super::held::Held;
use super::memory::{Heap, Live, Memory, Own, Rollup};
use steep_judge::growth::{Layer, MemorySource};
use steep_judge::units::{Bytes, SinceStart};

/// Memory, read at one moment over the whole process tree, each page counted once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub t_s: SinceStart,
    /// How long the reading took, in microseconds.
    pub read_us: u64,
    /// What the kernel says.
    pub memory: Memory,
    /// Live bytes, where somebody counts them and answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// Where anonymous memory lies; on a slow cadence, on Linux.
    /// Older traces have it only where a preloaded library counts live bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap: Option<Box<Heap>>,
    /// Completed requests by name, counted from the start of the load.
    pub requests: BTreeMap<String, u64>,
    /// Threads, descriptors, faults and CPU of the tree.
    pub activity: Activity,
    /// The processes that were read.
    pub processes: Vec<ProcessId>,
    /// The exact and costly reading, on its slow cadence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollup: Option<Rollup>,
    /// Memory that processes hold by a name, a descriptor or a number, whether they have mapped it or not; none where
    /// there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Memory of each dependency, by name; recorded, not judged.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dependencies: BTreeMap<String, Memory>,
    /// steep itself.
    pub steep: Own,
    /// The CPUs of the host; none in older traces, and where the host does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostCpu>,
}

impl Sample {
    /// The highest resident memory so far: by the kernel's own mark, which sees what happens between two samples. Marks
    /// of several processes are not of one moment and share pages, so that their sum would be a false alarm: there it
    /// is what is resident now.
    #[must_use]
    pub fn peak(&self) -> Bytes {
        let Memory { anon_bytes, file_bytes, shmem_bytes, peak_bytes, hugetlb_bytes, unmapped_bytes, .. } = self.memory;
        let now = anon_bytes + file_bytes + shmem_bytes + hugetlb_bytes + unmapped_bytes;
        // The kernel's mark knows nothing of pages that nobody has mapped, nor when it was set.
        if self.processes.len() <= 1 { peak_bytes.max(now) } else { now }
    }

    /// Live bytes and who counted them; none where nobody did.
    #[must_use]
    pub fn counted(&self) -> Option<(MemorySource, Live)> {
        self.live.map(|live| (MemorySource::Live, live))
    }

    /// What is judged of a layer, and where it was read from. Shared memory is not an allocator's, so that live bytes
    /// know nothing of it: it is the program's own as well.
    #[must_use]
    pub fn judged(&self, layer: Layer) -> Option<(MemorySource, Bytes)> {
        match layer {
            Layer::Live => self.counted().map(|(source, live)| (source, live.live_bytes + self.memory.shared())),
            Layer::Resident => Some((MemorySource::Anonymous, self.memory.judged())),
        }
    }

    /// Completed requests of all names: the work that growth is judged by.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// Live bytes at a moment between two samples. A preloaded library's counters are read for next to nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveCount {
    /// When.
    pub t_s: SinceStart,
    /// What was counted.
    pub live: Live,
    /// Completed requests by name, counted from the start of the load.
    pub requests: BTreeMap<String, u64>,
}

impl LiveCount {
    /// Completed requests of all names.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// What the tree does beside holding memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub fds: u64,
    /// Page faults that needed no disk, since each process started.
    pub minor_faults: u64,
    /// Page faults that did.
    pub major_faults: u64,
    /// CPU time, user and system, of the processes alive now.
    pub cpu_s: f64,
}

/// A process, told from a later one with the same number by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// Number.
    pub pid: u32,
    /// Start in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
}
