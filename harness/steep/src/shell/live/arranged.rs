//! Whether the library counts in a cell: as far as it can be known before the start, and as it is seen after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use super::obstacle::{Obstacle, in_path, obstacle};
use super::own_heaps::own_heaps;
use super::{HeapProfiles, LiveError, Preloaded};
use crate::shell::preload::{self, PreloadError, VARIABLE};
use crate::shell::process_tree;
use steep_core::plan::CellSettings;
use steep_core::scenario::{Program, Scenario};
use steep_core::trace::OwnHeap;

/// A process that was just started has mapped nothing yet: so often it is looked again, with this pause.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Who counts live bytes in a cell.
#[derive(Debug, Default)]
pub struct Arranged {
    /// The library, laid and named.
    pub preloaded: Option<Preloaded>,
    /// Why there is none, where the scenario leaves it to the program.
    pub refused: Option<String>,
    /// Heaps that it knows nothing of.
    pub own_heaps: Vec<OwnHeap>,
    /// What the service's own jemalloc writes, where it is asked to and the library sees nothing of it.
    pub profiles: Option<HeapProfiles>,
    /// Why it writes none, although it is asked to.
    pub unprofiled: Option<String>,
    /// Whether something is known that keeps the library from it.
    has_obstacle: bool,
    /// Whether the scenario leaves it to the program.
    is_free: bool,
}

impl Arranged {
    /// The library laid into `cell_folder` and named in the environment of `settings`, before what is preloaded
    /// already, where the scenario wants it and the program, `binary` or the command of the scenario, takes it. Stacks
    /// are sampled once in `sample_every` bytes on average.
    ///
    /// # Errors
    /// The scenario asks for the library, and there can be none.
    pub fn before_start(
        scenario: &Scenario,
        (scenario_folder, cell_folder): (&Path, &Path),
        binary: Option<&Path>,
        sample_every: u64,
        settings: &mut CellSettings,
    ) -> Result<Self, LiveError> {
        if !scenario.service.may_be_preloaded() {
            return Ok(Self::default());
        }
        let is_free = scenario.service.lets_program_decide();
        let program = binary.map(Path::to_owned).or_else(|| program(scenario, scenario_folder));
        let obstacle = program.and_then(|program| obstacle(&program));
        let has_obstacle = obstacle.is_some();
        let laid = match obstacle.filter(Obstacle::harms) {
            None => Preloaded::lay(cell_folder, sample_every),
            Some(obstacle) => Err(LiveError::Obstacle(obstacle)),
        };
        let preloaded = match laid {
            Ok(preloaded) => preloaded,
            Err(error) if is_free => {
                return Ok(Self { refused: Some(error.to_string()), is_free, has_obstacle, ..Self::default() });
            }
            Err(error) => return Err(error),
        };
        let of_scenario = scenario.service.env.get(VARIABLE).map(ToString::to_string);
        let inherited = || std::env::var(VARIABLE).ok();
        let behind = settings.env.get(VARIABLE).cloned().unwrap_or_else(|| of_scenario.or_else(inherited));
        preloaded.add_to(&mut settings.env, behind.as_deref());
        Ok(Self { preloaded: Some(preloaded), is_free, has_obstacle, ..Self::default() })
    }

    /// Has the service's own jemalloc write heap profiles into `cell_folder`, where `env`, all its variables, asks for
    /// them and the library is not there, or sees nothing of it.
    #[must_use]
    pub fn with_profiles(
        mut self,
        scenario: &Scenario,
        cell_folder: &Path,
        sample_every: u64,
        env: &BTreeMap<String, Option<String>>,
    ) -> Self {
        if self.preloaded.is_none() || self.has_obstacle {
            match HeapProfiles::lay(scenario, cell_folder, sample_every, env) {
                Ok(profiles) => self.profiles = profiles,
                Err(why) => self.unprofiled = Some(format!("heap profiles of jemalloc: {why}")),
            }
        }
        self
    }

    /// Whether a service that ended before it was ready is started once more without the library.
    #[must_use]
    pub fn may_give_up(&self) -> bool {
        self.is_free && self.preloaded.is_some()
    }

    /// Lets go of the library, without which the service was started once more.
    pub fn give_up(&mut self, is_up: bool) {
        let did = if is_up { ", and did without" } else { "" };
        self.refuse(format!("the service did not start with the library that counts them{did}"));
    }

    /// Looks at the processes of the service whether they have the library, and whether it sees what they allocate.
    ///
    /// # Errors
    /// The scenario asks for the library, and a process runs without it.
    pub async fn after_start(&mut self, supervisor_pid: u32) -> Result<(), LiveError> {
        let Some(preloaded) = &self.preloaded else { return Ok(()) };
        let library = preloaded.library();
        let mut mapped = preload::ensure_mapped_everywhere(&library, supervisor_pid);
        for _ in 0..LOOKS {
            if mapped.is_ok() {
                break;
            }
            sleep(PAUSE).await;
            mapped = preload::ensure_mapped_everywhere(&library, supervisor_pid);
        }
        let programs = programs_of(supervisor_pid);
        let obstacle = programs.iter().find_map(|program| obstacle(program));
        match (mapped, obstacle) {
            (Ok(()), None) => self.own_heaps = own_heaps(supervisor_pid),
            // The soak shows what it does not see; whoever asks for the library may have reasons to.
            (Ok(()), Some(_)) if !self.is_free => self.own_heaps = own_heaps(supervisor_pid),
            (_, Some(obstacle)) if self.is_free => self.refuse(obstacle.to_string()),
            (Err(error), _) if self.is_free => self.refuse(without_library(&error)),
            (_, Some(obstacle)) => return Err(LiveError::Obstacle(obstacle)),
            (Err(error), None) => return Err(LiveError::Preload(error)),
        }
        Ok(())
    }

    fn refuse(&mut self, why: String) {
        self.refused = Some(why);
        if let Some(preloaded) = self.preloaded.take() {
            preloaded.remove();
        }
    }
}

fn without_library(error: &PreloadError) -> String {
    match error {
        PreloadError::NotMapped { pid, name, .. } => format!(
            "process {pid} ({name}) of the service runs without the library that counts them: what starts it takes \
             LD_PRELOAD out of its environment"
        ),
        other => other.to_string(),
    }
}

/// The program that the scenario names; none where only the cell knows it.
fn program(scenario: &Scenario, scenario_folder: &Path) -> Option<PathBuf> {
    let Program::Command(words) = &scenario.service.program else { return None };
    let word = words.first()?.to_string();
    match word.contains('/') {
        _ if word.contains("{{") => None,
        true => Some(scenario_folder.join(word)),
        false => in_path(&word),
    }
}

/// The programs of all processes below a supervisor, each once.
fn programs_of(supervisor_pid: u32) -> BTreeSet<PathBuf> {
    let processes = process_tree::descendants(&process_tree::processes(), supervisor_pid);
    // By the process and not by the path, which may be another's by now.
    let mut seen = BTreeSet::new();
    let is_new = |pid: &u32| seen.insert(std::fs::read_link(format!("/proc/{pid}/exe")).ok());
    let new: Vec<u32> = processes.iter().map(|process| process.pid).filter(is_new).collect();
    new.into_iter().map(|pid| PathBuf::from(format!("/proc/{pid}/exe"))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A header of a program that is linked statically, and no more.
    fn static_program() -> Vec<u8> {
        let mut header = vec![0_u8; 64];
        header[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
        let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
        for (at, field) in [(16, 2), (18, machine), (20, 1), (52, 64), (54, 56), (58, 64)] {
            header[at..at + 2].copy_from_slice(&u16::to_le_bytes(field));
        }
        header
    }

    #[test]
    fn a_program_that_the_library_sees_nothing_of_profiles_itself_where_it_is_asked_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("shop");
        fs::write(&program, static_program()).expect("a file");
        let scenario = steep_core::testing::decoded(&steep_core::testing::sound("1m", ""));
        let folders = (folder.path(), folder.path());
        let profiles = |program: &Path, said: &str| {
            let mut settings = CellSettings::default();
            let arranged = Arranged::before_start(&scenario, folders, Some(program), 64 << 10, &mut settings);
            let env = BTreeMap::from([("_RJEM_MALLOC_CONF".to_owned(), Some(said.to_owned()))]);
            arranged.expect("it is arranged").with_profiles(&scenario, folder.path(), 64 << 10, &env).profiles
        };
        assert!(profiles(&program, "prof:true").is_some());
        assert!(profiles(&program, "background_thread:true").is_none(), "nobody asks");
        let own = std::env::current_exe().expect("the test's own path");
        assert_eq!(profiles(&own, "prof:true").is_some(), steep_live::LIBRARY.is_empty(), "the library counts");
    }
}
