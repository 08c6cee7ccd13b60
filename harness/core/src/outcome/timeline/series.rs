//! Which of the series that the service offers explain how its memory moves.

use schemars::JsonSchema;
use serde::Serialize;

use super::events::Excursion;
use crate::outcome::stretches::{Stretch, read, replacements};
use crate::trace::{Points, Sample, Scraped, Trace};
use steep_judge::growth::{Layer, MemorySource};
use steep_judge::stats::explained::{Explained, explained, thinned};
use steep_judge::units::{Estimate, SinceStart, counted};

/// What a series has to explain to be named.
const WORTH_NAMING: f64 = 0.1;

/// Series that are named to a person; all are in the JSON.
const NAMED_MAX: usize = 3;

/// Beside those that are named, as many of the others are reported as explain most.
const OTHERS_REPORTED: usize = 10;

/// Events of several kinds that may have taken memory one in the other.
const NESTED: usize = 32;

/// A reading that is asked for with a sample comes a little after it, in seconds.
const WITH_THE_SAMPLE: f64 = 0.25;

/// A series has stopped when it moves by less than this share of all that it did.
const STANDS_STILL: f64 = 0.01;

/// What has stopped by itself did so before this share of the soak.
const BEFORE_THE_END: f64 = 0.9;

/// The series that the service offers.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ServiceSeries {
    /// How many were recorded.
    pub recorded: usize,
    /// How many names there were beyond those.
    pub left_out: u64,
    /// Readings that failed.
    pub failed: u64,
    /// Why the last of those did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Those that are named first, and then those that explain most.
    pub series: Vec<SeriesShare>,
}

/// How much of memory's movement a series explains.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SeriesShare {
    /// Its name; all its label sets are added up.
    pub name: String,
    /// The share of memory's movement beyond time and requests that goes with it, 0 to 1 (partial R²).
    pub share: Estimate<f64>,
    /// How many bytes go with each unit of it.
    pub bytes_per_unit: f64,
    /// Whether it is named: its steps go with those of memory by more than chance makes of any of all series, and it
    /// explains a tenth.
    pub named: bool,
    /// When it stopped moving, where it did before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_s: Option<SinceStart>,
}

/// Those of `trace` against `memory`, over the phases that are fitted; none where nothing is asked for.
pub(super) fn service_series(trace: &Trace, memory: MemorySource, excursions: &[Excursion]) -> Option<ServiceSeries> {
    trace.header.metrics.as_ref()?;
    let Scraped { series, left_out, failed, problem } = &trace.scraped;
    let mut shares = shares(trace, memory.layer(), excursions).unwrap_or_default();
    shares.sort_by(|one, other| other.named.cmp(&one.named).then(other.share.value.total_cmp(&one.share.value)));
    let named = shares.iter().filter(|share| share.named).count();
    shares.truncate(named + OTHERS_REPORTED);
    let (left_out, failed, problem) = (*left_out, *failed, problem.clone());
    Some(ServiceSeries { recorded: series.len(), left_out, failed, problem, series: shares })
}

fn shares(trace: &Trace, layer: Layer, excursions: &[Excursion]) -> Option<Vec<SeriesShare>> {
    let fitted = Stretch::fitted(trace)?;
    // Two processes one after the other are two levels.
    if !replacements(fitted.samples).is_empty() {
        return None;
    }
    let samples: Vec<&Sample> = fitted.samples.iter().filter(|sample| read(sample, layer).is_finite()).collect();
    // What events explain is not asked of the series, where that leaves most of the soak.
    let beside: Vec<&Sample> = samples.iter().copied().filter(|sample| !is_within(excursions, sample)).collect();
    let samples = if 2 * beside.len() >= samples.len() { beside } else { samples };
    let (mut ts, mut level, mut work) = (Vec::new(), Vec::new(), Vec::new());
    for sample in samples {
        ts.push(sample.t_s.as_secs_f64());
        level.push(read(sample, layer));
        work.push(sample.completed() as f64);
    }
    let asked: Vec<f64> = ts.iter().map(|t_s| t_s + WITH_THE_SAMPLE).collect();
    let thin = |points: &Points| thinned(&points.at(&asked));
    let series: Vec<Vec<f64>> = trace.scraped.series.values().map(thin).collect();
    let columns: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
    let moments = thinned(&ts);
    let found = explained(&moments, &thinned(&level), &thinned(&work), &columns);
    let share = |((name, values), found): ((&String, &Vec<f64>), Option<Explained>)| {
        let Explained { share: [value, low, high], slope, is_sure } = found?;
        Some(SeriesShare {
            name: name.clone(),
            share: Estimate { value, low, high },
            bytes_per_unit: slope,
            named: is_sure && value >= WORTH_NAMING,
            stopped_s: stopped(&moments, values),
        })
    };
    Some(trace.scraped.series.keys().zip(&series).zip(found).filter_map(share).collect())
}

/// Whether memory that an event took was not back when `sample` was read.
fn is_within(excursions: &[Excursion], sample: &Sample) -> bool {
    let t_s = sample.t_s.as_secs_f64();
    let begun = excursions.partition_point(|(start, _)| *start <= t_s);
    // Those that began long ago are over, unless they come faster than they go.
    excursions[begun.saturating_sub(NESTED)..begun].iter().any(|(_, end)| t_s <= *end)
}

/// The moment from which on `values` stand still, where that is well before the end.
fn stopped(ts: &[f64], values: &[f64]) -> Option<SinceStart> {
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let whole = highest - values.iter().copied().fold(f64::INFINITY, f64::min);
    let (first, last) = (*ts.first()?, *ts.last()?);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let moved = values.iter().rposition(|value| {
        (low, high) = (low.min(*value), high.max(*value));
        high - low > STANDS_STILL * whole
    })?;
    let at = *ts.get(moved + 1)?;
    (whole > 0.0 && at < first + BEFORE_THE_END * (last - first)).then(|| SinceStart::from_secs_f64(at))
}

impl ServiceSeries {
    /// What a person should know of them.
    pub(super) fn notes(&self, memory: MemorySource) -> Vec<String> {
        let mut notes: Vec<String> =
            self.series.iter().filter(|share| share.named).take(NAMED_MAX).map(|share| share.note(memory)).collect();
        let named = self.series.iter().filter(|share| share.named).count();
        if named > NAMED_MAX {
            notes.push(format!("{} more series explain it as well", named - NAMED_MAX));
        }
        if named == 0 && self.recorded > 0 {
            let memory = memory.in_words();
            notes.push(format!(
                "of the {} series of the service none explains how memory ({memory}) moves beyond time and requests, by more \
                 than chance",
                self.recorded
            ));
        }
        if self.recorded == 0 {
            let why = self.problem.as_ref().map_or_else(
                || "no name in the text is one that service.metrics keeps".to_owned(),
                |problem| format!("they could not be read ({}): {problem}", counted(self.failed as usize, "time")),
            );
            notes.push(format!("no series of the service were recorded: {why}"));
        } else if self.failed > 0 {
            let why = self.problem.as_deref().unwrap_or("the reason is not known");
            let times = counted(self.failed as usize, "time");
            notes.push(format!("the service's metrics could not be read {times}, last: {why}"));
        }
        if self.left_out > 0 {
            notes.push(format!(
                "{} names of the service's metrics were not recorded beside the first {}: say in service.metrics.keep which matter",
                self.left_out, self.recorded
            ));
        }
        notes
    }
}

impl SeriesShare {
    fn note(&self, memory: MemorySource) -> String {
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        let Estimate { value, low, high } = self.share;
        let stopped = self.stopped_s.map_or_else(String::new, |at| format!("; it stopped after {at}"));
        format!(
            "{} explains {} ({} to {}) % of how memory ({}) moves beyond time and requests{stopped}",
            self.name,
            percent(value),
            percent(low),
            percent(high),
            memory.in_words()
        )
    }
}
