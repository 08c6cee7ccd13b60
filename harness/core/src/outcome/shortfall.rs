//! When load was missing: the times that are looked at to say who was short.

use std::time::Duration;

use crate::trace::Trace;
use steep_judge::units::SinceStart;

/// What is missing now was caused before: the default 512 in flight are filled within this time at 100 requests a
/// second.
const LEAD: Duration = Duration::from_secs(5);

/// Times in which requests were missed, dropped because too many were in flight, or sent too late.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shortfall {
    /// Whether steep itself was late: requests were missed, or sent later than is tolerated.
    pub(super) is_late: bool,
    /// Whether requests were dropped because too many were in flight.
    pub(super) is_crowded: bool,
    /// In order, and apart from each other.
    spans: Vec<(SinceStart, SinceStart)>,
}

impl Shortfall {
    /// Of `trace`, where later than `lateness` is too late.
    pub(super) fn of(trace: &Trace, lateness: Duration) -> Self {
        let mut found = Self::default();
        let mut before = (SinceStart::ZERO, 0, 0);
        for second in trace.seconds() {
            let is_late = second.missed > before.1 || Duration::from_micros(second.late_us) > lateness;
            let is_crowded = second.crowded > before.2;
            if is_late || is_crowded {
                found.add(before.0, second.t_s);
            }
            found.is_late |= is_late;
            found.is_crowded |= is_crowded;
            before = (second.t_s, second.missed, second.crowded);
        }
        found
    }

    fn add(&mut self, from: SinceStart, to: SinceStart) {
        let from = SinceStart::new(from.elapsed().saturating_sub(LEAD));
        match self.spans.last_mut() {
            Some((_, end)) if *end >= from => *end = to,
            _ => self.spans.push((from, to)),
        }
    }

    /// Whether load was missing at some time from `from` to `to`.
    pub(super) fn covers(&self, from: SinceStart, to: SinceStart) -> bool {
        let next = self.spans.partition_point(|(_, end)| *end <= from);
        self.spans.get(next).is_some_and(|(begin, end)| *begin < to || (from == to && *begin <= to && to <= *end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SinceStart {
        SinceStart::new(Duration::from_secs(seconds))
    }

    #[test]
    fn what_led_to_it_belongs_to_it_and_calm_times_do_not() {
        let mut shortfall = Shortfall::default();
        for (from, to) in [(2, 3), (60, 61), (63, 64)] {
            shortfall.add(at(from), at(to));
        }
        assert_eq!(shortfall.spans, [(at(0), at(3)), (at(55), at(64))]);
        assert!(shortfall.covers(at(0), at(1)) && shortfall.covers(at(54), at(56)) && shortfall.covers(at(63), at(70)));
        assert!(!shortfall.covers(at(3), at(55)) && !shortfall.covers(at(64), at(99)));
        assert!(shortfall.covers(at(60), at(60)) && !shortfall.covers(at(20), at(20)));
    }
}
