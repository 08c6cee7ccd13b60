//! The rows of a tool, screen by screen.

use std::collections::HashSet;

use super::super::table::{Column, Role, Table};
use super::super::unit::Unit;
use super::layout::{Layout, Read};

/// Most rows of another kind whose lines are remembered.
const PASSED_OVER: usize = 1;

/// vmstat counts in KiB unless it was asked for another unit; pages are 4 KiB, so that all its figures are even
/// fourfold. Below this many, of KiB, it may be MiB of a large host.
const LEAST_FREE_KIB: f64 = 262_144.0;

/// Rows so far.
#[derive(Debug, Default)]
pub(super) struct Screens {
    rows: Vec<Row>,
    /// How many screens there were, and who is on this one.
    turn: usize,
    seen: HashSet<(String, String)>,
    begun: bool,
    passed_over: Vec<u64>,
    more_passed_over: usize,
    timed: usize,
    lived: usize,
    is_free: bool,
    is_decimal_comma: bool,
}

#[derive(Debug)]
struct Row {
    line: u64,
    turn: usize,
    time: String,
    lived: String,
    label: String,
    life: String,
    memory: String,
}

impl Screens {
    /// Names of columns stand above the next row.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    pub(super) fn pass_over(&mut self, line: u64) {
        if self.passed_over.len() < PASSED_OVER {
            self.passed_over.push(line);
        } else {
            self.more_passed_over += 1;
        }
    }

    pub(super) fn push(&mut self, line: u64, read: Read<'_>, now: Option<&str>) {
        let who = (read.label.clone(), read.life.clone());
        if self.begun || self.seen.contains(&who) {
            self.begun = false;
            self.turn += 1;
            self.seen.clear();
        }
        self.seen.insert(who);
        let time = read.time.as_deref().or(now).unwrap_or_default().to_owned();
        let lived = read.lived.unwrap_or_default().to_owned();
        self.timed += usize::from(!time.is_empty());
        self.lived += usize::from(!lived.is_empty());
        self.is_free = read.is_free;
        self.is_decimal_comma |= read.memory.contains(',');
        let (label, life, memory) = (read.label, read.life, read.memory.into_owned());
        self.rows.push(Row { line, turn: self.turn, time, lived, label, life, memory });
    }

    /// All rows in one form.
    pub(super) fn into_table(self, layout: &Layout) -> Option<Table> {
        if self.rows.is_empty() {
            return None;
        }
        let when = if self.timed == self.rows.len() {
            Role::Time
        } else if self.lived == self.rows.len() {
            Role::Lived
        } else {
            Role::Turn
        };
        let highest = self.highest();
        let memory = Column { unit: self.unit(layout), ..Column::of(Role::Memory, layout.memory_name) };
        let named = [(when, "time"), (Role::Label, "series"), (Role::Life, "process")];
        let columns = named.map(|(role, name)| Column::of(role, name)).into_iter().chain([memory]).collect();
        let mut table = Table::new(layout.tool, columns);
        table.is_comma_likely = self.is_decimal_comma;
        if layout.of_host {
            table.remarks.push("memory of the whole host, and of no single process".to_owned());
        }
        if let Some(first) = self.passed_over.first() {
            let lines = match self.more_passed_over {
                0 => format!("line {first} was passed over"),
                more => format!("line {first} and {more} others were passed over"),
            };
            table.remarks.push(format!("{lines}: not a row of {}", layout.tool));
        }
        for row in &self.rows {
            let when = match when {
                Role::Time => row.time.clone(),
                Role::Lived => row.lived.clone(),
                _ => row.turn.to_string(),
            };
            let in_use =
                row.memory.parse::<f64>().ok().filter(|_| self.is_free).map(|free| (highest - free).to_string());
            let memory = in_use.as_deref().unwrap_or(&row.memory);
            table.push(row.line, [when.as_str(), row.label.as_str(), row.life.as_str(), memory]);
        }
        Some(table)
    }

    /// The most that was free.
    fn highest(&self) -> f64 {
        self.rows.iter().filter_map(|row| row.memory.parse().ok()).fold(0.0, f64::max)
    }

    /// The unit of numbers without one: KiB of vmstat only if they can be nothing else.
    fn unit(&self, layout: &Layout) -> Option<Unit> {
        let is_in_pages =
            || self.rows.iter().all(|row| row.memory.parse::<f64>().is_ok_and(|number| number % 4.0 < 0.5));
        match layout.unit {
            Some(unit) if !self.is_free => Some(unit),
            Some(unit) => (self.highest() >= LEAST_FREE_KIB && is_in_pages()).then_some(unit),
            None => None,
        }
    }
}
