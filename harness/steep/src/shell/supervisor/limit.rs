//! The memory limit of a process that is about to be started, enforced by the kernel.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::shell::cgroups::Cgroup;
use steep_core::trace::LimitedBy;

/// A limit that this process, a supervisor, has set for what it starts.
#[derive(Debug)]
pub struct Limit {
    by: LimitedBy,
    /// What the supervisor itself had before.
    own: Rlimit,
}

impl Limit {
    /// Sets a limit of `bytes`: of `cgroup`, which the process will be in, or where there is none of the data that it
    /// maps, which it inherits.
    pub fn set(bytes: &str, cgroup: Option<&Cgroup>) -> Result<Self, String> {
        let most: u64 = bytes.parse().map_err(|_| format!("`{bytes}` is not a number of bytes"))?;
        let own = getrlimit(Resource::Data);
        if cgroup.is_some_and(|cgroup| cgroup.limit(most).is_ok()) {
            return Ok(Self { by: LimitedBy::Cgroup, own });
        }
        // The soft one, so that the supervisor can take it back: it needs little, but is not what is limited.
        let limit = Rlimit { current: Some(most), maximum: own.maximum };
        setrlimit(Resource::Data, limit).map_err(|error| {
            format!("memory_limit cannot be enforced here, neither by a cgroup nor by RLIMIT_DATA: {error}")
        })?;
        Ok(Self { by: LimitedBy::DataLimit, own })
    }

    /// What is started has it; the supervisor itself does not any more.
    pub fn lift(self) -> LimitedBy {
        if self.by == LimitedBy::DataLimit {
            // Raising the soft limit up to the hard one is always allowed.
            let _ = setrlimit(Resource::Data, self.own);
        }
        self.by
    }
}
