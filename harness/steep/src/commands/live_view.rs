//! The live view of a run: the program that steep starts to show it, and what it draws.

use std::collections::BTreeSet;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use rustix::process::setpriority_process;
use tokio::io::BufReader;
use tokio::runtime::Builder;

use super::campaign::Refused;
use super::outcomes::Outcomes;
use super::output::status_of;
use super::page::{courses, live_page};
use super::report::assemble;
use crate::shell::files;
use crate::shell::live_view::serving::{Shown, serve};
use crate::shell::live_view::{Place, Status as Whereabouts};
use crate::shell::store::{RunFolder, StoreError};
use steep_core::exit::Status;
use steep_core::following::LiveAddress;
use steep_core::report::{Format, policy};
use steep_core::scenario::Scenario;
use steep_judge::ids::CellId;

/// The lowest priority: whatever else wants a processor has it.
const NICEST: i32 = 19;

/// The largest page that is served at the end of a run: several times what a run of many long cells has.
const LARGEST_PAGE: u64 = 256 << 20;

/// A port for the live view of a run of `scenario`, before anything is begun, if one is `wanted`.
pub(super) fn listen(wanted: Option<LiveAddress>, scenario: &Scenario) -> Result<Option<Place>, Refused> {
    wanted.map(|wanted| Place::listen(wanted, scenario)).transpose().map_err(Refused::usage)
}

/// Shows the run in the folder at `run` until steep ends. steep starts it, with the listener as its standard output and
/// where the run is on its standard input.
#[must_use]
pub fn live_view(run: &Path) -> Status {
    let show = || -> Result<Status, anyhow::Error> {
        // Where it is not allowed, drawing is rare all the same.
        let _ = setpriority_process(None, NICEST);
        let listener = TcpListener::from(io::stdout().as_fd().try_clone_to_owned()?);
        let words = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        words.set_nonblocking(true)?;
        let status = Arc::new(Mutex::new(Whereabouts::default()));
        let drawer = Mutex::new(Drawer::new(run, &status));
        let report = run.join(Format::Html.file_name());
        let shown = Shown {
            draw: Arc::new(move || {
                drawer.lock().unwrap_or_else(PoisonError::into_inner).draw().map_err(|error| format!("{error:#}"))
            }),
            status,
            report: Box::new(move || {
                files::read_text(&report, LARGEST_PAGE).map_err(|error| format!("{}: {error}", report.display()))
            }),
            policy: policy(true),
        };
        let runtime = Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        runtime.block_on(async {
            let words = tokio::net::UnixStream::from_std(words)?;
            serve(listener, BufReader::new(words), shown).await
        })?;
        // A drawing that is under way is not waited for.
        runtime.shutdown_background();
        Ok(Status::Clean)
    };
    status_of(show().context("the live view"))
}

/// Draws the page of a run that is under way. Cells that are over are judged once.
struct Drawer {
    run: PathBuf,
    status: Arc<Mutex<Whereabouts>>,
    outcomes: Outcomes,
    /// Cells that are over, and not soaked again.
    over: BTreeSet<CellId>,
}

impl Drawer {
    fn new(run: &Path, status: &Arc<Mutex<Whereabouts>>) -> Self {
        let (outcomes, over) = (Outcomes::default(), BTreeSet::new());
        Self { run: run.to_owned(), status: Arc::clone(status), outcomes, over }
    }

    fn draw(&mut self) -> Result<String, StoreError> {
        let running = self.status.lock().unwrap_or_else(PoisonError::into_inner).cell.clone();
        // Cells are added while it goes on.
        let (folder, run) = RunFolder::open(&self.run)?;
        if let Some(running) = &running {
            self.over.remove(running);
        }
        for cell in run.plan.cells.iter().filter(|cell| !self.over.contains(&cell.id)) {
            self.outcomes.forget(&cell.id);
        }
        let is_over = |id: &CellId| running.as_ref() != Some(id) && folder.end_reason(id).is_some();
        let over: Vec<CellId> = run.plan.cells.iter().map(|cell| cell.id.clone()).filter(is_over).collect();
        let mut report = assemble(&folder, &run, &mut self.outcomes);
        self.over.extend(over);
        for cell in &mut report.cells {
            if Some(&cell.cell) == running.as_ref() && folder.end_reason(&cell.cell).is_none() {
                cell.cut_short = Some("it is being soaked, and this is how far it has come".to_owned());
                // What would decide it is the rest of the soak.
                if let Some(advice) = &mut cell.judgement.advice {
                    "let this soak go on".clone_into(advice);
                }
            }
        }
        Ok(live_page(&report, &folder, &run, &courses(&report, &folder, Vec::new())))
    }
}
