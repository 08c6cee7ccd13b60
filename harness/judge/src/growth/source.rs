//! Where a memory figure comes from: one table, whose rows hold all that the statistics and the messages know of a
//! source. Who adds a source writes its row here; nothing else in this crate asks which source it is.

use serde::{Serialize, Serializer};

use crate::units::Bytes;

/// Which memory a figure is of. A series has one column for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// What the program has allocated and not freed. It decides where nearly every reading has it; memory that grows
    /// outside of it is retained.
    Live,
    /// What the kernel has given to the program: live bytes, and whatever the allocator holds.
    Resident,
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Live, Self::Resident];
}

/// Where a memory figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemorySource {
    /// Live bytes: the program counts what it has allocated and not freed.
    Live,
    /// Anonymous memory of the process tree as `/proc` shows it, shared and swapped-out memory included.
    Anonymous,
    /// Resident memory of the process tree through sysinfo, where there is no `/proc`.
    Sysinfo,
    /// A column of memory that somebody else recorded, whatever they read.
    Column,
}

/// A row of the table.
struct Row {
    /// As it is written in JSON. What stands for anonymous memory is called that.
    name: &'static str,
    /// As messages call it.
    in_words: &'static str,
    /// What a reading is a number of, after that number.
    unit: &'static str,
    /// What it is a figure of, and so in which column of a series it stands.
    layer: Layer,
    /// Whether a reading may fail without spoiling the run.
    may_be_missing: bool,
    /// Its noise floor, where what an allocator holds is part of the figure. A short run with such noise accuses by
    /// itself only what exceeds the drift, and one below a quarter of an hour clears only by a flat end what a few
    /// chunks could hide. None: whatever the length of the run, the figure decides either way.
    allocator: Option<AllocatorNoise>,
    /// By how much growth of the same flag differs from cell to cell, as a share of it.
    spread: f64,
    /// What this source does not show that others do, for whoever reads the report.
    unseen: Option<&'static str>,
}

/// What an allocator adds to a figure.
struct AllocatorNoise {
    /// What it takes by itself within minutes.
    drift: Bytes,
    /// What it takes from the kernel at once.
    chunk: Bytes,
}

/// Drift: anonymous memory of leak-free services rose by 0.3–1.5 MB with most allocators, but by up to 848 B/request ×
/// 12,000 requests ≈ 10 MB in one minute and 12.6 MB in four with glibc's arenas under eight workers; a third on top.
///
/// Chunk: jemalloc was measured to swing by 1.06 MB and mimalloc to step by 2.1 MB. Less growth than one over a short
/// run may have stayed hidden (METHOD.md, what decides).
const OF_ALLOCATORS: AllocatorNoise = AllocatorNoise { drift: Bytes::mib(16), chunk: Bytes::mib(2) };

/// 95 % of the estimates from anonymous memory were within 15 % of what leaked (METHOD.md, real traces).
const RESIDENT_SPREAD: f64 = 0.075;
/// 95 % of those from live bytes were within 4 % (METHOD.md: median error below 1.5 %).
const LIVE_SPREAD: f64 = 0.02;

const LIVE: Row = Row {
    name: "live",
    in_words: "live bytes",
    unit: "live bytes",
    layer: Layer::Live,
    may_be_missing: true,
    allocator: None,
    spread: LIVE_SPREAD,
    unseen: None,
};

const ANONYMOUS: Row = Row {
    name: "anonymous",
    in_words: "anonymous memory",
    unit: "bytes",
    layer: Layer::Resident,
    may_be_missing: false,
    allocator: Some(OF_ALLOCATORS),
    spread: RESIDENT_SPREAD,
    unseen: None,
};

impl MemorySource {
    /// The table.
    const fn row(self) -> &'static Row {
        match self {
            Self::Live => &LIVE,
            Self::Anonymous | Self::Column => &ANONYMOUS,
            Self::Sysinfo => &Row {
                unseen: Some(
                    "no /proc: resident memory stands for anonymous memory; no peak, swap, threads, descriptors or faults",
                ),
                ..ANONYMOUS
            },
        }
    }

    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// As messages call it.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        self.row().in_words
    }

    /// What a reading is a number of, after that number.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        self.row().unit
    }

    /// What it is a figure of.
    #[must_use]
    pub const fn layer(self) -> Layer {
        self.row().layer
    }

    /// What it does not show that others do, in words.
    #[must_use]
    pub const fn unseen(self) -> Option<&'static str> {
        self.row().unseen
    }

    /// What an allocator may add to it by itself within minutes; none where nothing that it holds is in the figure.
    #[must_use]
    pub fn drift(self) -> Option<Bytes> {
        self.row().allocator.as_ref().map(|noise| noise.drift)
    }

    /// What an allocator adds to it at once; none where nothing that it holds is in the figure.
    pub(crate) fn chunk(self) -> Option<Bytes> {
        self.row().allocator.as_ref().map(|noise| noise.chunk)
    }

    /// Whether what an allocator holds is part of the figure.
    pub(crate) const fn holds_allocator(self) -> bool {
        self.row().allocator.is_some()
    }

    /// Whether a reading may fail without spoiling the run.
    pub(super) const fn may_be_missing(self) -> bool {
        self.row().may_be_missing
    }

    /// By how much growth of the same flag differs from cell to cell, as a share of it.
    pub(crate) const fn spread(self) -> f64 {
        self.row().spread
    }
}

impl Serialize for MemorySource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Which source has filled each column of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    live: MemorySource,
    resident: MemorySource,
}

impl Sources {
    /// The same with the column of its layer filled by `source`.
    #[must_use]
    pub const fn with(self, source: MemorySource) -> Self {
        match source.layer() {
            Layer::Live => Self { live: source, ..self },
            Layer::Resident => Self { resident: source, ..self },
        }
    }

    /// The source of a layer.
    #[must_use]
    pub const fn of(self, layer: Layer) -> MemorySource {
        match layer {
            Layer::Live => self.live,
            Layer::Resident => self.resident,
        }
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self { live: MemorySource::Live, resident: MemorySource::Anonymous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [MemorySource; 4] =
        [MemorySource::Live, MemorySource::Anonymous, MemorySource::Sysinfo, MemorySource::Column];

    #[test]
    fn a_source_is_called_in_json_as_it_always_was() {
        let names: Vec<_> = ALL.iter().map(|source| serde_json::to_string(source).expect("JSON")).collect();
        assert_eq!(names, ["\"live\"", "\"anonymous\"", "\"anonymous\"", "\"anonymous\""]);
    }

    #[test]
    fn what_the_kernel_gives_holds_the_allocator_and_live_bytes_do_not() {
        for source in ALL {
            let is_resident = source.layer() == Layer::Resident;
            assert_eq!(source.holds_allocator(), is_resident, "{source:?}");
            assert_eq!((source.drift().is_some(), source.chunk().is_some()), (is_resident, is_resident), "{source:?}");
        }
    }

    #[test]
    fn each_column_of_a_series_is_filled_by_a_source_of_its_layer() {
        for source in ALL {
            let sources = Sources::default().with(source);
            assert_eq!(sources.of(source.layer()), source);
            assert!(Layer::ALL.iter().all(|layer| sources.of(*layer).layer() == *layer));
        }
    }
}
