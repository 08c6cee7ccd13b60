//! What a person sees while a run goes on: one line on a terminal that is drawn over, plain lines in a log.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::shell::build::Doing;
use crate::shell::console::tell;
use steep_core::plan::Cell;
use steep_core::visible::visible;
use steep_judge::units::{Bytes, SinceStart, duration_text};

/// How often a line goes to a log: a night of eight hours has some 500 of them.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// The progress of a run.
#[derive(Debug)]
pub struct Progress {
    /// None where stderr is not a terminal.
    line: Option<ProgressBar>,
    cells: usize,
    /// What is soaked: `cell 2/4 sessions`, `once more sessions`.
    label: String,
    logged: Option<Instant>,
    /// Whether cargo waited when it was heard last.
    waits: bool,
}

/// What is known at one moment of a soak.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'m> {
    /// Time into the cell.
    pub at: SinceStart,
    /// Length of the cell.
    pub total: Duration,
    /// The phase.
    pub phase: &'m str,
    /// Memory that is judged, now.
    pub memory: Bytes,
    /// The same at the first sample.
    pub memory_at_start: Bytes,
    /// Completed requests.
    pub completed: u64,
}

impl Progress {
    /// The progress of a run of this many `cells`.
    #[must_use]
    pub fn new(cells: usize) -> Self {
        let line = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
            bar.set_style(
                ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        Self { line, cells, label: String::new(), logged: None, waits: false }
    }

    /// Says something that stays.
    pub fn say(&self, message: &str) {
        match &self.line {
            Some(line) => line.suspend(|| tell(message)),
            None => tell(message),
        }
    }

    /// The build of `label` begins.
    pub fn build(&mut self, label: &str) {
        self.waits = false;
        if self.line.is_none() {
            tell(&format!("building {label}"));
        }
    }

    /// The build of `label` goes on; cargo does this.
    pub fn building(&mut self, label: &str, cargo: Doing<'_>) {
        let (described, waits) = match cargo {
            Doing::Building(said) => (format!("building {label}: {said}"), false),
            Doing::Waiting(lock) => (
                format!(
                    "{label} is not being built yet: another cargo has the lock on the {lock}, and this one waits for it"
                ),
                true,
            ),
        };
        match &self.line {
            Some(line) => show(line, &described),
            // In a log once, and that it goes on.
            None if waits != self.waits => tell(&if waits { described } else { format!("building {label}") }),
            None => {}
        }
        self.waits = waits;
    }

    /// The soak of the cell with this number (from 1) begins.
    pub fn cell(&mut self, number: usize, cell: &Cell) {
        self.begin(format!("cell {number}/{} {}", self.cells, cell.id), cell);
    }

    /// The soak of a cell begins that was soaked before.
    pub fn again(&mut self, cell: &Cell) {
        self.begin(format!("once more {}", cell.id), cell);
    }

    fn begin(&mut self, label: String, cell: &Cell) {
        self.label = label;
        self.logged = None;
        match &self.line {
            Some(line) => show(line, &format!("{} ({}): starting the service", self.label, cell.flags)),
            None => tell(&format!("{} ({}): starting the service", self.label, cell.flags)),
        }
    }

    /// The soak has come so far.
    pub fn update(&mut self, moment: &Moment<'_>) {
        if let Some(line) = &self.line {
            show(line, &format!("{}: {}", self.label, described(moment)));
        } else if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) {
            self.logged = Some(Instant::now());
            tell(&format!("{}: {}", self.label, described(moment)));
        }
    }

    /// Takes the line away.
    pub fn finish(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}

fn described(moment: &Moment<'_>) -> String {
    let left = moment.total.saturating_sub(moment.at.elapsed());
    let grown = match moment.memory.get().checked_sub(moment.memory_at_start.get()) {
        Some(grown) => format!("+{}", Bytes::new(grown)),
        None => format!("-{}", moment.memory_at_start.saturating_sub(moment.memory)),
    };
    format!(
        "{}, {} left, {} ({grown}), {} requests",
        moment.phase,
        duration_text(left),
        moment.memory,
        moment.completed
    )
}

fn show(line: &ProgressBar, message: &str) {
    line.set_message(visible(message).into_owned());
}
