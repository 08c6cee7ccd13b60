//! Why a text is not a recorded series, or what must be said about it first.

use steep_judge::units::Bytes;
use thiserror::Error;

/// Most characters of a file that are repeated in a message.
const REPEATED: usize = 200;

/// Most names that a message lists.
const LISTED: usize = 12;

/// A text that is not read.
#[derive(Debug, PartialEq, Error)]
pub enum Refusal {
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
    /// A row that never ends.
    #[error("line {line} goes on for more than 64 KiB: this is not a table of numbers")]
    LongRow {
        /// The line, from 1.
        line: u64,
    },
    /// A field is not a number.
    #[error("line {line}: {text:?} is not a number{hint}")]
    Number {
        /// The line, from 1.
        line: u64,
        /// What stands there.
        text: String,
        /// What may be meant.
        hint: &'static str,
    },
    /// A number that is none.
    #[error("line {line}: {text:?}: reading {reading} is not a possible number")]
    Impossible {
        /// The line, from 1.
        line: u64,
        /// What stands there.
        text: String,
        /// Which reading of the series, from 1.
        reading: usize,
    },
    /// A number that can be read in two ways.
    #[error("line {line}: {text:?} is a thousand or a fraction: write it without the comma, or with a point")]
    Comma {
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
    /// Time goes backwards.
    #[error("line {line}: time goes backwards at reading {reading}{of}")]
    Backwards {
        /// The line, from 1.
        line: u64,
        /// Which reading of the series, from 1.
        reading: usize,
        /// Of which series, where there are several.
        of: String,
    },
    /// An hour that comes twice.
    #[error(
        "line {line}: the clock goes back, as at the end of summer time: say its zone, such as --zone Europe/Berlin"
    )]
    Zone {
        /// The line, from 1.
        line: u64,
    },
    /// Nothing tells when.
    #[error("nothing in it tells when it was read: say how far apart the readings are, such as --every 10s")]
    NoTime,
    /// Numbers whose unit of time is open.
    #[error("{column} may be in seconds or in milliseconds: say it by --time-unit s or --time-unit ms")]
    TimeUnit {
        /// The column.
        column: String,
    },
    /// Memory in a unit that nothing says.
    #[error("the unit of {column} stands nowhere: say it by --unit bytes, --unit KiB or --unit MiB")]
    Unit {
        /// The column, or the series.
        column: String,
    },
    /// Memory in another unit than is said.
    #[error(
        "memory is never above {largest}, and no process has so little: say the column's unit by --unit, or at the end of its name, such as rss_kib or rss_mib"
    )]
    TooSmall {
        /// The largest reading.
        largest: Bytes,
    },
    /// Something else than an amount of memory.
    #[error("{column} {what}")]
    NotAnAmount {
        /// The column, or the series.
        column: String,
        /// What it is.
        what: &'static str,
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
    /// Several series that no column tells apart.
    #[error(
        "line {line}: the same moment again with other memory: there are several series in the file; name the column that tells them apart, as --columns series=NAME"
    )]
    Mixed {
        /// The line, from 1.
        line: u64,
    },
    /// No series of that name.
    #[error("there is no series {wanted:?}; there are {found}")]
    NoSeries {
        /// What was asked for.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// More series than can be judged one by one.
    #[error("there are more than {most} series: choose by --series NAME, of {found}")]
    ManySeries {
        /// How many may be.
        most: usize,
        /// The first of them.
        found: String,
    },
    /// A zone that the system does not know.
    #[error("{0:?} is not a time zone of this system: a name such as Europe/Berlin or UTC")]
    UnknownZone(String),
    /// JSON that is none.
    #[error("line {line}: this is not whole JSON: {what}")]
    Json {
        /// The line, from 1.
        line: u64,
        /// What the parser says.
        what: String,
    },
    /// JSON of something else.
    #[error("{0}")]
    OtherJson(String),
}

/// What a message repeats of a file: no control characters, and not too much.
pub(super) fn repeated(text: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut repeated: String = text.chars().take(REPEATED).map(shown).collect();
    if text.chars().nth(REPEATED).is_some() {
        repeated.push('…');
    }
    repeated
}

/// The first of some names, and how many more there are.
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown = repeated(&names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", "));
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
