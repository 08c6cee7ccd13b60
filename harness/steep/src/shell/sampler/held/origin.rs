//! Whose a process is, and since when it runs: what tells its memory from that of others.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::shell::clock::Moment;
use steep_core::trace::ProcessId;

/// The user whom process `pid` runs as.
#[must_use]
pub fn user_of(pid: u32) -> Option<u32> {
    Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}

/// When a process started, in seconds since 1970; by the clock as it is now.
#[must_use]
pub fn started_unix_s(process: ProcessId) -> i64 {
    let per_second = rustix::param::clock_ticks_per_second();
    let age_s = Moment::now().since_boot.as_secs().saturating_sub(process.start_ticks / per_second);
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now_s.saturating_sub(age_s)).unwrap_or(i64::MAX)
}
