//! What a program keeps, by the stacks that allocated it: from snapshots of the sampled survivors to the line of code
//! that a growth belongs to.
//!
//! Pure. A [`Series`] holds what each stack had alive at each snapshot; [`growth`] says how much of that grows for each
//! request, with its interval; [`causes`] groups what grows by the frame that keeps it; [`chains`] is what cells are
//! compared by; [`ending`] says who held what at the end.

mod causes;
mod chains;
mod ending;
mod growth;

use serde::{Deserialize, Serialize};

pub use self::causes::{Cause, causes};
pub use self::chains::chains;
pub use self::ending::{Course, Ending, Holder, each_moment, ending};
pub use self::growth::{StackGrowth, growth};
use steep_judge::units::SinceStart;

/// Version of the file that holds a [`Series`].
pub const SCHEMA: u32 = 1;

/// What the stacks of a service had alive, snapshot by snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// [`SCHEMA`].
    pub schema: u32,
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
}

/// One call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
