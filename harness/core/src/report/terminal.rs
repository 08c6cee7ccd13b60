//! A report for people: what is said of each flag, a table of the cells, and what stands behind each verdict that is
//! not clear.

mod allocators;
mod cells;
mod compared;
mod flags;
mod history;
mod kept;
mod known;
mod layers;
mod levels;
mod live;
mod loads;
mod not_run;
mod notes;
mod outline;
mod plan;
mod profile;
mod prose;
mod rehearsed;
mod run_notes;
mod table;

use std::collections::BTreeSet;

use self::allocators::allocators;
pub use self::cells::cells;
pub use self::compared::compared;
use self::flags::flags;
pub(super) use self::flags::guilt;
pub use self::history::history;
pub(super) use self::history::night_status;
pub(super) use self::kept::{described as described_place, percent};
use self::known::known;
pub(super) use self::known::note as known_note;
use self::layers::layers;
use self::levels::levels;
pub(super) use self::levels::{described as described_levels, level_figure, level_label, level_notes, shown_measures};
pub(super) use self::live::notes as live_notes;
use self::loads::loads;
use self::not_run::not_run;
pub(super) use self::not_run::not_run_notes;
pub(super) use self::notes::cell_notes;
use self::notes::notes;
pub use self::outline::outline_text;
pub use self::plan::plan_table;
pub use self::profile::profile;
pub(super) use self::prose::wrapped;
pub use self::rehearsed::rehearsed;
pub(super) use self::run_notes::run_notes;
use super::{Layout, Report};
use crate::exit::Status;
use crate::outcome::Outcome;
use steep_judge::growth::Growth;
use steep_judge::ids::CellId;
use steep_judge::units::{BytesPerHour, BytesPerRequest, counted};
use steep_judge::verdict::Verdict;

/// The whole report.
#[must_use]
pub fn terminal(report: &Report, layout: Layout) -> String {
    let tables = [
        flags(report, layout),
        cells(&report.cells, layout),
        loads(&report.cells, layout),
        layers(&report.cells, layout),
        levels(&report.levels, layout),
        allocators(&report.allocators, layout),
    ];
    let mut text = tables.into_iter().filter(|table| !table.is_empty()).collect::<Vec<_>>().join("\n");
    text.push_str(&notes(report, layout));
    text.push_str(&report.not_run.as_ref().map_or_else(String::new, |left_out| not_run(left_out, layout)));
    text.push_str(&conclusion(report, layout));
    text
}

fn conclusion(report: &Report, layout: Layout) -> String {
    let mut text = String::from("\n");
    if let Some(blindest) = blindest(&report.cells) {
        let rate = blindest.rate.get();
        let described = |growth: BytesPerHour| {
            let per_request = (rate > 0.0).then(|| BytesPerRequest::new(growth.get_per_second() / rate));
            per_request.map_or_else(|| growth.to_string(), |per_request| format!("{per_request} ({growth})"))
        };
        let all_decided = report.missing.is_empty()
            && report.cells.iter().all(|cell| cell.verdict().is_decided() && cell.cut_short.is_none());
        let where_seen = if all_decided { "in every cell" } else { "in the cells that were decided" };
        let note = format!(
            "Growth worth finding: {}. Any of {} or more that went on through the whole soak would have been seen {where_seen}.",
            described(blindest.worth_finding),
            described(blindest.seen_at_least)
        );
        text.push_str(&wrapped(&note, layout));
    }
    text.push_str(&known(&report.known, layout));
    text.push_str(&wrapped(&sentence(report), layout));
    text
}

/// The run in one sentence.
pub(super) fn sentence(report: &Report) -> String {
    let said = &report.sentence;
    let flags = if said.is_empty() { String::new() } else { format!(" {said}.") };
    let status = match report.status {
        Status::Finding => "FINDING",
        Status::NotDone => "NOT DONE",
        Status::Undecided => "UNDECIDED",
        Status::Clean => "CLEAN",
        Status::Usage => "WRONG",
    };
    let counts: Vec<String> = [
        Verdict::Leak,
        Verdict::Step,
        Verdict::Retention,
        Verdict::Crashed,
        Verdict::Invalid,
        Verdict::Inconclusive,
        Verdict::Plateau,
        Verdict::Stable,
    ]
    .iter()
    .filter_map(|verdict| report.verdicts.get(verdict.name()).map(|count| format!("{count} {verdict}")))
    .collect();
    let counts = if counts.is_empty() { "no cell was soaked".to_owned() } else { counts.join(", ") };
    let excused: BTreeSet<&CellId> = report.known.iter().flat_map(|known| &known.excused).collect();
    let excused =
        if excused.is_empty() { String::new() } else { format!(", of which growth is known in {}", excused.len()) };
    let broken = report.cells.iter().flat_map(|cell| &cell.thresholds).filter(|kept| kept.broken).count();
    let broken = if broken == 0 { String::new() } else { format!(", {}", counted(broken, "broken threshold")) };
    let costs = described_levels(&report.levels, &report.flags, &report.axes);
    let not_asked = match report.not_asked.len() {
        0 => String::new(),
        count => format!(", {} not asked for", counted(count, "cell")),
    };
    format!("{status}: {counts}{excused}{broken}{not_asked} (exit status {}).{flags}{costs}", report.exit_status)
}

/// The growth of the decided cell that could have hidden most.
pub(super) fn blindest(cells: &[Outcome]) -> Option<&Growth> {
    let decided = cells.iter().filter(|cell| cell.verdict().is_decided()).filter_map(Outcome::growth);
    decided.max_by(|a, b| a.seen_at_least.get().total_cmp(&b.seen_at_least.get()))
}
