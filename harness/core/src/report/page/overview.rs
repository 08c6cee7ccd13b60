//! The rest of the first screen: the table of cells, how far it can be trusted, and what reproduces it.

use maud::{Markup, html};

use super::answer::seen;
use super::order::{class, worst_first};
use super::prose::prose;
use super::tabular::{Head, table, text};
use super::{Page, anchor};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::report::terminal::{live_notes, not_run_notes, percent, run_notes};
use steep_judge::units::counted;

/// The cells, worst first.
pub(super) fn cells(report: &Report) -> Markup {
    let heads = [
        Head::Words("cell"),
        Head::Words("verdict"),
        Head::figures("growth per request"),
        Head::figures("growth per hour"),
        Head::figures("memory"),
        Head::figures("reaches its limit in"),
        Head::Words("kept at"),
    ];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let row = |cell: &&Outcome| {
        let growth = cell.growth();
        vec![
            html! { a href=(format!("#{}", anchor(report, cell))) { (cell.cell) } },
            html! { span class=(class(cell.verdict())) { (cell.verdict()) } },
            text(or_dash(growth.and_then(|growth| growth.per_request).map(|each| each.compact()))),
            text(or_dash(growth.map(|growth| growth.per_hour.compact()))),
            text(or_dash(cell.memory.map(|memory| format!("{} → {}", memory.start, memory.end)))),
            text(or_dash(cell.seconds_to_limit.map(|until| super::scale::seconds_text(until.value.round())))),
            html! {
                @match cell.kept_by.first().filter(|_| !cell.verdict().is_clear()) {
                    Some(kept) => code { (kept.frame.place()) },
                    None => "–",
                }
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = worst_first(&report.cells).iter().map(row).collect();
    html! {
        @if !rows.is_empty() { (table("Cells, the worst first", &heads, &rows)) }
        @for missing in &report.missing { p.note { code { (missing.cell) } ": " (missing.reason) } }
    }
}

/// What holds for the whole run, and what a night did not come to.
pub(super) fn notes(report: &Report) -> Markup {
    let notes = report.not_run.iter().flat_map(not_run_notes).chain(run_notes(report));
    let notes: Vec<String> = notes.chain(live_notes(&report.cells)).collect();
    html! {
        @if !notes.is_empty() {
            section #notes aria-labelledby="notes-head" {
                h2 #notes-head { "Of the whole run" }
                ul.notes { @for note in &notes { li { (prose(note)) } } }
            }
        }
    }
}

/// How far it can be trusted.
pub(super) fn trust(report: &Report) -> Markup {
    let own: Vec<&Outcome> = report.cells.iter().filter(|cell| cell.external.is_none() && !cell.without_load).collect();
    let sum = |of: fn(&Outcome) -> u64| own.iter().map(|cell| of(cell)).fold(0, u64::saturating_add);
    let (due, sent, failed) =
        (sum(|cell| cell.requests.due), sum(|cell| cell.requests.sent), sum(|cell| cell.requests.failed()));
    let load = match (due, own.len()) {
        (_, 0) => "made by another program, or none".to_owned(),
        (0, _) => "none was due".to_owned(),
        (due, _) => format!("{} of {due} requests sent, {failed} failed", share(sent, due)),
    };
    let disturbances: usize = report.cells.iter().flat_map(|cell| &cell.disturbances).map(|(_, count)| count).sum();
    let kinds = report.cells.iter().flat_map(|cell| &cell.disturbances);
    let mut kinds: Vec<String> = kinds.map(|(kind, _)| kind.to_string()).collect();
    kinds.sort();
    kinds.dedup();
    let disturbed = match disturbances {
        0 => "none".to_owned(),
        count => format!("{count}: {}", kinds.join(", ")),
    };
    html! {
        dl.trust aria-label="How far this can be trusted" {
            div { dt { "Load delivered" } dd { (load) } }
            div { dt { "Disturbances" } dd { (disturbed) } }
            div { dt { "Smallest leak that would have been seen" } dd { (seen(report)) } }
        }
    }
}

/// `99.8 %`, and 100 only where nothing is missing.
fn share(part: u64, of: u64) -> String {
    if part == of {
        return "100 %".to_owned();
    }
    let share = part as f64 / of as f64;
    if share >= 0.995 { format!("{:.2} %", (share * 1e4).floor() / 100.0) } else { percent(share) }
}

/// What reproduces the run, or its worst cell.
pub(super) fn reproduce(page: &Page<'_>) -> Markup {
    let Some(worst) = worst_first(&page.report.cells).into_iter().next() else { return html! {} };
    let commands = commands(page, worst);
    html! {
        h2 { "Reproduce" }
        pre.command tabindex="0" { code { (commands.join("\n")) } }
    }
}

fn commands(page: &Page<'_>, worst: &Outcome) -> Vec<String> {
    let cell = quoted(worst.cell.as_str());
    let mut commands = Vec::new();
    let course = page.courses.iter().find(|course| course.header.cell == worst.cell);
    if let Some(source) = course.map(|course| &course.header.provenance).filter(|source| !source.git_commit.is_empty())
    {
        let changed = if source.git_dirty { "   # and what was not committed then" } else { "" };
        commands.push(format!("git checkout {}{changed}", quoted(&source.git_commit)));
    }
    match page.folder {
        "" => commands.push(format!("steep run FILE --cell {cell}")),
        folder => {
            let again = format!("{}/reproduce.toml", page.scenario_folder.trim_end_matches('/'));
            commands.push(format!("cp {} {}", quoted(&format!("{folder}/scenario.toml")), quoted(&again)));
            commands.push(format!("steep run {} --cell {cell}", quoted(&again)));
        }
    }
    commands
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=@:,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// When it was, by whom, and what it came to.
pub(super) fn headline(report: &Report) -> Markup {
    html! {
        p.run {
            "started " time datetime=(report.started) { (report.started) } ", steep " (report.steep) ", "
            (counted(report.cells.len(), "cell")) ", exit status " (report.exit_status)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell_are_quoted() {
        assert_eq!(quoted("results/a-1"), "results/a-1");
        assert_eq!(quoted("a;rm -r 'b"), r"'a;rm -r '\''b'");
        assert_eq!(quoted("cache+render"), "'cache+render'");
    }

    #[test]
    fn all_but_one_is_not_all() {
        assert_eq!([share(10, 10), share(999_999, 1_000_000), share(1, 2)], ["100 %", "99.99 %", "50 %"]);
    }
}
