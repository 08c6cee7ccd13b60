//! Looks whether the revisions of a scenario are there, and in their order.

use std::path::Path;

use crate::shell::worktree::{commit_of, has_grown_out_of, place_of};
use steep_core::problem::{Problem, Spans};
use steep_core::scenario::{AxisKind, Program, Scenario};

/// What is wrong with the revisions that `scenario` names, of the repository around `folder`.
pub(super) fn examine(scenario: &Scenario, spans: &Spans, folder: &Path) -> Vec<Problem> {
    let axes = scenario.axes.iter().enumerate();
    let of_revisions =
        axes.filter(|(index, axis)| axis.kind == AxisKind::Revision && spans.has(&format!("axes[{index}].values")));
    let Some((index, axis)) = of_revisions.into_iter().next() else { return Vec::new() };
    if matches!(scenario.service.program, Program::Command(_)) {
        return Vec::new(); // Has been told.
    }
    if let Err(error) = place_of(folder) {
        let problem =
            Problem::error(format!("there are no revisions here: {error}"), spans.of(&format!("axes[{index}].kind")));
        return vec![problem.help("the scenario file must be in the git repository of the package")];
    }
    let span = spans.of(&format!("axes[{index}].values"));
    let mut problems = Vec::new();
    let mut before: Vec<(&str, String)> = Vec::new();
    for value in &axis.values {
        let Ok(commit) = commit_of(folder, value) else {
            let problem = Problem::error(format!("git knows no revision \"{value}\""), span.clone());
            problems.push(problem.help("a tag, a commit or a branch of this repository; is it fetched?"));
            continue;
        };
        if let Some((earlier, _)) = before.iter().find(|(_, of_earlier)| *of_earlier == commit) {
            let message = format!("\"{earlier}\" and \"{value}\" are one commit");
            problems.push(Problem::error(message, span.clone()).help("two cells would soak the same"));
        } else if let Some((earlier, of_earlier)) = before.last()
            && !has_grown_out_of(folder, &commit, of_earlier).unwrap_or(true)
        {
            let message = format!("\"{value}\" has not grown out of \"{earlier}\"");
            let help = "revisions stand from the oldest to the newest: the report says since which one memory grows";
            problems.push(Problem::warning(message, span.clone()).help(help));
        }
        before.push((value, commit));
    }
    problems
}
