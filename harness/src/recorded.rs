//! Series that somebody else recorded: CSV with a column of time, one of memory, and one of requests where there is one.
//!
//! Pure.

use thiserror::Error;

use crate::growth::Series;

/// Names that each column may have; the first is ours.
const TIME: [&str; 3] = ["t_s", "seconds", "time_s"];
const MEMORY: [&str; 3] = ["rss_bytes", "anon_bytes", "memory_bytes"];
const REQUESTS: [&str; 2] = ["requests", "completed"];

/// A text that is no recorded series.
#[derive(Debug, Error)]
pub enum CsvError {
    /// A column is missing.
    #[error("the first line names no column {wanted}; it has {found}")]
    NoColumn {
        /// Names that would do.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// A line is no CSV, or has another number of fields.
    #[error(transparent)]
    Line(#[from] csv::Error),
    /// A field is no number.
    #[error("line {line}: {text:?} is no number")]
    Number {
        /// The line, from 1.
        line: u64,
        /// What stands there.
        text: String,
    },
}

/// The series in the CSV `text`, whose first line names the columns.
///
/// # Errors
/// See [`CsvError`].
pub fn series_from_csv(text: &str) -> Result<Series, CsvError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(text.as_bytes());
    let head = reader.headers()?.clone();
    let find = |names: &[&str]| head.iter().position(|column| names.contains(&column));
    let required = |names: &[&str]| {
        find(names).ok_or_else(|| CsvError::NoColumn {
            wanted: names.join(" or "),
            found: head.iter().collect::<Vec<_>>().join(", "),
        })
    };
    let (time, memory, requests) = (required(&TIME)?, required(&MEMORY)?, find(&REQUESTS));
    let mut series = Series::default();
    for record in reader.records() {
        let record = record?;
        let number = |column: usize| {
            let text = record.get(column).unwrap_or_default();
            let line = record.position().map_or(0, csv::Position::line);
            text.parse::<f64>().map_err(|_| CsvError::Number { line, text: text.to_owned() })
        };
        series.t_s.push(number(time)?);
        series.memory_bytes.push(number(memory)?);
        series.requests.push(requests.map_or(Ok(0.0), number)?);
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let series = series_from_csv("requests, t_s ,rss_bytes\n10,0.5,4096\n20,1.5,8192\n").expect("a series");
        assert_eq!(series.t_s, [0.5, 1.5]);
        assert_eq!(series.memory_bytes, [4096.0, 8192.0]);
        assert_eq!(series.requests, [10.0, 20.0]);
        assert_eq!(series.disturbances_s, None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let message = |text| series_from_csv(text).expect_err("no series").to_string();
        assert_eq!(message(""), "the first line names no column t_s or seconds or time_s; it has ");
        assert_eq!(message("t_s,rss_bytes\n0,1\n1,many\n"), "line 3: \"many\" is no number");
        assert!(message("t_s,rss_bytes\n0\n").contains("line: 2"), "{}", message("t_s,rss_bytes\n0\n"));
    }
}
