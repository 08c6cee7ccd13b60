//! What one stretch of phases shows by itself, in figures and in words.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::outcome::stretches::{Stretch, read};
use crate::trace::Sample;
use steep_judge::growth::{Growth, Layer, Materiality};
use steep_judge::stats::order::median;
use steep_judge::units::{Bytes, BytesPerHour, SinceStart, duration_text};
use steep_judge::verdict::{Judgement, Limits, Verdict};

/// A rise in the course of a stretch that is plain to see without any statistics: an allocator's chunk, and a share of
/// what there is (METHOD.md, jumps; materiality).
const PLAIN_RISE: Bytes = Bytes::mib(2);
/// See [`PLAIN_RISE`].
const PLAIN_SHARE: f64 = 0.01;
/// The share of a line that is certain.
const LEAST_SHARE: f64 = 0.002;

/// A line over a stretch too short to name it is plain if its second half rose by so much of its share: what creeps
/// slows down.
const GOES_ON: f64 = 0.8;
/// The same of a rise whose shape the statistics did not find.
const STILL_RISES: f64 = 0.25;

/// What a stretch of phases shows by itself.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PhaseJudgement {
    /// Its phases, one after the other.
    #[serde(rename = "names")]
    pub phases: Vec<String>,
    /// Whether the verdict of the cell rests on it unless another stretch grows.
    pub fitted: bool,
    /// Whether nothing was asked in it, as far as that is known.
    pub without_requests: bool,
    /// Its first sample.
    pub start_s: SinceStart,
    /// Its last one.
    pub end_s: SinceStart,
    /// Memory at its beginning.
    pub start_bytes: Bytes,
    /// Memory at its end.
    pub end_bytes: Bytes,
    /// Where memory stood at last: the median of the last third.
    pub settled_bytes: Bytes,
    /// What it rose by, where that is plain to see and the statistics could not decide.
    pub rose_plainly_by_bytes: Option<Bytes>,
    /// Verdict, reason and growth.
    #[serde(flatten)]
    pub judgement: Judgement,
}

impl PhaseJudgement {
    pub(super) fn new(stretch: &Stretch<'_>, judgement: Judgement, materiality: &Materiality) -> Self {
        let (first, last) = (&stretch.samples[0], &stretch.samples[stretch.samples.len() - 1]);
        let rise = (judgement.verdict == Verdict::Inconclusive)
            .then(|| plain_rise(stretch.samples, judgement.growth.as_ref(), materiality))
            .flatten();
        Self {
            phases: stretch.phases.iter().map(|phase| phase.name.clone()).collect(),
            fitted: stretch.is_fitted,
            without_requests: stretch.is_silent,
            start_s: first.t_s,
            end_s: last.t_s,
            start_bytes: first.memory.judged(),
            end_bytes: last.memory.judged(),
            settled_bytes: Bytes::new(median(&memory(last_third(stretch.samples))) as u64),
            rose_plainly_by_bytes: rise,
            judgement,
        }
    }

    pub(super) fn grows(&self) -> bool {
        self.judgement.verdict.grows()
    }

    pub(super) fn lasted(&self) -> Duration {
        self.end_s - self.start_s
    }

    /// The growth that its verdict rests on.
    fn growth(&self) -> Option<&Growth> {
        let Judgement { verdict, growth, anonymous, .. } = &self.judgement;
        if *verdict == Verdict::Retention { anonymous.as_ref() } else { growth.as_ref() }
    }

    pub(super) fn rate(&self) -> f64 {
        self.growth().map_or(0.0, |growth| growth.per_hour.value.get())
    }

    /// Growth per hour; per request where there were any.
    pub(super) fn amount(&self) -> String {
        self.growth().map_or_else(|| "an unknown amount".to_owned(), Growth::amount)
    }

    /// `` phase `cooldown`, without requests ``.
    #[must_use]
    pub fn place(&self) -> String {
        let names: Vec<String> = self.phases.iter().map(|name| format!("`{name}`")).collect();
        let phases = if names.len() == 1 { "phase" } else { "phases" };
        let without = if self.without_requests { ", without requests" } else { "" };
        format!("{phases} {}{without}", names.join(" and "))
    }

    /// The growth that was found, in words.
    pub(super) fn finding(&self) -> String {
        let (place, amount) = (self.place(), self.amount());
        match self.judgement.verdict {
            Verdict::Step => format!("grows by {amount} in {place}: {}", self.judgement.reason),
            Verdict::Retention => format!("resident memory grows by {amount} in {place}, live bytes do not"),
            _ => {
                let evidence = self.growth().map_or(0.0, |growth| growth.evidence);
                format!("grows by {amount} in {place}, evidence {evidence:.1}")
            }
        }
    }

    /// What could have stayed unseen in it; none of the fitted stretch, of one that grows, and where all that is worth
    /// finding would have been named.
    #[must_use]
    pub fn hidden(&self) -> Option<String> {
        if self.fitted || self.grows() || self.judgement.verdict == Verdict::Invalid {
            return None;
        }
        let (place, lasted) = (self.place(), duration_text(self.lasted()));
        let Some(growth) = &self.judgement.growth else {
            return Some(format!("{place}: {lasted} are too short to be judged"));
        };
        let excluded = if self.judgement.verdict.is_clear() { 0.0 } else { growth.ceiling.get() };
        let unseen = BytesPerHour::new(growth.seen_at_least.get().max(excluded));
        (unseen > growth.worth_finding)
            .then(|| format!("{place}: growth below {unseen} would not have been named in {lasted}"))
    }
}

/// What memory rose by in a stretch that was not decided, if anybody sees that it did: a line that is certain and only
/// too small for what an allocator takes under load, more than that takes, or quarters of a short stretch of which each
/// rose.
fn plain_rise(samples: &[Sample], growth: Option<&Growth>, materiality: &Materiality) -> Option<Bytes> {
    let Some(growth) = growth else { return rise_of_quarters(samples) };
    let least = PLAIN_RISE.as_f64().max(LEAST_SHARE * growth.typical.as_f64());
    let second_half = growth.second_half.get_per_second() * growth.seconds;
    let is_line = growth.evidence > Limits::of(growth, materiality.bar).evidence_asked()
        && growth.over_run() >= least
        && growth.floor.get() > growth.worth_finding.get() / 4.0
        && growth.given_back.is_none()
        && !growth.environment_noisy
        && second_half >= GOES_ON * growth.over_run();
    let drift = growth.source.drift();
    let most_by_itself = drift.map_or(growth.least_growth.as_f64(), |drift| drift.as_f64().max(least));
    let has_risen = growth.risen > most_by_itself && second_half >= STILL_RISES * growth.risen;
    let rise = if is_line { growth.over_run().max(growth.risen) } else { growth.risen };
    (is_line || has_risen).then(|| Bytes::new(rise.max(0.0) as u64))
}

/// The rise over a stretch too short for statistics, if it is large and none of its quarters had much less than its
/// part.
fn rise_of_quarters(samples: &[Sample]) -> Option<Bytes> {
    const QUARTERS: usize = 4;
    let memory = memory(samples);
    if memory.len() < 2 * QUARTERS {
        return None;
    }
    let quarter = |nth: usize| median(&memory[nth * memory.len() / QUARTERS..(nth + 1) * memory.len() / QUARTERS]);
    let levels: Vec<f64> = (0..QUARTERS).map(quarter).collect();
    let rise = levels[QUARTERS - 1] - levels[0];
    let is_steady = levels.windows(2).all(|pair| pair[1] - pair[0] > 0.5 * rise / (QUARTERS - 1) as f64);
    let least = PLAIN_RISE.as_f64().max(PLAIN_SHARE * levels[0]);
    (is_steady && rise >= least).then(|| Bytes::new(rise as u64))
}

/// Live bytes where they are known, else anonymous memory.
fn memory(samples: &[Sample]) -> Vec<f64> {
    let of = |sample: &Sample| {
        sample.judged(Layer::Live).map_or_else(|| read(sample, Layer::Resident), |(_, live)| live.as_f64())
    };
    samples.iter().map(of).collect()
}

fn last_third(samples: &[Sample]) -> &[Sample] {
    &samples[samples.len() * 2 / 3..]
}
