//! Looks whether what a cell switches took effect in the running service: in what it answers and logs, in its program
//! and among its mapped files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use object::read::{Object as _, ObjectSymbol as _, ReadCache};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::shell::files;
use crate::shell::probe::{ProbeError, ask};
use crate::shell::process::output::LOG_FILE_MAX;
use crate::shell::procfs::mapped_files;
use crate::shell::service::RunningService;
use steep_core::exposition;
use steep_core::scenario::{KnownAllocator, Verify};

/// How long a line may take from the service into its log: the thread that moves it rests 20 ms, and a busy machine
/// takes its time.
const LOG_TIMEOUT: Duration = Duration::from_secs(2);
/// A line that must not be there is waited for this long, five rests of that thread.
const LOG_SETTLES: Duration = Duration::from_millis(100);
/// The pause between two looks into the log.
const LOG_POLL: Duration = Duration::from_millis(20);

/// What was looked for, where, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Where: the beginning of a sentence.
    pub place: String,
    /// What.
    pub wanted: String,
    /// Whether it is there.
    pub is_there: bool,
}

/// It could not be looked.
#[derive(Debug, Error)]
pub enum ObservationError {
    /// The service was asked.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A file could not be read.
    #[error("{place} cannot be read: {source}")]
    File {
        /// Which.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// The program is not an object file, or a damaged one.
    #[error("the symbols of {place} cannot be read: {source}")]
    Symbols {
        /// Which.
        place: String,
        /// Why.
        source: object::Error,
    },
}

/// Looks as `verify` says. `log` is the service's, and what is looked for there is waited for where the switch `is_on`.
///
/// # Errors
/// The service does not answer, or a file cannot be read.
pub async fn look(
    verify: &Verify,
    service: &RunningService,
    log: &Path,
    is_on: bool,
) -> Result<Observation, ObservationError> {
    let ask = async |path: &str| ask(&service.client, path).await;
    let pid = service.process.pid();
    Ok(match verify {
        Verify::Http { path, contains } => {
            let is_there = ask(path).await?.contains(contains);
            Observation { place: format!("the answer to GET {path}"), wanted: format!("{contains:?}"), is_there }
        }
        Verify::Metric { path, metric, value } => {
            let sum = exposition::sum(&ask(path).await?, metric, &BTreeMap::new());
            let shown = sum.map_or(String::new(), |sum| format!(" (which has it at {sum})"));
            let (wanted, is_there) = match value {
                None => (format!("the metric {metric}"), sum.is_some()),
                // A number that was written by people is met exactly or not.
                Some(value) => {
                    (format!("the metric {metric} at {value}"), sum.is_some_and(|sum| sum.to_bits() == value.to_bits()))
                }
            };
            Observation { place: format!("the answer to GET {path}{shown}"), wanted, is_there }
        }
        Verify::Log { log: text } => {
            let is_there = is_logged(text, log, is_on).await?;
            Observation { place: format!("the log {}", log.display()), wanted: format!("{text:?}"), is_there }
        }
        Verify::Symbol { symbol } => {
            let is_there = has_symbol(pid, Needed::With, |name| name.contains(symbol.as_str()))?;
            Observation {
                place: format!("the symbol table of {}", program(pid)),
                wanted: format!("a name with {symbol:?}"),
                is_there,
            }
        }
        Verify::Library { library } => {
            let is_there = is_mapped(pid, library)?;
            let place = format!("the list of files that are mapped into process {pid}");
            Observation { place, wanted: format!("a name with {library:?}"), is_there }
        }
    })
}

/// Looks for an allocator that leaves known traces: its functions in the program, or its library among the mapped
/// files.
///
/// # Errors
/// The program or the list of its mapped files cannot be read.
pub fn look_for(known: KnownAllocator, service: &RunningService) -> Result<Observation, ObservationError> {
    let pid = service.process.pid();
    let is_own = |name: &str| known.symbols.iter().any(|prefix| name.starts_with(prefix));
    let is_there = is_mapped(pid, known.name)? || has_symbol(pid, Needed::With, is_own)?;
    let place = format!("the symbol table and the mapped files of {}", program(pid));
    Ok(Observation { place, wanted: format!("a trace of {}", known.name), is_there })
}

/// Where it was looked for functions of an allocator in the program itself, or its library mapped, and whether they are
/// there. What a program only asks for (`mallctl`, weakly, to learn whether it is there) is none of its own.
///
/// # Errors
/// The program or the list of its mapped files cannot be read.
pub fn uses(known: KnownAllocator, service: &RunningService) -> Result<(String, bool), ObservationError> {
    let pid = service.process.pid();
    let is_own = |name: &str| known.symbols.iter().any(|prefix| name.starts_with(prefix));
    let library = format!("lib{}", known.name);
    let is_there = is_mapped(pid, &library)? || has_symbol(pid, Needed::Without, is_own)?;
    Ok((format!("the symbol table and the mapped files of {}", program(pid)), is_there))
}

async fn is_logged(text: &str, log: &Path, is_on: bool) -> Result<bool, ObservationError> {
    let deadline = Instant::now() + if is_on { LOG_TIMEOUT } else { LOG_SETTLES };
    loop {
        if read_log(log)?.lines().any(|line| line.contains(text)) {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(LOG_POLL).await;
    }
}

/// The log from its beginning, as far as it reaches before it is begun anew.
fn read_log(log: &Path) -> Result<String, ObservationError> {
    let read = files::read(log, LOG_FILE_MAX.get());
    let bytes = read.map_err(|source| ObservationError::File { place: log.display().to_string(), source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_mapped(pid: u32, text: &str) -> Result<bool, ObservationError> {
    let place = format!("/proc/{pid}/maps");
    let maps = fs::read_to_string(&place).map_err(|source| ObservationError::File { place, source })?;
    let has_text = |path: &&str| Path::new(path).file_name().is_some_and(|name| name.to_string_lossy().contains(text));
    Ok(mapped_files(&maps).iter().any(has_text))
}

/// Whether symbols count that a program needs from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    With,
    Without,
}

/// Whether any symbol of the program, of those that it keeps and those that it needs, is such a one. Only the tables
/// are read.
fn has_symbol(pid: u32, needed: Needed, is_wanted: impl Fn(&str) -> bool) -> Result<bool, ObservationError> {
    let exe = format!("/proc/{pid}/exe");
    let file = fs::File::open(&exe).map_err(|source| ObservationError::File { place: exe, source })?;
    let cache = ReadCache::new(file);
    let object =
        object::File::parse(&cache).map_err(|source| ObservationError::Symbols { place: program(pid), source })?;
    let symbols = object.symbols().chain(object.dynamic_symbols());
    let mut names = symbols
        .filter(|symbol| needed == Needed::With || symbol.is_definition())
        .filter_map(|symbol| symbol.name().ok());
    Ok(names.any(is_wanted))
}

/// The path of the program, for messages.
fn program(pid: u32) -> String {
    fs::read_link(format!("/proc/{pid}/exe"))
        .map_or_else(|_| format!("process {pid}"), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_shows_its_own_symbols_and_libraries_and_no_others() {
        let own = std::process::id();
        let text = "a_program_shows_its_own_symbols";
        assert!(has_symbol(own, Needed::With, |name| name.contains(text)).expect("symbols"));
        assert!(!has_symbol(own, Needed::With, |name| name == "no_such_symbol_anywhere").expect("symbols"));
        // What it needs from libc is none of its own.
        let exit = |needed| {
            has_symbol(own, needed, |name| name.starts_with("getpid") || name.starts_with("__libc_start_main"))
        };
        assert!(exit(Needed::With).expect("symbols") && !exit(Needed::Without).expect("symbols"));
        assert!(is_mapped(own, "libc").expect("maps"));
        assert!(!is_mapped(own, "libno_such_library").expect("maps"));
    }

    #[tokio::test]
    async fn a_text_is_in_the_log_or_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("service.log");
        fs::write(&log, "cache is on\n").expect("a file");
        assert!(is_logged("cache is on", &log, true).await.expect("a log"));
        assert!(!is_logged("cache is off", &log, false).await.expect("a log"));
        assert!(is_logged("cache", &folder.path().join("none"), false).await.is_err());
    }
}
