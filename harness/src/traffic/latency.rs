//! How long requests took: from their due times, from sending, and how late they were sent. Histograms of fixed size
//! (HDR, 1 µs to 1 h), so that a soak of days needs no more memory than one of a minute. Pure.

use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use crate::trace::Percentiles;
use crate::units::SinceStart;

/// Anything longer is counted as this long: one hour, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;

/// Significant digits of the histograms of a whole cell, whose percentiles are compared between cells.
const DIGITS: u8 = 3;

/// Significant digits of the histograms of one second: a tenth of the memory to clear and to walk each second.
const INTERVAL_DIGITS: u8 = 2;

/// How finely the due times of unanswered requests are kept: this many steps over the load.
const UNANSWERED_STEPS: usize = 1024;

/// All times of a cell.
#[derive(Debug)]
pub struct Latencies {
    requests: Vec<RequestLatency>,
    lateness: Histogram<u64>,
    interval_lateness: Histogram<u32>,
    step: Duration,
}

/// The times of one kind of request.
#[derive(Debug)]
struct RequestLatency {
    from_due: Histogram<u64>,
    from_sent: Histogram<u64>,
    interval: Histogram<u32>,
    unanswered: Box<[u64; UNANSWERED_STEPS]>,
}

/// Percentiles of a whole cell, by kind of request where there are several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// From the due time to the end of the answer, over all due requests. What was missed, dropped or failed without an
    /// answer counts as unanswered until the end of the cell: the shortest time that is certainly not too long.
    pub latency: Vec<Percentiles>,
    /// From sending to the end of the answer, of those answered.
    pub service_time: Vec<Percentiles>,
    /// From the due time until the driver turned to the request, of those sent.
    pub lateness: Percentiles,
}

fn histogram<C: Counter>(digits: u8) -> Histogram<C> {
    Histogram::new_with_bounds(1, LONGEST_US, digits).expect("1 µs to 1 h with 2 or 3 digits is a valid range")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(LONGEST_US)
}

fn percentiles<C: Counter>(times: &Histogram<C>) -> Percentiles {
    Percentiles {
        count: times.len(),
        p50_us: times.value_at_quantile(0.5),
        p90_us: times.value_at_quantile(0.9),
        p99_us: times.value_at_quantile(0.99),
        p999_us: times.value_at_quantile(0.999),
        max_us: times.max(),
    }
}

impl Latencies {
    /// Nothing yet, of `requests` kinds of request, in a load that is to end at `load_end`.
    #[must_use]
    pub fn new(requests: usize, load_end: SinceStart) -> Self {
        let of_one = || RequestLatency {
            from_due: histogram(DIGITS),
            from_sent: histogram(DIGITS),
            interval: histogram(INTERVAL_DIGITS),
            unanswered: Box::new([0; UNANSWERED_STEPS]),
        };
        Self {
            requests: (0..requests).map(|_| of_one()).collect(),
            lateness: histogram(DIGITS),
            interval_lateness: histogram(INTERVAL_DIGITS),
            step: (load_end.elapsed() / UNANSWERED_STEPS as u32).max(Duration::from_nanos(1)),
        }
    }

    /// A request was sent so long after it was due.
    pub fn sent(&mut self, lateness: Duration) {
        let lateness = micros(lateness);
        self.lateness.saturating_record(lateness);
        self.interval_lateness.saturating_record(lateness);
    }

    /// A request was answered, so long after it was due and so long after it was sent.
    pub fn answered(&mut self, request: usize, since_due: Duration, since_sent: Duration) {
        let times = &mut self.requests[request];
        let latency = micros(since_due);
        times.from_due.saturating_record(latency);
        times.interval.saturating_record(latency);
        times.from_sent.saturating_record(micros(since_sent));
    }

    /// A request that was due then will never be answered.
    pub fn unanswered(&mut self, request: usize, due: SinceStart) {
        let step = (due.elapsed().as_nanos() / self.step.as_nanos()).min(UNANSWERED_STEPS as u128 - 1);
        self.requests[request].unanswered[step as usize] += 1;
    }

    /// Latency by kind of request, and lateness, since this was last asked.
    pub fn take_interval(&mut self) -> (Vec<Percentiles>, Percentiles) {
        let lateness = percentiles(&self.interval_lateness);
        self.interval_lateness.reset();
        let of_one = |times: &mut RequestLatency| {
            let latency = percentiles(&times.interval);
            if latency.count > 0 {
                times.interval.reset();
            }
            latency
        };
        (self.requests.iter_mut().map(of_one).collect(), lateness)
    }

    /// The percentiles of the cell, which ends now.
    #[must_use]
    pub fn finish(mut self, end: SinceStart) -> Times {
        let (step, mut step_end) = (self.step, SinceStart::ZERO);
        for step_index in 0..UNANSWERED_STEPS {
            // The end of the step and not its start: rather too short a time than too long a one.
            step_end = step_end + step;
            let waited = micros(end.since(step_end));
            for times in &mut self.requests {
                let count = times.unanswered[step_index];
                // Recording none would still raise the largest.
                if count > 0 {
                    times.from_due.saturating_record_n(waited, count);
                }
            }
        }
        Times {
            latency: self.requests.iter().map(|times| percentiles(&times.from_due)).collect(),
            service_time: self.requests.iter().map(|times| percentiles(&times.from_sent)).collect(),
            lateness: percentiles(&self.lateness),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn what_was_never_answered_counts_as_waiting_until_the_end() {
        let mut latencies = Latencies::new(1, SinceStart::from_secs_f64(20.0));
        for _ in 0..950 {
            latencies.answered(0, ms(2), ms(1));
        }
        for _ in 0..50 {
            latencies.unanswered(0, SinceStart::from_secs_f64(5.0));
        }
        let times = latencies.finish(SinceStart::from_secs_f64(20.0));
        let (latency, service_time) = (times.latency[0], times.service_time[0]);
        assert_eq!((latency.count, service_time.count), (1000, 950));
        assert!((1_999..=2_001).contains(&latency.p50_us), "{latency:?}");
        // 15 s, less at most a step of 20 ms, in buckets of 0.1 %.
        assert!((14_960_000..=15_015_000).contains(&latency.p99_us), "{latency:?}");
        assert!(service_time.max_us <= 1_001, "{service_time:?}");
    }

    #[test]
    fn an_interval_holds_what_came_since_the_one_before() {
        let mut latencies = Latencies::new(2, SinceStart::from_secs_f64(1.0));
        latencies.sent(ms(1));
        latencies.answered(1, ms(5), ms(4));
        let (latency, lateness) = latencies.take_interval();
        assert_eq!((latency[0].count, latency[1].count, lateness.count), (0, 1, 1));
        let (latency, lateness) = latencies.take_interval();
        assert_eq!((latency[1], lateness), (Percentiles::default(), Percentiles::default()));
        let times = latencies.finish(SinceStart::from_secs_f64(1.0));
        assert_eq!((times.latency[1].count, times.lateness.count), (1, 1));
        assert!((5_000..5_010).contains(&times.latency[1].max_us), "{:?}", times.latency[1]);
    }

    #[test]
    fn times_beyond_an_hour_are_counted_as_an_hour() {
        let mut latencies = Latencies::new(1, SinceStart::from_secs_f64(1.0));
        latencies.answered(0, Duration::from_secs(100_000), ms(1));
        latencies.unanswered(0, SinceStart::from_secs_f64(1e6));
        let latency = latencies.finish(SinceStart::from_secs_f64(1e7)).latency[0];
        assert_eq!(latency.count, 2);
        assert!(latency.p50_us >= LONGEST_US && latency.p50_us < LONGEST_US + LONGEST_US / 100, "{latency:?}");
    }
}
