//! How columns are embedded in the page, without loss: of each number its difference to the one before, the lowest
//! bytes of all of them first, then the next; deflated, in base64. The script of the page reads them back.
//!
//! Whole pages of memory are counted in pages, and times in the steps of the histogram that they were read from, so
//! that no byte is spent on what nobody measured.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress, Status};
use serde::Serialize;

use super::columns::{Column, Kind, Table, Unit};

/// Room for the last block of what is deflated, in bytes.
const ROOM: usize = 1024;

/// Bits of a time that a histogram of two significant digits (HDR) keeps, as the driver's of a second.
const STEP_BITS: u32 = 8;

/// What the script must know of a table.
#[derive(Debug, Serialize)]
pub(super) struct Described {
    rows: usize,
    /// Bytes of each difference of the moments.
    planes: usize,
    columns: Vec<DescribedColumn>,
}

/// What it must know of a column.
#[derive(Debug, Serialize)]
struct DescribedColumn {
    name: &'static str,
    label: &'static str,
    unit: Unit,
    kind: Kind,
    /// Whether any row has a value above zero: what is zero all the time is not read out.
    known: bool,
    #[serde(flatten)]
    written: Written,
}

/// How a column is written.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Written {
    /// Not at all: it is the first of these columns without the second.
    Rest { rest_of: [&'static str; 2] },
    /// Each number in steps of a histogram.
    InSteps { in_steps: bool, planes: usize },
    /// Each as a multiple.
    Multiples { multiple_of: u64, planes: usize },
}

/// Tables as one text, and what must be known to read them.
#[derive(Debug)]
pub(super) struct Embedded {
    pub(super) described: Vec<Described>,
    pub(super) text: String,
}

impl Embedded {
    pub(super) fn of(tables: &[&Table]) -> Self {
        let mut packer = Packer::default();
        let described = tables.iter().map(|table| describe(table, &mut packer)).collect();
        Self { described, text: packer.finish() }
    }
}

/// Writes the moments, then the columns. What is missing is a zero, and everything else one more than it is.
fn describe(table: &Table, packer: &mut Packer) -> Described {
    let (at, columns) = table.parts();
    let planes = packer.column(at.iter().copied());
    let columns = columns.iter().map(|column| DescribedColumn {
        name: column.name,
        label: column.label,
        unit: column.unit,
        kind: column.kind,
        known: column.is_there(),
        written: write(column, table, packer),
    });
    Described { rows: table.rows(), planes, columns: columns.collect() }
}

fn write(column: &Column, table: &Table, packer: &mut Packer) -> Written {
    if let Some(rest_of) = column.is_rest_of.filter(|of| is_rest(column, table, *of)) {
        return Written::Rest { rest_of };
    }
    let is_in_steps =
        column.unit == Unit::Microseconds && column.recorded().flatten().all(|time| top(step(time)) == time);
    if is_in_steps {
        let planes = packer.column(column.recorded().map(|time| time.map_or(0, |time| step(time) + 1)));
        return Written::InSteps { in_steps: true, planes };
    }
    let multiple_of = column.recorded().flatten().fold(0, divisor).max(1);
    let planes = packer.column(column.recorded().map(|value| value.map_or(0, |value| value / multiple_of + 1)));
    Written::Multiples { multiple_of, planes }
}

/// Whether a column is the first of `of` without the second in every row.
fn is_rest(column: &Column, table: &Table, of: [&'static str; 2]) -> bool {
    let [Some(whole), Some(part)] = of.map(|name| table.column(name)) else { return false };
    let mut rows = column.recorded().zip(whole.recorded().zip(part.recorded()));
    rows.all(|(rest, (whole, part))| {
        rest.is_some() && rest == whole.zip(part).and_then(|(whole, part)| whole.checked_sub(part))
    })
}

/// The largest number that both are whole multiples of.
fn divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// Which step of the histogram a time is in.
fn step(time: u64) -> u64 {
    let beyond = (u64::BITS - time.leading_zeros()).saturating_sub(STEP_BITS);
    (u64::from(beyond) << (STEP_BITS - 1)) + (time >> beyond)
}

/// The longest time in a step: what the histogram says of all in it.
fn top(step: u64) -> u64 {
    let half = 1_u64 << (STEP_BITS - 1);
    let beyond = (step / half).saturating_sub(1);
    let shortest = (step - beyond * half).checked_shl(u32::try_from(beyond).unwrap_or(u32::MAX)).unwrap_or(u64::MAX);
    shortest.saturating_add((1_u64 << beyond.min(63)) - 1)
}

/// Deflates columns one after the other.
struct Packer {
    deflate: Compress,
    packed: Vec<u8>,
}

impl Default for Packer {
    fn default() -> Self {
        Self { deflate: Compress::new(Compression::default(), false), packed: Vec::new() }
    }
}

impl Packer {
    /// Writes a column; says how many bytes each difference takes.
    fn column(&mut self, values: impl Iterator<Item = u64>) -> usize {
        let mut before = 0_u64;
        let differences: Vec<u64> = values
            .map(|value| {
                let difference = value.wrapping_sub(before).cast_signed();
                before = value;
                // Zig-zag: small numbers of either sign are short.
                ((difference << 1) ^ (difference >> 63)).cast_unsigned()
            })
            .collect();
        let used = differences.iter().fold(0, |all, difference| all | difference);
        let planes = (u64::BITS - used.leading_zeros()).div_ceil(u8::BITS).max(1);
        for plane in 0..planes {
            let bytes: Vec<u8> =
                differences.iter().map(|difference| (difference >> (plane * u8::BITS)) as u8).collect();
            // What lies between two columns is a block of its own, with codes for what it holds.
            self.deflate(&bytes, FlushCompress::Sync);
        }
        planes as usize
    }

    fn deflate(&mut self, bytes: &[u8], flush: FlushCompress) {
        let begun = self.deflate.total_in();
        // It fills the room that there is, and is done when it leaves some.
        loop {
            self.packed.reserve(bytes.len() / 2 + ROOM);
            let read = usize::try_from(self.deflate.total_in() - begun).unwrap_or(bytes.len());
            let status = self.deflate.compress_vec(&bytes[read..], &mut self.packed, flush);
            let is_over = match status {
                Ok(Status::Ok | Status::BufError) => {
                    flush != FlushCompress::Finish && self.packed.len() < self.packed.capacity()
                }
                Ok(Status::StreamEnd) | Err(_) => true,
            };
            if is_over {
                return;
            }
        }
    }

    fn finish(mut self) -> String {
        self.deflate(&[], FlushCompress::Finish);
        STANDARD.encode(self.packed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;
    use steep_judge::units::SinceStart;

    /// As the script of the page reads it: the moments and the columns that are written.
    fn read(embedded: &Embedded) -> Vec<Vec<u64>> {
        let packed = STANDARD.decode(&embedded.text).expect("base64");
        let mut bytes = Vec::new();
        DeflateDecoder::new(packed.as_slice()).read_to_end(&mut bytes).expect("deflated");
        let mut bytes = bytes.as_slice();
        let mut column = |rows: usize, planes: usize| {
            let (own, rest) = bytes.split_at(rows * planes);
            bytes = rest;
            let mut before = 0_u64;
            let row = |row: usize| {
                let number = (0..planes).map(|plane| u64::from(own[plane * rows + row]) << (8 * plane)).sum::<u64>();
                before =
                    before.wrapping_add(((number >> 1).cast_signed() ^ -((number & 1).cast_signed())).cast_unsigned());
                before
            };
            (0..rows).map(row).collect::<Vec<u64>>()
        };
        let mut columns = Vec::new();
        for table in &embedded.described {
            columns.push(column(table.rows, table.planes));
            for described in &table.columns {
                match &described.written {
                    Written::Rest { .. } => {}
                    Written::InSteps { planes, .. } | Written::Multiples { planes, .. } => {
                        columns.push(column(table.rows, *planes));
                    }
                }
            }
        }
        assert!(bytes.is_empty());
        columns
    }

    fn table(column: Column, values: &[Option<u64>]) -> Table {
        let mut table = Table::new(vec![column]);
        for (second, value) in values.iter().enumerate() {
            table.push(SinceStart::from_secs_f64(second as f64 * 1.001), &[*value]);
        }
        table
    }

    fn memory(values: &[Option<u64>]) -> Table {
        table(Column::new("anon", "anonymous", Unit::Bytes, Kind::Level), values)
    }

    proptest! {
        #[test]
        fn what_is_embedded_is_read_back(values in prop::collection::vec(prop::option::of(0..u64::MAX - 1), 1..40)) {
            let table = memory(&values);
            let embedded = Embedded::of(&[&table, &table]);
            let read = read(&embedded);
            prop_assert_eq!(&read[0], table.parts().0);
            prop_assert_eq!(&read[..2], &read[2..]);
            let Written::Multiples { multiple_of, .. } = embedded.described[0].columns[0].written else {
                panic!("bytes are multiples")
            };
            let back: Vec<_> = read[1].iter().map(|value| value.checked_sub(1).map(|value| value * multiple_of)).collect();
            prop_assert_eq!(back, values);
        }

        #[test]
        fn steps_are_those_of_the_histogram(time in 1..3_600_000_000_u64) {
            let seconds = Histogram::<u32>::new_with_bounds(1, 3_600_000_000, 2).expect("two digits");
            prop_assert_eq!(top(step(time)), seconds.highest_equivalent(time));
        }

        #[test]
        fn times_are_read_back_whether_a_histogram_told_them_or_not(
            times in prop::collection::vec(prop::option::of(0..u64::MAX - 1), 1..40),
            in_steps: bool,
        ) {
            let as_written = |time: u64| if in_steps { top(step(time)) } else { time };
            let times: Vec<_> = times.into_iter().map(|time| time.map(as_written).filter(|time| *time < u64::MAX - 1)).collect();
            let table = table(Column::new("p99", "p99", Unit::Microseconds, Kind::Level), &times);
            let embedded = Embedded::of(&[&table]);
            let back = |read: u64| match embedded.described[0].columns[0].written {
                Written::InSteps { .. } => read.checked_sub(1).map(top),
                Written::Multiples { multiple_of, .. } => read.checked_sub(1).map(|value| value * multiple_of),
                Written::Rest { .. } => panic!("it is of nothing"),
            };
            let is_in_steps = matches!(embedded.described[0].columns[0].written, Written::InSteps { .. });
            prop_assert!(is_in_steps || !in_steps);
            prop_assert_eq!(read(&embedded)[1].iter().map(|read| back(*read)).collect::<Vec<_>>(), times);
        }
    }

    #[test]
    fn pages_of_memory_are_counted_in_pages() {
        let embedded = Embedded::of(&[&memory(&[Some(8192), None, Some(12_288)])]);
        assert_eq!(embedded.described[0].columns[0].written, Written::Multiples { multiple_of: 4096, planes: 1 });
        assert_eq!(read(&embedded)[1], [3, 0, 4]);
    }

    #[test]
    fn what_other_columns_tell_is_written_only_where_they_do_not() {
        let counted = |name| Column::new(name, name, Unit::PerSecond, Kind::Total);
        let sent = counted("sent").rest_of(["due", "unsent"]);
        let mut table = Table::new(vec![counted("due"), sent, counted("unsent")]);
        table.push(SinceStart::from_secs_f64(1.0), &[Some(10), Some(8), Some(2)]);
        let sent = |table: &Table| read(&Embedded::of(&[table])).len();
        assert_eq!(sent(&table), 3);
        table.push(SinceStart::from_secs_f64(2.0), &[Some(10), Some(9), Some(2)]);
        assert_eq!(sent(&table), 4);
    }

    #[test]
    fn a_long_column_is_whole() {
        let mut seed = 1_u64;
        let values: Vec<_> = (0..40_000)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Some(seed >> 30)
            })
            .collect();
        let embedded = Embedded::of(&[&memory(&values)]);
        let back: Vec<_> = read(&embedded)[1].iter().map(|value| Some(value - 1)).collect();
        assert_eq!(back, values);
    }
}
