//! Which requests keep what grows: live bytes against the completed requests of each name, the connections that were
//! opened, and time.

mod excursions;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use self::excursions::without_excursions;

use super::counters::{Counter, Of, grouped};
use super::stretches::{LiveReading, live_before, samples_in};
use crate::kept::{TOGETHER, named};
use crate::scenario::Role;
use crate::trace::{Sample, Trace};
use steep_judge::growth::Layer;
use steep_judge::stats::contributions::{Contribution, Contributions, contributions};
use steep_judge::stats::student::quantile;
use steep_judge::units::{BytesPerHour, BytesPerRequest, Estimate, SECONDS_PER_HOUR};

/// More names than this share the traffic of minutes too thinly to be told apart.
const NAMES_MAX: usize = 40;

/// Samples that are used; of a longer soak every second one, every third one, and so on.
const SAMPLES_MAX: usize = 2_000;

/// How often any name may be called sure that keeps nothing. With 0.005, 5 of 200 simulated soaks of ten minutes named
/// somebody where one should.
const FALSE_NAMES: f64 = 0.001;

/// Steps between samples may differ by this share: the levels are taken to be at equal ones.
const UNEVEN: f64 = 0.5;

/// Fewer connections than this are those that a soak begins with, and not work.
const CONNECTIONS_MIN: f64 = 30.0;

/// What is kept for each request in the second half is less than this share of what was in the first: it fades.
const FADED: f64 = 0.7;

/// The difference of two halves is sure beyond this many standard errors (a chance of 1 in 100, one-sided).
const SURELY_LESS: f64 = 2.33;

/// What grows with which requests.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ByRequest {
    /// Each name that was asked, what keeps most for sure first.
    pub requests: Vec<Part>,
    /// What grows with every request, whichever it is; none where some name is sure by itself, or nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_request: Option<Part>,
    /// What grows with each connection that is opened; none where next to none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Part>,
    /// What grows with time alone, whatever is asked.
    pub bytes_per_hour: Estimate<BytesPerHour>,
    /// Whether that is sure.
    pub time_is_sure: bool,
}

/// What the requests of one name keep.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Part {
    /// Its name; of several that always come in the same proportion, as steps of a flow do, all of them.
    pub name: String,
    /// The flow that it is a step of, or all of them are, where it is sent in no other way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Bytes for each, with a 95 % interval.
    pub bytes_per_request: Estimate<BytesPerRequest>,
    /// Whether it keeps anything for sure, all names taken together.
    pub is_sure: bool,
    /// Whether it keeps less and less for each, as a cache does that fills.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fades: bool,
}

/// What `trace` says of it; none where live bytes are not known throughout, the samples are uneven, there is nothing to
/// tell apart, or too little of it.
pub(super) fn by_request(trace: &Trace) -> Option<ByRequest> {
    let samples = steady(trace).filter(|samples| !samples.is_empty())?;
    let nth = samples.len().div_ceil(SAMPLES_MAX);
    let samples: Vec<&Sample> = samples.iter().step_by(nth).collect();
    let moments = moments(trace, &samples)?;
    let levels: Vec<f64> = moments.iter().map(|moment| moment.mean(|reading| reading.bytes)).collect();
    let work: Vec<f64> = samples.iter().map(|sample| sample.completed() as f64).collect();
    let (levels, left_out) = without_excursions(&levels, &work);
    let counters = counters(trace, &samples, &moments)?;
    let counts: Vec<Vec<f64>> = counters.iter().map(|counter| counter.counts.clone()).collect();
    // Of all counters and of time, one may be called sure by chance.
    let shares = Shares::of(&levels, &counts, &work, left_out, counters.len() + 1)?;
    let mut requests = Vec::new();
    let mut connections = None;
    for (place, counter) in counters.into_iter().enumerate() {
        let flow = flow_of(&trace.header.flow_of_steps, &counter.name);
        let part = Part { flow, ..shares.part(place, counter.name) };
        match counter.of {
            Of::Requests => requests.push(part),
            Of::Connections => connections = Some(part),
        }
    }
    let keeps = |part: &Part| (part.is_sure, part.bytes_per_request.value.get());
    requests.sort_by(|one, other| keeps(other).partial_cmp(&keeps(one)).unwrap_or(std::cmp::Ordering::Equal));
    let every_request = if requests.iter().any(|part| part.is_sure) {
        None
    } else {
        let all = moments.iter().map(|moment| moment.mean(|reading| reading.completed as f64)).collect();
        Shares::of(&levels, &[all], &work, left_out, 1).map(|shares| shares.part(0, "request".to_owned()))
    };
    let (first, last) = (samples.first()?, samples.last()?);
    let hours = (last.t_s.as_secs_f64() - first.t_s.as_secs_f64()) / SECONDS_PER_HOUR;
    let of_time = &shares.found.of_time;
    let bytes_per_hour = shares.interval(of_time).map(|bytes| BytesPerHour::new(bytes / hours));
    let time_is_sure = shares.is_sure(of_time);
    let every_request = every_request.filter(|part| part.is_sure);
    Some(ByRequest { requests, every_request, connections, bytes_per_hour, time_is_sure })
}

/// What counters and time add to levels, and when that is sure.
struct Shares {
    found: Contributions,
    /// Of each counter whether it adds less and less.
    fading: Vec<bool>,
    surely: f64,
    usual: f64,
}

impl Shares {
    /// Of `levels`, of which `left_out` were laid back; any of this `many` may be called sure by chance.
    fn of(levels: &[f64], counts: &[Vec<f64>], work: &[f64], left_out: usize, many: usize) -> Option<Self> {
        let mut found = contributions(levels, counts, work)?;
        // What was laid back says nothing of its own.
        let widened = (levels.len() as f64 / (levels.len() - left_out) as f64).sqrt();
        found.of_counters.iter_mut().chain([&mut found.of_time]).for_each(|part| part.error *= widened);
        let surely = quantile(1.0 - FALSE_NAMES / many as f64, found.freedom);
        let usual = quantile(0.975, found.freedom);
        Some(Self { found, fading: fading(levels, counts, work), surely, usual })
    }

    fn part(&self, place: usize, name: String) -> Part {
        let part = &self.found.of_counters[place];
        let is_sure = self.is_sure(part);
        let fades = is_sure && self.fading.get(place).copied().unwrap_or_default();
        Part { name, flow: None, bytes_per_request: self.interval(part).map(BytesPerRequest::new), is_sure, fades }
    }

    fn interval(&self, part: &Contribution) -> Estimate<f64> {
        let half = self.usual * part.error;
        Estimate { value: part.value, low: part.value - half, high: part.value + half }
    }

    fn is_sure(&self, part: &Contribution) -> bool {
        part.value > self.surely * part.error
    }
}

/// Live bytes from one sample to the next, which are one level: the middle of all that was read, so that what is in
/// flight by chance is the less the more often they are read, and a batch that begins meanwhile is in it or not. These
/// are one reading or two, the requests of which are counted with them.
struct Moment<'t>(Vec<LiveReading<'t>>);

impl<'t> Moment<'t> {
    fn middle(mut readings: Vec<LiveReading<'t>>) -> Self {
        readings.sort_by(|one, other| one.bytes.total_cmp(&other.bytes));
        let (below, above) = (readings.len().saturating_sub(1) / 2, readings.len() / 2);
        Self(readings[below..=above].to_vec())
    }

    fn mean(&self, of: impl Fn(&LiveReading<'_>) -> f64) -> f64 {
        self.0.iter().map(of).sum::<f64>() / self.0.len() as f64
    }

    fn t_s(&self) -> f64 {
        self.mean(|reading| reading.t_s.as_secs_f64())
    }
}

/// The moments that end with each of `samples`; none where one of them has no live bytes.
fn moments<'t>(trace: &'t Trace, samples: &[&'t Sample]) -> Option<Vec<Moment<'t>>> {
    let before = std::iter::once(None).chain(samples.iter().copied().map(Some));
    let moment = |(before, sample): (Option<&'t Sample>, &&'t Sample)| {
        let (_, bytes) = sample.judged(Layer::Live)?;
        let (completed, requests) = (sample.completed(), &sample.requests);
        let last = LiveReading { t_s: sample.t_s, bytes: bytes.as_f64(), completed, requests };
        Some(Moment::middle(live_before(trace, before, sample).chain([last]).collect()))
    };
    before.zip(samples).map(moment).collect()
}

/// What is counted beside the levels of `moments`; none where there is nothing to tell apart, or too much.
fn counters(trace: &Trace, samples: &[&Sample], moments: &[Moment<'_>]) -> Option<Vec<Counter>> {
    let (first, last) = (samples.first()?, samples.last()?);
    let asked = |name: &&String| last.requests.get(*name) > first.requests.get(*name);
    let names: Vec<&String> = last.requests.keys().filter(asked).collect();
    if names.is_empty() || names.len() > NAMES_MAX || !is_even(samples) {
        return None;
    }
    let count = |reading: &LiveReading<'_>, name: &String| reading.requests.get(name).copied().unwrap_or(0) as f64;
    let of_name = |name: &&String| Counter {
        name: (*name).clone(),
        of: Of::Requests,
        counts: moments.iter().map(|moment| moment.mean(|reading| count(reading, name))).collect(),
    };
    let mut counters: Vec<Counter> = names.iter().map(of_name).collect();
    counters.extend(opened(trace, moments));
    let counters = grouped(counters);
    (counters.len() >= 2).then_some(counters)
}

/// Connections that were opened by each moment, by lines between the seconds of which they are known; none where next
/// to none were.
fn opened(trace: &Trace, moments: &[Moment<'_>]) -> Option<Counter> {
    let seconds: Vec<(f64, f64)> =
        trace.seconds().map(|second| (second.t_s.as_secs_f64(), second.connections as f64)).collect();
    let at = |moment: &Moment<'_>| {
        let t_s = moment.t_s();
        let after = seconds.partition_point(|(second, _)| *second <= t_s);
        match (after.checked_sub(1).map(|last| seconds[last]), seconds.get(after)) {
            (None, _) => 0.0,
            (Some(last), None) => last.1,
            (Some(last), Some(next)) => last.1 + (next.1 - last.1) * (t_s - last.0) / (next.0 - last.0),
        }
    };
    let counts: Vec<f64> = moments.iter().map(at).collect();
    let rise = counts.last()? - counts.first()?;
    (rise >= CONNECTIONS_MIN).then(|| Counter { name: "connection".to_owned(), of: Of::Connections, counts })
}

/// Of each counter, whether it adds surely less in the second half than in the first; nothing where the halves are too
/// short to say.
fn fading(levels: &[f64], counts: &[Vec<f64>], work: &[f64]) -> Vec<bool> {
    let middle = levels.len() / 2;
    let part = |from: usize, to: usize| {
        let counts: Vec<Vec<f64>> = counts.iter().map(|counts| counts[from..to].to_vec()).collect();
        contributions(&levels[from..to], &counts, &work[from..to])
    };
    let (Some(early), Some(late)) = (part(0, middle), part(middle, levels.len())) else { return Vec::new() };
    let fades = |(early, late): (&Contribution, &Contribution)| {
        let error = early.error.hypot(late.error);
        late.value < FADED * early.value && early.value - late.value > SURELY_LESS * error
    };
    early.of_counters.iter().zip(&late.of_counters).map(fades).collect()
}

/// The samples of the longest run of steady phases.
fn steady(trace: &Trace) -> Option<&[Sample]> {
    let runs = trace.header.phases.chunk_by(|one, next| (one.role == Role::Steady) == (next.role == Role::Steady));
    let samples = runs.filter(|phases| phases[0].role == Role::Steady).map(|phases| samples_in(trace, phases));
    samples.max_by_key(|samples| samples.len())
}

fn is_even(samples: &[&Sample]) -> bool {
    let steps = || samples.windows(2).map(|pair| pair[1].t_s.as_secs_f64() - pair[0].t_s.as_secs_f64());
    let mean = steps().sum::<f64>() / (samples.len() - 1) as f64;
    steps().all(|step| (step - mean).abs() <= UNEVEN * mean)
}

/// The flow that all requests of a name are steps of, which may be several names.
pub(super) fn flow_of(flows: &BTreeMap<String, String>, name: &str) -> Option<String> {
    let mut of_names = name.split(TOGETHER).map(|name| flows.get(name));
    let first = of_names.next()??;
    of_names.all(|flow| flow == Some(first)).then(|| first.clone())
}

impl ByRequest {
    /// What a person should know of it; none where nothing is sure.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let sure: Vec<&Part> = self.requests.iter().filter(|part| part.is_sure).collect();
        let mut parts: Vec<String> =
            sure.iter().map(|part| part.phrase(&named(&part.name, part.flow.as_deref()))).collect();
        parts.extend(self.every_request.as_ref().map(|part| part.phrase("request, whichever it is")));
        parts.extend(self.connections.as_ref().filter(|part| part.is_sure).map(|part| part.phrase("new connection")));
        if self.time_is_sure {
            parts.push(format!("{} per hour whatever is asked", self.bytes_per_hour.compact()));
        }
        let rest = if !sure.is_empty() && self.requests.len() > sure.len() {
            "; no other request keeps anything for sure"
        } else {
            ""
        };
        (!parts.is_empty()).then(|| format!("by request it keeps {}{rest}", parts.join(", ")))
    }
}

impl Part {
    fn phrase(&self, what: &str) -> String {
        let fades = if self.fades { ", less and less, as a cache does that still fills" } else { "" };
        format!("{} for each {what}{fades}", self.bytes_per_request.compact())
    }
}

#[cfg(test)]
mod tests;
