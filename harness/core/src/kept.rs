//! What a program keeps, by the stacks that allocated it: from snapshots of the sampled survivors to the line of code
//! that a growth belongs to.
//!
//! Pure. A [`Series`] holds what each stack had alive at each snapshot; [`growth`] says how much of that grows for each
//! request, with its interval; [`causes`] groups what grows by the frame that keeps it; [`chains`] is what cells are
//! compared by; [`places`] what is allocated most, and what lives long. [`pprof`] and [`folded`] write it for the tools
//! of others; [`ending`] says who held what at the end.

mod age;
mod asked_by;
mod causes;
mod chains;
mod container;
mod ending;
mod folded;
mod growth;
mod jemalloc;
mod own_calls;
mod places;
mod pprof;
mod sampling;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::age::{Age, Births};
pub use self::asked_by::{AskedBy, Asker, Survival};
pub(crate) use self::asked_by::{TOGETHER, named};
pub use self::causes::{Cause, causes};
pub(crate) use self::chains::called;
pub use self::chains::chains;
pub use self::ending::{Course, Ending, Holder, each_moment, ending};
pub use self::folded::{Folded, folded};
pub use self::growth::{StackGrowth, growth};
pub use self::jemalloc::{
    HeapProfile, MalformedProfile, Profiling, expected_bytes_between, heap_profile, is_of_allocator, profiled_by,
};
pub use self::places::{HotSpot, LongLived, Place, allocator_us, hot_spots, long_lived};
pub use self::pprof::pprof;
pub use self::sampling::{finely, sample_every, sample_every_in_search};
use steep_judge::units::SinceStart;

/// Version of the file that holds a [`Series`].
pub const SCHEMA: u32 = 1;

/// Equal parts of the steady time, by which survivors are grouped by birth. A third of it is four parts.
pub const PARTS: usize = 12;

/// What the stacks of a service had alive, snapshot by snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Who sampled.
    #[serde(default, skip_serializing_if = "SampledBy::is_library")]
    pub sampled_by: SampledBy,
    /// Mean bytes between two samples.
    pub sample_every_bytes: u64,
    /// Samples for which there was no room.
    pub lost_samples: u64,
    /// The snapshots, in the order of time.
    pub snapshots: Vec<Moment>,
    /// All calls, each once.
    pub frames: Vec<Frame>,
    /// The stacks.
    pub stacks: Vec<Stack>,
    /// The program and the libraries that the stacks lead through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<Module>,
    /// The addresses of the stacks, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Bins of time, in which survivors are counted by their birth; none in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<Bins>,
}

/// Who samples stacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SampledBy {
    /// The library that steep loads into the program.
    #[default]
    Preload,
    /// jemalloc, which the program has, in its heap profiles: nothing is known of births.
    Jemalloc,
}

impl SampledBy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_library(&self) -> bool {
        *self == Self::Preload
    }
}

/// Bins of the time that was watched, and what was asked in each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    /// Where each bin begins, on the cell's clock, and last where the last one ends.
    pub edges_s: Vec<SinceStart>,
    /// Requests of each name that were completed in each bin.
    pub requests: BTreeMap<String, Vec<u64>>,
}

impl Series {
    /// The calls of `stack`, the innermost first.
    #[must_use]
    pub fn frames_of(&self, stack: &Stack) -> Vec<&Frame> {
        stack.frames.iter().filter_map(|frame| self.frames.get(*frame)).collect()
    }
}

/// When a snapshot was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// On the cell's clock.
    pub t_s: SinceStart,
    /// Requests completed until then.
    pub completed: u64,
}

/// A stack, and what it had alive at each snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// Where it leads, as numbers of [`Series::frames`], the innermost first; what the compiler inlined is a call as
    /// well.
    pub frames: Vec<usize>,
    /// Bytes alive, as its samples stand for them.
    pub live_bytes: Vec<f64>,
    /// Bytes allocated so far.
    pub allocated_bytes: Vec<f64>,
    /// The same way in addresses, as numbers of [`Series::calls`]. Where several addresses have the same places in the
    /// source, those of one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<usize>,
    /// Objects allocated so far, at each snapshot as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocated_objects: Vec<f64>,
    /// Nanoseconds spent in the calls that allocated and freed them so far, at each snapshot as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocator_ns: Vec<f64>,
    /// Objects alive at the last snapshot.
    #[serde(default)]
    pub live_objects: f64,
    /// Bytes alive at the last snapshot by their birth: those from before the first one, then of each of [`PARTS`]
    /// equal parts of the time between the two. Empty where nothing is known of births.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub born_bytes: Vec<f64>,
    /// The largest object of those.
    #[serde(default)]
    pub largest_bytes: u64,
    /// Samples alive at the last snapshot by their birth: numbers of [`Series::bins`] in which any were born, and how
    /// many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub born_samples: Vec<(u32, u32)>,
}

impl Stack {
    /// Bytes alive at the last snapshot.
    #[must_use]
    pub fn live_at_the_end(&self) -> f64 {
        self.live_bytes.last().copied().unwrap_or(0.0)
    }
}

/// A program or library, as it is found again.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Module {
    /// Its file.
    pub file: String,
    /// What its linker wrote into it to tell builds apart, in hexadecimal digits; empty where there is nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build_id: String,
    /// Where the code begins, in the addresses of the file itself.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// Where it stands in the file.
    pub offset: u64,
}

/// An address that was called from.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Call {
    /// The number of its module in [`Series::modules`]; none where it is in no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<usize>,
    /// The address of the call: in those of the file, or in the process where it is in no file.
    pub address: u64,
    /// The calls at that address, as numbers of [`Series::frames`]: the innermost first, and more than one where the
    /// compiler inlined.
    pub frames: Vec<usize>,
}

/// One call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// The function, demangled and without a hash; empty where nothing is known of it.
    pub function: String,
    /// Its source file; below the folder of the service relative to it. Empty where nothing is known of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The line; 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line: u32,
    /// Whether it is the program's own code, and not that of a library or the runtime.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_own: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(line: &u32) -> bool {
    *line == 0
}

impl Frame {
    /// The function without the types that it is made for, which are longer than a line.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.function.as_str();
        // `<shop::Sessions>::open` begins with a type, which is whose it is; `{async_block#0}<…>` with none.
        let from = usize::from(name.starts_with('<'));
        name[from..].find('<').filter(|at| *at > 0).map_or(name, |at| &name[..from + at])
    }

    /// `sessions.rs:118` with its folders, or the function where the place is not known.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.file.as_str(), self.line) {
            ("", _) if self.function.is_empty() => "an unknown place".to_owned(),
            ("", _) => self.function.clone(),
            (file, 0) => file.to_owned(),
            (file, line) => format!("{file}:{line}"),
        }
    }
}
