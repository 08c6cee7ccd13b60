//! Columns of numbers over time, and how they are embedded: differences as varints, deflated, in base64. The script of
//! the page reads them back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress, Status};
use serde::Serialize;

use steep_judge::units::SinceStart;

/// Moments are kept in hundredths of a second: a reading takes a part of that itself.
const PER_SECOND: f64 = 100.0;

/// A rate over less than this share of the usual span is that of a line that was written at the end, and says nothing.
const LEAST_SPAN: f64 = 0.3;

/// Room for the last block of what is deflated, in bytes.
const ROOM: usize = 1024;

/// What a number is, by which it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// Bytes.
    Bytes,
    /// A number of things.
    Count,
    /// Thousandths of a second, of CPU time.
    Thousandths,
    /// Each second.
    PerSecond,
    /// Microseconds.
    Microseconds,
}

/// Whether a column holds what is, or what came to be so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// What there is at each moment.
    Level,
    /// What there was so far: drawn as a rate.
    Total,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// What the script calls it.
    pub(super) name: &'static str,
    /// What people call it.
    pub(super) label: &'static str,
    pub(super) unit: Unit,
    pub(super) kind: Kind,
    values: Vec<Option<u64>>,
}

impl Column {
    pub(super) const fn new(name: &'static str, label: &'static str, unit: Unit, kind: Kind) -> Self {
        Self { name, label, unit, kind, values: Vec::new() }
    }

    /// Whether any moment has a value.
    pub(super) fn is_known(&self) -> bool {
        self.values.iter().any(Option::is_some)
    }

    /// The values as they were recorded.
    pub(super) fn recorded(&self) -> &[Option<u64>] {
        &self.values
    }

    /// The largest number that all values are whole multiples of.
    fn step(&self) -> u64 {
        let step = self.values.iter().flatten().fold(0, |step, value| divisor(step, *value));
        step.max(1)
    }
}

fn divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// Columns over the same moments.
#[derive(Debug, Clone)]
pub(super) struct Table {
    at: Vec<u64>,
    columns: Vec<Column>,
}

/// What the script must know of a table.
#[derive(Debug, Serialize)]
pub(super) struct Described {
    rows: usize,
    columns: Vec<DescribedColumn>,
}

#[derive(Debug, Serialize)]
struct DescribedColumn {
    name: &'static str,
    label: &'static str,
    unit: Unit,
    kind: Kind,
    step: u64,
}

impl Table {
    pub(super) const fn new(columns: Vec<Column>) -> Self {
        Self { at: Vec::new(), columns }
    }

    pub(super) fn push(&mut self, at: SinceStart, values: &[Option<u64>]) {
        self.at.push((at.as_secs_f64() * PER_SECOND).round() as u64);
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.values.push(*value);
        }
    }

    /// How many moments there are.
    pub(super) fn rows(&self) -> usize {
        self.at.len()
    }

    /// The moments, in seconds.
    pub(super) fn seconds(&self) -> Vec<f64> {
        self.at.iter().map(|at| *at as f64 / PER_SECOND).collect()
    }

    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// What is drawn of a column: levels as they are, totals as rates; NaN where nothing is known. Empty for a column
    /// that is not there.
    pub(super) fn drawn(&self, name: &str) -> Vec<f64> {
        let Some(column) = self.column(name) else { return Vec::new() };
        let value = |value: &Option<u64>| value.map_or(f64::NAN, |value| value as f64);
        let values: Vec<f64> = column.values.iter().map(value).collect();
        if column.kind == Kind::Level {
            return values;
        }
        let usual = self.at.last().map_or(0.0, |last| *last as f64) / PER_SECOND / self.rows() as f64;
        let rate = |row: usize| {
            let (before, at) = if row == 0 { (0.0, 0.0) } else { (values[row - 1], self.at[row - 1] as f64) };
            let seconds = (self.at[row] as f64 - at) / PER_SECOND;
            // A process that is gone takes its CPU time with it.
            if seconds > LEAST_SPAN * usual { ((values[row] - before) / seconds).max(0.0) } else { f64::NAN }
        };
        (0..values.len()).map(rate).collect()
    }

    /// The sum of several columns; those of which nothing is known count nothing.
    pub(super) fn sum(&self, names: &[&str]) -> Vec<f64> {
        let mut sum = vec![0.0; self.rows()];
        for name in names.iter().filter(|name| self.column(name).is_some_and(Column::is_known)) {
            for (sum, value) in sum.iter_mut().zip(self.drawn(name)) {
                *sum += value;
            }
        }
        sum
    }

    /// Every `nth` row only.
    pub(super) fn thinned(&self, nth: usize) -> Self {
        let columns = self.columns.iter().map(|column| {
            let values = column.values.iter().step_by(nth).copied().collect();
            Column { values, ..column.clone() }
        });
        Self { at: self.at.iter().step_by(nth).copied().collect(), columns: columns.collect() }
    }

    pub(super) fn described(&self) -> Described {
        let column = |column: &Column| {
            let Column { name, label, unit, kind, .. } = *column;
            DescribedColumn { name, label, unit, kind, step: column.step() }
        };
        Described { rows: self.rows(), columns: self.columns.iter().map(column).collect() }
    }

    /// Appends the moments, then the columns: of each number its difference to the one before. What is missing is a
    /// zero, and everything else one more than it is in steps.
    fn write(&self, bytes: &mut Vec<u8>) {
        differences(self.at.iter().copied(), bytes);
        for column in &self.columns {
            let step = column.step();
            differences(column.values.iter().map(|value| value.map_or(0, |value| value / step + 1)), bytes);
        }
    }
}

fn differences(values: impl Iterator<Item = u64>, bytes: &mut Vec<u8>) {
    let mut before = 0_u64;
    for value in values {
        let difference = value.wrapping_sub(before).cast_signed();
        before = value;
        // Zig-zag: small numbers of either sign are short.
        let mut rest = ((difference << 1) ^ (difference >> 63)).cast_unsigned();
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
}

/// All `tables` as one text.
pub(super) fn embedded(tables: &[&Table]) -> String {
    let mut bytes = Vec::new();
    for table in tables {
        table.write(&mut bytes);
    }
    let mut packer = Compress::new(Compression::default(), false);
    let mut packed = Vec::new();
    let mut read = 0;
    // It fills the room that there is, and is done when it says so.
    loop {
        packed.reserve(bytes.len() / 2 + ROOM);
        let status = packer.compress_vec(&bytes[read..], &mut packed, FlushCompress::Finish);
        read = usize::try_from(packer.total_in()).unwrap_or(bytes.len());
        if !matches!(status, Ok(Status::Ok | Status::BufError)) {
            return STANDARD.encode(packed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;
    use proptest::prelude::*;

    use super::*;

    /// As the script of the page reads it.
    fn read(text: &str, rows: usize, columns: usize) -> Vec<Vec<u64>> {
        let packed = STANDARD.decode(text).expect("base64");
        let mut bytes = Vec::new();
        DeflateDecoder::new(packed.as_slice()).read_to_end(&mut bytes).expect("deflated");
        let mut bytes = bytes.into_iter();
        let mut number = || {
            let (mut number, mut shift) = (0_u64, 0);
            loop {
                let byte = bytes.next().expect("a byte");
                number |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    return (number >> 1).cast_signed() ^ -((number & 1).cast_signed());
                }
            }
        };
        let mut column = || {
            let mut before = 0_u64;
            (0..rows)
                .map(|_| {
                    before = before.wrapping_add(number().cast_unsigned());
                    before
                })
                .collect()
        };
        (0..columns).map(|_| column()).collect()
    }

    fn table(values: &[Option<u64>]) -> Table {
        let mut table = Table::new(vec![Column::new("anon", "anonymous", Unit::Bytes, Kind::Level)]);
        for (second, value) in values.iter().enumerate() {
            table.push(SinceStart::from_secs_f64(second as f64 * 1.001), &[*value]);
        }
        table
    }

    proptest! {
        #[test]
        fn what_is_embedded_is_read_back(values in prop::collection::vec(prop::option::of(0..u64::MAX), 1..40)) {
            let table = table(&values);
            let step = table.columns[0].step();
            let read = read(&embedded(&[&table]), values.len(), 2);
            prop_assert_eq!(&read[0], &table.at);
            let back: Vec<_> = read[1].iter().map(|value| value.checked_sub(1).map(|value| value * step)).collect();
            prop_assert_eq!(back, values);
        }
    }

    #[test]
    fn pages_of_memory_are_counted_in_pages() {
        let table = table(&[Some(8192), None, Some(12_288)]);
        assert_eq!(table.columns[0].step(), 4096);
        let drawn = table.drawn("anon");
        assert!(drawn[1].is_nan() && drawn[2].to_bits() == 12_288_f64.to_bits());
    }

    #[test]
    fn totals_are_drawn_as_rates_and_never_below_zero() {
        let mut table = Table::new(vec![Column::new("due", "due", Unit::PerSecond, Kind::Total)]);
        for (second, total) in [(1.0, 100), (3.0, 300), (4.0, 250)] {
            table.push(SinceStart::from_secs_f64(second), &[Some(total)]);
        }
        let drawn: Vec<u64> = table.drawn("due").iter().map(|rate| *rate as u64).collect();
        assert_eq!(drawn, [100, 100, 0]);
    }
}
