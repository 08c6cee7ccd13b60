//! A soak under way, as a person follows it: a few lines of text from what was recorded so far, in bounded memory.

mod address;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

pub use self::address::LiveAddress;
use crate::outcome::UnderWay;
use crate::sparkline::sparkline;
use crate::trace::{Counts, PhaseSpan, Record, Sample, Traffic};
use steep_judge::growth::{Growth, Materiality};
use steep_judge::units::{Bytes, SinceStart, duration_text};

/// Bars of the line of memory. At this many each two become one, so that the line always has the whole soak.
const BARS_MAX: usize = 24;

/// What memory does below this is not drawn: a page here and there is no course.
const LEAST_BYTES: f64 = 65_536.0;

/// The rate is that of the last ten seconds, because one second of Poisson traffic says little.
const RATE_OF: Duration = Duration::from_secs(10);

/// Records of traffic that are kept for the rate: there is one a second.
const RECORDS_MAX: usize = 16;

/// A soak so far.
#[derive(Debug)]
pub struct Following {
    total: Duration,
    under_way: UnderWay,
    growth: Option<Growth>,
    /// The line that keeps most of what grows.
    kept_at: Option<String>,
    at: SinceStart,
    phase: String,
    memory: Option<(Bytes, Bytes)>,
    course: Course,
    completed: u64,
    traffic: VecDeque<(SinceStart, Counts)>,
}

impl Following {
    /// A soak of `phases`, `total` long, in which growth is worth finding as `materiality` says.
    #[must_use]
    pub fn new(phases: &[PhaseSpan], materiality: Materiality, total: Duration) -> Self {
        Self {
            total,
            under_way: UnderWay::new(phases, materiality),
            growth: None,
            kept_at: None,
            at: SinceStart::default(),
            phase: String::new(),
            memory: None,
            course: Course::default(),
            completed: 0,
            traffic: VecDeque::new(),
        }
    }

    /// Takes in what is recorded.
    pub fn see(&mut self, record: &Record) {
        self.under_way.see(record);
        match record {
            Record::Sample(sample) => self.sampled(sample),
            Record::Traffic(traffic) => self.loaded(traffic),
            Record::Phase(change) => self.phase.clone_from(&change.phase),
            _ => {}
        }
    }

    fn sampled(&mut self, sample: &Sample) {
        let now = sample.counted().map_or_else(|| sample.memory.judged(), |(_, live)| live.live_bytes);
        self.at = sample.t_s;
        self.memory = Some((self.memory.map_or(now, |(first, _)| first), now));
        self.course.push(now);
        self.completed = sample.completed();
    }

    fn loaded(&mut self, traffic: &Traffic) {
        let mut sum = Counts::default();
        traffic.requests.values().for_each(|counts| sum.add(counts));
        self.traffic.push_back((traffic.t_s, sum));
        let is_old = |at: SinceStart| traffic.t_s.elapsed().saturating_sub(at.elapsed()) > RATE_OF;
        while self.traffic.len() > RECORDS_MAX || self.traffic.len() > 2 && is_old(self.traffic[0].0) {
            self.traffic.pop_front();
        }
    }

    /// Fits what was seen so far. It takes some milliseconds, so that whoever follows says when.
    pub fn fit(&mut self) {
        self.growth = self.under_way.growth();
    }

    /// What grows is kept at this place most of all, by the stacks so far; none: nothing grows for sure.
    pub fn keeps_at(&mut self, place: Option<&str>) {
        self.kept_at = place.map(|place| format!("kept at {place}"));
    }

    /// Where what grows is kept most of all; empty where it is not known.
    #[must_use]
    pub fn kept_at(&self) -> &str {
        self.kept_at.as_deref().unwrap_or_default()
    }

    /// Where the soak is, and how its load comes.
    #[must_use]
    pub fn place(&self) -> String {
        let left = self.total.saturating_sub(self.at.elapsed());
        let mut text = format!("{}, {} left", self.phase, duration_text(left));
        if let (Some((from, before)), Some((to, now))) = (self.traffic.front(), self.traffic.back()) {
            let seconds = to.as_secs_f64() - from.as_secs_f64();
            if seconds > 0.0 {
                let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / seconds;
                let (sent, due) = (rate(before.sent, now.sent), rate(before.due, now.due));
                let _ = write!(text, ", {sent:.0} of {due:.0} requests/s, {} answered", self.completed);
            }
            if now.failed() > 0 {
                let _ = write!(text, ", {} failed", now.failed());
            }
        }
        text
    }

    /// What memory does.
    #[must_use]
    pub fn memory(&self) -> String {
        let Some((first, now)) = self.memory else { return String::new() };
        let grown = match now.get().checked_sub(first.get()) {
            Some(grown) => format!("+{}", Bytes::new(grown)),
            None => format!("-{}", first.saturating_sub(now)),
        };
        let mut text = format!("{} {now} ({grown})", self.course.drawn());
        if let Some(growth) = &self.growth {
            let _ = write!(text, ", so far {}", growth.amount());
        }
        text
    }
}

/// A course of any length in a bounded number of bars.
#[derive(Debug)]
struct Course {
    bars: Vec<f64>,
    /// Samples of each bar.
    per_bar: u32,
    /// Those of the bar to come: their sum, and how many there are.
    begun: (f64, u32),
}

impl Default for Course {
    fn default() -> Self {
        Self { bars: Vec::with_capacity(BARS_MAX), per_bar: 1, begun: (0.0, 0) }
    }
}

impl Course {
    fn push(&mut self, bytes: Bytes) {
        self.begun = (self.begun.0 + bytes.get() as f64, self.begun.1 + 1);
        if self.begun.1 < self.per_bar {
            return;
        }
        self.bars.push(self.begun.0 / f64::from(self.begun.1));
        self.begun = (0.0, 0);
        if self.bars.len() == BARS_MAX {
            self.bars = self.bars.chunks_exact(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect();
            self.per_bar = self.per_bar.saturating_mul(2);
        }
    }

    fn drawn(&self) -> String {
        sparkline(self.bars.iter().copied().map(Some), LEAST_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::materiality;
    use crate::sim::{SimService, soak};
    use crate::testing::{decoded, sound};

    /// What is said after the first `seconds` of a soak of `service`.
    fn said(service: &SimService, seconds: u64) -> (String, String) {
        let scenario = decoded(&sound("1h", ""));
        let trace = soak(&scenario, service, &[]).expect("a trace");
        let mut following =
            Following::new(&trace.header.phases, materiality(&trace.header.judge), scenario.soak_duration());
        let is_over = |at: SinceStart| at.elapsed().as_secs() <= seconds;
        for sample in trace.samples.iter().filter(|sample| is_over(sample.t_s)) {
            following.see(&Record::Sample(sample.clone()));
        }
        for traffic in trace.traffic.iter().filter(|traffic| is_over(traffic.t_s)) {
            following.see(&Record::Traffic(traffic.clone()));
        }
        following.fit();
        (following.place(), following.memory())
    }

    #[test]
    fn a_leak_climbs_and_its_growth_firms_up() {
        let leaking = SimService { leak_per_request: 65_536.0, ..SimService::default() };
        let (place, memory) = said(&leaking, 600);
        assert!(place.contains("50m left") && place.contains(" requests/s, ") && !place.contains("failed"), "{place}");
        assert!(memory.starts_with('▁') && memory.contains('█'), "{memory}");
        assert!(memory.contains(", so far 6") && memory.ends_with(" KiB per request"), "{memory}");
        let (_, before) = said(&leaking, 20);
        assert!(!before.contains("so far"), "nothing is fitted yet: {before}");
    }

    #[test]
    fn the_line_that_grows_most_is_not_known_at_first() {
        let scenario = decoded(&sound("1h", ""));
        let trace = soak(&scenario, &SimService::default(), &[]).expect("a trace");
        let mut following =
            Following::new(&trace.header.phases, materiality(&trace.header.judge), scenario.soak_duration());
        assert_eq!(following.kept_at(), "");
        following.keeps_at(Some("src/sessions.rs:41 (83 %)"));
        assert_eq!(following.kept_at(), "kept at src/sessions.rs:41 (83 %)");
        following.keeps_at(None);
        assert_eq!(following.kept_at(), "");
    }

    #[test]
    fn a_course_of_any_length_is_bounded_and_keeps_its_ends() {
        let mut course = Course::default();
        for index in 0..10_000 {
            course.push(Bytes::mib(index));
        }
        let bars = course.drawn().chars().count();
        assert!((BARS_MAX / 2..BARS_MAX).contains(&bars), "{bars}");
        assert!(course.drawn().starts_with('▁') && course.drawn().ends_with('█'));
    }
}
