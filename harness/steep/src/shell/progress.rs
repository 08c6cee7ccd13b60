//! What a person sees while a run goes on: two or three lines on a terminal that are drawn over, plain lines in a log,
//! nothing where that is wanted.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::shell::build::Doing;
use crate::shell::console::tell;
use crate::shell::live_view::{Announcer, Status, Word};
use steep_core::following::Following;
use steep_core::plan::Cell;
use steep_core::visible::visible;
use steep_judge::ids::CellId;

/// How often a line goes to a log: a night of eight hours has some 500 of them.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// How often growth is fitted for the terminal.
const FIT_EVERY: Duration = Duration::from_secs(10);

/// Fitting rests for this many times what it took, so that it takes 1 % of a processor at most.
const FIT_REST: u32 = 100;

/// How often a live view hears where the soak is.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(1);

/// Who follows a run.
#[derive(Debug, Clone, Default)]
pub struct Audience {
    /// Nobody does on stderr.
    pub is_quiet: bool,
    /// Those who look at its live view.
    pub live: Option<Announcer>,
}

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
    live: Option<Announcer>,
    /// The cell that is soaked.
    cell: Option<CellId>,
    announced: Option<Instant>,
}

/// Where progress is shown.
#[derive(Debug)]
enum Shown {
    Terminal(Lines),
    Log,
    Nowhere,
}

/// Where the soak is, below it what memory does, and, once it is known, where what grows is kept.
#[derive(Debug)]
struct Lines {
    all: MultiProgress,
    place: ProgressBar,
    memory: ProgressBar,
    kept: Option<ProgressBar>,
}

impl Lines {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(4));
        let line = || all.add(line());
        let (place, memory) = (line(), line());
        Self { all, place, memory, kept: None }
    }

    fn show(&mut self, place: &str, memory: &str, kept: &str) {
        match &self.kept {
            None if !kept.is_empty() => self.kept = Some(self.all.add(line())),
            Some(line) if kept.is_empty() => {
                line.finish_and_clear();
                self.all.remove(line);
                self.kept = None;
            }
            None | Some(_) => {}
        }
        let texts = [(Some(&self.place), place), (Some(&self.memory), memory), (self.kept.as_ref(), kept)];
        for (line, text) in texts {
            if let Some(line) = line {
                line.set_message(visible(text).into_owned());
                // A line that does not move is drawn all the same.
                line.tick();
            }
        }
    }

    fn clear(&self) {
        [Some(&self.place), Some(&self.memory), self.kept.as_ref()]
            .into_iter()
            .flatten()
            .for_each(ProgressBar::finish_and_clear);
    }
}

fn line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::no_length().with_style(style)
}

impl Progress {
    /// The progress of a run of this many `cells` for its `audience`.
    #[must_use]
    pub fn new(cells: usize, audience: &Audience) -> Self {
        let shown = match audience.is_quiet {
            true => Shown::Nowhere,
            false if io::stderr().is_terminal() => Shown::Terminal(Lines::new()),
            false => Shown::Log,
        };
        Self {
            shown,
            cells,
            label: String::new(),
            logged: None,
            fit_at: None,
            waits: false,
            live: audience.live.clone(),
            cell: None,
            announced: None,
        }
    }

    /// Tells those who look at the live view where the run is, at most each second where it goes on as before.
    fn announce(&mut self, is_new: bool, status: impl FnOnce(&Self) -> Status) {
        if self.live.is_some() && (is_new || self.announced.is_none_or(|at| at.elapsed() >= ANNOUNCE_EVERY)) {
            self.announced = Some(Instant::now());
            let status = status(self);
            if let Some(live) = &self.live {
                live.tell(&Word::Status(status));
            }
        }
    }

    /// Whether anybody sees it.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.live.is_some() || !matches!(self.shown, Shown::Nowhere)
    }

    /// Says something that stays.
    pub fn say(&self, message: &str) {
        if matches!(self.shown, Shown::Nowhere) {
            self.note(message);
        } else {
            self.warn(message);
        }
    }

    /// Says it to those who look at the live view.
    fn note(&self, message: &str) {
        if let Some(live) = &self.live {
            live.tell(&Word::Said(message.to_owned()));
        }
    }

    /// Says what is said to a quiet run too.
    pub fn warn(&self, message: &str) {
        self.note(message);
        match &self.shown {
            Shown::Terminal(lines) => lines.all.suspend(|| tell(message)),
            Shown::Log | Shown::Nowhere => tell(message),
        }
    }

    /// The build of `label` begins.
    pub fn build(&mut self, label: &str) {
        (self.waits, self.cell) = (false, None);
        let label = format!("building {label}");
        self.announce(true, |_| Status { label: label.clone(), ..Status::default() });
        if matches!(self.shown, Shown::Log) {
            tell(&label);
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
        self.announce(false, |_| Status { label: described.clone(), ..Status::default() });
        match &mut self.shown {
            Shown::Terminal(lines) => lines.show(&described, "", ""),
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
        (self.label, self.logged, self.fit_at, self.cell) = (label, None, None, Some(cell.id.clone()));
        let begins = format!("{} ({}): starting the service", self.label, cell.flags);
        self.announce(true, |progress| Status {
            cell: progress.cell.clone(),
            label: begins.clone(),
            ..Status::default()
        });
        match &mut self.shown {
            Shown::Terminal(lines) => lines.show(&begins, "", ""),
            Shown::Log => tell(&begins),
            Shown::Nowhere => {}
        }
    }

    /// The soak has come so far.
    pub fn update(&mut self, soak: &mut Following) {
        let memory = |soak: &Following| {
            let parts = [soak.memory(), soak.kept_at().to_owned()];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
        };
        match &mut self.shown {
            Shown::Terminal(lines) => {
                if self.fit_at.is_none_or(|fit_at| Instant::now() >= fit_at) {
                    let began = Instant::now();
                    soak.fit();
                    self.fit_at = Some(began + FIT_EVERY.max(began.elapsed() * FIT_REST));
                }
                let kept = Some(soak.kept_at()).filter(|kept| !kept.is_empty()).map(|kept| format!("  {kept}"));
                let place = format!("{}: {}", self.label, soak.place());
                lines.show(&place, &format!("  {}", soak.memory()), &kept.unwrap_or_default());
            }
            Shown::Log if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) => {
                self.logged = Some(Instant::now());
                soak.fit();
                tell(&format!("{}: {}, {}", self.label, soak.place(), memory(soak)));
            }
            Shown::Log | Shown::Nowhere => {}
        }
        self.announce(false, |progress| Status {
            label: progress.label.clone(),
            cell: progress.cell.clone(),
            place: soak.place(),
            memory: memory(soak),
        });
    }

    /// Takes the lines away.
    pub fn finish(&self) {
        if let Shown::Terminal(lines) = &self.shown {
            lines.clear();
        }
    }
}
