//! The nights of each cell, and what changed between which.

use serde::Serialize;

use super::changes::{ChangePoint, Point, Rules, change_points};
use super::{Figure, Night, NightCell, Taken};
use crate::exit::Status;
use crate::levels::{is_ratio, matters_from};
use crate::sparkline::sparkline;
use steep_judge::ids::CellId;
use steep_judge::stats::order::median;
use steep_judge::units::Estimate;
use steep_judge::verdict::Verdict;

/// Nights that a sparkline shows.
const SPARKS: usize = 14;
/// What is asked for changes beside growth.
const BESIDE_GROWTH: [Figure; 3] = [Figure::SettledAnonBytes, Figure::P99Us, Figure::CpuUsPerRequest];
/// Growth that the same program has more or less of from soak to soak, as a share of what is worth finding:
/// 0.3 B/request where 4 are (METHOD.md; docs/isolation.md).
const CREEP: f64 = 0.075;
/// Memory moves from soak to soak by at least this share, and so much (docs/levels.md: a sixth of what it is taken to
/// where nothing is known).
const LEAST_SHARE: f64 = 0.005;
/// See [`LEAST_SHARE`].
const LEAST_BYTES: f64 = 64.0 * 1024.0;
/// The same of latency and of CPU time, in the logarithm.
const LEAST_RATIO: f64 = 0.02;

/// The nights of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// Name of the scenario.
    pub name: String,
    /// How many nights there are.
    pub nights: usize,
    /// Lines of the file that are not whole: steep was killed while it wrote them.
    pub broken_lines: usize,
    /// The cells, those with the latest change first, then in the order of the last night.
    pub cells: Vec<Course>,
}

/// The nights of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Course {
    /// Which.
    pub cell: CellId,
    /// By what its growth is measured.
    pub growth: Figure,
    /// Its nights, the oldest first.
    pub nights: Vec<CourseNight>,
    /// What changed, the oldest change first.
    pub changes: Vec<Change>,
}

/// A night of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CourseNight {
    /// Start of the run, RFC 3339.
    pub started: String,
    /// Name of the run's folder.
    pub run: String,
    /// Commit of the service; empty where nothing is known of it.
    pub commit: String,
    /// What the run came to, all cells together.
    pub status: Status,
    /// The verdict on the cell.
    pub verdict: Verdict,
    /// Growth in the unit of [`Course::growth`], with its own interval.
    pub growth: Option<Estimate<f64>>,
    /// Anonymous memory in the second half.
    pub settled_bytes: Option<f64>,
    /// 99th percentile of the slowest request.
    pub p99_us: Option<f64>,
    /// Growth of this night and the 13 before.
    pub sparkline: String,
    /// Whether the machine, the toolchain or the schedule is another one than in the night before.
    pub other_conditions: bool,
}

/// A lasting change of a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Of what.
    pub figure: Figure,
    /// The first night after it.
    pub night: String,
    /// The last night that is surely before it.
    pub last_before: String,
    /// The first night that is surely after it.
    pub first_after: String,
    /// The commits between these: `abc..def`. Empty where they are not known.
    pub commits: String,
    /// The night in which it was seen.
    pub seen: String,
    /// The level before.
    pub before: f64,
    /// The level after.
    pub after: f64,
    /// What it is more, with its interval.
    pub difference: Estimate<f64>,
    /// Whether the machine, the toolchain or the schedule changed between these nights as well.
    pub other_conditions: bool,
    /// All of it in one sentence.
    pub sentence: String,
}

impl History {
    /// The history of `name` in `nights`, the oldest first.
    #[must_use]
    pub fn new(name: &str, nights: &[Night], broken_lines: usize) -> Self {
        let mut ids: Vec<&CellId> = Vec::new();
        for cell in nights.iter().rev().flat_map(|night| &night.cells) {
            if !ids.contains(&cell) {
                ids.push(cell);
            }
        }
        let mut cells: Vec<Course> = ids.iter().map(|cell| Course::new(cell, nights, ids.len())).collect();
        let latest = |course: &Course| course.changes.iter().map(|change| change.seen.clone()).max();
        cells.sort_by_key(|course| std::cmp::Reverse(latest(course)));
        Self { name: name.to_owned(), nights: nights.len(), broken_lines, cells }
    }
}

impl Course {
    fn new(cell: &CellId, nights: &[Night], cells: usize) -> Self {
        let own: Vec<(&Night, NightCell)> =
            nights.iter().filter_map(|night| Some((night, night.cell(cell)?))).collect();
        let has = |figure| own.iter().filter(|(night, cell)| night.figure(*cell, figure).is_some()).count();
        let is_by_hour = has(Figure::GrowthBytesPerHour) > has(Figure::GrowthBytesPerRequest);
        let growth = if is_by_hour { Figure::GrowthBytesPerHour } else { Figure::GrowthBytesPerRequest };
        let growths: Vec<Option<f64>> =
            own.iter().map(|(night, cell)| night.figure(*cell, growth).map(|taken| taken.0)).collect();
        let least = own.last().map_or(0.0, |(night, _)| worth_finding(night, growth));
        let of = |place: usize| {
            let (night, cell) = own[place];
            let figure = |figure| night.figure(cell, figure);
            CourseNight {
                started: night.started.clone(),
                run: night.run.clone(),
                commit: night.commit.clone(),
                status: night.status,
                verdict: cell.verdict,
                growth: figure(growth).map(|Taken(value, error)| Estimate::normal(value, error)),
                settled_bytes: figure(Figure::SettledAnonBytes).map(|taken| taken.0),
                p99_us: figure(Figure::P99Us).map(|taken| taken.0),
                sparkline: sparkline(growths[(place + 1).saturating_sub(SPARKS)..=place].iter().copied(), least),
                other_conditions: place > 0 && own[place - 1].0.conditions != night.conditions,
            }
        };
        let nights = (0..own.len()).map(of).collect();
        let mut changes = asked(&own, growth, cells);
        // What is asked beside growth shares the false alarms of one more series.
        let others = cells * BESIDE_GROWTH.len() * 2;
        changes.extend(BESIDE_GROWTH.into_iter().flat_map(|figure| asked(&own, figure, others)));
        changes.sort_by(|one, other| one.night.cmp(&other.night));
        Self { cell: cell.clone(), growth, nights, changes }
    }
}

/// The changes of one figure; nights in which the cell was not judged say nothing.
fn asked(nights: &[(&Night, NightCell)], figure: Figure, series: usize) -> Vec<Change> {
    let is_judged = |cell: &NightCell| !matches!(cell.verdict, Verdict::Invalid | Verdict::Crashed);
    let scale = Scale::of(figure);
    let known: Vec<(&Night, Point)> = nights
        .iter()
        .filter(|(_, cell)| is_judged(cell))
        .filter_map(|(night, cell)| Some((*night, scale.point(night.figure(*cell, figure)?)?)))
        .collect();
    let points: Vec<Point> = known.iter().map(|(_, point)| *point).collect();
    let Some((last, _)) = known.last() else { return Vec::new() };
    let typical = median(&points.iter().map(|point| scale.back(point.value)).collect::<Vec<_>>());
    let rules = scale.rules(figure, last, typical, series);
    let nights: Vec<&Night> = known.iter().map(|(night, _)| *night).collect();
    change_points(&points, rules).iter().map(|change| said(figure, scale, change, &nights)).collect()
}

/// On which scale a figure is moved by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Plain,
    Logarithm,
}

impl Scale {
    fn of(figure: Figure) -> Self {
        if figure.measure().is_some_and(is_ratio) { Self::Logarithm } else { Self::Plain }
    }

    fn point(self, Taken(value, error): Taken) -> Option<Point> {
        match self {
            Self::Plain => Some(Point { value, variance: error * error }),
            Self::Logarithm => (value > 0.0).then(|| Point { value: value.ln(), variance: (error / value).powi(2) }),
        }
    }

    fn back(self, value: f64) -> f64 {
        match self {
            Self::Plain => value,
            Self::Logarithm => value.exp(),
        }
    }

    fn rules(self, figure: Figure, last: &Night, typical: f64, series: usize) -> Rules {
        let worth = worth_finding(last, figure);
        let (least, matters_from) = match (self, figure.measure()) {
            (_, None) => (CREEP * worth, worth),
            (Self::Plain, Some(measure)) => {
                let least = (LEAST_SHARE * typical.abs()).max(LEAST_BYTES);
                (least, matters_from(measure, typical))
            }
            (Self::Logarithm, Some(measure)) => {
                (LEAST_RATIO, (matters_from(measure, typical) / typical.abs().max(f64::MIN_POSITIVE)).ln_1p())
            }
        };
        Rules { least_variance: least * least, matters_from, series }
    }
}

fn worth_finding(night: &Night, figure: Figure) -> f64 {
    match figure {
        Figure::GrowthBytesPerHour => night.min_growth_bytes_per_hour,
        _ => night.min_growth_bytes_per_request,
    }
}

fn said(figure: Figure, scale: Scale, change: &ChangePoint, nights: &[&Night]) -> Change {
    let (last_before, first_after) = (nights[change.from - 1], nights[change.until]);
    let (before, after) = (scale.back(change.before), scale.back(change.after));
    let shift = Estimate::normal(change.after - change.before, change.error);
    let difference = match scale {
        Scale::Plain => shift,
        Scale::Logarithm => shift.map(|shift| before * shift.exp_m1()),
    };
    let between = &nights[change.from - 1..=change.until];
    let other_conditions = between.windows(2).any(|pair| pair[0].conditions != pair[1].conditions);
    let commits = commits(&last_before.commit, &first_after.commit);
    let (more, size) = if difference.value >= 0.0 { ("more", difference) } else { ("less", difference.negated()) };
    let range = match commits.as_str() {
        "" => String::new(),
        commits => format!(", commits {commits}"),
    };
    let doubt = if other_conditions {
        "; the machine, the toolchain or the schedule changed as well, and not the program alone may have done it"
    } else {
        ""
    };
    let sentence = format!(
        "{} {more} {} since {}: {}, was {} (between {} and {}{range}){doubt}",
        figure.shown(&size),
        figure.name(),
        day(&nights[change.at].started),
        figure.plain(after.max(0.0)),
        figure.plain(before.max(0.0)),
        day(&last_before.started),
        day(&first_after.started),
    );
    Change {
        figure,
        night: nights[change.at].started.clone(),
        last_before: last_before.started.clone(),
        first_after: first_after.started.clone(),
        commits,
        seen: nights[change.seen].started.clone(),
        before,
        after,
        difference,
        other_conditions,
        sentence,
    }
}

fn commits(before: &str, after: &str) -> String {
    match (before, after) {
        ("", _) | (_, "") => String::new(),
        (one, other) if one == other => format!("{one}, the same before and after"),
        (one, other) => format!("{}..{}", one.trim_end_matches('+'), other.trim_end_matches('+')),
    }
}

/// `2026-11-22T22:00:00Z` to the minute.
fn day(started: &str) -> String {
    started.get(..16).unwrap_or(started).replace('T', " ")
}
