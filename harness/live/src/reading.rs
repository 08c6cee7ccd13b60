//! Reads the file of a process. What it holds is checked: another program may have written to it.

use thiserror::Error;

use crate::gaps;
use crate::layout as at;

/// What was read is not a file of the library.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotRead {
    /// The library has not written the header yet, or never did.
    #[error("it does not begin as a file of the preloaded library does")]
    NoMagic,
    /// Another version of the library wrote it.
    #[error("its form is {found}, and {} is understood", at::VERSION)]
    Version {
        /// Its version.
        found: u32,
    },
    /// It ends too early.
    #[error("it has {found} bytes where {wanted} are needed")]
    Short {
        /// Its bytes.
        found: usize,
        /// The bytes that are needed.
        wanted: usize,
    },
}

/// What a process allocated and freed so far, in the sizes that its allocator gave, and what is known of the counting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The process.
    pub pid: u32,
    /// Objects allocated.
    pub allocated_objects: u64,
    /// Bytes allocated.
    pub allocated_bytes: u64,
    /// Objects freed.
    pub freed_objects: u64,
    /// Bytes freed.
    pub freed_bytes: u64,
    /// Anonymous memory that the program mapped for itself, outside the allocator, and holds.
    pub mapped_bytes: u64,
    /// By how much the program itself moved the end of its heap.
    pub break_bytes: u64,
    /// Mean bytes between two samples; 0 where nothing is sampled.
    pub sample_every: u64,
    /// Samples for which there was no room, or no stack.
    pub lost_samples: u64,
    /// Mappings that could not be followed.
    pub lost_mappings: u64,
    /// What was found at the start: the flags of [`at`].
    pub flags: u32,
}

impl Counts {
    /// How many of the first bytes of a file are to be read for [`Counts::read`].
    pub const BYTES: usize = at::CELLS_AT + at::CELLS * at::CELL_BYTES;

    /// Reads the first [`Counts::BYTES`] of a file.
    ///
    /// # Errors
    /// They are not those of a file of the library.
    pub fn read(file: &[u8]) -> Result<Self, NotRead> {
        let file = Fields::of(file, Self::BYTES)?;
        let mut counts = Self {
            pid: file.word(at::PID_AT),
            mapped_bytes: u64::try_from(file.long(at::MAPPED_BYTES_AT).cast_signed()).unwrap_or(0),
            break_bytes: u64::try_from(file.long(at::BREAK_BYTES_AT).cast_signed()).unwrap_or(0),
            sample_every: file.long(at::SAMPLE_EVERY_AT),
            lost_samples: file.long(at::LOST_SAMPLES_AT),
            lost_mappings: file.long(at::LOST_MAPPINGS_AT),
            flags: file.word(at::FLAGS_AT),
            ..Self::default()
        };
        let used = (file.word(at::CELLS_USED_AT) as usize).min(at::CELLS);
        let own = (0..used).map(|cell| at::CELLS_AT + cell * at::CELL_BYTES);
        for cell in own.chain([at::SHARED_CELL_AT]) {
            let mut add = |to: fn(&mut Self) -> &mut u64, field: usize| {
                let sum = to(&mut counts);
                *sum = sum.wrapping_add(file.long(cell + field));
            };
            add(|counts| &mut counts.allocated_objects, at::ALLOCATED_OBJECTS);
            add(|counts| &mut counts.allocated_bytes, at::ALLOCATED_BYTES);
            add(|counts| &mut counts.freed_objects, at::FREED_OBJECTS);
            add(|counts| &mut counts.freed_bytes, at::FREED_BYTES);
        }
        Ok(counts)
    }

    /// Bytes that are alive. Cells are read one after the other, so a block that went from thread to thread meanwhile
    /// may be missing: never less than nothing.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.freed_bytes)
    }

    /// Objects that are alive.
    #[must_use]
    pub fn live_objects(&self) -> u64 {
        self.allocated_objects.saturating_sub(self.freed_objects)
    }
}

/// A block for which glibc has made a mapping of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargeBlock {
    /// Its address.
    pub address: u64,
    /// Its bytes.
    pub bytes: u64,
}

impl LargeBlock {
    /// Where in a file they stand.
    pub const AT: u64 = at::LARGE_AT as u64;
    /// How many bytes of it are to be read for [`LargeBlock::read`].
    pub const TABLE_BYTES: usize = at::LARGE * at::LARGE_BYTES;

    /// Those in a table, the bytes of a file from [`LargeBlock::AT`] on.
    #[must_use]
    pub fn read(table: &[u8]) -> Vec<Self> {
        let fields = Fields(table);
        let block = |place| {
            let address = fields.long(place + at::LARGE_ADDRESS);
            // One that is being written has an address that no block has.
            (address > 1).then(|| Self { address, bytes: fields.long(place + at::LARGE_SIZE) })
        };
        (0..table.len() / at::LARGE_BYTES).filter_map(|entry| block(entry * at::LARGE_BYTES)).collect()
    }
}

/// Where an allocator that is not glibc's has its memory: what it mapped for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Where it begins.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
}

impl Mapping {
    /// Where in a file they stand.
    pub const AT: u64 = (at::MAPPINGS_AT + at::STRETCHES_IN_MAPPINGS) as u64;
    /// How many bytes of it are to be read for [`Mapping::read`].
    pub const TABLE_BYTES: usize = at::STRETCHES * at::STRETCH_BYTES;

    /// Those in a table, the bytes of a file from [`Mapping::AT`] on.
    #[must_use]
    pub fn read(table: &[u8]) -> Vec<Self> {
        let fields = Fields(table);
        let mapping =
            |place| Self { start: fields.long(place + at::STRETCH_START), end: fields.long(place + at::STRETCH_END) };
        let all = (0..table.len() / at::STRETCH_BYTES).map(|entry| mapping(entry * at::STRETCH_BYTES));
        all.filter(|mapping| mapping.start < mapping.end).collect()
    }
}

/// A sample that is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survivor {
    /// Bytes of the object.
    pub size: u64,
    /// The number of its stack in [`Snapshot::stacks`].
    pub stack: usize,
    /// When it was allocated, milliseconds since counting began.
    pub birth_ms: u32,
}

/// A stack, and what its samples stand for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stack {
    /// Return addresses, the innermost first.
    pub frames: Vec<u64>,
    /// Bytes allocated there.
    pub allocated_bytes: u64,
    /// Objects allocated there.
    pub allocated_objects: f64,
    /// Bytes of them that were freed.
    pub freed_bytes: u64,
    /// Objects of them that were freed.
    pub freed_objects: f64,
    /// Nanoseconds in the calls that allocated and freed them; 0 where that is not known. Times were taken of some, and
    /// stand for all.
    pub allocator_ns: f64,
    /// Samples taken.
    pub samples: u64,
    /// When the first was taken, milliseconds since counting began.
    pub first_ms: u32,
}

/// All that a file says at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The counters.
    pub counts: Counts,
    /// When counting began, nanoseconds of `CLOCK_MONOTONIC`.
    pub start_ns: u64,
    /// The stacks.
    pub stacks: Vec<Stack>,
    /// The samples that are alive.
    pub survivors: Vec<Survivor>,
}

impl Snapshot {
    /// Reads a whole file.
    ///
    /// # Errors
    /// It is not a file of the library.
    pub fn read(file: &[u8]) -> Result<Self, NotRead> {
        let fields = Fields::of(file, at::FILE_BYTES)?;
        let counts = Counts::read(file)?;
        let used = (fields.word(at::STACKS_USED_AT) as usize).min(at::STACKS);
        let stacks = (0..used).map(|stack| fields.stack(at::STACKS_AT + stack * at::STACK_BYTES)).collect();
        let samples = (0..at::SAMPLES).map(|sample| at::SAMPLES_AT + sample * at::SAMPLE_BYTES);
        let survivors = samples.filter_map(|sample| fields.survivor(sample, used)).collect();
        Ok(Self { counts, start_ns: fields.long(at::START_AT), stacks, survivors })
    }

    /// How many objects `survivor` stands for.
    #[must_use]
    pub fn objects(&self, survivor: &Survivor) -> f64 {
        gaps::objects(survivor.size, self.counts.sample_every)
    }
}

/// The bytes of a file, long enough for what is read of them.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(file: &'a [u8], wanted: usize) -> Result<Self, NotRead> {
        if file.len() < wanted {
            return Err(NotRead::Short { found: file.len(), wanted });
        }
        let fields = Self(file);
        if fields.long(at::MAGIC_AT) != at::MAGIC {
            return Err(NotRead::NoMagic);
        }
        match fields.word(at::VERSION_AT) {
            at::VERSION => Ok(fields),
            found => Err(NotRead::Version { found }),
        }
    }

    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
    }

    fn long(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn stack(&self, at: usize) -> Stack {
        let parts = at::OBJECT_PARTS as f64;
        let depth = (self.word(at + at::STACK_DEPTH) as usize).min(at::FRAMES_MAX);
        let objects = |field: usize| self.long(at + field) as f64 / parts;
        let time = |nanoseconds: usize, timed: usize, all: usize| {
            let timed = objects(timed);
            // What the clock takes was taken off, of short calls too much now and then.
            let nanoseconds = self.long(at + nanoseconds).cast_signed().max(0) as f64;
            if timed > 0.0 { nanoseconds / timed * objects(all) } else { 0.0 }
        };
        let allocating = time(at::STACK_ALLOCATING_NS, at::STACK_TIMED_OBJECTS, at::STACK_ALLOCATED_OBJECTS);
        let freeing = time(at::STACK_FREEING_NS, at::STACK_TIMED_FREES, at::STACK_FREED_OBJECTS);
        Stack {
            allocator_ns: allocating + freeing,
            frames: (0..depth).map(|frame| self.long(at + at::STACK_FRAMES + frame * 8)).collect(),
            allocated_bytes: self.long(at + at::STACK_ALLOCATED_BYTES),
            allocated_objects: objects(at::STACK_ALLOCATED_OBJECTS),
            freed_bytes: self.long(at + at::STACK_FREED_BYTES),
            freed_objects: objects(at::STACK_FREED_OBJECTS),
            samples: self.long(at + at::STACK_SAMPLES),
            first_ms: self.word(at + at::STACK_FIRST),
        }
    }

    /// None where there is none, or where it was read while it was written.
    fn survivor(&self, at: usize, stacks: usize) -> Option<Survivor> {
        let address = self.long(at + at::SAMPLE_ADDRESS);
        let size = self.long(at + at::SAMPLE_SIZE);
        let stack = self.word(at + at::SAMPLE_STACK);
        let birth_ms = self.word(at + at::SAMPLE_BIRTH);
        let is_whole = address != 0 && at::check(address, size, stack, birth_ms) == self.long(at + at::SAMPLE_CHECK);
        let stack = usize::try_from(stack).ok().filter(|stack| *stack < stacks)?;
        is_whole.then_some(Survivor { size, stack, birth_ms })
    }
}
