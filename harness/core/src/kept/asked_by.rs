//! Which requests ask for what a place keeps: births of what it has alive, against the completed requests of each name.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Series, Stack};
use steep_judge::stats::sources::{Source, Sources, sources};
use steep_judge::stats::student::normal_quantile;
use steep_judge::stats::together::together;
use steep_judge::units::{BytesPerRequest, Estimate};

/// With fewer survivors no request is named.
const SURVIVORS_MIN: u64 = 30;

/// How often any request of a cell may be called sure that asks for nothing of what is kept.
const FALSE_NAMES: f64 = 0.001;

/// Births that rise or fall beside the requests by more than this many standard errors do so for sure: by chance one
/// place in a hundred does.
const TREND: f64 = 2.58;

/// Every request is distinguished from any one of them when the births are likelier by this much, as a logarithm:
/// twenty times.
const LIKELIER: f64 = 3.0;

/// Bins as they are, and ten of them as one: a request that takes longer than a bin is completed in a later one than
/// what it asked for was born in.
const WIDTHS: [usize; 2] = [1, 10];

/// The births may scatter around what one rate for all requests expects with this probability at least, or it is not
/// the same for all.
const SAME_FOR_ALL: f64 = 0.05;

/// Between names of requests that cannot be told apart.
pub(crate) const TOGETHER: &str = " + ";

/// A request in a sentence, with the flow that it is a step of.
pub(crate) fn named(name: &str, flow: Option<&str>) -> String {
    let steps = if name.contains(TOGETHER) { "steps" } else { "a step" };
    flow.map_or_else(|| format!("`{name}`"), |flow| format!("`{name}`, {steps} of `{flow}`"))
}

/// Which requests ask for what a place keeps.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AskedBy {
    /// Samples of what it has alive and was born while it was watched.
    pub survivors: u64,
    /// Whether as much survives of what early requests asked for as of late ones.
    pub survival: Survival,
    /// The requests that ask for it for sure, the largest share first; none unless survival is even.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Asker>,
    /// What is kept for every request, whichever it is, where that is what the births look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_request: Option<Asker>,
    /// The share of births that come with time, whatever is asked, where that is sure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_time: Option<f64>,
}

/// How what was born survives, by its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Survival {
    /// As much of the old as of the young: it is kept for as long as was looked.
    Even,
    /// Less of the old: they are freed, sooner or later.
    OfTheYoung,
    /// More of the old: less and less is kept for each request. A cache that still fills does so, and so does a leak
    /// that slows; births cannot tell which.
    OfTheOld,
}

/// A request that asks for what is kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Asker {
    /// Its name; of several that always come in the same proportion, as steps of a flow do, all of them.
    pub name: String,
    /// The flow that it is a step of, or all of them are, where it is sent in no other way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Bytes kept for each, with a 95 % interval.
    pub bytes_per_request: Estimate<BytesPerRequest>,
    /// Its share of all births.
    pub share: f64,
}

impl AskedBy {
    /// Who asks for what `stacks` have alive, one of `places` places that are asked about; none where too little is
    /// alive, or nothing is known of births or requests.
    pub(super) fn of(series: &Series, stacks: &[usize], places: usize) -> Option<Self> {
        let asked = Asked::of(series)?;
        let (births, bytes_each) = births(series, stacks, asked.bins)?;
        let survivors = births.iter().sum::<f64>();
        if survivors < SURVIVORS_MIN as f64 {
            return None;
        }
        let fits = WIDTHS.into_iter().filter_map(|width| {
            let (asked, births) = (asked.merged(width), merged(&births, width));
            let found = sources(&births, &asked.activities)?;
            Some((asked, births, found))
        });
        let (asked, births, found) = fits.max_by(|one, other| surest(&one.2).total_cmp(&surest(&other.2)))?;
        let mut asked_by = Self {
            survivors: survivors as u64,
            survival: survival(found.trend),
            requests: Vec::new(),
            every_request: None,
            share_of_time: None,
        };
        if asked_by.survival != Survival::Even {
            return Some(asked_by);
        }
        let surely =
            normal_quantile(1.0 - FALSE_NAMES / (places.max(1) * asked.activities.len() * WIDTHS.len()) as f64);
        let asker = |name: &str, part: &Source, activity: &[f64]| {
            let bytes = Estimate::normal(part.rate, part.error).map(|rate| BytesPerRequest::new(rate * bytes_each));
            let share = part.rate * activity.iter().sum::<f64>() / survivors;
            Asker { name: name.to_owned(), flow: None, bytes_per_request: bytes, share }
        };
        let (time, requests) = found.parts.split_last()?;
        if let Some((part, all)) = asked.same_for_all(&births, &found).filter(|(part, _)| part.surety > surely) {
            asked_by.every_request = Some(asker("request", &part, &all));
            return Some(asked_by);
        }
        let sure =
            asked.names.iter().zip(requests).zip(&asked.activities).filter(|((_, part), _)| part.surety > surely);
        asked_by.requests = sure.map(|((name, part), activity)| asker(name, part, activity)).collect();
        asked_by.requests.sort_by(|one, other| other.share.total_cmp(&one.share));
        let of_time = asked.activities.last().map_or(0.0, |activity| activity.iter().sum::<f64>());
        asked_by.share_of_time = (time.surety > surely).then(|| time.rate * of_time / survivors);
        Some(asked_by)
    }

    /// The same in a sentence.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        match self.survival {
            Survival::OfTheYoung => None,
            Survival::OfTheOld => Some(
                "less and less of it is born for each request: a cache that still fills or a leak that slows, which \
                 its births cannot tell apart"
                    .to_owned(),
            ),
            Survival::Even => {
                let named = self.requests.iter().map(|asker| asker.phrase(&named(&asker.name, asker.flow.as_deref())));
                let every = self.every_request.iter().map(|asker| asker.phrase("every request, whichever it is"));
                let time = self.share_of_time.map(|share| format!("time, whatever is asked ({})", percent(share)));
                let parts: Vec<String> = named.chain(every).chain(time).collect();
                (!parts.is_empty()).then(|| format!("asked for by {}", parts.join(" and ")))
            }
        }
    }
}

impl Asker {
    /// `` `login`: 16.1 (15.2 to 17.0) KiB each, 98 % of it``
    fn phrase(&self, who: &str) -> String {
        format!("{who} ({} each, {} of it)", self.bytes_per_request.compact(), percent(self.share))
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share.min(1.0))
}

const fn survival(trend: f64) -> Survival {
    if trend > TREND {
        Survival::OfTheYoung
    } else if trend < -TREND {
        Survival::OfTheOld
    } else {
        Survival::Even
    }
}

/// What was asked in each bin.
struct Asked {
    bins: usize,
    /// Of each group of requests that can be distinguished from the others.
    names: Vec<String>,
    /// Requests of each group in each bin, and last the seconds of each bin.
    activities: Vec<Vec<f64>>,
}

impl Asked {
    /// The same with this many bins as one.
    fn merged(&self, width: usize) -> Self {
        let activities = self.activities.iter().map(|activity| merged(activity, width)).collect();
        Self { bins: self.bins.div_ceil(width), names: self.names.clone(), activities }
    }

    fn of(series: &Series) -> Option<Self> {
        let bins = series.bins.as_ref()?;
        let seconds: Vec<f64> = bins.edges_s.windows(2).map(|edge| edge[1].since(edge[0]).as_secs_f64()).collect();
        let counts = |counts: &Vec<u64>| counts.iter().map(|count| *count as f64).collect::<Vec<f64>>();
        let asked =
            bins.requests.iter().filter(|(_, asked)| asked.len() == seconds.len() && asked.iter().any(|n| *n > 0));
        let (all, asked): (Vec<&String>, Vec<Vec<f64>>) = asked.map(|(name, asked)| (name, counts(asked))).unzip();
        let risen: Vec<Vec<f64>> = asked.iter().map(|counts| risen(counts)).collect();
        let groups = together(&risen);
        let named =
            |group: &Vec<usize>| group.iter().map(|place| all[*place].as_str()).collect::<Vec<_>>().join(TOGETHER);
        let names: Vec<String> = groups.iter().map(named).collect();
        let of_groups = groups.iter().map(|group| asked[group[0]].clone());
        let activities = of_groups.chain([seconds.clone()]).collect();
        (!names.is_empty()).then_some(Self { bins: seconds.len(), names, activities })
    }

    /// What every request asks for, and how many there were in each bin, where one rate for all of them explains the
    /// births as well as one for each does, and better than that of any single one.
    fn same_for_all(&self, births: &[f64], each: &Sources) -> Option<(Source, Vec<f64>)> {
        let (seconds, requests) = self.activities.split_last()?;
        let all: Vec<f64> = (0..self.bins).map(|bin| requests.iter().map(|request| request[bin]).sum()).collect();
        let of = |activity: &Vec<f64>| sources(births, &[activity.clone(), seconds.clone()]);
        let together = of(&all)?;
        let single = requests.iter().filter_map(of).map(|found| found.likelihood).fold(f64::NEG_INFINITY, f64::max);
        let lost = (each.likelihood - together.likelihood) / each.dispersion;
        // A rate for each loses half a unit for each more of them, as a rule; by the normal approximation to
        // chi-squared (Wilson and Hilferty, 1931).
        let freedom = requests.len().saturating_sub(1) as f64;
        let is_as_good = freedom > 0.0 && {
            let ninth = 2.0 / (9.0 * freedom);
            let deviate = ((2.0 * lost.max(0.0) / freedom).cbrt() - (1.0 - ninth)) / ninth.sqrt();
            deviate < normal_quantile(1.0 - SAME_FOR_ALL)
        };
        let is_better = together.likelihood - single > LIKELIER * each.dispersion;
        (is_as_good && is_better).then(|| (together.parts[0], all))
    }
}

/// The sums of each `width` of `counts`.
fn merged(counts: &[f64], width: usize) -> Vec<f64> {
    counts.chunks(width).map(|counts| counts.iter().sum()).collect()
}

/// The surety of the request that is the surest.
fn surest(found: &Sources) -> f64 {
    let requests = found.parts.split_last().map_or(&[][..], |(_, requests)| requests);
    requests.iter().map(|part| part.surety).fold(0.0, f64::max)
}

/// The sum of `counts` until each.
fn risen(counts: &[f64]) -> Vec<f64> {
    let sum = counts.iter().scan(0.0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    std::iter::once(0.0).chain(sum).collect()
}

/// How many samples of what `stacks` have alive were born in each of `bins` bins, and for how many bytes one stands.
fn births(series: &Series, stacks: &[usize], bins: usize) -> Option<(Vec<f64>, f64)> {
    let (mut births, mut bytes) = (vec![0.0; bins], 0.0);
    for stack in stacks.iter().filter_map(|number| series.stacks.get(*number)) {
        for (bin, samples) in &stack.born_samples {
            *births.get_mut(*bin as usize)? += f64::from(*samples);
        }
        bytes += born_while_watched(stack);
    }
    let samples: f64 = births.iter().sum();
    (samples > 0.0).then(|| (births, bytes / samples))
}

/// Bytes that `stack` has alive of what was born while it was watched.
fn born_while_watched(stack: &Stack) -> f64 {
    stack.born_bytes.iter().skip(1).sum()
}

#[cfg(test)]
mod tests;
