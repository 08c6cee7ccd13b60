//! Markdown for a comment on a pull request, or the summary of a job: one sentence, what is named, and the cells
//! folded.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::Report;
use super::super::terminal::sentence;
use super::case::{Case, Kind, cases};
use crate::exit::Status;
use crate::outcome::Outcome;
use crate::sparkline::sparkline;
use crate::visible::visible;
use steep_judge::units::{Bytes, Estimate, counted};

/// GitHub refuses the summary of a step above 1 MiB.
const LONGEST: usize = 900_000;
/// What ends the text stands below the same bound.
const RESERVED: usize = 500;
/// More of what is said of one cell is in its `verdict.json`.
const LONGEST_NOTE: usize = 2_000;

/// Characters of a name that a comment keeps: no name ends it.
const IN_MARKER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A text that takes in whole lines up to a bound.
struct Page {
    text: String,
    left_out: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        if self.left_out == 0 && self.text.len() + line.len() < LONGEST - RESERVED {
            self.text.push_str(line);
            self.text.push('\n');
        } else {
            self.left_out += 1;
        }
    }
}

/// The report, short enough for GitHub.
pub(in crate::report) fn markdown(report: &Report) -> String {
    let mut page = Page { text: String::new(), left_out: 0 };
    page.line(&format!("<!-- steep:{} -->", utf8_percent_encode(&report.name, IN_MARKER)));
    page.line(&format!("### steep: {}\n\n{}\n", code(&report.name), prose(&sentence(report))));
    let (cells, named): (Vec<Case>, Vec<Case>) = cases(report).into_iter().partition(|case| case.kind == Kind::Cell);
    if !named.is_empty() {
        page.line("| | flag | posterior | adds per request | adds per hour | kept by |\n|---|---|---|---|---|---|");
        for case in &named {
            page.line(&named_row(case));
        }
        page.line("");
    }
    folded_cells(&mut page, report, &cells);
    folded_notes(&mut page, &cells);
    if page.left_out > 0 {
        page.text.push_str(&format!("\n{} more lines are left out: report.json has all.\n", page.left_out));
    }
    page.text
}

fn folded_cells(page: &mut Page, report: &Report, cells: &[Case]) {
    if cells.is_empty() {
        return;
    }
    let failing = cells.iter().filter(|case| case.status == Status::Finding).count();
    let failing = if failing == 0 { String::new() } else { format!(", {failing} with findings") };
    page.text.push_str(&format!(
        "<details><summary>{} soaked or planned{failing}</summary>\n\n",
        counted(cells.len(), "cell")
    ));
    page.line("| | cell | verdict | growth per request | growth per hour | memory |\n|---|---|---|---|---|---|");
    let outcomes: BTreeMap<&str, &Outcome> =
        report.cells.iter().map(|outcome| (outcome.cell.as_str(), outcome)).collect();
    for case in cells {
        page.line(&cell_row(case, outcomes.get(case.name.as_str()).copied()));
    }
    page.text.push_str("\n</details>\n");
}

/// What stands behind each verdict that is not clear.
fn folded_notes(page: &mut Page, cells: &[Case]) {
    let noted: Vec<&Case> = cells.iter().filter(|case| case.status != Status::Clean).collect();
    if noted.is_empty() {
        return;
    }
    page.text.push_str("\n<details><summary>Why</summary>\n\n");
    for case in noted {
        let details = if case.details.is_empty() { case.message.clone() } else { case.details.join(" – ") };
        page.line(&format!("- {}: {}", code(&case.name), prose(&shortened(&details))));
    }
    page.text.push_str("\n</details>\n");
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_NOTE) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

const fn mark(status: Status) -> &'static str {
    match status {
        Status::Finding => "❌",
        Status::NotDone | Status::Usage => "⚠️",
        Status::Undecided => "❔",
        Status::Clean => "✅",
    }
}

/// A figure of a case, with its interval; bytes in units that people read.
fn figure(case: &Case, name: &str) -> String {
    let Some(figure) = case.figures.iter().find(|figure| figure.name == name) else { return "–".to_owned() };
    let (low, high) = figure.bounds.unwrap_or((figure.value, figure.value));
    Estimate { value: figure.value, low, high }.compact_bytes()
}

fn named_row(case: &Case) -> String {
    let posterior = case.figures.iter().find(|figure| figure.name == "posterior");
    let posterior = posterior.map_or_else(|| "–".to_owned(), |figure| format!("{:.3}", figure.value));
    let place =
        case.place.as_ref().map_or_else(|| "–".to_owned(), |place| code(&format!("{}:{}", place.file, place.line)));
    format!(
        "| {} | {} {} | {posterior} | {} | {} | {place} |",
        mark(case.status),
        code(&case.name),
        case.word,
        figure(case, "growth_bytes_per_request"),
        figure(case, "growth_bytes_per_hour"),
    )
}

fn cell_row(case: &Case, outcome: Option<&Outcome>) -> String {
    let memory = outcome.map_or_else(
        || "–".to_owned(),
        |outcome| {
            let ends = outcome.memory.map_or_else(String::new, |memory| format!(" {} → {}", memory.start, memory.end));
            format!("{}{ends}", bars(&outcome.memory_course_bytes))
        },
    );
    format!(
        "| {} | {} | {} | {} | {} | {memory} |",
        mark(case.status),
        code(&case.name),
        case.word,
        figure(case, "growth_bytes_per_request"),
        figure(case, "growth_bytes_per_hour"),
    )
}

/// A line of small bars. Noise of a service that is flat is not drawn as if it rose: the scale has at least this share
/// of the largest value.
fn bars(course: &[Bytes]) -> String {
    const LEAST_SPAN: f64 = 0.1;
    let values = || course.iter().map(|bytes| bytes.as_f64());
    let most = values().fold(0.0, f64::max);
    sparkline(values().map(Some), (LEAST_SPAN * most).max(1.0))
}

/// A name or a place, as it is: no character of it means anything.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text, "-./+=:"))
}

/// What is between backticks in a sentence is a name.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // An odd one out belongs to a name that has one.
    if parts.len().is_multiple_of(2) {
        return plain(text);
    }
    let is_name = |place: usize| place % 2 == 1;
    parts.iter().enumerate().map(|(place, part)| if is_name(place) { code(part) } else { plain(part) }).collect()
}

/// Words, as they are. A reference to a person or an issue would tell somebody of it.
fn plain(text: &str) -> String {
    escaped(text, " .,;:()%'/=+-?")
}

/// `text` with entities for what is neither a letter, a digit, nor in `kept`. An address is not made a link.
fn escaped(text: &str, kept: &str) -> String {
    let written = |c: char| match c {
        c if c.is_alphanumeric() || kept.contains(c) => c.to_string(),
        c if c.is_whitespace() => " ".to_owned(),
        '@' => "@<!-- -->".to_owned(),
        '#' => "#<!-- -->".to_owned(),
        c if c.is_ascii() => format!("&#{};", u32::from(c)),
        c => c.to_string(),
    };
    visible(text).chars().map(written).collect::<String>().replace("://", "&#58;//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_name_means_anything() {
        assert_eq!(code("a|b`c<d>\n*e*"), "<code>a&#124;b&#96;c&#60;d&#62; &#42;e&#42;</code>");
        assert_eq!(prose("`a_b` leaks | 3 B"), "<code>a&#95;b</code> leaks &#124; 3 B");
        assert_eq!(prose("odd ` one"), "odd &#96; one");
        assert_eq!(plain("@team #12 http://a.example"), "@<!-- -->team #<!-- -->12 http&#58;//a.example");
        assert_eq!(code("src/a.rs:7 cache+lru=2"), "<code>src/a.rs:7 cache+lru=2</code>");
    }

    #[test]
    fn noise_is_drawn_flat_and_growth_is_not() {
        let bars = |bytes: &[u64]| bars(&bytes.iter().copied().map(Bytes::new).collect::<Vec<_>>());
        assert_eq!(bars(&[]), "");
        assert_eq!(bars(&[1000, 1001, 999]), "▁▁▁");
        assert_eq!(bars(&[10, 20, 30, 40]), "▁▃▆█");
        assert_eq!(bars(&[0, 0]), "▁▁");
    }
}
