//! Annotations of GitHub Actions: what a step prints, and GitHub shows beside the line.

use super::super::Report;
use super::super::terminal::sentence;
use super::case::{Case, cases};
use crate::exit::Status;
use crate::visible::visible;

/// The errors, and the warnings, that GitHub keeps of a step; it drops the others without a word.
const KEPT: usize = 10;

/// A line for each finding, the worst first, and the run in one sentence.
pub(in crate::report) fn annotations(report: &Report) -> String {
    let cases = cases(report);
    // What a flag is named for is not said again of each cell that has it.
    let is_said = |case: &&Case| case.status != Status::Clean && !(case.is_explained && case.status == Status::Finding);
    let (errors, warnings): (Vec<&Case>, Vec<&Case>) =
        cases.iter().filter(is_said).partition(|case| case.status != Status::Undecided);
    let mut text = leveled("error", &errors, &report.name) + &leveled("warning", &warnings, &report.name);
    let (name, said) = (visible(&report.name), sentence(report));
    text.push_str(&line("notice", None, &format!("steep: {name}"), &said));
    text
}

/// Those of one level: the last that GitHub keeps says how many it does not.
fn leveled(level: &str, cases: &[&Case], name: &str) -> String {
    let shown = if cases.len() > KEPT { KEPT - 1 } else { cases.len() };
    let lines = cases[..shown].iter().map(|case| {
        let title = format!("{name}: {} {} – {}", case.kind.name(), case.name, case.word);
        let place = case.place.as_ref().map(|place| (place.file.as_str(), place.line));
        line(level, place, &title, &case.message)
    });
    let mut text: String = lines.collect();
    if cases.len() > shown {
        let more = format!("and {} more: the report has them all", cases.len() - shown);
        text.push_str(&line(level, None, name, &more));
    }
    text
}

fn line(level: &str, place: Option<(&str, u32)>, title: &str, message: &str) -> String {
    let place = place.map_or_else(String::new, |(file, line)| format!("file={},line={line},", in_property(file)));
    format!("::{level} {place}title={}::{}\n", in_property(title), in_message(message))
}

/// As the runner reads it back: the end of a line would begin another command.
fn in_message(text: &str) -> String {
    visible(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn in_property(text: &str) -> String {
    in_message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_line_or_its_property() {
        let hostile = "50 %\r\n::error::no, \u{1b}[31m";
        assert_eq!(
            line("error", Some(("src/a,b:c.rs", 7)), hostile, hostile),
            "::error file=src/a%2Cb%3Ac.rs,line=7,title=50 %25%0D%0A%3A%3Aerror%3A%3Ano%2C \\u001b[31m\
             ::50 %25%0D%0A::error::no, \\u001b[31m\n"
        );
    }
}
