//! Rows of text that every format becomes first, and tables whose columns are separated by one character.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::refusal::{Refusal, repeated};
use super::timestamp::is_moment;
use super::unit::{Amount, Decimal, Unit};

/// Longest row in bytes: one of numbers has a hundred, and a quotation mark that is never closed would make one row of
/// the file.
const LONGEST_ROW: u64 = 64 << 10;

/// Names of columns of time.
pub(super) const TIMES: [&str; 17] = [
    "t_s",
    "seconds",
    "time_s",
    "elapsed_s",
    "timestamp",
    "time_stamp",
    "time",
    "datetime",
    "date",
    "ts",
    "_time",
    "when",
    "@timestamp",
    "read",
    "t",
    "elapsed",
    "clock",
];

/// What a column is, where its format says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A moment.
    Time,
    /// How long a process has lived.
    Lived,
    /// The number of the reading, where nothing tells the time.
    Turn,
    /// Memory.
    Memory,
    /// Tells series apart.
    Label,
    /// Tells one life of a series from the next: a process id, a pod.
    Life,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) role: Option<Role>,
    /// Where the format says it.
    pub(super) unit: Option<Unit>,
}

impl Column {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), role: None, unit: None }
    }

    pub(super) fn of(role: Role, name: &str) -> Self {
        Self { role: Some(role), ..Self::named(name) }
    }
}

/// Rows of text: all cells in one buffer, so that a long file is not a million small ones.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// As it is named in the output.
    pub(super) format: &'static str,
    pub(super) columns: Vec<Column>,
    /// Whether the decimal comma is the reason for how columns are separated.
    pub(super) is_comma_likely: bool,
    /// What people should know about how it was read.
    pub(super) remarks: Vec<String>,
    text: String,
    ends: Vec<usize>,
    lines: Vec<u64>,
}

impl Table {
    pub(super) fn new(format: &'static str, columns: Vec<Column>) -> Self {
        Self { format, columns, ..Self::default() }
    }

    /// Adds a row of as many cells as there are columns.
    pub(super) fn push<'c>(&mut self, line: u64, cells: impl IntoIterator<Item = &'c str>) {
        self.lines.push(line);
        for cell in cells {
            self.text.push_str(cell);
            self.ends.push(self.text.len());
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        let nth = row * self.columns.len() + column;
        let start = if nth == 0 { 0 } else { self.ends[nth - 1] };
        &self.text[start..self.ends[nth]]
    }

    /// The cells of a column that are not empty, with their rows.
    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = (usize, &str)> + Clone {
        (0..self.rows()).map(move |row| (row, self.cell(row, column))).filter(|(_, cell)| !is_missing(cell))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

/// Whether a cell says that there is no reading.
pub(super) fn is_missing(cell: &str) -> bool {
    matches!(cell, "" | "-" | "null" | "NULL" | "undefined" | "n/a" | "N/A" | "None")
}

/// Whether a cell is data and no name.
fn is_datum(cell: &str) -> bool {
    cell.parse::<f64>().is_ok() || is_moment(cell) || Amount::of(cell, Decimal::Point).is_some()
}

/// The character that separates the columns of a text: of the first line that is neither empty nor a remark.
pub(super) fn separator(text: &str) -> Option<(u8, &'static str)> {
    let known = [
        (b'\t', "a table separated by tabs"),
        (b';', "CSV separated by semicolons"),
        (b',', "CSV"),
        (b'|', "a table separated by bars"),
    ];
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_excel(line));
    let first = lines.clone().find(|line| !line.starts_with('#')).or_else(|| lines.next())?;
    let mut quoted = false;
    let outside: Vec<u8> = first
        .bytes()
        .filter(|byte| {
            quoted ^= *byte == b'"';
            !quoted
        })
        .collect();
    known.into_iter().find(|(separator, _)| outside.contains(separator))
}

/// What tells Excel the separator.
fn is_excel(line: &str) -> bool {
    line.len() == 5 && line.to_ascii_lowercase().starts_with("sep=")
}

/// A table that is separated by one character.
pub(super) fn delimited(text: &str, separator: u8, format: &'static str) -> Result<Table, Refusal> {
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .trim(Trim::All)
        // Rows of another length are reported in our own words.
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut builder = Builder { format, is_comma_likely: separator == b';', ..Builder::default() };
    let mut row = StringRecord::new();
    loop {
        let line = lines.of(reader.position().byte());
        // The text is UTF-8 and rows may have any length: there is no error.
        if !reader.read_record(&mut row).unwrap_or(false) {
            return builder.built();
        }
        if reader.position().byte() - lines.at as u64 > LONGEST_ROW {
            return Err(Refusal::LongRow { line });
        }
        builder.push(line, row.iter())?;
    }
}

/// A table that is separated by blanks.
pub(super) fn blank_separated(text: &str) -> Result<Table, Refusal> {
    let mut builder = Builder { format: "a table separated by blanks", ..Builder::default() };
    for (line, row) in (1..).zip(text.lines()) {
        builder.push(line, row.split_whitespace())?;
    }
    builder.built()
}

/// Counts lines up to a byte. The csv reader takes the end of a line in files of Windows for part of the next row.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first row at or after a byte.
    fn of(&mut self, byte: u64) -> u64 {
        let mut to = (byte as usize).min(self.text.len());
        while self.text.get(to).is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            to += 1;
        }
        if to > self.at {
            self.line += memchr::memchr_iter(b'\n', &self.text[self.at..to]).count() as u64;
            self.at = to;
        }
        self.line
    }
}

/// A table that grows by a row at a time, the first of which names the columns.
#[derive(Default)]
struct Builder {
    format: &'static str,
    is_comma_likely: bool,
    remark: Vec<String>,
    table: Option<Table>,
}

impl Builder {
    fn push<'c>(&mut self, line: u64, cells: impl Iterator<Item = &'c str> + Clone) -> Result<(), Refusal> {
        let Some(first) = cells.clone().next() else { return Ok(()) };
        let is_of_excel = || self.table.is_none() && first.to_ascii_lowercase().starts_with("sep=");
        if cells.clone().all(str::is_empty) || is_of_excel() {
            return Ok(());
        }
        if let Some(rest) = first.strip_prefix('#') {
            let names = std::iter::once(rest.trim()).filter(|name| !name.is_empty()).chain(cells.skip(1));
            self.remark = names.map(str::to_owned).collect();
            return Ok(());
        }
        let Some(table) = &mut self.table else {
            let names: Vec<&str> = cells.clone().collect();
            let is_data = names.iter().any(|cell| is_datum(cell)) && !names.iter().any(|name| is_time(name));
            let head = if !is_data {
                names.iter().map(|name| Column::named(name)).collect()
            } else if self.remark.len() == names.len() {
                self.remark.iter().map(|name| Column::named(name)).collect()
            } else {
                (1..=names.len()).map(|nth| Column::named(&nth.to_string())).collect()
            };
            let mut table = Table::new(self.format, head);
            table.is_comma_likely = self.is_comma_likely;
            if is_data {
                table.push(line, cells);
            }
            self.table = Some(table);
            return Ok(());
        };
        let found = cells.clone().count();
        let wanted = table.columns.len();
        if found == wanted {
            // A logger that was started again writes its first line again.
            if !cells.clone().eq(table.columns.iter().map(|column| column.name.as_str())) {
                table.push(line, cells);
            }
            return Ok(());
        }
        Err(Refusal::Fields { line, found, wanted })
    }

    fn built(self) -> Result<Table, Refusal> {
        self.table.ok_or(Refusal::Empty)
    }
}

/// Whether a name is one of a column of time.
pub(super) fn is_time(name: &str) -> bool {
    TIMES.contains(&name.trim_matches('"').to_ascii_lowercase().as_str())
}

/// Where the first column of a name is.
pub(super) fn place(table: &Table, name: &str) -> Result<Option<usize>, Refusal> {
    let mut found = (0..table.columns.len()).filter(|nth| table.columns[*nth].name == name);
    let first = found.next();
    match found.next() {
        Some(_) => Err(Refusal::TwoColumns(repeated(name))),
        None => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u64, String)> {
        let (separator, format) = separator(text).expect("a separator");
        let table = delimited(text, separator, format).expect("a table");
        (0..table.rows()).map(|row| (table.line(row), table.cell(row, 1).to_owned())).collect()
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for end in ["\n", "\r\n"] {
            let text = ["t_s,rss_bytes", "0,1", "", "# by hand", "1,2", "\"2\",\"3\""].join(end);
            let wanted = [(2, "1".to_owned()), (5, "2".to_owned()), (6, "3".to_owned())];
            assert_eq!(rows(&text), wanted, "{end:?}");
        }
    }

    #[test]
    fn names_stand_in_the_first_line_in_a_remark_or_nowhere() {
        let names = |text: &str| {
            let (separator, format) = separator(text).expect("a separator");
            let table = delimited(text, separator, format).expect("a table");
            (table.names().collect::<Vec<_>>().join("/"), table.rows())
        };
        assert_eq!(names("a;b\n1;2\na;b\n3;4\n"), ("a/b".to_owned(), 2));
        assert_eq!(names("# a;b\n1;2\n"), ("a/b".to_owned(), 1));
        assert_eq!(names("#t,s\n#d,l\na,b\n1,2\n"), ("a/b".to_owned(), 1));
        assert_eq!(names("1\t2\n3\t4\n"), ("1/2".to_owned(), 2));
        assert_eq!(names("sep=,\nTime,370574\n1,2\n"), ("Time/370574".to_owned(), 1));
    }

    #[test]
    fn a_row_of_another_length_is_reported() {
        let error = delimited("a,b\r\n1,2\r\n1\r\n", b',', "CSV").expect_err("a short row");
        assert_eq!(error, Refusal::Fields { line: 3, found: 1, wanted: 2 });
    }
}
