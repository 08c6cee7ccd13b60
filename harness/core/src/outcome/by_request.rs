//! Which requests keep what grows: live bytes against the completed requests of each name.

use serde::Serialize;

use crate::scenario::Role;
use crate::trace::{Sample, Trace};
use steep_judge::growth::Layer;
use steep_judge::stats::contributions::{Contribution, contributions};
use steep_judge::stats::student::quantile;
use steep_judge::units::{BytesPerHour, BytesPerRequest, Estimate, SECONDS_PER_HOUR};

/// More names than this share the traffic of minutes too thinly to be told apart.
const NAMES_MAX: usize = 40;

/// Samples that are used; of a longer soak every second one, every third one, and so on.
const SAMPLES_MAX: usize = 2_000;

/// How often any name may be called sure that keeps nothing.
const FALSE_NAMES: f64 = 0.005;

/// Steps between samples may differ by this share: the levels are taken to be at equal ones.
const UNEVEN: f64 = 0.5;

/// What grows with which requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByRequest {
    /// Each name that was asked, what keeps most for sure first.
    pub requests: Vec<Part>,
    /// What grows with time alone, whatever is asked.
    pub bytes_per_hour: Estimate<BytesPerHour>,
    /// Whether that is sure.
    pub time_is_sure: bool,
}

/// What the requests of one name keep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Bytes for each, with a 95 % interval.
    pub bytes_per_request: Estimate<BytesPerRequest>,
    /// Whether it keeps anything for sure, all names taken together.
    pub is_sure: bool,
}

/// What `trace` says of it; none where live bytes are not known throughout, the samples are uneven, there is nothing to
/// tell apart, or too little of it.
pub(super) fn by_request(trace: &Trace) -> Option<ByRequest> {
    let samples = steady(trace).filter(|samples| !samples.is_empty())?;
    let every = samples.len().div_ceil(SAMPLES_MAX);
    let samples: Vec<&Sample> = samples.iter().step_by(every).collect();
    let levels: Vec<f64> = samples
        .iter()
        .map(|sample| sample.judged(Layer::Live).map(|(_, bytes)| bytes.as_f64()))
        .collect::<Option<_>>()?;
    let (first, last) = (samples.first()?, samples.last()?);
    let asked = |name: &&String| last.requests.get(*name) > first.requests.get(*name);
    let names: Vec<&String> = last.requests.keys().filter(asked).collect();
    if names.len() < 2 || names.len() > NAMES_MAX || !is_even(&samples) {
        return None;
    }
    let count = |sample: &Sample, name: &String| sample.requests.get(name).copied().unwrap_or(0) as f64;
    let counters: Vec<Vec<f64>> =
        names.iter().map(|name| samples.iter().map(|sample| count(sample, name)).collect()).collect();
    let found = contributions(&levels, &counters)?;
    let surely = quantile(1.0 - FALSE_NAMES / (names.len() + 1) as f64, found.freedom);
    let usual = quantile(0.975, found.freedom);
    let interval = |part: &Contribution| {
        let half = usual * part.error;
        Estimate { value: part.value, low: part.value - half, high: part.value + half }
    };
    let is_sure = |part: &Contribution| part.value > surely * part.error;
    let mut requests: Vec<Part> = names
        .into_iter()
        .zip(&found.of_counters)
        .map(|(name, part)| Part {
            name: name.clone(),
            bytes_per_request: interval(part).map(BytesPerRequest::new),
            is_sure: is_sure(part),
        })
        .collect();
    let keeps = |part: &Part| (part.is_sure, part.bytes_per_request.value.get());
    requests.sort_by(|one, other| keeps(other).partial_cmp(&keeps(one)).unwrap_or(std::cmp::Ordering::Equal));
    let hours = (last.t_s.as_secs_f64() - first.t_s.as_secs_f64()) / SECONDS_PER_HOUR;
    let bytes_per_hour = interval(&found.of_time).map(|bytes| BytesPerHour::new(bytes / hours));
    Some(ByRequest { requests, bytes_per_hour, time_is_sure: is_sure(&found.of_time) })
}

/// The samples of the longest run of steady phases.
fn steady(trace: &Trace) -> Option<&[Sample]> {
    let runs = trace.header.phases.chunk_by(|one, next| (one.role == Role::Steady) == (next.role == Role::Steady));
    let samples = runs.filter(|phases| phases[0].role == Role::Steady).map(|phases| {
        let (start, end) = (phases[0].start_s, phases[phases.len() - 1].end_s);
        let from = trace.samples.partition_point(|sample| sample.t_s < start);
        let to = trace.samples.partition_point(|sample| sample.t_s <= end);
        trace.samples.get(from..to).unwrap_or_default()
    });
    samples.max_by_key(|samples| samples.len())
}

fn is_even(samples: &[&Sample]) -> bool {
    let steps = || samples.windows(2).map(|pair| pair[1].t_s.as_secs_f64() - pair[0].t_s.as_secs_f64());
    let mean = steps().sum::<f64>() / (samples.len() - 1) as f64;
    steps().all(|step| (step - mean).abs() <= UNEVEN * mean)
}

impl ByRequest {
    /// What a person should know of it; none where nothing is sure.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let sure = self.requests.iter().filter(|part| part.is_sure);
        let mut parts: Vec<String> =
            sure.map(|part| format!("{} for each `{}`", part.bytes_per_request.compact(), part.name)).collect();
        let of_requests = parts.len();
        if self.time_is_sure {
            parts.push(format!("{} per hour whatever is asked", self.bytes_per_hour.compact()));
        }
        let others = self.requests.len() - of_requests;
        let rest = if others > 0 { "; no other request keeps anything for sure" } else { "" };
        (!parts.is_empty()).then(|| format!("by request it keeps {}{rest}", parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{SimService, soak};
    use crate::testing::{decoded, sound};
    use steep_judge::units::Bytes;

    /// A soak of four minutes with two names, of which the second keeps `leak` bytes, and `per_second` by itself.
    fn trace(leak: f64, per_second: f64) -> Trace {
        let more = "\n[[requests]]\nname = \"login\"\npath = \"/login\"\n";
        let scenario = decoded(&sound("4m", more));
        let service = SimService { probe: true, ..SimService::default() };
        let mut trace = soak(&scenario, &service, &[]).expect("a trace");
        for (index, sample) in trace.samples.iter_mut().enumerate() {
            let logins = sample.requests.get("login").copied().unwrap_or(0) as f64;
            // What is in flight, as if by chance.
            let in_flight = f64::from(u32::try_from(index * 7_919 % 101).expect("a number")) * 200.0;
            let bytes = 8e6 + leak * logins + per_second * sample.t_s.as_secs_f64() + in_flight;
            if let Some(live) = &mut sample.live {
                live.live_bytes = Bytes::new(bytes as u64);
            }
        }
        trace
    }

    #[test]
    fn the_request_that_keeps_is_named_and_the_other_is_not() {
        let found = by_request(&trace(1_024.0, 0.0)).expect("two names");
        assert_eq!((found.requests[0].name.as_str(), found.requests[0].is_sure), ("login", true));
        let part = found.requests[0].bytes_per_request;
        assert!(part.low.get() < 1_024.0 && part.high.get() > 1_024.0 && part.low.get() > 512.0, "{part:?}");
        assert!(!found.requests[1].is_sure && !found.time_is_sure, "{found:?}");
        let note = found.note().expect("it is sure");
        assert!(note.contains("KiB for each `login`; no other request keeps anything for sure"), "{note}");
    }

    #[test]
    fn what_grows_with_time_is_not_laid_on_a_request() {
        let found = by_request(&trace(0.0, 200_000.0)).expect("two names");
        assert!(found.time_is_sure && found.requests.iter().all(|part| !part.is_sure), "{found:?}");
        let note = found.note().expect("it is sure");
        assert!(note.starts_with("by request it keeps ") && note.contains("per hour whatever is asked"), "{note}");
        let calm = by_request(&trace(0.0, 0.0)).expect("two names");
        assert_eq!(calm.note(), None);
    }

    #[test]
    fn without_live_bytes_or_with_one_name_nothing_is_said() {
        let mut blind = trace(1_024.0, 0.0);
        blind.samples[100].live = None;
        assert_eq!(by_request(&blind), None);
        // The soak ended before its steady phase.
        blind.samples.clear();
        assert_eq!(by_request(&blind), None);
        let mut uneven = trace(1_024.0, 0.0);
        uneven.samples.drain(100..110);
        assert_eq!(by_request(&uneven), None);
        let mut single = trace(1_024.0, 0.0);
        for sample in &mut single.samples {
            sample.requests.remove("get");
        }
        assert_eq!(by_request(&single).map(|found| found.requests.len()), None);
    }
}
