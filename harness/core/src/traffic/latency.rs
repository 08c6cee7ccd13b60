//! How long requests took: from their due times, from sending, and how late they were sent. Histograms of fixed size
//! (HDR, 1 µs to 1 h), so that a soak of days needs no more memory than one of a minute. Pure.
//!
//! Every due request is in the latency once. What was never answered (missed, dropped, failed without an answer) counts
//! as having waited for the request timeout, or longer where it did: that is when a client gives up, the figure does
//! not depend on how long the soak goes on, and it is known at once, so that seconds, log and cell agree.

use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use crate::trace::{Percentiles, Slower};
use steep_judge::units::SinceStart;

/// Anything longer is counted as this long: one hour, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;

/// Significant digits of the histograms of a whole cell, whose percentiles are compared between cells.
const DIGITS: u8 = 3;

/// Significant digits of the histograms of one second: a tenth of the memory to clear and to walk each second.
const INTERVAL_DIGITS: u8 = 2;

/// All times of a cell.
#[derive(Debug)]
pub struct Latencies {
    requests: Vec<RequestLatency>,
    lateness: Histogram<u64>,
    interval_lateness: Histogram<u32>,
    interval_start: SinceStart,
    request_timeout: Duration,
    limits: Vec<(LatencyLimit, Slower)>,
}

/// A time that is not to be exceeded by more than some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyLimit {
    /// Of this kind of request; none: of all.
    pub request: Option<usize>,
    /// The time.
    pub limit: Duration,
}

/// The times of one kind of request.
#[derive(Debug)]
struct RequestLatency {
    from_due: Histogram<u64>,
    from_sent: Histogram<u64>,
    interval: IntervalTimes,
}

/// The times of one kind of request in an interval, in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalTimes {
    /// From the due time.
    pub latency: Histogram<u32>,
    /// From sending.
    pub service_time: Histogram<u32>,
}

/// What ended in an interval, in full resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Its beginning.
    pub start: SinceStart,
    /// Its end.
    pub end: SinceStart,
    /// By kind of request; none where nothing ended.
    pub requests: Vec<Option<IntervalTimes>>,
    /// How late the driver was; none where nothing was sent.
    pub lateness: Option<Histogram<u32>>,
}

/// Percentiles of a whole cell, by kind of request where there are several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// From the due time to the end of the answer, over all due requests.
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

/// What `times` holds; leaves none in it.
fn taken(times: &mut Histogram<u32>) -> Option<Histogram<u32>> {
    (!times.is_empty()).then(|| std::mem::replace(times, histogram(INTERVAL_DIGITS)))
}

/// Adds `later` to `times`.
fn add(times: &mut Histogram<u32>, later: &Histogram<u32>) {
    times.add(later).expect("all intervals have one range");
}

impl IntervalTimes {
    fn new() -> Self {
        Self { latency: histogram(INTERVAL_DIGITS), service_time: histogram(INTERVAL_DIGITS) }
    }
}

impl Interval {
    /// Goes on to the end of `later`.
    pub fn join(&mut self, later: Self) {
        self.end = later.end;
        match (self.lateness.as_mut(), later.lateness) {
            (Some(lateness), Some(later)) => add(lateness, &later),
            (None, later) => self.lateness = later,
            (Some(_), None) => {}
        }
        for (times, later) in self.requests.iter_mut().zip(later.requests) {
            match (times.as_mut(), later) {
                (Some(times), Some(later)) => {
                    add(&mut times.latency, &later.latency);
                    add(&mut times.service_time, &later.service_time);
                }
                (None, later) => *times = later,
                (Some(_), None) => {}
            }
        }
    }

    /// Latency by kind of request.
    pub fn latency(&self) -> impl Iterator<Item = Percentiles> {
        self.requests.iter().map(|times| times.as_ref().map_or_else(Percentiles::default, |t| percentiles(&t.latency)))
    }

    /// How late the driver was.
    #[must_use]
    pub fn lateness(&self) -> Percentiles {
        self.lateness.as_ref().map_or_else(Percentiles::default, percentiles)
    }
}

impl Latencies {
    /// Nothing yet, of `requests` kinds of request that a client gives up after `request_timeout`. For each of `limits`
    /// it is counted how many took longer.
    #[must_use]
    pub fn new(requests: usize, request_timeout: Duration, limits: Vec<LatencyLimit>) -> Self {
        let of_one = || RequestLatency {
            from_due: histogram(DIGITS),
            from_sent: histogram(DIGITS),
            interval: IntervalTimes::new(),
        };
        Self {
            requests: (0..requests).map(|_| of_one()).collect(),
            lateness: histogram(DIGITS),
            interval_lateness: histogram(INTERVAL_DIGITS),
            interval_start: SinceStart::ZERO,
            request_timeout,
            limits: limits.into_iter().map(|limit| (limit, Slower::default())).collect(),
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
        let (latency, service_time) = (micros(since_due), micros(since_sent));
        times.from_due.saturating_record(latency);
        times.interval.latency.saturating_record(latency);
        times.from_sent.saturating_record(service_time);
        times.interval.service_time.saturating_record(service_time);
    }

    /// A request will never be answered, which is known so long after it was due.
    pub fn unanswered(&mut self, request: usize, since_due: Duration) {
        let times = &mut self.requests[request];
        let waited = micros(since_due.max(self.request_timeout));
        times.from_due.saturating_record(waited);
        times.interval.latency.saturating_record(waited);
    }

    /// What ended since this was last asked.
    pub fn take_interval(&mut self, now: SinceStart) -> Interval {
        let of_one = |times: &mut RequestLatency| {
            let latency = taken(&mut times.interval.latency)?;
            let service_time = std::mem::replace(&mut times.interval.service_time, histogram(INTERVAL_DIGITS));
            Some(IntervalTimes { latency, service_time })
        };
        let interval = Interval {
            start: std::mem::replace(&mut self.interval_start, now),
            end: now,
            requests: self.requests.iter_mut().map(of_one).collect(),
            lateness: taken(&mut self.interval_lateness),
        };
        for (limit, slower) in &mut self.limits {
            let of_all = interval.requests.iter().enumerate();
            let of_limit = of_all.filter(|(kind, _)| limit.request.is_none_or(|request| request == *kind));
            for times in of_limit.filter_map(|(_, times)| times.as_ref()) {
                slower.of += times.latency.len();
                slower.slower += times.latency.count_between(micros(limit.limit) + 1, u64::MAX);
            }
        }
        interval
    }

    /// How many requests took longer than each limit, of how many, up to the last interval taken.
    pub fn slower(&self) -> impl Iterator<Item = Slower> {
        self.limits.iter().map(|(_, slower)| *slower)
    }

    /// The percentiles of the cell.
    #[must_use]
    pub fn times(&self) -> Times {
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

    fn at(seconds: f64) -> SinceStart {
        SinceStart::from_secs_f64(seconds)
    }

    #[test]
    fn what_was_never_answered_counts_as_waiting_until_a_client_gives_up() {
        let mut latencies = Latencies::new(1, ms(10_000), Vec::new());
        for _ in 0..950 {
            latencies.answered(0, ms(2), ms(1));
        }
        // Dropped at once; and one that waited for a connection before it was sent.
        (0..49).for_each(|_| latencies.unanswered(0, ms(0)));
        latencies.unanswered(0, ms(13_000));
        let times = latencies.times();
        let (latency, service_time) = (times.latency[0], times.service_time[0]);
        assert_eq!((latency.count, service_time.count), (1000, 950));
        assert!((1_999..=2_001).contains(&latency.p50_us), "{latency:?}");
        assert!((10_000_000..=10_010_000).contains(&latency.p99_us), "{latency:?}");
        assert!((13_000_000..=13_010_000).contains(&latency.max_us), "{latency:?}");
        assert!(service_time.max_us <= 1_001, "{service_time:?}");
    }

    #[test]
    fn an_interval_holds_what_came_since_the_one_before() {
        let mut latencies = Latencies::new(2, ms(1), Vec::new());
        latencies.sent(ms(1));
        latencies.answered(1, ms(5), ms(4));
        let first = latencies.take_interval(at(1.0));
        let counts: Vec<u64> = first.latency().map(|latency| latency.count).collect();
        assert_eq!((counts, first.lateness().count, first.start), (vec![0, 1], 1, SinceStart::ZERO));
        let second = latencies.take_interval(at(2.0));
        assert_eq!((second.start, second.requests.clone(), second.lateness.clone()), (at(1.0), vec![None, None], None));
        let times = latencies.times();
        assert_eq!((times.latency[1].count, times.lateness.count), (1, 1));
        assert!((5_000..5_010).contains(&times.latency[1].max_us), "{:?}", times.latency[1]);
    }

    #[test]
    fn intervals_that_are_joined_lose_nothing() {
        let mut latencies = Latencies::new(2, ms(1), Vec::new());
        let mut joined = latencies.take_interval(at(1.0));
        for second in 2..5_u32 {
            latencies.sent(ms(1));
            latencies.answered(0, ms(5), ms(4));
            latencies.unanswered(1, ms(7));
            joined.join(latencies.take_interval(at(second.into())));
        }
        let counts: Vec<u64> = joined.latency().map(|latency| latency.count).collect();
        assert_eq!((counts, joined.lateness().count), (vec![3, 3], 3));
        let answered = |kind: usize| joined.requests[kind].as_ref().map(|times| times.service_time.len());
        assert_eq!((answered(0), answered(1)), (Some(3), Some(0)));
        assert_eq!((joined.start, joined.end), (SinceStart::ZERO, at(4.0)));
    }

    #[test]
    fn what_is_slower_than_a_limit_is_counted_over_all_intervals() {
        let of = |request| LatencyLimit { request, limit: ms(50) };
        let mut latencies = Latencies::new(2, ms(1000), vec![of(None), of(Some(1))]);
        for second in 1..=3_u32 {
            latencies.answered(0, ms(20), ms(20));
            latencies.answered(1, ms(60), ms(60));
            latencies.unanswered(1, ms(0));
            latencies.take_interval(at(second.into()));
        }
        let slower: Vec<Slower> = latencies.slower().collect();
        assert_eq!(slower, [Slower { of: 9, slower: 6 }, Slower { of: 6, slower: 6 }]);
    }

    #[test]
    fn times_beyond_an_hour_are_counted_as_an_hour() {
        let mut latencies = Latencies::new(1, Duration::from_secs(1_000_000), Vec::new());
        latencies.answered(0, Duration::from_secs(100_000), ms(1));
        latencies.unanswered(0, ms(1));
        let latency = latencies.times().latency[0];
        assert_eq!(latency.count, 2);
        assert!(latency.p50_us >= LONGEST_US && latency.p50_us < LONGEST_US + LONGEST_US / 100, "{latency:?}");
    }
}
