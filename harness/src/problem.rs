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

/// All `problems` of the file `path` with `text`, in the order of their places. `colour`: with terminal escapes.
#[must_use]
pub fn render(problems: &[Problem], path: &str, text: &str, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut ordered: Vec<&Problem> = problems.iter().collect();
    ordered.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
    let reports: Vec<String> = ordered.iter().map(|problem| renderer.render(&[group(problem, path, text)])).collect();
    reports.join("\n\n")
}

/// The renderer makes the lines of the source visible; titles, labels and helps quote texts of others, too.
fn group<'a>(problem: &'a Problem, path: &'a str, text: &'a str) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(visible(&problem.message));
    let group = match &problem.span {
        Some(span) => title.element(
            Snippet::source(text)
                .path(visible(path))
                .annotation(AnnotationKind::Primary.span(first_line(span, text)).label(visible(&problem.label))),
        ),
        None => title.element(Origin::path(visible(path))),
    };
    if problem.help.is_empty() { group } else { group.element(Level::HELP.message(visible(&problem.help))) }
}

/// The part of `span` on its first line: a whole table underlined says nothing.
fn first_line(span: &Range<usize>, text: &str) -> Range<usize> {
    let start = span.start.min(text.len());
    let end = span.end.clamp(start, text.len());
    let length = text.get(start..end).and_then(|part| part.find('\n')).unwrap_or(end - start);
    start..start + length
}

/// The name among `known` that `given` may have been meant for, if one is near.
#[must_use]
pub fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // 0.75 keeps "durtion" -> "duration" and "worker" -/-> "weight" (tried on the keys of the reference).
    const NEAR: f64 = 0.75;
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(given, name), name))
        .filter(|(similarity, _)| *similarity >= NEAR || similarity > &0.5 && given.len() <= 4)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
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
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("durtion", ["duration", "rate"]), Some("duration"));
        assert_eq!(nearest("rte", ["duration", "rate"]), Some("rate"));
        assert_eq!(nearest("workers", ["weight", "rate"]), None);
    }
}
