//! `steep analyze`: judges recorded data again, from runs, cells, traces and CSV files.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::output::{print, status_of};
use super::report::in_full;
use crate::cli::ResultFormat;
use crate::exit::Status;
use crate::growth::{Materiality, MemorySource, Series, explain};
use crate::outcome::{Outcome, materiality, series};
use crate::recorded::series_from_csv;
use crate::report::{Analysis, cells};
use crate::scenario::Finding;
use crate::shell::store::{RunFolder, read_trace};
use crate::verdict::{Judgement, Verdict, judge};

/// What one input came to.
struct Judged {
    analyses: Vec<Analysis>,
    /// What led to each analysis, for people.
    explanations: Vec<String>,
    /// Outcomes of cells, where there are any, for their table.
    outcomes: Vec<Outcome>,
    status: Status,
}

/// Judges each of `inputs`. One that cannot be read is `invalid` and does not keep the others from being judged.
#[must_use]
pub fn analyze(inputs: &[impl AsRef<Path>], format: ResultFormat, explain: bool) -> Status {
    let mut statuses = Vec::new();
    for input in inputs {
        let input = input.as_ref();
        let source = input.display().to_string();
        let judged = judged(input).unwrap_or_else(|error| {
            let judgement = Judgement::without_growth(Verdict::Invalid, format!("{error:#}"));
            let analyses = vec![Analysis::new(source, &judgement)];
            Judged { analyses, explanations: Vec::new(), outcomes: Vec::new(), status: Status::NotDone }
        });
        statuses.push(judged.status);
        statuses.push(status_of(
            text(&judged, format, explain).and_then(|text| print(&text, None)).map(|()| Status::Clean),
        ));
    }
    Status::of(statuses)
}

fn text(judged: &Judged, format: ResultFormat, explain: bool) -> Result<String, anyhow::Error> {
    match format {
        ResultFormat::Json => {
            judged.analyses.iter().map(|analysis| Ok(serde_json::to_string(analysis)? + "\n")).collect()
        }
        ResultFormat::Terminal => {
            let table = if judged.outcomes.is_empty() { String::new() } else { cells(&judged.outcomes) + "\n" };
            let mut text = table + &judged.analyses.iter().map(Analysis::line).collect::<String>();
            if explain {
                text.extend(judged.explanations.iter().map(|explanation| format!("\n{explanation}\n")));
            }
            Ok(text)
        }
    }
}

fn judged(input: &Path) -> Result<Judged, anyhow::Error> {
    if input.join("run.json").is_file() {
        return judged_run(input);
    }
    if input.is_dir() || input.extension().is_some_and(|extension| extension == "jsonl") {
        let trace = read_trace(input)?;
        let outcome = Outcome::of(&trace);
        let status = outcome.status(&trace.header.judge.fail_on);
        let analyses = vec![Analysis::new(input.display().to_string(), &outcome.judgement)];
        let explanations =
            vec![explained(&input.display().to_string(), &series(&trace), &materiality(&trace.header.judge))];
        return Ok(Judged { analyses, explanations, outcomes: vec![outcome], status });
    }
    let text = fs::read_to_string(input).context("cannot be read")?;
    let series = series_from_csv(&text)?;
    let judgement = judge(&series, &Materiality::default());
    let status = match judgement.verdict {
        Verdict::Leak | Verdict::Step => Status::Finding,
        Verdict::Inconclusive => Status::Undecided,
        Verdict::Plateau | Verdict::Stable | Verdict::Retention => Status::Clean,
        Verdict::Crashed | Verdict::Invalid => Status::NotDone,
    };
    let analyses = vec![Analysis::new(input.display().to_string(), &judgement)];
    let explanations = vec![explained(&input.display().to_string(), &series, &Materiality::default())];
    Ok(Judged { analyses, explanations, outcomes: Vec::new(), status })
}

/// What led to the growth of the memory that decides.
fn explained(source: &str, series: &Series, materiality: &Materiality) -> String {
    let memory = if series.has_live_bytes() { MemorySource::Live } else { MemorySource::Anonymous };
    let what = if series.has_live_bytes() { "live bytes" } else { "anonymous memory" };
    match explain(series, memory, materiality) {
        Ok(explanation) => format!("{source}, {what}:\n{explanation}"),
        Err(unjudgeable) => format!("{source}, {what}: {unjudgeable}"),
    }
}

fn judged_run(input: &Path) -> Result<Judged, anyhow::Error> {
    let (folder, run) = RunFolder::open(input)?;
    let fail_on: &[Finding] = &run.scenario.judge.fail_on;
    let (mut analyses, mut explanations, mut outcomes, mut statuses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for cell in &run.plan.cells {
        let source = input.join(cell.id.as_str()).display().to_string();
        match folder.trace(&cell.id) {
            Ok(Some(trace)) => {
                let outcome = Outcome::of(&trace);
                statuses.push(outcome.status(fail_on));
                explanations.push(explained(&source, &series(&trace), &materiality(&trace.header.judge)));
                analyses.push(Analysis::new(source, &outcome.judgement));
                outcomes.push(outcome);
            }
            unknown => {
                let reason = unknown.err().map_or_else(|| "not soaked".to_owned(), |error| in_full(&error));
                statuses.push(Status::NotDone);
                analyses.push(Analysis::new(source, &Judgement::without_growth(Verdict::Invalid, reason)));
            }
        }
    }
    Ok(Judged { analyses, explanations, outcomes, status: Status::of(statuses) })
}
