//! A night as one line of `history.jsonl`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Figure;
use crate::exit::Status;
use crate::outcome::{Measure, Outcome};
use crate::scenario::Judge;
use crate::visible::visible;
use steep_judge::growth::Growth;
use steep_judge::ids::CellId;
use steep_judge::units::{BytesPerHour, BytesPerRequest};
use steep_judge::verdict::Verdict;

/// Version of a line: rises when older readers would misread it.
const SCHEMA: u32 = 1;
/// The longest line, its end included: a year of nights is less than 400 KiB, which can be committed.
pub const LONGEST_LINE: usize = 1024;
/// Digits of a commit.
const COMMIT: usize = 12;

/// A figure that is known only so well: itself, and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Taken(pub f64, pub f64);

/// A night of a scenario: what was soaked by one run. The figures stand in columns, a place for each cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Night {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the scenario.
    pub name: String,
    /// Start of the run, RFC 3339.
    pub started: String,
    /// Name of the run's folder.
    pub run: String,
    /// Commit of the service, shortened; with a `+` where files differed from it. Empty where nothing is known of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub commit: String,
    /// What the run came to.
    pub status: Status,
    /// Hash of machine, toolchain and schedule: nights with the same can be compared.
    #[serde(default)]
    pub conditions: String,
    /// The smallest growth worth finding, as the scenario has it.
    pub min_growth_bytes_per_request: f64,
    /// The same over time.
    pub min_growth_bytes_per_hour: f64,
    /// The cells, those with findings first, as far as a line holds them.
    pub cells: Vec<CellId>,
    /// Their verdicts.
    pub verdicts: Vec<Verdict>,
    /// Growth with its standard error, where requests are counted.
    #[serde(default)]
    pub growth_bytes_per_request: Vec<Option<Taken>>,
    /// The same over time, where they are not; empty where they are in all cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub growth_bytes_per_hour: Vec<Option<Taken>>,
    /// Anonymous memory in the second half.
    #[serde(default)]
    pub settled_bytes: Vec<Option<u64>>,
    /// The highest resident memory.
    #[serde(default)]
    pub peak_bytes: Vec<Option<u64>>,
    /// 99th percentile of the slowest request.
    #[serde(default)]
    pub p99_us: Vec<Option<u64>>,
    /// CPU time for each request.
    #[serde(default)]
    pub cpu_us_per_request: Vec<Option<f64>>,
    /// Cells for which there was no room.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cells_left_out: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(cells: &usize) -> bool {
    *cells == 0
}

/// What a night is made of.
#[derive(Debug)]
pub struct Recorded<'r> {
    /// Name of the scenario.
    pub name: &'r str,
    /// Start of the run, RFC 3339.
    pub started: &'r str,
    /// Name of the run's folder.
    pub run: String,
    /// Commit of the service; empty where nothing is known of it.
    pub commit: &'r str,
    /// Whether files differed from it.
    pub is_dirty: bool,
    /// What the run came to.
    pub status: Status,
    /// Hash of machine, toolchain and schedule.
    pub conditions: String,
    /// What is worth finding.
    pub judge: &'r Judge,
    /// What came of the cells.
    pub outcomes: &'r [Outcome],
}

/// One cell of a night.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NightCell {
    /// Its verdict.
    pub verdict: Verdict,
    place: usize,
}

impl Night {
    /// The line of a run, its end included; none where not even its name has room.
    #[must_use]
    pub fn line(recorded: &Recorded<'_>) -> Option<String> {
        let mut outcomes: Vec<&Outcome> = recorded.outcomes.iter().collect();
        // The order of the report is kept among those with findings, and among the others.
        outcomes.sort_by_key(|outcome| !is_finding(outcome));
        (0..=outcomes.len()).rev().find_map(|count| {
            let night = Self::of(recorded, &outcomes[..count]);
            let line = visible(&serde_json::to_string(&night).ok()?).into_owned() + "\n";
            (line.len() <= LONGEST_LINE).then_some(line)
        })
    }

    fn of(recorded: &Recorded<'_>, cells: &[&Outcome]) -> Self {
        let Recorded { name, started, run, commit, is_dirty, status, conditions, judge, outcomes } = recorded;
        let per_request = |outcome: &&Outcome| {
            let growth = grown(outcome)?.per_request?.map(BytesPerRequest::get);
            Some(Taken(rounded(growth.value), rounded(growth.error())))
        };
        let per_hour = |outcome: &&Outcome| {
            let growth = grown(outcome).filter(|growth| growth.per_request.is_none())?;
            let growth = growth.per_hour.map(BytesPerHour::get);
            Some(Taken(rounded(growth.value), rounded(growth.error())))
        };
        let whole = |measure: Measure| move |outcome: &&Outcome| measure.of(outcome).map(|figure| figure as u64);
        let growth_bytes_per_hour: Vec<_> = cells.iter().map(per_hour).collect();
        let is_by_hour = growth_bytes_per_hour.iter().any(Option::is_some);
        let commit: String = commit.chars().take(COMMIT).collect();
        Self {
            schema: SCHEMA,
            name: (*name).to_owned(),
            started: (*started).to_owned(),
            run: run.clone(),
            commit: if *is_dirty { commit + "+" } else { commit },
            status: *status,
            conditions: conditions.clone(),
            min_growth_bytes_per_request: judge.min_growth_bytes_per_request.get(),
            min_growth_bytes_per_hour: judge.min_growth_bytes_per_hour.get(),
            cells: cells.iter().map(|outcome| outcome.cell.clone()).collect(),
            verdicts: cells.iter().map(|outcome| outcome.verdict()).collect(),
            growth_bytes_per_request: cells.iter().map(per_request).collect(),
            growth_bytes_per_hour: if is_by_hour { growth_bytes_per_hour } else { Vec::new() },
            settled_bytes: cells.iter().map(whole(Measure::SettledAnonBytes)).collect(),
            peak_bytes: cells.iter().map(whole(Measure::PeakBytes)).collect(),
            p99_us: cells.iter().map(whole(Measure::P99Us)).collect(),
            cpu_us_per_request: cells.iter().map(|cell| Measure::CpuUsPerRequest.of(cell).map(rounded)).collect(),
            cells_left_out: outcomes.len() - cells.len(),
        }
    }

    /// What the line says of `cell`; none where it has no room for it, or it was not soaked.
    #[must_use]
    pub fn cell(&self, cell: &CellId) -> Option<NightCell> {
        let place = self.cells.iter().position(|known| known == cell)?;
        Some(NightCell { verdict: *self.verdicts.get(place)?, place })
    }

    /// A figure of a cell with its own standard error, which is zero where it has none.
    #[must_use]
    pub fn figure(&self, cell: NightCell, figure: Figure) -> Option<Taken> {
        let NightCell { place, .. } = cell;
        let of = |column: &[Option<Taken>]| column.get(place).copied().flatten();
        let exact = |column: &[Option<u64>]| column.get(place).copied().flatten().map(|value| Taken(value as f64, 0.0));
        let taken = match figure {
            Figure::GrowthBytesPerRequest => of(&self.growth_bytes_per_request),
            Figure::GrowthBytesPerHour => of(&self.growth_bytes_per_hour),
            Figure::SettledAnonBytes => exact(&self.settled_bytes),
            Figure::PeakBytes => exact(&self.peak_bytes),
            Figure::P99Us => exact(&self.p99_us),
            Figure::CpuUsPerRequest => {
                self.cpu_us_per_request.get(place).copied().flatten().map(|value| Taken(value, 0.0))
            }
        };
        taken.filter(|Taken(value, error)| value.is_finite() && error.is_finite() && *error >= 0.0)
    }
}

/// The nights of the scenario `name` in the lines of a file, the oldest first; and how many lines are not whole. Of a
/// run that was resumed the last line counts.
#[must_use]
pub fn nights<'l>(lines: impl IntoIterator<Item = &'l str>, name: &str) -> (Vec<Night>, usize) {
    let mut nights: Vec<Night> = Vec::new();
    let mut broken = 0;
    for line in lines.into_iter().filter(|line| !line.trim().is_empty()) {
        let night = match serde_json::from_str::<Night>(line) {
            Ok(night) if night.schema == SCHEMA => night,
            _ => {
                broken += 1;
                continue;
            }
        };
        if night.name != name {
            continue;
        }
        nights.retain(|known| (&known.started, &known.run) != (&night.started, &night.run));
        nights.push(night);
    }
    nights.sort_by(|one, other| one.started.cmp(&other.started));
    (nights, broken)
}

/// The names of all scenarios in these lines.
#[must_use]
pub fn names<'l>(lines: impl IntoIterator<Item = &'l str>) -> Vec<String> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let names = lines.into_iter().filter_map(|line| Some(serde_json::from_str::<Named>(line).ok()?.name));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Growth of the memory that the verdict rests on: of resident memory where the allocator holds it.
fn grown(outcome: &Outcome) -> Option<&Growth> {
    let is_retained = outcome.verdict() == Verdict::Retention;
    outcome.judgement.anonymous.as_ref().filter(|_| is_retained).or(outcome.growth())
}

fn is_finding(outcome: &Outcome) -> bool {
    outcome.verdict().grows()
        || outcome.verdict() == Verdict::Crashed
        || outcome.headroom_exceeded
        || outcome.thresholds.iter().any(|kept| kept.broken)
}

/// To four digits, which no interval of a soak is narrower than.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}
