//! `steep analyze`: judges recorded data again, from runs, cells, traces and what other tools recorded.

use std::path::Path;

use anyhow::bail;

use super::output::{layout, printed, tell};
use super::report::in_full;
use crate::cli::{AnalyzeOptions, ResultFormat, TimeUnit};
use crate::shell::recording::{is_foreign, read_recording};
use crate::shell::store::packed::{is_trace_name, trace_in};
use crate::shell::store::{RUN_FILE, RunFolder, TRACE_FILE, read_trace};
use steep_core::exit::Status;
use steep_core::known::weigh;
use steep_core::outcome::{Outcome, Recorded, judged_cells};
use steep_core::recorded::{Options, Recording};
use steep_core::report::{Analysis, cells};
use steep_core::scenario::{Date, Finding, Flag};
use steep_judge::growth::{Growth, Layer, Materiality, Series, Unjudgeable, fit};
use steep_judge::isolation::isolate;
use steep_judge::verdict::{Judgement, Verdict, explain};

/// What one input came to.
struct Judged {
    analyses: Vec<Analysis>,
    /// What led to each analysis, for people.
    explanations: Vec<String>,
    /// Outcomes of cells, where there are any, for their table.
    outcomes: Vec<Outcome>,
    status: Status,
}

/// Judges each input. One that cannot be read is `invalid` and does not keep the others from being judged.
#[must_use]
pub fn analyze(options: &AnalyzeOptions) -> Status {
    let AnalyzeOptions { ref inputs, format, wide, explain, .. } = *options;
    let said = Options {
        columns: options.columns.clone().unwrap_or_default(),
        unit: options.unit,
        time_unit: options.time_unit.map(TimeUnit::seconds),
        every: options.every,
        zone: options.zone.clone(),
        series: options.series.clone(),
        restarts: options.restarts,
    };
    if explain && format == ResultFormat::Json {
        tell("error: --explain prints for people, and --format json for programs: leave one of them out");
        return Status::Usage;
    }
    let mut statuses = Vec::new();
    for input in inputs {
        let judged = judged(input, &said, explain).unwrap_or_else(|error| {
            let judgement = Judgement::not_read(format!("{error:#}"));
            let analyses = vec![Analysis::new(input.display().to_string(), &judgement)];
            Judged { analyses, explanations: Vec::new(), outcomes: Vec::new(), status: Status::NotDone }
        });
        statuses.push(printed(text(&judged, format, wide, explain), judged.status));
    }
    Status::of(statuses)
}

fn text(judged: &Judged, format: ResultFormat, wide: bool, explain: bool) -> Result<String, anyhow::Error> {
    match format {
        ResultFormat::Json => {
            judged.analyses.iter().map(|analysis| Ok(serde_json::to_string(analysis)? + "\n")).collect()
        }
        ResultFormat::Terminal => {
            let layout = layout(wide);
            let table = if judged.outcomes.is_empty() { String::new() } else { cells(&judged.outcomes, layout) + "\n" };
            let mut text = table + &judged.analyses.iter().map(|analysis| analysis.line(layout)).collect::<String>();
            text.extend(judged.explanations.iter().map(|explanation| format!("\n{explanation}\n")));
            if explain {
                text.extend(judged.analyses.iter().map(|analysis| format!("\n{}", analysis.rule(layout))));
            }
            Ok(text)
        }
    }
}

fn judged(input: &Path, said: &Options, explain: bool) -> Result<Judged, anyhow::Error> {
    if input.join(RUN_FILE).is_file() {
        return judged_run(input, explain);
    }
    let source = input.display().to_string();
    let mut explanations = Explanations::new(explain);
    if input.is_dir() || is_trace_name(input) && !is_foreign(input) {
        if input.is_dir() && !trace_in(input).is_file() {
            bail!("a folder with neither {RUN_FILE} nor {TRACE_FILE}: give that of a run or of a cell");
        }
        let recorded: Recorded = read_trace(input)?;
        let fail_on = recorded.header().judge.fail_on.clone();
        let outcome = recorded.outcome_by(explanations.of(&source));
        let status = outcome.status(&fail_on);
        let analyses = vec![Analysis::new(source, &outcome.judgement)];
        return Ok(Judged { analyses, explanations: explanations.notes, outcomes: vec![outcome], status });
    }
    judged_recordings(input, said, explanations)
}

/// Each series of a file that somebody else recorded.
fn judged_recordings(input: &Path, said: &Options, mut explanations: Explanations) -> Result<Judged, anyhow::Error> {
    let read = read_recording(input, said)?;
    let (mut analyses, mut statuses) = (Vec::new(), Vec::new());
    for recording in &read.recordings {
        let source = input.display().to_string();
        let named = recording.name.as_ref().map_or_else(|| source.clone(), |name| format!("{source}, {name}"));
        let judgement = recording.judged(&Materiality::default(), explanations.of(&named));
        statuses.push(status_of(judgement.verdict));
        analyses.push(analysis(source, &judgement, recording, read.format, &read.remarks));
    }
    let status = Status::of(statuses);
    Ok(Judged { analyses, explanations: explanations.notes, outcomes: Vec::new(), status })
}

fn analysis(
    source: String,
    judgement: &Judgement,
    recording: &Recording,
    format: &str,
    remarks: &[String],
) -> Analysis {
    let remarks = remarks.iter().chain(&recording.remarks).cloned().collect();
    let unit = recording.unit.map(|unit| unit.to_string());
    Analysis::new(source, judgement).recorded(format, recording.name.clone(), unit, remarks)
}

const fn status_of(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Leak | Verdict::Step => Status::Finding,
        Verdict::Inconclusive => Status::Undecided,
        Verdict::Plateau | Verdict::Stable | Verdict::Retention => Status::Clean,
        Verdict::Crashed | Verdict::Invalid => Status::NotDone,
    }
}

fn judged_run(input: &Path, explain: bool) -> Result<Judged, anyhow::Error> {
    let (folder, run) = RunFolder::open(input)?;
    let fail_on: &[Finding] = &run.scenario.judge.fail_on;
    let mut explanations = Explanations::new(explain);
    let (mut analyses, mut outcomes, mut unknown_cells) = (Vec::new(), Vec::new(), Vec::new());
    for cell in &run.plan.cells {
        let source = input.join(cell.id.as_str()).display().to_string();
        match folder.trace::<Recorded>(&cell.id) {
            Ok(Some(recorded)) => {
                let outcome = recorded.outcome_by(explanations.of(&source));
                analyses.push(Analysis::new(source, &outcome.judgement));
                outcomes.push(outcome);
            }
            unknown => {
                let reason = unknown.err().map_or_else(|| "not soaked".to_owned(), |error| in_full(&error));
                unknown_cells.push(Status::NotDone);
                analyses.push(Analysis::new(source, &Judgement::not_read(reason)));
            }
        }
    }
    let flags: Vec<String> = run.scenario.flags.iter().flat_map(Flag::members).collect();
    let isolation = isolate(&flags, &judged_cells(&outcomes));
    let day = Date::of(&run.started);
    let (_, statuses) = weigh(&run.scenario.known, day.as_ref(), &isolation, &outcomes, fail_on);
    let status = Status::of(statuses.into_iter().chain(unknown_cells));
    Ok(Judged { analyses, explanations: explanations.notes, outcomes, status })
}

/// What led to the growths of an input, where it is asked for.
struct Explanations {
    asked: bool,
    notes: Vec<String>,
}

impl Explanations {
    const fn new(asked: bool) -> Self {
        Self { asked, notes: Vec::new() }
    }

    /// A fit of the series from `source` that is remembered here.
    fn of(&mut self, source: &str) -> impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable> {
        move |series, layer, materiality| {
            if !self.asked {
                return fit(series, layer, materiality);
            }
            let what = series.sources.of(layer).in_words();
            let explained = explain(series, layer, materiality);
            self.notes.push(match &explained {
                Ok(explanation) => format!("{source}, {what}:\n{explanation}"),
                Err(unjudgeable) => format!("{source}, {what}: {unjudgeable}"),
            });
            explained.map(|explanation| explanation.growth)
        }
    }
}
