//! Series that somebody else recorded: rows with a column of time, one of memory, and maybe of requests and live bytes.
//!
//! Pure: `shell::recording` reads the files.

use std::str::FromStr;

use csv::StringRecord;
use thiserror::Error;

use steep_judge::growth::{Layer, MemorySource, Series, Sources};
use steep_judge::units::Bytes;

/// Names that each column may have; the first is ours. Live bytes are only read from a column that is named.
const TIME: [&str; 3] = ["t_s", "seconds", "time_s"];
const MEMORY: [&str; 7] = ["rss_bytes", "anon_bytes", "memory_bytes", "rss_kib", "rss_mib", "memory_kib", "memory_mib"];
const REQUESTS: [&str; 2] = ["requests", "completed"];

/// A first moment from here on is in milliseconds since 1970: this many seconds are the year 5138, and this many
/// milliseconds March 1973.
const MILLISECONDS: f64 = 1e11;

/// From here on it is neither: this many milliseconds are the year 5138, and this many microseconds March 1973.
const TOO_FINE: f64 = 1e14;

/// Endings of column names that say in which unit memory is; without one it is in bytes.
const UNITS: [(&str, f64); 6] = [
    ("_kib", 1024.0),
    ("_mib", 1024.0 * 1024.0),
    ("_gib", 1024.0 * 1024.0 * 1024.0),
    ("_kb", 1e3),
    ("_mb", 1e6),
    ("_gb", 1e9),
];

/// No process has less memory than this, the stack and heap of a program that does nothing; a series that never has is
/// in another unit than bytes, and its leaks would be cleared as tiny.
const LEAST_MEMORY: Bytes = Bytes::kib(128);

/// Most characters of a file that are repeated in a message.
const REPEATED: usize = 200;

/// Which columns to read, by the names in the first line; what is not given is found by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    time: Option<String>,
    memory: Option<String>,
    requests: Option<String>,
    live: Option<String>,
}

/// A text that names no columns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ColumnsError {
    /// No pair.
    #[error("{0:?} is not a ROLE=NAME, such as time=t_s")]
    NoPair(String),
    /// A role that there is not.
    #[error("there is no role {0:?}: the roles are time, memory, requests and live")]
    UnknownRole(String),
    /// A role with two names.
    #[error("the role {0} is given twice")]
    Twice(String),
}

impl FromStr for Columns {
    type Err = ColumnsError;

    /// From `time=NAME,memory=NAME,requests=NAME,live=NAME`, any of them.
    fn from_str(text: &str) -> Result<Self, ColumnsError> {
        let mut columns = Self::default();
        for pair in text.split(',') {
            let (role, name) = pair
                .split_once('=')
                .map(|(role, name)| (role.trim(), name.trim()))
                .filter(|(_, name)| !name.is_empty())
                .ok_or_else(|| ColumnsError::NoPair(pair.to_owned()))?;
            let given = match role {
                "time" => &mut columns.time,
                "memory" => &mut columns.memory,
                "requests" => &mut columns.requests,
                "live" => &mut columns.live,
                unknown => return Err(ColumnsError::UnknownRole(unknown.to_owned())),
            };
            if given.replace(name.to_owned()).is_some() {
                return Err(ColumnsError::Twice(role.to_owned()));
            }
        }
        Ok(columns)
    }
}

/// Rows that are not a recorded series.
#[derive(Debug, PartialEq, Error)]
pub enum CsvError {
    /// Not even a first line.
    #[error("the file is empty: its first line must name the columns")]
    Empty,
    /// A column is missing.
    #[error("the first line names no column {wanted}; it has {found}: name one by --columns")]
    NoColumn {
        /// Names that would do.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// A column that is wanted is there twice.
    #[error("the first line names the column {0} twice: which one counts is open")]
    TwoColumns(String),
    /// Something else than commas.
    #[error("the columns are separated by {0}, and must be by commas")]
    Separator(&'static str),
    /// A row has more or fewer fields than there are columns.
    #[error("line {line} has {found} fields, and the first line names {wanted} columns")]
    Fields {
        /// The line, from 1.
        line: u64,
        /// What it has.
        found: usize,
        /// What it should have.
        wanted: usize,
    },
    /// A field is not a number.
    #[error("line {line}: {text:?} is not a number")]
    Number {
        /// The line, from 1.
        line: u64,
        /// What stands there.
        text: String,
    },
    /// A field is not a moment.
    #[error("line {line}: {text:?} is not a {wanted}")]
    Moment {
        /// The line, from 1.
        line: u64,
        /// What stands there.
        text: String,
        /// What the first row has, if it is not the one.
        wanted: &'static str,
    },
    /// Finer than milliseconds.
    #[error("line {line}: {text} is too large for seconds or milliseconds since 1970: give it in one of these")]
    TooFine {
        /// The line, from 1.
        line: u64,
        /// What stands there.
        text: String,
    },
    /// Memory in another unit.
    #[error(
        "memory is never above {largest}, and no process has so little: say the column's unit at the end of its name, such as rss_kib or rss_mib"
    )]
    TooSmall {
        /// The largest reading.
        largest: Bytes,
    },
    /// Less than nothing.
    #[error("line {line}: {number} {unit} are less than nothing")]
    Negative {
        /// The line, from 1.
        line: u64,
        /// What stands there.
        number: f64,
        /// Of what.
        unit: &'static str,
    },
}

/// How moments are written.
#[derive(Debug, Clone, Copy)]
enum Clock {
    Seconds,
    Milliseconds,
    Stamps,
}

/// A series that grows by a row at a time.
#[derive(Debug)]
pub struct Recording {
    width: usize,
    time: usize,
    memory: usize,
    /// Bytes in its unit.
    scale: f64,
    requests: Option<usize>,
    live: Option<usize>,
    live_scale: f64,
    /// As the first row has it.
    clock: Option<Clock>,
    series: Series,
}

impl Recording {
    /// A recording without rows, whose first line is `head`.
    ///
    /// # Errors
    /// A column that is needed is not there, or twice.
    pub fn begin(head: &StringRecord, columns: &Columns) -> Result<Self, CsvError> {
        if head.is_empty() {
            return Err(CsvError::Empty);
        }
        let find = |given: &Option<String>, names: &[&str]| match given {
            Some(name) => place(head, &[name]),
            None => place(head, names),
        };
        let required = |given: &Option<String>, names: &[&str]| {
            let wanted = || given.clone().unwrap_or_else(|| names.join(" or "));
            find(given, names)?.ok_or_else(|| missing(head, wanted()))
        };
        let optional = |given: &Option<String>, names: &[&str]| match given {
            Some(_) => required(given, names).map(Some),
            None => find(given, names),
        };
        let time = required(&columns.time, &TIME)?;
        let memory = required(&columns.memory, &MEMORY)?;
        let live = optional(&columns.live, &[])?;
        Ok(Self {
            width: head.len(),
            time,
            memory,
            scale: scale(&head[memory]),
            requests: optional(&columns.requests, &REQUESTS)?,
            live,
            live_scale: live.map_or(1.0, |column| scale(&head[column])),
            clock: None,
            series: Series { sources: Sources::default().with(MemorySource::Column), ..Series::default() },
        })
    }

    /// Adds a row; one without any text is passed over.
    ///
    /// # Errors
    /// A field is not a number, or missing.
    pub fn push(&mut self, row: &StringRecord) -> Result<(), CsvError> {
        if row.iter().all(str::is_empty) {
            return Ok(());
        }
        let line = row.position().map_or(0, csv::Position::line);
        if row.len() != self.width {
            return Err(CsvError::Fields { line, found: row.len(), wanted: self.width });
        }
        let sources = self.series.sources;
        let amount = |column: usize, unit| match number(&row[column], line)? {
            number if number < 0.0 => Err(CsvError::Negative { line, number, unit }),
            number => Ok(number),
        };
        let memory = self.scale * amount(self.memory, sources.of(Layer::Resident).unit())?;
        let requests = self.requests.map_or(Ok(0.0), |column| amount(column, "requests"))?;
        if let Some(column) = self.live {
            // A reading of the probe may be missing.
            let live = if row[column].is_empty() {
                f64::NAN
            } else {
                self.live_scale * amount(column, sources.of(Layer::Live).unit())?
            };
            self.series.live_bytes.push(live);
        }
        let t_s = self.moment(&row[self.time], line)?;
        self.series.t_s.push(t_s);
        self.series.memory_bytes.push(memory);
        self.series.requests.push(requests);
        Ok(())
    }

    /// What was recorded.
    ///
    /// # Errors
    /// There are readings, and all are too small for the memory of a process in bytes.
    pub fn into_series(self) -> Result<Series, CsvError> {
        let largest = self.series.memory_bytes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if (0.0..LEAST_MEMORY.as_f64()).contains(&largest) {
            return Err(CsvError::TooSmall { largest: Bytes::new(largest as u64) });
        }
        Ok(self.series)
    }

    /// A moment in seconds.
    fn moment(&mut self, text: &str, line: u64) -> Result<f64, CsvError> {
        let number = text.parse::<f64>().ok();
        if self.clock.is_none() && number.is_some_and(|number| number >= TOO_FINE) {
            return Err(CsvError::TooFine { line, text: repeated(text) });
        }
        let clock = *self.clock.get_or_insert(match number {
            Some(number) if number >= MILLISECONDS => Clock::Milliseconds,
            Some(_) => Clock::Seconds,
            None => Clock::Stamps,
        });
        let (moment, wanted) = match clock {
            Clock::Seconds => (number, "number of seconds"),
            Clock::Milliseconds => (number.map(|number| number / 1000.0), "number of milliseconds"),
            Clock::Stamps => (stamp(text), "moment in UTC like 2026-11-22T22:00:00Z, and no number of seconds"),
        };
        moment.ok_or_else(|| CsvError::Moment { line, text: repeated(text), wanted })
    }
}

/// Bytes in the unit that the name of a column ends with.
fn scale(name: &str) -> f64 {
    let name = name.to_ascii_lowercase();
    UNITS.iter().find(|(ending, _)| name.ends_with(ending)).map_or(1.0, |(_, bytes)| *bytes)
}

/// Where the first column of one of these names is.
fn place(head: &StringRecord, names: &[&str]) -> Result<Option<usize>, CsvError> {
    let Some(found) = head.iter().position(|column| names.contains(&column)) else { return Ok(None) };
    match head.iter().filter(|column| *column == &head[found]).count() {
        1 => Ok(Some(found)),
        _ => Err(CsvError::TwoColumns(repeated(&head[found]))),
    }
}

/// Why a column is missing: it is not there, or nothing is separated.
fn missing(head: &StringRecord, wanted: String) -> CsvError {
    let separators = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
    match separators.iter().find(|(separator, _)| head.len() == 1 && head[0].contains(*separator)) {
        Some((_, name)) => CsvError::Separator(name),
        None => CsvError::NoColumn { wanted, found: repeated(&head.iter().collect::<Vec<_>>().join(", ")) },
    }
}

fn number(text: &str, line: u64) -> Result<f64, CsvError> {
    text.parse().map_err(|_| CsvError::Number { line, text: repeated(text) })
}

/// Seconds since 1970 at an RFC 3339 moment in UTC.
fn stamp(text: &str) -> Option<f64> {
    let moment = humantime::parse_rfc3339(text).ok()?;
    Some(moment.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs_f64())
}

/// What a message repeats of a file: no control characters, and not too much.
fn repeated(text: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut repeated: String = text.chars().take(REPEATED).map(shown).collect();
    if text.chars().nth(REPEATED).is_some() {
        repeated.push('…');
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, columns: &str) -> Result<Series, CsvError> {
        let columns = if columns.is_empty() { Columns::default() } else { columns.parse().expect("columns") };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let mut recording = Recording::begin(reader.headers().expect("text"), &columns)?;
        reader.records().try_for_each(|row| recording.push(&row.expect("text")))?;
        // The smallest numbers do for what is asked here.
        Ok(recording.series)
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let series = read("requests,t_s,rss_bytes\n10,0.5,4096\n20,1.5,8192\n", "").expect("a series");
        assert_eq!(series.t_s, [0.5, 1.5]);
        assert_eq!(series.memory_bytes, [4096.0, 8192.0]);
        assert_eq!(series.requests, [10.0, 20.0]);
        assert_eq!((series.disturbances_s, series.live_bytes), (None, Vec::new()));
    }

    #[test]
    fn named_columns_are_read_and_a_live_reading_may_be_missing() {
        let text = "when,rss_bytes,heap,done,t_s\n5,1,2,3,9\n6,4,,6,9\n";
        let series = read(text, "time=when, live=heap,requests=done").expect("a series");
        assert_eq!((series.t_s, series.memory_bytes), (vec![5.0, 6.0], vec![1.0, 4.0]));
        assert_eq!(series.requests, [3.0, 6.0]);
        assert!((series.live_bytes[0] - 2.0).abs() < 1e-12 && series.live_bytes[1].is_nan());
    }

    #[test]
    fn moments_are_seconds_milliseconds_of_an_epoch_or_stamps() {
        let times = |first: &str, second: &str| {
            let series = read(&format!("t_s,rss_bytes\n{first},1\n{second},1\n"), "").expect("a series");
            series.t_s[1] - series.t_s[0]
        };
        for (first, second) in [
            ("0", "1.5"),
            ("1795384800", "1795384801.5"),
            ("1795384800000", "1795384801500"),
            ("2026-11-22T22:00:00Z", "2026-11-22T22:00:01.5Z"),
        ] {
            assert!((times(first, second) - 1.5).abs() < 1e-6, "{first}");
        }
    }

    #[test]
    fn memory_is_in_the_unit_that_its_name_ends_with() {
        let bytes =
            |name: &str| read(&format!("t_s,{name}\n0,2\n"), &format!("memory={name}")).map(|s| s.memory_bytes[0]);
        for (name, wanted) in
            [("rss", 2.0), ("rss_KiB", 2048.0), ("rss_mb", 2e6), ("heap_gib", 2.0 * 1024.0_f64.powi(3))]
        {
            assert_eq!(bytes(name), Ok(wanted), "{name}");
        }
        let live = read("t_s,rss_mib,live_mib\n0,2,1\n", "live=live_mib").expect("a series");
        assert_eq!((live.memory_bytes[0], live.live_bytes[0]), (2.0 * 1024.0 * 1024.0, 1024.0 * 1024.0));
    }

    #[test]
    fn memory_that_no_process_has_is_in_another_unit() {
        let of = |memory: u64| {
            let mut recording =
                Recording::begin(&StringRecord::from(vec!["t_s", "rss_bytes"]), &Columns::default()).expect("columns");
            recording.push(&StringRecord::from(vec!["0", &memory.to_string()])).expect("a row");
            recording.into_series()
        };
        assert_eq!(of(75_000), Err(CsvError::TooSmall { largest: Bytes::new(75_000) }));
        assert!(of(200_000).is_ok());
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_place() {
        let message = |text: &str| read(text, "").expect_err("no series").to_string();
        let head = "t_s,rss_bytes\n";
        for (text, described) in [
            (String::new(), "the file is empty: its first line must name the columns"),
            (
                format!("{head}1795384800000000,1\n"),
                "line 2: 1795384800000000 is too large for seconds or milliseconds since 1970: give it in one of these",
            ),
            (
                "a,b\n".to_owned(),
                "the first line names no column t_s or seconds or time_s; it has a, b: name one by --columns",
            ),
            ("t_s;rss_bytes\n0;1\n".to_owned(), "the columns are separated by semicolons, and must be by commas"),
            ("t_s,t_s,rss_bytes\n".to_owned(), "the first line names the column t_s twice: which one counts is open"),
            (format!("{head}0,1\n1,many\n"), "line 3: \"many\" is not a number"),
            (format!("{head}0\n"), "line 2 has 1 fields, and the first line names 2 columns"),
            (format!("{head}0,-4\n"), "line 2: -4 bytes are less than nothing"),
            (
                format!("{head}0,1\n2026-11-22T22:00:00Z,1\n"),
                "line 3: \"2026-11-22T22:00:00Z\" is not a number of seconds",
            ),
            (
                format!("{head}now,1\n"),
                "line 2: \"now\" is not a moment in UTC like 2026-11-22T22:00:00Z, and no number of seconds",
            ),
        ] {
            assert_eq!(message(&text), described);
        }
        let missing = read("a,rss_bytes\n", "time=when").expect_err("no such column").to_string();
        assert!(missing.contains("no column when; it has a, rss_bytes"), "{missing}");
        assert!(message(&format!("{}\n", "x".repeat(5000))).len() < 400);
    }

    #[test]
    fn what_names_no_columns_is_refused() {
        let error = |text: &str| text.parse::<Columns>().expect_err("no columns").to_string();
        assert_eq!(error("time"), "\"time\" is not a ROLE=NAME, such as time=t_s");
        assert_eq!(error("time="), "\"time=\" is not a ROLE=NAME, such as time=t_s");
        assert_eq!(error("rss=a"), "there is no role \"rss\": the roles are time, memory, requests and live");
        assert_eq!(error("time=a,time=b"), "the role time is given twice");
    }
}
