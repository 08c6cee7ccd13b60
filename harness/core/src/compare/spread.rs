//! What moves a figure from run to run of the same service: found in replicates and in the nights before, and taken
//! from what was measured of others where there are too few of both.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::history::{Figure, Night, Taken};
use crate::levels::{FREEDOM, Reading, is_ratio};
use crate::outcome::{Measure, Outcome};
use steep_judge::ids::CellId;
use steep_judge::units::{BytesPerHour, BytesPerRequest};

/// With fewer differences between soaks than this, what was measured of other services is taken.
const LEAST_FREEDOM: f64 = 6.0;
/// What few soaks show by luck is not believed below this share of the standard deviation that others have.
const LEAST_SHARE: f64 = 0.25;
/// The nights that are looked at: what was longer ago was another service.
const NIGHTS: usize = 30;

/// What moves a figure from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Standard deviation between two soaks of the same, in the unit of the figure; of latency and CPU time in their
    /// logarithm.
    pub standard_deviation: f64,
    /// How many differences it rests on.
    pub freedom: f64,
    /// Where it comes from.
    pub from: SpreadFrom,
}

/// Where a spread comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadFrom {
    /// Replicates of cells in the two runs.
    Replicates,
    /// The nights before.
    History,
    /// Both.
    ReplicatesAndHistory,
    /// What other services showed: docs/levels.md and METHOD.md have the figures.
    Default,
}

impl SpreadFrom {
    /// In words.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Replicates => "replicates",
            Self::History => "the nights before",
            Self::ReplicatesAndHistory => "replicates and the nights before",
            Self::Default => "what other services showed (docs/compare.md)",
        }
    }
}

/// Squares of differences, and how many there are.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    squares: f64,
    freedom: f64,
}

impl Moved {
    fn add(&mut self, other: Self) {
        self.squares += other.squares;
        self.freedom += other.freedom;
    }
}

/// What is known of spreads.
#[derive(Debug, Default)]
pub(super) struct Known {
    replicates: BTreeMap<Figure, Moved>,
    nights: BTreeMap<(CellId, Figure), Moved>,
}

impl Known {
    /// By the replicates of both runs, and these nights, the oldest first.
    pub(super) fn of(base: &[Outcome], run: &[Outcome], nights: &[Night]) -> Self {
        let mut known = Self::default();
        for figure in Figure::ALL {
            let mut moved = Moved::default();
            [base, run].into_iter().flat_map(|cells| of_replicates(figure, cells)).for_each(|one| moved.add(one));
            known.replicates.insert(figure, moved);
        }
        let nights = &nights[nights.len().saturating_sub(NIGHTS)..];
        for cell in run.iter().map(|outcome| &outcome.cell) {
            for figure in Figure::ALL {
                known.nights.insert((cell.clone(), figure), of_nights(figure, cell, nights));
            }
        }
        known
    }

    /// The spread of a figure of a cell, which is so large in other services.
    pub(super) fn spread(&self, cell: &CellId, figure: Figure, of_others: f64) -> Spread {
        let replicates = self.replicates.get(&figure).copied().unwrap_or_default();
        let nights = self.nights.get(&(cell.clone(), figure)).copied().unwrap_or_default();
        let mut both = replicates;
        both.add(nights);
        if both.freedom < LEAST_FREEDOM {
            return Spread { standard_deviation: of_others, freedom: FREEDOM, from: SpreadFrom::Default };
        }
        let from = match (replicates.freedom > 0.0, nights.freedom > 0.0) {
            (true, true) => SpreadFrom::ReplicatesAndHistory,
            (true, false) => SpreadFrom::Replicates,
            (false, _) => SpreadFrom::History,
        };
        let found = (both.squares / both.freedom).sqrt();
        Spread { standard_deviation: found.max(LEAST_SHARE * of_others), freedom: both.freedom, from }
    }
}

/// The figure of a cell on the scale on which chance adds up, without the part that is the soak's own error.
fn on_scale(figure: Figure, value: f64) -> Option<f64> {
    if figure.measure().is_some_and(is_ratio) { (value > 0.0).then(|| value.ln()) } else { Some(value) }
}

fn plain(figure: Figure, outcome: &Outcome) -> Option<f64> {
    let value = match figure.measure() {
        Some(measure) => Measure::of(measure, outcome),
        None if figure == Figure::GrowthBytesPerRequest => {
            outcome.growth()?.per_request.map(|growth| BytesPerRequest::get(growth.value))
        }
        None => Some(BytesPerHour::get(outcome.growth()?.per_hour.value)),
    };
    on_scale(figure, value?)
}

/// What replicates of each cell that was soaked whole differ by.
fn of_replicates(figure: Figure, cells: &[Outcome]) -> impl Iterator<Item = Moved> {
    let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for outcome in cells.iter().filter(|outcome| outcome.is_whole()) {
        let key = format!("{} {:?}", outcome.flags, outcome.axes);
        groups.entry(key).or_default().extend(plain(figure, outcome));
    }
    groups.into_values().filter(|group| group.len() > 1).map(|group| {
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        Moved { squares: group.iter().map(|value| (value - mean).powi(2)).sum(), freedom: group.len() as f64 - 1.0 }
    })
}

/// Successive differences share nights: they are worth this share of as many independent ones.
const WORTH: f64 = 2.0 / 3.0;

/// What each night differs by from the one before: a step between two of them widens the spread, and never narrows it.
fn of_nights(figure: Figure, cell: &CellId, nights: &[Night]) -> Moved {
    let value = |night: &Night| {
        let Taken(value, _) = night.figure(night.cell(cell).filter(|cell| cell.verdict.is_decided())?, figure)?;
        on_scale(figure, value)
    };
    let values: Vec<f64> = nights.iter().filter_map(value).collect();
    let squares: f64 = values.windows(2).map(|pair| (pair[1] - pair[0]).powi(2) / 2.0).sum();
    let count = values.len().saturating_sub(1) as f64;
    Moved { squares: squares * WORTH, freedom: count * WORTH }
}

/// The standard deviation between soaks that other services have, of what was read in one of them.
pub(super) fn of_others(reading: &Reading) -> f64 {
    (reading.variance - reading.own).max(0.0).sqrt()
}
