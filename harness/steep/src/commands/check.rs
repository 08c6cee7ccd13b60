//! `steep check`: every problem of a scenario at once.

use std::path::Path;

use serde::Serialize;

use super::output::{json, printed};
use super::scenario_file::{Examined, examine, tell_problems};
use crate::cli::ResultFormat;
use steep_core::exit::Status;
use steep_core::problem::{Lines, Problem, Severity};
use steep_judge::units::counted;

/// A problem for programs.
#[derive(Debug, Serialize)]
struct ProblemRecord<'p> {
    severity: &'static str,
    message: &'p str,
    /// From 1; none: the file as a whole.
    line: Option<usize>,
    column: Option<usize>,
    help: &'p str,
}

/// Checks the scenario at `path`.
#[must_use]
pub fn check(path: &Path, format: ResultFormat) -> Status {
    let examined = examine(path);
    let status = if examined.loaded.is_some() { Status::Clean } else { Status::Usage };
    let text = match format {
        ResultFormat::Json => {
            let lines = Lines::of(&examined.text);
            let records: Vec<_> = examined.problems.iter().map(|problem| record(problem, &lines)).collect();
            json(&records)
        }
        ResultFormat::Terminal => {
            tell_problems(path, &examined);
            Ok(summary(path, &examined))
        }
    };
    printed(text, status)
}

fn summary(path: &Path, examined: &Examined) -> String {
    examined.loaded.as_ref().map_or_else(String::new, |loaded| {
        let plan = &loaded.plan;
        let dropped = match plan.notes.dropped.len() + plan.notes.more_dropped {
            0 => String::new(),
            dropped => format!(", {dropped} rows dropped (see `steep plan`)"),
        };
        let (cells, builds) = (counted(plan.cells.len(), "cell"), counted(plan.builds.len(), "build"));
        format!("{}: no errors; {cells}, {builds}{dropped}\n", path.display())
    })
}

fn record<'p>(problem: &'p Problem, lines: &Lines<'_>) -> ProblemRecord<'p> {
    let place = problem.span.as_ref().map(|span| lines.place(span.start));
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    ProblemRecord {
        severity,
        message: &problem.message,
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        help: &problem.help,
    }
}
