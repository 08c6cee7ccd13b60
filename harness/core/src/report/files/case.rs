//! What a report says of each flag, value of an axis and cell: failed, not done, open, or in order.

use super::super::Report;
use super::super::terminal::cell_notes;
use super::figure::{Figure, of_cell, of_finding};
use crate::exit::Status;
use crate::outcome::Outcome;
use crate::threshold::ThresholdOutcome;
use steep_judge::ids::CellId;
use steep_judge::isolation::{AxisFinding, Effect, Finding, FlagFinding, Guilt};
use steep_judge::verdict::Verdict;

/// What a case is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A flag.
    Flag,
    /// A value of an axis.
    Axis,
    /// A cell.
    Cell,
}

impl Kind {
    /// As it stands before a name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Axis => "axis",
            Self::Cell => "cell",
        }
    }
}

/// A line of the program's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// From the root of the repository.
    pub(super) file: String,
    /// The line.
    pub(super) line: u32,
}

impl Place {
    /// That of `sessions.rs:118`; none where the text is not a line of a file below the service's folder: a
    /// library's source has an absolute path, and a function without debug information has none.
    fn parse(text: &str, root: &str) -> Option<Self> {
        let (file, line) = text.rsplit_once(':')?;
        let line: u32 = line.parse().ok().filter(|line| *line > 0)?;
        let is_below = !file.is_empty() && !file.starts_with('/') && !file.split('/').any(|part| part == "..");
        let root = root.trim_end_matches('/');
        is_below.then(|| Self { file: if root.is_empty() { file.to_owned() } else { format!("{root}/{file}") }, line })
    }
}

/// What is said of one.
#[derive(Debug)]
pub(super) struct Case {
    /// What it is about.
    pub(super) kind: Kind,
    /// The flag, `axis=value`, or the cell.
    pub(super) name: String,
    /// What it means for the exit status.
    pub(super) status: Status,
    /// The verdict or the finding in one word.
    pub(super) word: &'static str,
    /// What is said, in one paragraph.
    pub(super) message: String,
    /// What else is said, a paragraph each.
    pub(super) details: Vec<String>,
    /// Its figures.
    pub(super) figures: Vec<Figure>,
    /// The line that keeps what grows.
    pub(super) place: Option<Place>,
    /// Whether a case before this one says why it fails.
    pub(super) is_explained: bool,
    /// Growth per hour, by which what fails is put in order.
    growth: f64,
}

/// Flags, values of axes, then cells: of each what fails first, by how fast it grows; what is in order stands last, as
/// the scenario has it.
pub(super) fn cases(report: &Report) -> Vec<Case> {
    let flags = report.flags.iter().map(|flag| of_flag(report, flag));
    let axes = report.axes.iter().map(|axis| of_axis(report, axis));
    let mut cases: Vec<Case> = flags.chain(axes).collect();
    let not_judged = report.not_run.iter().flat_map(|not_run| &not_run.not_judged);
    let unseen = not_judged.filter(|value| cases.iter().all(|case| case.name != value.name));
    let unseen: Vec<Case> =
        unseen.map(|value| bare(Kind::Axis, &value.name, Status::Undecided, "undecided", &value.reason)).collect();
    cases.extend(unseen);
    cases.extend(report.cells.iter().map(|outcome| of_outcome(report, outcome)).chain(unknown(report)));
    cases.sort_by(|one, other| {
        let kind = |case: &Case| case.kind as u8;
        let worst = one.status.cmp(&other.status).then(other.growth.total_cmp(&one.growth));
        kind(one).cmp(&kind(other)).then(worst)
    });
    cases
}

/// The status of a cell: an outcome that is not the report's own counts as not done.
fn status_of(report: &Report, outcome: &Outcome) -> Status {
    report.cell_statuses.get(&outcome.cell).copied().unwrap_or(Status::NotDone)
}

fn of_flag(report: &Report, flag: &FlagFinding) -> Case {
    let FlagFinding { flag, finding, .. } = flag;
    let is_off = finding.guilt == Guilt::LeaksOff;
    found(report, Kind::Flag, flag.clone(), finding, |outcome| outcome.flags.contains(flag) != is_off)
}

fn of_axis(report: &Report, axis: &AxisFinding) -> Case {
    let is_at_work =
        |outcome: &Outcome| axis.turn.is_some() || outcome.axes.get(&axis.axis).is_some_and(|on| *on == axis.value);
    found(report, Kind::Axis, axis.name(), &axis.finding, is_at_work)
}

/// What is named fails where a cell fails by growth or crash in which it is at work: growth that is filed excuses both.
fn found(report: &Report, kind: Kind, name: String, finding: &Finding, is_at_work: impl Fn(&Outcome) -> bool) -> Case {
    let seen = report.cells.iter().filter(|outcome| fails_itself(outcome.verdict()) && is_at_work(outcome));
    let status = match finding.guilt {
        Guilt::Innocent => Status::Clean,
        Guilt::Undecided => Status::Undecided,
        _ => seen.map(|outcome| status_of(report, outcome)).min().unwrap_or(Status::Undecided),
    };
    let place =
        finding.kept_by.iter().flat_map(|kept| &kept.places).find_map(|place| Place::parse(place, &report.source_root));
    let growth = finding.effect.as_ref().map_or(0.0, |effect| effect.per_hour.value.get());
    Case {
        kind,
        status,
        word: word(&finding.guilt),
        message: described(&name, finding),
        details: Vec::new(),
        figures: of_finding(finding),
        place,
        is_explained: false,
        growth,
        name,
    }
}

/// Whether a verdict says that memory grows, or the service ended.
const fn fails_itself(verdict: Verdict) -> bool {
    verdict.grows() || matches!(verdict, Verdict::Crashed)
}

const fn word(guilt: &Guilt) -> &'static str {
    match guilt {
        Guilt::Leaks => "leaks",
        Guilt::LeaksWith(_) => "leaks with others",
        Guilt::LeaksWithout(_) => "leaks without others",
        Guilt::LeaksOff => "leaks where it is off",
        Guilt::Retains => "retains",
        Guilt::Crashes => "crashes",
        Guilt::Innocent => "innocent",
        Guilt::Undecided => "undecided",
    }
}

/// `sessions leaks 3.23 (2.67 to 3.79) KiB per request, kept by src/sessions.rs:118 (posterior 0.999)`.
fn described(name: &str, finding: &Finding) -> String {
    let amount = finding.effect.as_ref().map(Effect::amount).map_or_else(String::new, |amount| format!(" {amount}"));
    let posterior = finding.posterior.filter(|posterior| posterior.is_finite());
    let posterior = posterior.map_or_else(String::new, |posterior| format!(" (posterior {posterior:.3})"));
    let kept = finding.kept_by.first().and_then(|kept| kept.places.first());
    let kept = kept.map_or_else(String::new, |place| format!(", kept by {place}"));
    let what = match &finding.guilt {
        Guilt::Leaks => format!("leaks{amount}"),
        Guilt::LeaksWith(others) => format!("leaks{amount}, only together with {others}"),
        Guilt::LeaksWithout(others) => format!("leaks{amount}, only where {others} is off"),
        Guilt::LeaksOff => format!("leaks{amount} where it is off"),
        Guilt::Retains => format!("makes the allocator hold{amount}; live bytes do not grow"),
        Guilt::Crashes => "makes the service end by itself".to_owned(),
        Guilt::Innocent => "is innocent".to_owned(),
        Guilt::Undecided => return format!("{name} is undecided{posterior}: {}", finding.reason),
    };
    format!("{name} {what}{kept}{posterior}")
}

fn of_outcome(report: &Report, outcome: &Outcome) -> Case {
    let status = status_of(report, outcome);
    let broken: Vec<String> =
        outcome.thresholds.iter().filter(|kept| kept.broken).map(ThresholdOutcome::note).collect();
    // What fails a cell of which nothing else is to be said.
    let word = match outcome.verdict() {
        verdict if status != Status::Finding || fails_itself(verdict) => verdict.name(),
        _ if !broken.is_empty() => "threshold",
        _ if outcome.headroom_exceeded => "headroom",
        verdict => verdict.name(),
    };
    let cut = outcome.cut_short.as_ref().map(|why| format!("cut short: {why}"));
    let said = [outcome.judgement.reason.clone()].into_iter().chain(broken).chain(cut);
    let causes = outcome.kept_by.iter().map(|cause| cause.frame.place());
    let is_explained = fails_itself(outcome.verdict()) && outcome.thresholds.iter().all(|kept| !kept.broken);
    Case {
        kind: Kind::Cell,
        name: outcome.cell.to_string(),
        status,
        word,
        message: format!("{}: {}", outcome.verdict(), said.collect::<Vec<_>>().join("; ")),
        details: cell_notes(outcome),
        figures: of_cell(outcome),
        place: causes.into_iter().find_map(|place| Place::parse(&place, &report.source_root)),
        is_explained: is_explained && has_named(report, outcome),
        growth: outcome.growth().map_or(0.0, |growth| growth.per_hour.value.get()),
    }
}

/// Whether a flag, or value of an axis, that is on in a cell was named.
fn has_named(report: &Report, outcome: &Outcome) -> bool {
    let flag = report
        .flags
        .iter()
        .filter(|flag| flag.finding.guilt.is_named())
        .any(|flag| outcome.flags.contains(&flag.flag) != (flag.finding.guilt == Guilt::LeaksOff));
    let axes = report.axes.iter().filter(|axis| axis.finding.guilt.is_named());
    flag || axes.into_iter().any(|axis| outcome.axes.get(&axis.axis).is_some_and(|on| *on == axis.value))
}

/// Cells of which nothing is known.
fn unknown(report: &Report) -> Vec<Case> {
    let cell = |name: &CellId, status, word, why: &str| bare(Kind::Cell, name.as_str(), status, word, why);
    let missing = report.missing.iter().map(|gone| cell(&gone.cell, Status::NotDone, "missing", &gone.reason));
    let why = "nothing is known of it: --cell named others";
    let not_asked = report.not_asked.iter().map(|name| cell(name, Status::Undecided, "not asked for", why));
    let why = "nothing is known of it: the night was over";
    let left_out = report.not_run.iter().flat_map(|not_run| &not_run.left_out);
    let left_out = left_out.map(|name| cell(name, Status::Undecided, "left out", why));
    missing.chain(not_asked).chain(left_out).collect()
}

/// What has no figures.
fn bare(kind: Kind, name: &str, status: Status, word: &'static str, why: &str) -> Case {
    Case {
        kind,
        name: name.to_owned(),
        status,
        word,
        message: why.to_owned(),
        details: Vec::new(),
        figures: Vec::new(),
        place: None,
        is_explained: false,
        growth: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_of_a_file_below_the_root() {
        let place = |text, root| Place::parse(text, root).map(|place| format!("{}:{}", place.file, place.line));
        assert_eq!(place("src/main.rs:7", "").as_deref(), Some("src/main.rs:7"));
        assert_eq!(place("src/main.rs:7", "services/shop/").as_deref(), Some("services/shop/src/main.rs:7"));
        for other in
            ["main", "src/main.rs", "src/main.rs:0", "/rustc/a.rs:1", "../a.rs:1", "a/../../b.rs:1", ":7", "a:b"]
        {
            assert_eq!(place(other, ""), None, "{other}");
        }
    }
}
