//! Reads files that others recorded, as whole texts within bounds.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use serde_json::Value;
use thiserror::Error;

use crate::shell::files;
use steep_core::recorded::{self, Options, Recorded, Refusal};

/// Most bytes of a line, and of blank lines one after the other: a row of numbers has a hundred. JSON may be one line.
const LONGEST_ROW: usize = 64 << 10;

/// Most bytes of a file: ten million readings have a quarter of it.
const LARGEST: usize = 1 << 30;

/// Why a file is not a recorded series.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error("cannot be read")]
    File(#[from] io::Error),
    /// A row without an end.
    #[error("line {line} goes on for more than {} KiB: this is not a table of numbers", LONGEST_ROW >> 10)]
    LongRow {
        /// The line, from 1.
        line: u64,
    },
    /// More than is held at once.
    #[error("it has more than {} MiB: leave out every other reading, or cut it", LARGEST >> 20)]
    Large,
    /// Not UTF-8.
    #[error("line {line} is not UTF-8 text")]
    NoText {
        /// The line, from 1.
        line: u64,
    },
    /// Text, and something else than a series.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Reads the series in the file `path`, of any of the formats.
///
/// # Errors
/// See [`RecordingError`].
pub fn read_recording(path: &Path, options: &Options) -> Result<Recorded, RecordingError> {
    read(files::open(path)?, options)
}

/// The same of what `file` gives.
///
/// # Errors
/// See [`RecordingError`].
pub fn read(file: impl Read, options: &Options) -> Result<Recorded, RecordingError> {
    let text = String::from_utf8(bounded(file)?).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        RecordingError::NoText { line: lines(before) + 1 }
    })?;
    Ok(recorded::read(&text, options)?)
}

/// Whether a file of JSON lines is one that others wrote: its first line is a record, and not one of a trace.
#[must_use]
pub fn is_foreign(path: &Path) -> bool {
    let first = || -> io::Result<String> {
        let mut first = String::new();
        BufReader::new(files::open(path)?).take(LONGEST_ROW as u64).read_line(&mut first)?;
        Ok(first)
    };
    let record = first().ok().and_then(|line| serde_json::from_str::<Value>(&line).ok());
    record.is_some_and(|record| record.is_object() && record.get("record").is_none())
}

fn lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The bytes of a file, unless a line of it, or the whole, goes on and on.
fn bounded(mut file: impl Read) -> Result<Vec<u8>, RecordingError> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; LONGEST_ROW];
    let (mut line, mut since, mut is_blank) = (1, 0, true);
    loop {
        let read = file.read(&mut chunk)?;
        let new = &chunk[..read];
        if read == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(new);
        let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[".contains(byte));
        for byte in new {
            since += 1;
            is_blank &= byte.is_ascii_whitespace();
            if *byte == b'\n' && !is_blank {
                line += 1;
                (since, is_blank) = (0, true);
            } else if since > LONGEST_ROW && !is_json {
                return Err(RecordingError::LongRow { line });
            } else if *byte == b'\n' && is_blank {
                line += 1;
            }
        }
        if bytes.len() > LARGEST {
            return Err(RecordingError::Large);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(bytes: &[u8]) -> Result<String, String> {
        let read = read(bytes, &Options::default()).map_err(|error| error.to_string())?;
        Ok(read.recordings.iter().map(|recording| format!("{recording:?}")).collect())
    }

    #[test]
    fn a_byte_order_mark_carriage_returns_comments_and_empty_lines_change_nothing() {
        let values = |text: &str| {
            let read = memory(text.as_bytes()).expect("a series");
            let start = read.find("memory_bytes").expect("memory");
            read[start..].split(']').next().expect("values").to_owned()
        };
        let plain = values("t_s,rss_bytes\n0,1000000\n1,2000000\n");
        assert_eq!(plain, "memory_bytes: [1000000.0, 2000000.0");
        for text in [
            "\u{feff}t_s,rss_bytes\n0,1000000\n1,2000000\n",
            "t_s,rss_bytes\r\n0,1000000\r\n1,2000000\r\n\r\n",
            "\"t_s\",\"rss_bytes\"\n# by hand\n0, 1000000\n1, 2000000\n\n  \n\n",
            "t_s,rss_bytes\n0,1000000\n1,2000000",
        ] {
            assert_eq!(values(text), plain, "{text:?}");
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
            let error = read(file, &Options::default()).expect_err("no end").to_string();
            assert!(error.contains("goes on for more than 64 KiB"), "{error}");
            assert!(count.get() <= 4 * LONGEST_ROW, "{} bytes were read", count.get());
        }
    }

    #[test]
    fn a_long_file_of_short_rows_is_read_to_its_end() {
        let rows: String = (0..50_000).map(|i| format!("{i},{}\n", 1_000_000 + i * 3)).collect();
        let read = memory(format!("t_s,rss_bytes\n{rows}").as_bytes()).expect("a series");
        assert!(read.contains("1149997.0"), "the last reading");
    }

    #[test]
    fn bytes_that_are_not_text_are_reported_with_their_line() {
        assert_eq!(memory(&[0xff, 0xfe, 0x00, 0x0a]), Err("line 1 is not UTF-8 text".to_owned()));
        assert_eq!(memory(b"t_s,rss_bytes\n0,1\n\xff,2\n"), Err("line 3 is not UTF-8 text".to_owned()));
    }
}
