//! What is wrong with a scenario: message, place in the file and a way out, shown in the manner of rustc.
//!
//! Pure: rendering gives a text.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::visible::visible;

/// A mistake, or something to think about, in a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in one line.
    pub message: String,
    /// Bytes of the file that it is about; none: the whole file.
    pub span: Option<Range<usize>>,
    /// What stands at the underline.
    pub label: String,
    /// What to do; empty: nothing to add.
    pub help: String,
    /// Whether the scenario can be run all the same.
    pub severity: Severity,
}

/// Whether the scenario can be run all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, and the user may want to know.
    Warning,
}

impl Problem {
    /// An error at `span`.
    pub fn error(message: impl Into<String>, span: Option<Range<usize>>) -> Self {
        Self { message: message.into(), span, label: String::new(), help: String::new(), severity: Severity::Error }
    }

    /// Something to think about at `span`.
    pub fn warning(message: impl Into<String>, span: Option<Range<usize>>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message, span) }
    }

    /// The same with a text at the underline.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// Whether any of `problems` keeps the scenario from being run.
#[must_use]
pub fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// Where each value stands in the file, by its path, such as `phases[0].rate`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(BTreeMap<String, Range<usize>>);

impl Spans {
    /// Remembers where `path` stands.
    pub fn insert(&mut self, path: String, span: Range<usize>) {
        self.0.insert(path, span);
    }

    /// Whether `path` itself stands in the file.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Where `path` stands, or else the nearest table around it.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<Range<usize>> {
        let mut path = path;
        loop {
            if let Some(span) = self.0.get(path) {
                return Some(span.clone());
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// Problems that are shown as a text. Who has more mends these first; `--format json` has all.
const MAX_SHOWN: usize = 100;

/// Bytes of a line that is shown; of a longer one only the place is reported.
const LONGEST_SHOWN_LINE: usize = 4 << 10;

/// The first of all `problems` of the file `path` with `text`, in the order of their places, errors before warnings
/// where not all are shown. `colour`: with terminal escapes.
#[must_use]
pub fn render(problems: &[Problem], path: &str, text: &str, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let start = |problem: &&Problem| problem.span.as_ref().map_or(0, |span| span.start);
    let mut ordered: Vec<&Problem> = problems.iter().collect();
    if ordered.len() > MAX_SHOWN {
        ordered.sort_by_key(|problem| (problem.severity, start(problem)));
        ordered.truncate(MAX_SHOWN);
    }
    ordered.sort_by_key(start);
    let lines = Lines::of(text);
    let mut reports: Vec<String> =
        ordered.iter().map(|problem| renderer.render(&[group(problem, path, &lines)])).collect();
    if problems.len() > MAX_SHOWN {
        let more = problems.len() - MAX_SHOWN;
        reports.push(format!("… and {more} more problems, which are not shown: `steep check --format json` has all"));
    }
    reports.join("\n\n")
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// The lines of `text`.
    #[must_use]
    pub fn of(text: &'t str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after).collect() }
    }

    /// Line and column of the character at byte `at`, both from 1.
    #[must_use]
    pub fn place(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let before = self.text.get(self.starts[line - 1]..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The number of the line that `span` begins in, from 1, the line, and `span` as far as it is in it: a whole table
    /// underlined says nothing.
    fn first(&self, span: &Range<usize>) -> (usize, &'t str, Range<usize>) {
        let start = span.start.min(self.text.len());
        let number = self.starts.partition_point(|begin| *begin <= start).max(1);
        let begin = self.starts[number - 1];
        let end = self.starts.get(number).map_or(self.text.len(), |next| next - 1);
        let line = self.text[begin..end].strip_suffix('\r').unwrap_or(&self.text[begin..end]);
        let within = |at: usize| at.saturating_sub(begin).min(line.len());
        (number, line, within(start)..within(span.end).max(within(start)))
    }
}

/// The renderer makes the lines of the source visible; titles, labels and helps quote texts of others, too.
fn group<'a>(problem: &'a Problem, path: &'a str, lines: &Lines<'a>) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(visible(&problem.message));
    let group = match &problem.span {
        // The line alone: the renderer goes through all of the text that it is given, each time.
        Some(span) => {
            let (number, line, underlined) = lines.first(span);
            if line.len() > LONGEST_SHOWN_LINE {
                let column = lines.place(span.start).1;
                title.element(Origin::path(visible(path)).line(number).char_column(column))
            } else {
                let annotation = AnnotationKind::Primary.span(underlined).label(visible(&problem.label));
                title.element(Snippet::source(line).line_start(number).path(visible(path)).annotation(annotation))
            }
        }
        None => title.element(Origin::path(visible(path))),
    };
    if problem.help.is_empty() { group } else { group.element(Level::HELP.message(visible(&problem.help))) }
}

/// Names that one which is not known is compared with.
const MAX_COMPARED: usize = 2_000;
/// Bytes of a name that is compared with others: the comparison takes their product.
const LONGEST_COMPARED: usize = 100;

/// The name among `known` that `given` may have been meant for, if one is near.
#[must_use]
pub fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // 0.75 keeps "durtion" -> "duration" and "worker" -/-> "weight" (tried on the keys of the reference).
    const NEAR: f64 = 0.75;
    // Each character that the longer one has more is a change.
    let may_be_near = |name: &&str| {
        let (short, long) = (name.len().min(given.len()), name.len().max(given.len()));
        long <= LONGEST_COMPARED && 2 * short >= long
    };
    known
        .into_iter()
        .take(MAX_COMPARED)
        .filter(may_be_near)
        .map(|name| (strsim::normalized_damerau_levenshtein(given, name), name))
        .filter(|(similarity, _)| *similarity >= NEAR || similarity > &0.5 && given.len() <= 4)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `names` as a list, of which nobody reads more than a few, and of each no more than fits in a line.
#[must_use]
pub fn listed<'k>(names: impl IntoIterator<Item = &'k str>) -> String {
    const MAX_LISTED: usize = 40;
    const LONGEST_LISTED: usize = 100;
    let mut names = names.into_iter();
    let short = |name: &'k str| match name.char_indices().nth(LONGEST_LISTED) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    };
    let described: Vec<String> = names.by_ref().take(MAX_LISTED).map(short).collect();
    match names.count() {
        0 => described.join(", "),
        more => format!("{} and {more} more", described.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_file_line_and_column_and_underlines_the_text() {
        let text = "name = \"x\"\ndurtion = \"5m\"\n";
        let problem = Problem::error("unknown key \"durtion\"", Some(11..18)).help("did you mean \"duration\"?");
        insta::assert_snapshot!(render(&[problem], "soak.toml", text, false), @r#"
        error: unknown key "durtion"
         --> soak.toml:2:1
          |
        2 | durtion = "5m"
          | ^^^^^^^
          |
          = help: did you mean "duration"?
        "#);
    }

    #[test]
    fn a_value_that_is_missing_is_shown_at_the_table_around_it() {
        let mut spans = Spans::default();
        spans.insert("phases[0]".to_owned(), 3..9);
        assert_eq!(spans.of("phases[0].rate"), Some(3..9));
        assert_eq!(spans.of("judge"), None);
    }

    #[test]
    fn of_many_problems_the_first_errors_are_shown() {
        let text = "a = 1\n".repeat(300);
        let at = |line: usize| Some(6 * line..6 * line + 1);
        let warnings = (0..99).map(|line| Problem::warning("odd", at(line)));
        let problems: Vec<Problem> = warnings.chain((99..300).map(|line| Problem::error("bad", at(line)))).collect();
        let shown = render(&problems, "soak.toml", &text, false);
        assert_eq!(shown.matches("error: bad").count(), MAX_SHOWN);
        assert!(shown.contains("--> soak.toml:100:1") && shown.contains("… and 200 more problems"), "{shown}");
    }

    #[test]
    fn a_place_is_a_line_and_a_column_of_characters() {
        let lines = Lines::of("ä = 1\nb = 2\n");
        assert_eq!([0, 5, 7, 11, 13].map(|at| lines.place(at)), [(1, 1), (1, 5), (2, 1), (2, 5), (3, 1)]);
        assert_eq!(lines.first(&(7..40)), (2, "b = 2", 0..5));
        assert_eq!(lines.first(&(13..13)), (3, "", 0..0));
        assert_eq!(lines.first(&(90..95)), (3, "", 0..0));
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..50).map(|nth| format!("{nth}{}", "x".repeat(nth * 4))).collect();
        let listed = listed(names.iter().map(String::as_str));
        assert!(listed.ends_with("xx… and 10 more") && listed.starts_with("0, 1xxxx, "), "{listed}");
    }

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("durtion", ["duration", "rate"]), Some("duration"));
        assert_eq!(nearest("rte", ["duration", "rate"]), Some("rate"));
        assert_eq!(nearest("workers", ["weight", "rate"]), None);
    }
}
