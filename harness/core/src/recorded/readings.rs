//! The rows of a table as series of numbers.

use std::collections::HashMap;

use super::clock::{Clock, Last};
use super::refusal::{Refusal, listed, repeated};
use super::roles::{Roles, not_an_amount};
use super::table::{Table, is_missing};
use super::unit::{Amount, Commas, Decimal, Unit};
use super::{MOST_SERIES, Options};

/// Readings of one life of one series: all vectors but `live` have one length.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings {
    /// What names it: labels, or the column where there are several.
    pub(super) label: String,
    /// Which process or container it is of.
    pub(super) life: String,
    /// The column.
    pub(super) column: String,
    /// None where nothing says it: numbers are then taken for bytes.
    pub(super) unit: Option<Unit>,
    /// Whether a cell, or the format, says it, and not a name.
    pub(super) is_sure: bool,
    pub(super) t_s: Vec<f64>,
    pub(super) memory: Vec<f64>,
    pub(super) requests: Vec<f64>,
    pub(super) live: Vec<f64>,
    pub(super) lines: Vec<u64>,
    last: Last,
}

/// How numbers of the columns are written.
struct Writing {
    decimals: HashMap<usize, Decimal>,
}

impl Writing {
    fn of(table: &Table, roles: &Roles) -> Result<Self, Refusal> {
        let columns = roles.memory.iter().copied().chain(roles.requests).chain(roles.live);
        let mut decimals = HashMap::new();
        for column in columns {
            let mut commas = Commas::default();
            table.column(column).for_each(|(row, cell)| commas.look(cell, table.line(row)));
            let decimal = commas.decimal(table.is_comma_likely).map_err(|line| {
                let open = table.column(column).find(|(row, _)| table.line(*row) == line);
                Refusal::Comma { line, text: repeated(open.map_or("", |(_, cell)| cell)) }
            });
            decimals.insert(column, decimal?);
        }
        Ok(Self { decimals })
    }

    fn amount(&self, table: &Table, row: usize, column: usize) -> Result<Amount, Refusal> {
        let cell = table.cell(row, column);
        let decimal = self.decimals.get(&column).copied().unwrap_or_default();
        Amount::of(cell, decimal).ok_or_else(|| Refusal::Number {
            line: table.line(row),
            text: repeated(cell),
            hint: if cell.ends_with('%') { ": a share tells nothing, export the amount" } else { "" },
        })
    }
}

/// All series of a table.
pub(super) fn readings(table: &Table, roles: &Roles, options: &Options) -> Result<Vec<Readings>, Refusal> {
    if table.rows() == 0 {
        return Ok(Vec::new());
    }
    let clock = Clock::of(table, roles, options)?;
    let writing = Writing::of(table, roles)?;
    let mut all: Vec<Readings> = Vec::new();
    let mut places: HashMap<(usize, String, String), usize> = HashMap::new();
    for row in 0..table.rows() {
        let label = roles.labels.iter().map(|column| table.cell(row, *column)).filter(|label| !label.is_empty());
        let label = label.collect::<Vec<_>>().join("/");
        let life = roles.life.map_or("", |column| table.cell(row, column));
        for &column in &roles.memory {
            if is_missing(table.cell(row, column)) {
                continue;
            }
            let key = (column, label.clone(), life.to_owned());
            let place = if let Some(place) = places.get(&key) {
                *place
            } else {
                let begun = Readings::begin(table, roles, options, column, &label, life)?;
                places.insert(key, all.len());
                all.push(begun);
                all.len() - 1
            };
            if all.len() > MOST_SERIES {
                let names = all.iter().map(|readings| readings.label.as_str());
                return Err(Refusal::ManySeries { most: MOST_SERIES, found: listed(names) });
            }
            all[place].push(table, roles, &clock, &writing, options, row, column)?;
        }
    }
    Ok(all)
}

impl Readings {
    fn begin(
        table: &Table,
        roles: &Roles,
        options: &Options,
        column: usize,
        label: &str,
        life: &str,
    ) -> Result<Self, Refusal> {
        let name = &table.columns[column].name;
        for name in [name.as_str(), label] {
            if let Some(what) = not_an_amount(name).filter(|_| table.columns[column].unit.is_none()) {
                return Err(Refusal::NotAnAmount { column: repeated(name), what });
            }
        }
        let of_format = table.columns[column].unit;
        let named = || Unit::of_name(name).or_else(|| Unit::of_name(label));
        let label = match (roles.memory.len() > 1, label) {
            (false, label) => label.to_owned(),
            (true, "") => name.clone(),
            (true, label) => format!("{label}/{name}"),
        };
        Ok(Self {
            label,
            life: life.to_owned(),
            column: name.clone(),
            unit: options.unit.or(of_format).or_else(named),
            is_sure: of_format.is_some(),
            ..Self::default()
        })
    }

    #[expect(clippy::too_many_arguments, reason = "what a row is read by")]
    fn push(
        &mut self,
        table: &Table,
        roles: &Roles,
        clock: &Clock,
        writing: &Writing,
        options: &Options,
        row: usize,
        column: usize,
    ) -> Result<(), Refusal> {
        let line = table.line(row);
        let held = writing.amount(table, row, column)?;
        let of_row = roles.unit.and_then(|unit| table.cell(row, unit).parse().ok());
        if let Some(unit) = held.unit.or(of_row) {
            self.unit = self.unit.filter(|_| !self.t_s.is_empty()).or(Some(unit));
            self.is_sure = true;
        }
        let unit = held.unit.or(options.unit).or(of_row).or(self.unit).unwrap_or(Unit::BYTES);
        let memory = held.number * unit.bytes();
        if !memory.is_finite() {
            let (text, reading) = (repeated(table.cell(row, column)), self.t_s.len() + 1);
            return Err(Refusal::Impossible { line, text, reading });
        }
        if held.number < 0.0 {
            return Err(Refusal::Negative { line, number: held.number, unit: "bytes" });
        }
        let t_s = clock.read(table, row, &mut self.last)?;
        if !t_s.is_finite() {
            return Err(Refusal::Impossible { line, text: repeated(&t_s.to_string()), reading: self.t_s.len() + 1 });
        }
        let requests = match roles.requests.filter(|requests| !is_missing(table.cell(row, *requests))) {
            Some(requests) => writing.amount(table, row, requests)?.number,
            None => self.requests.last().copied().unwrap_or_default(),
        };
        if requests < 0.0 {
            return Err(Refusal::Negative { line, number: requests, unit: "requests" });
        }
        if let Some(live) = roles.live {
            self.live.push(live_bytes(table, writing, options, row, live)?);
        }
        self.t_s.push(t_s);
        self.memory.push(memory);
        self.requests.push(requests);
        self.lines.push(line);
        Ok(())
    }

    /// As messages call it.
    pub(super) fn of(&self) -> String {
        if self.label.is_empty() { String::new() } else { format!(" of {}", repeated(&self.label)) }
    }

    /// Checks that time goes forward, or turns the series round where the newest came first.
    pub(super) fn put_in_order(&mut self) -> Result<(), Refusal> {
        let Some(back) = self.t_s.windows(2).position(|pair| pair[1] < pair[0]) else { return Ok(()) };
        if self.t_s.len() > 2 && self.t_s.windows(2).all(|pair| pair[1] <= pair[0]) {
            self.t_s.reverse();
            self.memory.reverse();
            self.requests.reverse();
            self.live.reverse();
            self.lines.reverse();
            return Ok(());
        }
        Err(Refusal::Backwards { line: self.lines[back + 1], reading: back + 2, of: self.of() })
    }

    /// Requests per second become requests so far.
    pub(super) fn add_up_requests(&mut self) {
        let (mut so_far, mut last) = (0.0, self.t_s.first().copied().unwrap_or_default());
        for (requests, t_s) in self.requests.iter_mut().zip(&self.t_s) {
            so_far += *requests * (t_s - last);
            last = *t_s;
            *requests = so_far;
        }
    }

    /// The same from one reading to another.
    pub(super) fn part(&self, range: std::ops::Range<usize>) -> Self {
        let live = if self.live.is_empty() { Vec::new() } else { self.live[range.clone()].to_vec() };
        Self {
            t_s: self.t_s[range.clone()].to_vec(),
            memory: self.memory[range.clone()].to_vec(),
            requests: self.requests[range.clone()].to_vec(),
            lines: self.lines[range].to_vec(),
            live,
            label: self.label.clone(),
            life: self.life.clone(),
            column: self.column.clone(),
            ..*self
        }
    }
}

/// Live bytes, whose readings may be missing.
fn live_bytes(table: &Table, writing: &Writing, options: &Options, row: usize, column: usize) -> Result<f64, Refusal> {
    if is_missing(table.cell(row, column)) {
        return Ok(f64::NAN);
    }
    let amount = writing.amount(table, row, column)?;
    let name = &table.columns[column].name;
    let unit = amount.unit.or(options.unit).or(table.columns[column].unit).or_else(|| Unit::of_name(name));
    let unit = unit.ok_or_else(|| Refusal::Unit { column: repeated(name) })?;
    if amount.number < 0.0 {
        return Err(Refusal::Negative { line: table.line(row), number: amount.number, unit: "live bytes" });
    }
    Ok(amount.number * unit.bytes())
}
