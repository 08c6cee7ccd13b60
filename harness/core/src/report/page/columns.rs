//! Columns of numbers over time, and what is drawn of them.

use serde::Serialize;

use steep_judge::units::SinceStart;

/// Moments are kept in hundredths of a second: a reading takes a part of that itself.
const PER_SECOND: f64 = 100.0;

/// A rate over less than this share of the usual span is that of a line that was written at the end, and says nothing.
const LEAST_SPAN: f64 = 0.3;

/// What stands for a number that is not known: no count and no size is as large, and a day of a soak takes half of the
/// memory that options would.
const UNKNOWN: u64 = u64::MAX;

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
    /// The two columns whose difference it is by all that is counted. Where it is, it is not written.
    pub(super) is_rest_of: Option<[&'static str; 2]>,
    values: Vec<u64>,
}

impl Column {
    pub(super) const fn new(name: &'static str, label: &'static str, unit: Unit, kind: Kind) -> Self {
        Self { name, label, unit, kind, is_rest_of: None, values: Vec::new() }
    }

    /// The same, as what is left of the first of these columns without the second.
    pub(super) const fn rest_of(mut self, of: [&'static str; 2]) -> Self {
        self.is_rest_of = Some(of);
        self
    }

    /// Whether any moment has a value.
    pub(super) fn is_known(&self) -> bool {
        self.recorded().any(|value| value.is_some())
    }

    /// Whether any value is above zero: what is zero all the time is not shown.
    pub(super) fn is_there(&self) -> bool {
        self.recorded().flatten().any(|value| value > 0)
    }

    /// The values as they were recorded.
    pub(super) fn recorded(&self) -> impl DoubleEndedIterator<Item = Option<u64>> {
        self.values.iter().map(|value| (*value != UNKNOWN).then_some(*value))
    }

    /// The value in a row.
    pub(super) fn in_row(&self, row: usize) -> Option<u64> {
        self.values.get(row).copied().filter(|value| *value != UNKNOWN)
    }
}

/// Columns over the same moments.
#[derive(Debug, Clone)]
pub(super) struct Table {
    at: Vec<u64>,
    columns: Vec<Column>,
}

impl Table {
    pub(super) const fn new(columns: Vec<Column>) -> Self {
        Self { at: Vec::new(), columns }
    }

    pub(super) fn push(&mut self, at: SinceStart, values: &[Option<u64>]) {
        self.at.push((at.as_secs_f64() * PER_SECOND).round() as u64);
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.values.push(value.unwrap_or(UNKNOWN));
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
        let values: Vec<f64> = column.recorded().map(|value| value.map_or(f64::NAN, |value| value as f64)).collect();
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

    /// Its moments as they are kept, and its columns.
    pub(super) fn parts(&self) -> (&[u64], &[Column]) {
        (&self.at, &self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_drawn() {
        let mut table = Table::new(vec![Column::new("anon", "anonymous", Unit::Bytes, Kind::Level)]);
        for (second, value) in [Some(8192), None, Some(12_288)].into_iter().enumerate() {
            table.push(SinceStart::from_secs_f64(second as f64), &[value]);
        }
        let drawn = table.drawn("anon");
        assert!(drawn[1].is_nan() && drawn[2].to_bits() == 12_288_f64.to_bits());
        assert_eq!(table.columns[0].recorded().collect::<Vec<_>>(), [Some(8192), None, Some(12_288)]);
        assert_eq!([0, 1, 9].map(|row| table.columns[0].in_row(row)), [Some(8192), None, None]);
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
