//! The moments of a column as seconds.

use std::borrow::Cow;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Options;
use super::refusal::{Refusal, repeated};
use super::roles::{Roles, When, time_scale};
use super::table::{Table, is_missing};
use super::timestamp::{Moment, Style, in_zone, is_epoch, since_1970, style};

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// The most by which clocks are put back at the end of summer time, in seconds.
const PUT_BACK: f64 = 7200.0;

/// From here on a number of time is in milliseconds or finer, whatever its column is called.
const FINE: f64 = 1e11;

/// How the moments of a table are read.
#[derive(Debug)]
pub(super) struct Clock {
    when: When,
    style: Option<Style>,
    zone: Option<TimeZone>,
    every: f64,
}

/// The last moment of one series: clocks start again at midnight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    at: f64,
    days: f64,
    readings: f64,
}

impl Default for Last {
    fn default() -> Self {
        Self { at: f64::NEG_INFINITY, days: 0.0, readings: 0.0 }
    }
}

impl Clock {
    pub(super) fn of(table: &Table, roles: &Roles, options: &Options) -> Result<Self, Refusal> {
        let zone =
            options.zone.as_ref().map(|name| TimeZone::get(name).map_err(|_| Refusal::UnknownZone(repeated(name))));
        let every = options.every.map_or(0.0, |every: Duration| every.as_secs_f64());
        let mut clock = Self { when: roles.when.clone(), style: None, zone: zone.transpose()?, every };
        let When::Columns(columns) = &roles.when else { return Ok(clock) };
        let rows =
            || (0..table.rows()).filter(|row| columns.iter().all(|column| !is_missing(table.cell(*row, *column))));
        let texts = rows().map(|row| text(table, row, columns));
        let found = style(&texts).map_err(|wrong| {
            let row = wrong.and_then(|nth| rows().nth(nth)).unwrap_or_default();
            moment_error(table, row, columns)
        });
        let name = &table.columns[columns[0]].name;
        clock.style = Some(match found? {
            Style::Number(scale) => Style::Number(number_scale(table, columns, scale, name, roles, options)?),
            other => other,
        });
        Ok(clock)
    }

    /// The moment of a row, in seconds, and what it makes of the last one of its series.
    pub(super) fn read(&self, table: &Table, row: usize, last: &mut Last) -> Result<f64, Refusal> {
        last.readings += 1.0;
        let at = match &self.when {
            When::Turn(None) => (last.readings - 1.0) * self.every,
            When::Turn(Some(turn)) => table.cell(row, *turn).parse::<f64>().unwrap_or_default() * self.every,
            When::Lived(column) => self.moment(table, row, &[*column], Style::Lived, last)?,
            When::Columns(columns) => {
                let style = self.style.unwrap_or(Style::Number(1.0));
                self.moment(table, row, columns, style, last)?
            }
        };
        last.at = at;
        Ok(at)
    }

    fn moment(
        &self,
        table: &Table,
        row: usize,
        columns: &[usize],
        style: Style,
        last: &mut Last,
    ) -> Result<f64, Refusal> {
        let text = text(table, row, columns);
        // `ps -o etimes` has plain seconds.
        let read = style.read(&text).or_else(|| Style::Number(1.0).read(&text).filter(|_| style == Style::Lived));
        let moment = read.ok_or_else(|| moment_error(table, row, columns))?;
        let at = match (moment, &self.zone) {
            (Moment::At(at), _) => Some(at),
            (Moment::Wall(wall), None) => {
                let at = since_1970(wall);
                let back = at.map_or(0.0, |at| last.at - at);
                if back > 0.0 && back <= PUT_BACK && (back - PUT_BACK / 2.0).abs() < PUT_BACK / 2.0 && is_put_back(back)
                {
                    return Err(Refusal::Zone { line: table.line(row) });
                }
                at
            }
            (Moment::Wall(wall), Some(zone)) => in_zone(wall, zone, last.at),
            (Moment::Clock(clock), _) => {
                // A clock that goes back by more than half a day has passed midnight.
                if clock + last.days < last.at - DAY / 2.0 {
                    last.days += DAY;
                }
                Some(clock + last.days)
            }
        };
        at.ok_or_else(|| moment_error(table, row, columns))
    }
}

/// Whether a step back may be the end of summer time: about an hour, less the time between two readings.
fn is_put_back(back: f64) -> bool {
    (1800.0..=3600.0).contains(&back)
}

fn text<'t>(table: &'t Table, row: usize, columns: &[usize]) -> Cow<'t, str> {
    match columns {
        [one] => Cow::Borrowed(table.cell(row, *one)),
        several => Cow::Owned(several.iter().map(|column| table.cell(row, *column)).collect::<Vec<_>>().join(" ")),
    }
}

fn moment_error(table: &Table, row: usize, columns: &[usize]) -> Refusal {
    let first_is_number = text(table, 0, columns).parse::<f64>().is_ok();
    let wanted = if first_is_number && row > 0 {
        "number of seconds"
    } else {
        "moment such as 2026-11-22T22:00:00Z or 2026-11-22 22:00:00, and no number of seconds"
    };
    Refusal::Moment { line: table.line(row), text: repeated(&text(table, row, columns)), wanted }
}

/// Seconds in one of the numbers of a column of time: as its name says, or as moments since 1970 show by their size.
fn number_scale(
    table: &Table,
    columns: &[usize],
    by_size: f64,
    name: &str,
    roles: &Roles,
    options: &Options,
) -> Result<f64, Refusal> {
    let first = table.column(columns[0]).next().and_then(|(_, cell)| cell.parse::<f64>().ok()).unwrap_or_default();
    if let Some(given) = options.time_unit {
        return Ok(given);
    }
    if first >= FINE {
        return Ok(by_size);
    }
    if let Some(named) = time_scale(name) {
        return Ok(named);
    }
    let is_known = roles.time_is_named || is_epoch(first) || table.columns[columns[0]].role.is_some();
    if is_known { Ok(by_size) } else { Err(Refusal::TimeUnit { column: repeated(name) }) }
}
