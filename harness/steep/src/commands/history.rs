//! `steep history`: the nights of a scenario, out of the line that each run adds to `history.jsonl`.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::output::{json, layout, print, status_of, tell};
use super::report::in_full;
use crate::cli::{HistoryFormat, HistoryOptions};
use crate::shell::store::{RunFolder, RunRecord, nights, read_header};
use steep_core::conditions::Conditions;
use steep_core::exit::Status;
use steep_core::history::{History, Night, Recorded, names};
use steep_core::report::{self, Layout, Report};
use steep_judge::ids::CellId;

/// Prints the history of a scenario. One that was printed is a success whatever it says.
#[must_use]
pub fn history(options: &HistoryOptions) -> Status {
    let HistoryOptions { name, results, cell, format, wide, output } = options;
    let print = || -> Result<Status, anyhow::Error> {
        let lines =
            nights::lines(results).context("there is no history: `steep run` adds a line to it for each run")?;
        let lines = || lines.iter().map(String::as_str);
        let (found, broken) = steep_core::history::nights(lines(), name);
        if found.is_empty() {
            let known = names(lines());
            let place = nights::place(results);
            bail!("{} has no night of {name:?}; it has nights of {}", place.display(), known.join(", "));
        }
        let history = History::new(name, &found, broken);
        let cell = cell.as_deref().map(CellId::parse);
        if let Some(unknown) = cell.as_ref().filter(|cell| !history.cells.iter().any(|course| course.cell == **cell)) {
            let known: Vec<String> = history.cells.iter().map(|course| course.cell.to_string()).collect();
            bail!("no night has a cell \"{unknown}\"; they have {}", known.join(", "));
        }
        let text = match format {
            HistoryFormat::Json => json(&history)?,
            HistoryFormat::Html => report::history_page(&history, cell.as_ref()),
            HistoryFormat::Terminal => {
                // A file is as wide whatever window stands beside it.
                let layout = if output.is_some() { Layout::new(None, *wide) } else { layout(*wide) };
                report::history(&history, cell.as_ref(), layout)
            }
        };
        print(&text, output.as_deref())?;
        Ok(Status::Clean)
    };
    status_of(print())
}

/// Adds the line of a run to the nights beside its folder. A run without it is a run all the same.
pub(super) fn keep_night(folder: &RunFolder, run: &RunRecord, report: &Report) {
    let results = nights::beside(folder.path());
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let header = report.cells.first().and_then(|outcome| read_header(&folder.cell(&outcome.cell)).ok());
    let line = Night::line(&Recorded {
        name: &run.scenario.name,
        started: &run.started,
        run: name(folder.path()).unwrap_or_default(),
        commit: &run.provenance.git_commit,
        is_dirty: run.provenance.git_dirty,
        status: report.status,
        conditions: header.map(|header| Conditions::of(&header).hash()).unwrap_or_default(),
        judge: &run.scenario.judge,
        outcomes: &report.cells,
    });
    let Some(line) = line else { return };
    if let Err(error) = nights::append(&results, &line) {
        tell(&format!("warning: `steep history` will not know of this run: {}", in_full(&error)));
    }
}
