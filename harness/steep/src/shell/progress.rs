//! What a person sees while a run goes on: two lines on a terminal that are drawn over, plain lines in a log, nothing
//! where that is wanted.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::shell::build::Doing;
use crate::shell::console::tell;
use steep_core::following::Following;
use steep_core::plan::Cell;
use steep_core::visible::visible;

/// How often a line goes to a log: a night of eight hours has some 500 of them.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// How often growth is fitted for the terminal.
const FIT_EVERY: Duration = Duration::from_secs(10);

/// Fitting rests for this many times what it took, so that it takes 1 % of a processor at most.
const FIT_REST: u32 = 100;

/// The progress of a run.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
    cells: usize,
    /// What is soaked: `cell 2/4 sessions`, `once more sessions`.
    label: String,
    logged: Option<Instant>,
    /// When growth is fitted next.
    fit_at: Option<Instant>,
    /// Whether cargo waited when it was heard last.
    waits: bool,
}

/// Where progress is shown.
#[derive(Debug)]
enum Shown {
    Terminal(Lines),
    Log,
    Nowhere,
}

/// Where the soak is, and below it what memory does.
#[derive(Debug)]
struct Lines {
    all: MultiProgress,
    place: ProgressBar,
    memory: ProgressBar,
}

impl Lines {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(4));
        let style = || ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let line = || all.add(ProgressBar::no_length().with_style(style()));
        let (place, memory) = (line(), line());
        Self { all, place, memory }
    }

    fn show(&self, place: &str, memory: &str) {
        self.place.set_message(visible(place).into_owned());
        self.memory.set_message(visible(memory).into_owned());
        // A line that does not move is drawn all the same.
        self.place.tick();
        self.memory.tick();
    }
}

impl Progress {
    /// The progress of a run of this many `cells`, which nobody sees if it `is_quiet`.
    #[must_use]
    pub fn new(cells: usize, is_quiet: bool) -> Self {
        let shown = match is_quiet {
            true => Shown::Nowhere,
            false if io::stderr().is_terminal() => Shown::Terminal(Lines::new()),
            false => Shown::Log,
        };
        Self { shown, cells, label: String::new(), logged: None, fit_at: None, waits: false }
    }

    /// Says something that stays.
    pub fn say(&self, message: &str) {
        if !matches!(self.shown, Shown::Nowhere) {
            self.warn(message);
        }
    }

    /// Says what is said to a quiet run too.
    pub fn warn(&self, message: &str) {
        match &self.shown {
            Shown::Terminal(lines) => lines.all.suspend(|| tell(message)),
            Shown::Log | Shown::Nowhere => tell(message),
        }
    }

    /// The build of `label` begins.
    pub fn build(&mut self, label: &str) {
        self.waits = false;
        if matches!(self.shown, Shown::Log) {
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
        match &self.shown {
            Shown::Terminal(lines) => lines.show(&described, ""),
            // In a log once, and that it goes on.
            Shown::Log if waits != self.waits => tell(&if waits { described } else { format!("building {label}") }),
            Shown::Log | Shown::Nowhere => {}
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
        (self.label, self.logged, self.fit_at) = (label, None, None);
        let begins = format!("{} ({}): starting the service", self.label, cell.flags);
        match &self.shown {
            Shown::Terminal(lines) => lines.show(&begins, ""),
            Shown::Log => tell(&begins),
            Shown::Nowhere => {}
        }
    }

    /// The soak has come so far.
    pub fn update(&mut self, soak: &mut Following) {
        match &self.shown {
            Shown::Terminal(lines) => {
                if self.fit_at.is_none_or(|fit_at| Instant::now() >= fit_at) {
                    let began = Instant::now();
                    soak.fit();
                    self.fit_at = Some(began + FIT_EVERY.max(began.elapsed() * FIT_REST));
                }
                lines.show(&format!("{}: {}", self.label, soak.place()), &format!("  {}", soak.memory()));
            }
            Shown::Log if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) => {
                self.logged = Some(Instant::now());
                soak.fit();
                tell(&format!("{}: {}, {}", self.label, soak.place(), soak.memory()));
            }
            Shown::Log | Shown::Nowhere => {}
        }
    }

    /// Takes the lines away.
    pub fn finish(&self) {
        if let Shown::Terminal(lines) = &self.shown {
            lines.place.finish_and_clear();
            lines.memory.finish_and_clear();
        }
    }
}
