//! Lines of text for a terminal: broken at blanks, and never within a word that would fit.

use textwrap::core::{Word, display_width};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm, wrap};

use super::super::Layout;
use crate::visible::visible;

/// Blanks before what continues a line.
pub(super) const INDENT: &str = "  ";
/// Where a name that is longer than a line is continued on the next: after what joins the names in it …
const JOINTS: [char; 6] = ['+', '@', '#', '~', '=', ','];
/// … and where one of these is too long by itself.
const HYPHENS: [char; 2] = ['-', '_'];

/// `text` in lines as wide as `layout` has them, all but the first of a paragraph indented.
pub(in super::super) fn wrapped(text: &str, layout: Layout) -> String {
    let text = visible(text);
    let lines = text.lines().flat_map(|paragraph| lines(paragraph, layout.prose_width(), is_to_be_copied));
    lines.map(|line| line + "\n").collect()
}

/// A command of a shell after `before`, which the shell takes as one if it is copied with its line breaks.
pub(super) fn command(before: &str, command: &str, layout: Layout) -> String {
    const GOES_ON: &str = " \\";
    let width = layout.prose_width() - GOES_ON.len();
    lines(&visible(&format!("{before}{command}")), width, is_to_be_copied).join(&format!("{GOES_ON}\n")) + "\n"
}

/// `text` in lines of at most `width` columns, all but the first indented. A word that no line holds is continued on
/// the next, after one of its joints if it has any.
pub(super) fn broken(text: &str, width: usize) -> Vec<String> {
    lines(text, width, |_| false)
}

/// The same, but lines stay longer that `is_kept` says so of.
fn lines(paragraph: &str, width: usize, is_kept: fn(&str) -> bool) -> Vec<String> {
    let places = [WordSeparator::AsciiSpace, WordSeparator::Custom(parts), WordSeparator::Custom(syllables)];
    let mut lines = vec![paragraph.to_owned()];
    for (place, separator) in places.iter().enumerate() {
        let options = Options::new(width)
            .subsequent_indent(INDENT)
            .break_words(place + 1 == places.len())
            .word_separator(*separator)
            .word_splitter(WordSplitter::NoHyphenation)
            .wrap_algorithm(WrapAlgorithm::FirstFit);
        let of_line = |(number, line): (usize, String)| {
            if display_width(&line) <= width || place > 0 && is_kept(&line) {
                return vec![line];
            }
            let indent = if number == 0 { "" } else { INDENT };
            let text = line.strip_prefix(indent).unwrap_or(&line);
            wrap(text, options.clone().initial_indent(indent)).into_iter().map(Into::into).collect()
        };
        lines = lines.into_iter().enumerate().flat_map(of_line).collect();
    }
    lines
}

/// An address, a path or a quoted argument: one that is broken leads nowhere. A terminal breaks it, and copies it
/// whole.
fn is_to_be_copied(word: &str) -> bool {
    let word = word.trim_start();
    word.contains('/') || word.starts_with('\'')
}

fn parts(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    Box::new(line.split_inclusive(JOINTS).map(Word::from))
}

fn syllables(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    Box::new(line.split_inclusive(HYPHENS).map(Word::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_fit_stay_whole_and_what_is_to_be_copied_too() {
        let path = format!("results/{}", "p".repeat(90));
        let name = format!("{}+{}", "a".repeat(60), "b".repeat(60));
        let text = format!("{name}: growing, see {path}\nnext {}", "word ".repeat(30));
        let lines: Vec<String> = wrapped(&text, Layout::default()).lines().map(str::to_owned).collect();
        assert_eq!(lines[0], format!("{}+", "a".repeat(60)));
        assert_eq!(lines[1], format!("  {}:", "b".repeat(60)));
        assert_eq!(lines[2..4], ["  growing, see".to_owned(), format!("  {path}")]);
        assert!(lines[4].starts_with("next word") && lines[5].starts_with("  word"), "{lines:?}");
        assert!(lines[4..].iter().all(|line| line.len() <= 80 && line.ends_with("word")), "{lines:?}");
    }

    #[test]
    fn a_command_is_one_for_the_shell_however_many_lines_it_has() {
        let asked =
            format!("steep run FILE --resume results/checkout-20261122T220000Z --cell '{}'", "cache+".repeat(14));
        let text = command("to settle it: ", &asked, Layout::default());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "to settle it: steep run FILE --resume results/checkout-20261122T220000Z --cell \\");
        assert_eq!(text.replace(" \\\n  ", " ").trim_end(), format!("to settle it: {asked}"));
    }
}
