//! What builds and cells take beside their load: estimated at first, afterwards as long as the longest so far.

use std::time::Duration;

use crate::plan::{BUILD, OVERHEAD};

/// What builds and cells take, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    build: Option<Duration>,
    around: Option<Duration>,
}

impl Pace {
    /// Takes note of how long a build took.
    pub fn saw_build(&mut self, took: Duration) {
        self.build = self.build.max(Some(took));
    }

    /// Takes note of how long a cell took whose load lasted for `load`.
    pub fn saw_cell(&mut self, took: Duration, load: Duration) {
        self.around = self.around.max(Some(took.saturating_sub(load)));
    }

    /// What a build is expected to take.
    #[must_use]
    pub fn build(&self) -> Duration {
        self.build.unwrap_or(BUILD)
    }

    /// What a cell is expected to take from before its build, where it needs one, until its service is gone.
    #[must_use]
    pub fn cell(&self, load: Duration, must_be_built: bool) -> Duration {
        let build = if must_be_built { self.build() } else { Duration::ZERO };
        build + load + self.around.unwrap_or_default().max(OVERHEAD)
    }
}
