//! Tables for a terminal. A row that is too wide is continued on the next line; no word and no number is cut.

use textwrap::core::display_width;

use super::super::Layout;
use super::prose::{INDENT, broken};
use crate::visible::visible;

/// Blanks between two columns.
const GAP: usize = 2;
/// A column of words is not made narrower than this, so that most words fit.
const NARROWEST: usize = 16;

/// A column: its head, and a text for each row.
pub(super) struct Column {
    texts: Vec<String>,
    /// Whether its texts may be broken.
    is_words: bool,
}

impl Column {
    /// A column of names or words, which may be continued on the next line.
    pub(super) fn words(head: &str, texts: impl IntoIterator<Item = String>) -> Self {
        Self::new(head, texts, true)
    }

    /// A column of figures, each of which stays on one line.
    pub(super) fn figures(head: &str, texts: impl IntoIterator<Item = String>) -> Self {
        Self::new(head, texts, false)
    }

    fn new(head: &str, texts: impl IntoIterator<Item = String>, is_words: bool) -> Self {
        // A tab or a line break would move what follows out of its column.
        let texts = std::iter::once(head.to_owned()).chain(texts);
        let texts = texts.map(|text| visible(&text).replace(['\t', '\n'], " ")).collect();
        Self { texts, is_words }
    }

    /// Columns of the terminal that it takes if nothing is broken.
    fn natural(&self) -> usize {
        self.texts.iter().map(|text| display_width(text)).max().unwrap_or(0)
    }

    fn least(&self) -> usize {
        if self.is_words { self.natural().min(NARROWEST) } else { self.natural() }
    }

    fn text(&self, row: usize) -> &str {
        self.texts.get(row).map_or("", String::as_str)
    }
}

/// `columns` side by side, in lines as wide as `layout` allows. The first column names the rows: where the others leave
/// it no room, it has a line of its own and they follow it, indented.
pub(super) fn table(columns: &[Column], layout: Layout) -> String {
    let Some(width) = layout.table_width() else { return band(columns, &naturals(columns)) };
    if let Some(widths) = widths(columns, width) {
        return band(columns, &widths);
    }
    let Some((names, rest)) = columns.split_first() else { return String::new() };
    let bands = bands(rest, width - INDENT.len());
    let rows = 0..names.texts.len();
    let row = |row| {
        let name = broken(names.text(row), width);
        let of_band = |(columns, widths): &(&[Column], Vec<usize>)| lines(columns, widths, row);
        let rest = bands.iter().flat_map(of_band).map(|line| format!("{INDENT}{line}"));
        name.into_iter().chain(rest).map(|line| line.trim_end().to_owned() + "\n").collect::<String>()
    };
    rows.map(row).collect()
}

/// Whether [`table`] has each row on one line.
pub(super) fn is_whole(columns: &[Column], layout: Layout) -> bool {
    layout.table_width().is_none_or(|width| total(&naturals(columns)) <= width)
}

/// Whether [`table`] has its columns side by side.
pub(super) fn is_side_by_side(columns: &[Column], layout: Layout) -> bool {
    layout.table_width().is_none_or(|width| widths(columns, width).is_some())
}

fn naturals(columns: &[Column]) -> Vec<usize> {
    columns.iter().map(Column::natural).collect()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// The widths in which `columns` take `width` together; what is left over goes to the narrowest column that needs it.
/// `None` if they do not fit.
fn widths(columns: &[Column], width: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<usize> = columns.iter().map(Column::least).collect();
    let left = width.checked_sub(total(&widths))?;
    for _ in 0..left {
        let needy = widths.iter_mut().zip(columns).filter(|(width, column)| **width < column.natural());
        let Some((narrowest, _)) = needy.min_by_key(|(width, _)| **width) else { break };
        *narrowest += 1;
    }
    Some(widths)
}

/// As many columns side by side as `width` holds, and the others below them in the same way.
fn bands(mut columns: &[Column], width: usize) -> Vec<(&[Column], Vec<usize>)> {
    let mut bands = Vec::new();
    while !columns.is_empty() {
        let fitting = (1..=columns.len()).rev().find_map(|count| Some((count, widths(&columns[..count], width)?)));
        // One that is wider than a line by itself is broken all the same.
        let (count, widths) = fitting.unwrap_or_else(|| (1, vec![width]));
        bands.push((&columns[..count], widths));
        columns = &columns[count..];
    }
    bands
}

fn band(columns: &[Column], widths: &[usize]) -> String {
    let rows = 0..columns.first().map_or(0, |column| column.texts.len());
    rows.flat_map(|row| lines(columns, widths, row)).map(|line| line + "\n").collect()
}

/// The lines of one row.
fn lines(columns: &[Column], widths: &[usize], row: usize) -> Vec<String> {
    let cells: Vec<Vec<String>> =
        columns.iter().zip(widths).map(|(column, width)| broken(column.text(row), *width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |place: usize| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let text = cell.get(place).map_or("", String::as_str);
            line.push_str(text);
            line.push_str(&" ".repeat(GAP + width.saturating_sub(display_width(text))));
        }
        line.trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

#[cfg(test)]
mod tests;
