//! Reads CSV files that others recorded, a row at a time: what is kept is numbers.

use std::io::{self, Read};
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use thiserror::Error;

use crate::shell::files;
use steep_core::recorded::{Columns, CsvError, Recording};
use steep_judge::growth::Series;

/// Most bytes of a row, and of what is read ahead: a row of numbers has a hundred, and a file without line ends, or
/// with a quotation mark that is never closed, would be one row.
const LONGEST_ROW: usize = 64 << 10;

/// Why a file is not a recorded series.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error("cannot be read")]
    File(#[from] io::Error),
    /// A row without an end.
    #[error("line {line} goes on for more than {} KiB: this is not a CSV of numbers", LONGEST_ROW >> 10)]
    LongRow {
        /// The line, from 1.
        line: u64,
    },
    /// Not UTF-8.
    #[error("line {line} is not UTF-8 text")]
    NoText {
        /// The line, from 1.
        line: u64,
    },
    /// Text, and something else than a series.
    #[error(transparent)]
    Csv(#[from] CsvError),
}

/// Reads the series in the CSV file `path`, whose first line names the columns.
///
/// # Errors
/// See [`RecordingError`].
pub fn read_recording(path: &Path, columns: &Columns) -> Result<Series, RecordingError> {
    read(files::open(path)?, columns)
}

/// The same of what `file` gives.
///
/// # Errors
/// See [`RecordingError`].
pub fn read(file: impl Read, columns: &Columns) -> Result<Series, RecordingError> {
    let bounded = Bounded { file, since_row: 0 };
    let mut reader = ReaderBuilder::new()
        .buffer_capacity(LONGEST_ROW)
        .trim(Trim::All)
        .comment(Some(b'#'))
        // Rows of another length are reported in our own words.
        .flexible(true)
        .has_headers(false)
        .from_reader(bounded);
    let mut row = StringRecord::new();
    let mut recording: Option<Recording> = None;
    loop {
        let line = reader.position().line();
        if !reader.read_record(&mut row).map_err(|error| at_line(error, line))? {
            break;
        }
        reader.get_mut().since_row = 0;
        match &mut recording {
            Some(recording) => recording.push(&row)?,
            None => recording = Some(Recording::begin(&row, columns)?),
        }
    }
    Ok(recording.ok_or(CsvError::Empty)?.into_series()?)
}

fn at_line(error: csv::Error, line: u64) -> RecordingError {
    match error.into_kind() {
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => RecordingError::LongRow { line },
        ErrorKind::Io(error) => error.into(),
        // Rows may have any length, and nothing is deserialised: what is left is text that is none.
        _ => RecordingError::NoText { line },
    }
}

/// A file that gives no more than [`LONGEST_ROW`] bytes and one buffer between two rows.
struct Bounded<F> {
    file: F,
    since_row: usize,
}

impl<F: Read> Read for Bounded<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row >= LONGEST_ROW {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.file.read(buffer)?;
        self.since_row += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(bytes: &[u8]) -> Result<Series, String> {
        read(bytes, &Columns::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_byte_order_mark_carriage_returns_comments_and_empty_lines_change_nothing() {
        let plain = series(b"t_s,rss_bytes\n0,1000000\n1,2000000\n").expect("a series");
        assert_eq!(plain.memory_bytes, [1e6, 2e6]);
        for text in [
            "\u{feff}t_s,rss_bytes\n0,1000000\n1,2000000\n",
            "t_s,rss_bytes\r\n0,1000000\r\n1,2000000\r\n\r\n",
            "\"t_s\",\"rss_bytes\"\n# by hand\n0, 1000000\n1, 2000000\n\n  \n\n",
            "t_s,rss_bytes\n0,1000000\n1,2000000",
        ] {
            assert_eq!(series(text.as_bytes()), Ok(plain.clone()), "{text:?}");
        }
    }

    #[test]
    fn a_row_without_an_end_is_given_up() {
        /// An endless file, which counts what was read of it.
        struct Endless<'c>(&'c std::cell::Cell<usize>, u8);
        impl Read for Endless<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(self.1);
                self.0.set(self.0.get() + buffer.len());
                Ok(buffer.len())
            }
        }
        for (head, filler) in [("", b'7'), ("t_s,rss_bytes\n0,\"", b'\n')] {
            let count = std::cell::Cell::new(0);
            let file = head.as_bytes().chain(Endless(&count, filler));
            let error = read(file, &Columns::default()).expect_err("no end").to_string();
            assert!(error.contains("goes on for more than 64 KiB"), "{error}");
            assert!(count.get() <= 4 * LONGEST_ROW, "{} bytes were read", count.get());
        }
    }

    #[test]
    fn a_long_file_of_short_rows_is_read_to_its_end() {
        let rows: String = (0..50_000).map(|i| format!("{i},{}\n", i * 3)).collect();
        let series = series(format!("t_s,rss_bytes\n{rows}").as_bytes()).expect("a series");
        assert_eq!((series.t_s.len(), series.memory_bytes.last()), (50_000, Some(&149_997.0)));
    }

    #[test]
    fn bytes_that_are_not_text_are_reported_with_their_line() {
        assert_eq!(series(&[0xff, 0xfe, 0x00, 0x0a]), Err("line 1 is not UTF-8 text".to_owned()));
        assert_eq!(series(b"t_s,rss_bytes\n0,1\n\xff,2\n"), Err("line 3 is not UTF-8 text".to_owned()));
    }
}
