//! Rows of a CSV or JSON Lines file, as columns of texts that are found by their number. Pure.

use serde_json::Value;

use super::JsonPath;
use super::supplies::Flaw;
use steep_judge::units::counted;

/// The rows of a file, in the columns that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub count: u64,
    /// The columns, in the order in which they were asked for.
    pub columns: Vec<Column>,
}

/// The texts of a column, one behind the other: a million short ones in separate allocations would take three times as
/// much.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    texts: String,
    /// Where each ends. Files are bounded far below 4 GiB, and no text is longer than what it was read from.
    ends: Vec<u32>,
}

impl Column {
    /// Adds the text of the next row.
    fn push(&mut self, text: &str) {
        self.texts.push_str(text);
        self.ends.push(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
    }

    /// The text of `row`, from 0; empty if there is no such row.
    #[must_use]
    pub fn get(&self, row: u64) -> &str {
        let Some(row) = usize::try_from(row).ok().filter(|row| *row < self.ends.len()) else { return "" };
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.texts.get(start..self.ends[row] as usize).unwrap_or_default()
    }

    /// All texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u64).map(|row| self.get(row))
    }
}

impl<'t> FromIterator<&'t str> for Column {
    fn from_iter<I: IntoIterator<Item = &'t str>>(texts: I) -> Self {
        let mut column = Self::default();
        texts.into_iter().for_each(|text| column.push(text));
        column
    }
}

impl Rows {
    fn empty(wanted: usize) -> Self {
        Self { count: 0, columns: vec![Column::default(); wanted] }
    }

    /// The rows of the CSV `text`, which begins with the names of its columns.
    ///
    /// # Errors
    /// A column is not there, a row has more or fewer fields than there are columns, or there is no row.
    pub fn csv(path: &str, text: &str, wanted: &[&str]) -> Result<Self, Flaw> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names = reader.headers().map_err(|error| broken_csv(path, &error))?.clone();
        let place_of = |column: &&str| {
            names.iter().position(|name| name == *column).ok_or_else(|| {
                let there = crate::problem::listed(names.iter());
                Flaw::new(format!("{path} has no column \"{column}\""), format!("it has {there}"))
            })
        };
        let places = wanted.iter().map(place_of).collect::<Result<Vec<_>, _>>()?;
        let mut rows = Self::empty(wanted.len());
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(|error| broken_csv(path, &error))? {
            rows.count += 1;
            for (column, place) in rows.columns.iter_mut().zip(&places) {
                column.push(record.get(*place).unwrap_or_default());
            }
        }
        rows.or_empty(path)
    }

    /// The rows of `text` with one JSON value on each line. A column is a place in it, where a text, number or boolean
    /// stands.
    ///
    /// # Errors
    /// A line is not JSON, a place is not in it, or there is no line.
    pub fn jsonl(path: &str, text: &str, wanted: &[&str]) -> Result<Self, Flaw> {
        let mut rows = Self::empty(wanted.len());
        let places: Vec<JsonPath> = wanted.iter().copied().map(JsonPath::new).collect();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let at = |message: String| Flaw::new(format!("line {} of {path} {message}", number + 1), "");
            let value: Value = serde_json::from_str(line).map_err(|error| {
                // To the reader of one line it is always the first.
                at(format!("is not JSON: {}", error.to_string().replace(" at line 1 column", " at column")))
            })?;
            rows.count += 1;
            for (column, place) in rows.columns.iter_mut().zip(&places) {
                match place.find(&value) {
                    Some(Value::String(text)) => column.push(text),
                    Some(scalar @ (Value::Number(_) | Value::Bool(_))) => column.push(&scalar.to_string()),
                    Some(_) => return Err(at(format!("has no text, number or boolean at \"{place}\""))),
                    None => return Err(at(format!("has nothing at \"{place}\"{}", fields_of(&value)))),
                }
            }
        }
        rows.or_empty(path)
    }

    fn or_empty(self, path: &str) -> Result<Self, Flaw> {
        if self.count == 0 {
            return Err(Flaw::new(format!("{path} has no rows"), "a parameter needs at least one value"));
        }
        Ok(self)
    }
}

/// What a reader of CSV says, in words of the file.
pub(super) fn broken_csv(path: &str, error: &csv::Error) -> Flaw {
    let line = |position: Option<&csv::Position>| position.map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => Flaw::new(
            format!(
                "line {} of {path} has {}, and the first line {expected_len}",
                line(pos.as_ref()),
                counted(usize::try_from(*len).unwrap_or(usize::MAX), "field")
            ),
            "put a field with a comma in it between double quotes",
        ),
        _ => Flaw::new(format!("{path} is not a CSV: {error}"), ""),
    }
}

fn fields_of(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return String::new() };
    format!("; it has {}", crate::problem::listed(fields.keys().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(column: &Column) -> Vec<&str> {
        column.iter().collect()
    }

    #[test]
    fn csv_columns_are_found_by_their_names() {
        let text = "name,token,age\nann,\"a,\"\"1\",30\n\"bob\nby\",,31\n";
        let rows = Rows::csv("u.csv", text, &["token", "name"]).expect("rows");
        assert_eq!(rows.count, 2);
        assert_eq!(texts(&rows.columns[0]), ["a,\"1", ""]);
        assert_eq!(texts(&rows.columns[1]), ["ann", "bob\nby"]);
        assert_eq!(rows.columns[1].get(2), "");
    }

    #[test]
    fn bad_csv_is_reported_with_its_line_or_the_columns_that_are_there() {
        let flaw = |text: &str| Rows::csv("u.csv", text, &["name"]).expect_err("a flaw");
        assert_eq!(flaw("id,nme\n1,a\n").message, "u.csv has no column \"name\"");
        assert_eq!(flaw("id,nme\n1,a\n").help, "it has id, nme");
        assert_eq!(flaw("name,id\na,1\nb\n").message, "line 3 of u.csv has 1 field, and the first line 2");
        assert_eq!(flaw("name\n").message, "u.csv has no rows");
        assert_eq!(flaw("").message, "u.csv has no column \"name\"");
    }

    #[test]
    fn json_lines_give_texts_numbers_and_booleans() {
        let text = "{\"a\":{\"b\":\"x\\n\"},\"n\":1.5}\n\n{\"a\":{\"b\":true},\"n\":2}\n";
        let rows = Rows::jsonl("u.jsonl", text, &["a.b", "n"]).expect("rows");
        assert_eq!((texts(&rows.columns[0]), texts(&rows.columns[1])), (vec!["x\n", "true"], vec!["1.5", "2"]));
    }

    #[test]
    fn bad_json_lines_are_reported_with_their_number() {
        let flaw = |text: &str| Rows::jsonl("u.jsonl", text, &["a"]).expect_err("a flaw").message;
        assert_eq!(flaw("{\"a\":1}\n{\"a\":}\n"), "line 2 of u.jsonl is not JSON: expected value at column 6");
        assert_eq!(flaw("{\"b\":1,\"c\":2}\n"), "line 1 of u.jsonl has nothing at \"a\"; it has b, c");
        assert_eq!(flaw("{\"a\":[]}"), "line 1 of u.jsonl has no text, number or boolean at \"a\"");
        assert_eq!(flaw("\n"), "u.jsonl has no rows");
    }
}
