//! Series that somebody else recorded, in whatever form the tool wrote that they had at hand.
//!
//! A text becomes rows (`format` and the formats), columns get their roles, rows become readings of each series, and
//! each series is split into the lives of its process. What the text does not say is asked for. Pure:
//! `shell::recording` reads the files.

mod clock;
mod columns;
mod console;
mod format;
mod json;
mod lives;
mod mprof;
mod pairs;
mod readings;
mod refusal;
mod roles;
mod table;
mod timestamp;
mod together;
mod unit;

use std::time::Duration;

pub use self::columns::{Columns, ColumnsError};
pub use self::lives::Recording;
use self::readings::{Readings, readings};
pub use self::refusal::Refusal;
use self::refusal::{listed, repeated};
use self::roles::Roles;
pub use self::unit::{Unit, UnitError};

/// Most series of one file: each is judged by itself.
const MOST_SERIES: usize = 500;

/// A process that was seen in fewer readings than this is passed over where others were seen for long: it ran and
/// ended.
const PASSED_OVER: usize = 10;

/// What people say about a recording that it does not say itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Which columns to read.
    pub columns: Columns,
    /// The unit of memory; of numbers with a unit behind them it is theirs.
    pub unit: Option<Unit>,
    /// Seconds in a number of the column of time.
    pub time_unit: Option<f64>,
    /// How far apart readings are, where nothing tells when they were taken.
    pub every: Option<Duration>,
    /// The zone of moments without one, such as Europe/Berlin.
    pub zone: Option<String>,
    /// Which series: those that are called that, or have it in their name. Empty: all.
    pub series: Vec<String>,
    /// Whether memory that falls to where it began was a restart.
    pub restarts: bool,
}

/// What was read of a text.
#[derive(Debug)]
pub struct Recorded {
    /// The format, in words.
    pub format: &'static str,
    /// What people should know about how it was read.
    pub remarks: Vec<String>,
    /// The series, in the order in which they begin.
    pub recordings: Vec<Recording>,
}

/// Reads the series of a text.
///
/// # Errors
/// Why it is not a recorded series, or what must be said about it first.
pub fn read(text: &str, options: &Options) -> Result<Recorded, Refusal> {
    let table = format::table(text)?;
    let roles = Roles::of(&table, options)?;
    let mut all = readings(&table, &roles, options)?;
    let mut remarks = table.remarks.clone();
    choose(&mut all, &options.series)?;
    remarks.extend(pass_over(&mut all));
    for readings in &mut all {
        readings.put_in_order()?;
        if roles.is_rate {
            readings.add_up_requests();
        }
    }
    let mut recordings = lives::recordings(all, options)?;
    if recordings.is_empty() {
        recordings.push(Recording::without_readings());
    }
    Ok(Recorded { format: table.format, remarks, recordings })
}

/// Leaves the series that were asked for.
fn choose(all: &mut Vec<Readings>, wanted: &[String]) -> Result<(), Refusal> {
    if wanted.is_empty() {
        return Ok(());
    }
    let named = |readings: &Readings| {
        let parts = [readings.label.as_str(), readings.life.as_str(), readings.column.as_str()];
        parts.map(str::to_owned)
    };
    for wanted in wanted {
        let is_one = |readings: &Readings| named(readings).iter().any(|name| name.contains(wanted.as_str()));
        if !all.iter().any(is_one) {
            let found = all.iter().map(|readings| readings.label.as_str());
            return Err(Refusal::NoSeries { wanted: repeated(wanted), found: listed(found) });
        }
    }
    let is_exact = |readings: &Readings| named(readings).iter().any(|name| wanted.contains(name));
    let any_exact = all.iter().any(is_exact);
    all.retain(|readings| {
        is_exact(readings)
            || !any_exact
                && named(readings).iter().any(|name| wanted.iter().any(|wanted| name.contains(wanted.as_str())))
    });
    Ok(())
}

/// Drops processes that came and went while others were watched.
fn pass_over(all: &mut Vec<Readings>) -> Option<String> {
    let longest = all.iter().map(|readings| readings.t_s.len()).max().unwrap_or_default();
    let is_brief = |readings: &Readings| {
        !readings.life.is_empty() && readings.t_s.len() < PASSED_OVER && readings.t_s.len() * PASSED_OVER < longest
    };
    let before = all.len();
    all.retain(|readings| !is_brief(readings));
    let passed = before - all.len();
    (passed > 0).then(|| format!("{passed} processes with fewer than {PASSED_OVER} readings were passed over"))
}

#[cfg(test)]
mod tests;
