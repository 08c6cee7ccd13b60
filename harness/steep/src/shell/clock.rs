//! The clocks of this host: the monotonic one that samples are timed by, the one that also counts sleep, the wall
//! clock.

use std::time::{Duration, SystemTime};

use jiff::Zoned;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// One moment on both clocks that never go backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since some fixed moment, standing still while the host sleeps.
    pub monotonic: Duration,
    /// Since boot, going on while the host sleeps.
    pub since_boot: Duration,
}

impl Moment {
    /// Reads both clocks.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(target_os = "linux")]
        let boot_clock = ClockId::Boottime;
        // Elsewhere a sleep is not seen.
        #[cfg(not(target_os = "linux"))]
        let boot_clock = ClockId::Monotonic;
        Self { monotonic: duration(clock_gettime(ClockId::Monotonic)), since_boot: duration(clock_gettime(boot_clock)) }
    }

    /// How long the host slept between `earlier` and here. Some microseconds when it did not, for the two clocks are
    /// read one after the other.
    #[must_use]
    pub fn slept_since(&self, earlier: &Self) -> Duration {
        let by_boot = self.since_boot.saturating_sub(earlier.since_boot);
        by_boot.saturating_sub(self.monotonic.saturating_sub(earlier.monotonic))
    }
}

/// The wall clock in RFC 3339 with milliseconds, in UTC: `2026-07-14T03:00:00.125Z`.
#[must_use]
pub fn wall_clock() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The wall clock in the time zone of this host.
#[must_use]
pub fn local_clock() -> Zoned {
    Zoned::now()
}

/// CPU time of this process, user and system.
#[must_use]
pub fn own_cpu() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

/// CPU time of this thread: what something cost, however busy the host was meanwhile.
#[must_use]
pub fn thread_cpu() -> Duration {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

fn duration(time: Timespec) -> Duration {
    // Neither is negative: these clocks begin at zero.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_what_one_clock_counts_and_the_other_does_not() {
        let at = |monotonic, since_boot| Moment {
            monotonic: Duration::from_secs(monotonic),
            since_boot: Duration::from_secs(since_boot),
        };
        assert_eq!(at(20, 7220).slept_since(&at(10, 110)), Duration::from_secs(7100));
        assert_eq!(at(20, 120).slept_since(&at(10, 110)), Duration::ZERO);
        assert_eq!(at(20, 120).slept_since(&at(10, 111)), Duration::ZERO);
    }

    #[test]
    fn the_clocks_go_on() {
        let earlier = Moment::now();
        assert!(Moment::now().monotonic >= earlier.monotonic);
        assert!(wall_clock().ends_with('Z'));
    }
}
