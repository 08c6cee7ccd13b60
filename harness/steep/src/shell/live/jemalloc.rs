//! Heap profiles that the service's own jemalloc writes into the cell's folder, where nothing can be loaded into it.
//!
//! jemalloc writes one each time that a number of bytes was allocated. With each sample steep reads the newest that is
//! whole, and removes the others, so that the folder is bounded however much is allocated.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::stacks::{Profiled, StackLog};
use crate::shell::clock;
use crate::shell::files;
use steep_core::kept::{Moment, Profiling, Series, expected_bytes_between, heap_profile, profiled_by};
use steep_core::scenario::Scenario;
use steep_core::trace::{ProcessId, Sample};
use steep_judge::units::SinceStart;

/// Their folder in the folder of a cell.
const FOLDER: &str = "jeprof";

/// What their names begin with: `jeprof.PID.NUMBER.iNUMBER.heap`.
const PREFIX: &str = "jeprof";

/// Profiles that are left for other tools when the cell is over: from its steady time, thinned out as snapshots are.
const FILES: usize = 24;

/// And their bytes together: those of a large service have some 500 KB.
const BYTES: u64 = 32 << 20;

/// A larger profile is not read: it would have more than 100,000 stacks.
const LARGEST: u64 = 16 << 20;

/// Processes whose profiles are read, those with the lowest numbers.
const PROCESSES: usize = 32;

/// Samples between which the requests at the moment of a profile are interpolated.
const REMEMBERED: usize = 16;

/// What has the service profile itself, and where it is to write.
#[derive(Debug, Clone)]
pub struct HeapProfiles {
    folder: PathBuf,
    /// The variable, and its value.
    variable: (String, String),
}

impl HeapProfiles {
    /// A folder for them in `cell_folder`, which is absolute, where `env`, all variables of the service, asks jemalloc
    /// for profiles; what another attempt left there is gone afterwards. None where nobody asks for them.
    ///
    /// # Errors
    /// Why there can be none.
    pub fn lay(
        scenario: &Scenario,
        cell_folder: &Path,
        sample_every: u64,
        env: &BTreeMap<String, Option<String>>,
    ) -> Result<Option<Self>, String> {
        let Some((variable, said)) = profiled_by(env) else { return Ok(None) };
        let folder = cell_folder.join(FOLDER);
        let prefix = folder.join(PREFIX).display().to_string();
        let write_every = expected_bytes_between(&scenario.phases);
        let settings = Profiling { prefix: &prefix, sample_every, write_every }.added_to(said).ok_or_else(|| {
            format!(
                "{} has a comma, and jemalloc ends a path there: choose another folder with --out",
                folder.display()
            )
        })?;
        // What is not there need not be removed; what stays, making the folder reports.
        let _ = fs::remove_dir_all(&folder);
        files::own_folder(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        Ok(Some(Self { folder, variable: (variable.to_owned(), settings) }))
    }

    /// Puts the variable into the environment of the service.
    pub fn add_to(&self, env: &mut BTreeMap<String, Option<String>>) {
        env.insert(self.variable.0.clone(), Some(self.variable.1.clone()));
    }

    /// Removes the folder, of which nobody makes use.
    pub fn remove(&self) {
        // What stays is below the cell's folder, and the next attempt removes it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A profile in the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Written {
    pid: u32,
    number: u64,
    path: PathBuf,
    bytes: u64,
    at: SystemTime,
}

impl Written {
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let mut parts = name.strip_prefix(PREFIX)?.strip_prefix('.')?.strip_suffix(".heap")?.split('.');
        let (pid, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let found = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some(Self { pid, number, bytes: found.len(), at: found.modified().ok()?, path })
    }
}

/// What the profiles of a cell come to.
#[derive(Debug)]
pub struct ProfileLog {
    profiles: HeapProfiles,
    origin: clock::Moment,
    stacks: StackLog,
    profiled: Profiled,
    has_been_steady: bool,
    steady_from: SinceStart,
    /// What was in the folder at the last look, and not read yet.
    seen: Vec<Written>,
    /// What is left for other tools.
    kept: Vec<Written>,
    /// The last samples: when, and how many requests were completed.
    requests: VecDeque<Moment>,
    processes: Vec<ProcessId>,
    read: u64,
    /// Why one was not read.
    flaw: Option<String>,
}

/// What the profiles say, and what was wrong with them.
#[derive(Debug)]
pub struct FromProfiles {
    /// What the stacks kept; none where none was read.
    pub series: Option<Series>,
    /// What was wrong.
    pub flaw: Option<String>,
}

impl ProfileLog {
    /// None yet, of a cell whose clock began at `origin`.
    #[must_use]
    pub fn new(profiles: HeapProfiles, origin: clock::Moment) -> Self {
        Self {
            profiles,
            origin,
            stacks: StackLog::since(origin),
            profiled: Profiled::default(),
            has_been_steady: false,
            steady_from: SinceStart::ZERO,
            seen: Vec::new(),
            kept: Vec::new(),
            requests: VecDeque::new(),
            processes: Vec::new(),
            read: 0,
            flaw: None,
        }
    }

    /// Reads what was written until `sample`. What was kept while it warmed up is dropped once a phase `is_steady`.
    pub fn tick(&mut self, sample: &Sample, is_steady: bool) {
        if is_steady && !self.has_been_steady {
            self.has_been_steady = true;
            self.steady_from = sample.t_s;
            self.stacks = StackLog::since(self.origin);
            self.thin(|_| true);
        }
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(Moment { t_s: sample.t_s, completed: sample.completed() });
        self.processes.clone_from(&sample.processes);
        self.profiled.tidy(&sample.processes);
        self.look(sample.t_s, SystemTime::now(), is_steady || !self.has_been_steady);
    }

    /// What is in the folder now: of each process the newest that is whole is read where they `count`, older ones go.
    fn look(&mut self, now: SinceStart, wall: SystemTime, count: bool) {
        let entries = fs::read_dir(&self.profiles.folder).into_iter().flatten().filter_map(Result::ok);
        let mut written: Vec<Written> = entries.filter_map(|entry| Written::of(entry.path())).collect();
        written.retain(|one| !self.kept.iter().any(|kept| kept.path == one.path));
        written.sort();
        // Whole is what has not grown since the last look.
        let seen = std::mem::take(&mut self.seen);
        let is_whole = |one: &Written| seen.contains(one);
        let newest = |process: &ProcessId| written.iter().rfind(|one| one.pid == process.pid && is_whole(one)).cloned();
        let whole: Vec<(ProcessId, Written)> =
            self.processes.iter().take(PROCESSES).filter_map(|process| Some((*process, newest(process)?))).collect();
        for (process, one) in &whole {
            let age = wall.duration_since(one.at).unwrap_or_default();
            let t_s = SinceStart::new(now.elapsed().saturating_sub(age));
            // What was written before the steady time began belongs to the warm-up.
            if count && t_s >= self.steady_from {
                self.take(*process, one, t_s);
            }
        }
        let is_older = |one: &Written| whole.iter().any(|(_, read)| read.pid == one.pid && one.number <= read.number);
        let is_there = |pid: u32| self.processes.iter().any(|process| process.pid == pid);
        let is_gone = |one: &Written| !is_there(one.pid) && is_whole(one);
        let (over, left): (Vec<Written>, Vec<Written>) =
            written.into_iter().partition(|one| is_older(one) || is_gone(one));
        for one in over.iter().filter(|one| !self.kept.contains(one)) {
            // One that cannot be removed is looked at again.
            let _ = fs::remove_file(&one.path);
        }
        self.seen = left;
    }

    fn take(&mut self, process: ProcessId, one: &Written, t_s: SinceStart) {
        let name = one.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = files::read(&one.path, LARGEST).map_err(|error| error.to_string());
        let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match text.and_then(|text| heap_profile(&text).map_err(|error| error.to_string())) {
            Ok(profile) => {
                self.read += 1;
                let moment = Moment { t_s, completed: self.completed_at(t_s) };
                self.stacks.see(&mut self.profiled, process, profile, moment);
                self.kept.push(one.clone());
                let bytes = |kept: &[Written]| kept.iter().map(|one| one.bytes).sum::<u64>();
                while self.kept.len() > FILES || self.kept.len() > 1 && bytes(&self.kept) > BYTES {
                    self.thin(|index| index % 2 == 1);
                }
            }
            Err(why) => self.flaw = Some(format!("heap profile {name}: {why}")),
        }
    }

    /// Removes those of what is left of which the place `goes`.
    fn thin(&mut self, goes: impl Fn(usize) -> bool) {
        let mut index = 0;
        self.kept.retain(|one| {
            let is_over = goes(index);
            index += 1;
            if is_over {
                let _ = fs::remove_file(&one.path);
            }
            !is_over
        });
    }

    /// How many requests were completed at a moment, between the samples before and after it.
    fn completed_at(&self, t_s: SinceStart) -> u64 {
        let after = self.requests.iter().position(|sample| sample.t_s >= t_s).unwrap_or(self.requests.len());
        let (before, after) = (after.checked_sub(1).and_then(|at| self.requests.get(at)), self.requests.get(after));
        match (before, after) {
            (Some(before), Some(after)) => {
                let part = t_s.since(before.t_s).as_secs_f64() / after.t_s.since(before.t_s).as_secs_f64();
                before.completed + (part * after.completed.saturating_sub(before.completed) as f64) as u64
            }
            (one, other) => one.or(other).map_or(0, |sample| sample.completed),
        }
    }

    /// What they came to. Takes seconds. What came in the last second is not awaited.
    #[must_use]
    pub fn finish(self) -> FromProfiles {
        let none_of = self.flaw.is_none() && self.read == 0;
        let flaw = none_of.then(|| {
            let (variable, settings) = &self.profiles.variable;
            format!(
                "heap profiles of jemalloc: none was written in the time that is judged, though {variable} asks for them; \
                 its jemalloc may be built without profiling, or the service allocates less than lg_prof_interval says \
                 ({settings})"
            )
        });
        for one in &self.seen {
            // One that cannot be removed is left.
            let _ = fs::remove_file(&one.path);
        }
        FromProfiles { series: self.stacks.finish(), flaw: flaw.or(self.flaw) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TEXT: &str =
        "heap_v2/65536\n  t*: 1: 512 [1: 512]\n@ 0x1000 0x2000\n  t*: 1: 512 [1: 512]\n\nMAPPED_LIBRARIES:\n";

    fn env(said: &str) -> BTreeMap<String, Option<String>> {
        BTreeMap::from([("MALLOC_CONF".to_owned(), Some(said.to_owned()))])
    }

    fn log(folder: &Path) -> ProfileLog {
        let scenario = steep_core::testing::decoded(&steep_core::testing::sound("1m", ""));
        let laid = HeapProfiles::lay(&scenario, folder, 64 << 10, &env("prof:true")).expect("a folder");
        ProfileLog::new(laid.expect("asked for"), clock::Moment::now())
    }

    fn sample(second: u64) -> Sample {
        let processes = vec![ProcessId { pid: 7, start_ticks: 1 }];
        let requests = BTreeMap::from([("get".to_owned(), second * 10)]);
        Sample { t_s: SinceStart::new(Duration::from_secs(second)), processes, requests, ..Sample::default() }
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder.join(FOLDER)).expect("its folder").count()
    }

    #[test]
    fn a_service_that_does_not_profile_itself_gets_no_folder_and_one_that_does_is_told_where() {
        let folder = tempfile::tempdir().expect("a folder");
        let scenario = steep_core::testing::decoded(&steep_core::testing::sound("1m", ""));
        let lay = |folder: &Path, said: &str| HeapProfiles::lay(&scenario, folder, 64 << 10, &env(said));
        assert!(lay(folder.path(), "background_thread:true").expect("nothing to do").is_none());
        let laid = lay(folder.path(), "prof:true").expect("a folder").expect("asked for");
        let mut variables = env("prof:true");
        laid.add_to(&mut variables);
        let said = variables["MALLOC_CONF"].clone().expect("set");
        assert!(
            said.starts_with("prof:true,prof_prefix:/") && said.contains("/jeprof/jeprof,lg_prof_sample:16"),
            "{said}"
        );
        laid.remove();
        assert!(!folder.path().join(FOLDER).exists());
        let with_comma = folder.path().join("a,b");
        fs::create_dir(&with_comma).expect("a folder");
        assert!(lay(&with_comma, "prof:true").is_err_and(|why| why.contains("has a comma")));
    }

    #[test]
    fn however_many_are_written_few_files_and_snapshots_are_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = log(folder.path());
        for second in 1..=300 {
            for part in 0..5 {
                let number = second * 5 + part;
                let file = folder.path().join(FOLDER).join(format!("jeprof.7.{number}.i{number}.heap"));
                fs::write(file, TEXT).expect("a file");
            }
            fs::write(folder.path().join(FOLDER).join(format!("jeprof.8.{second}.f.heap")), TEXT).expect("of a child");
            log.tick(&sample(second), true);
            assert!(names(folder.path()) <= FILES + 12, "{}", names(folder.path()));
        }
        let made = log.finish();
        let series = made.series.expect("snapshots");
        assert!((12..=24).contains(&series.snapshots.len()), "{}", series.snapshots.len());
        assert_eq!((series.sampled_by, series.sample_every_bytes), (steep_core::kept::SampledBy::Jemalloc, 65_536));
        assert!((series.stacks[0].live_bytes[0] - 65_792.0).abs() < 1.0, "{:?}", series.stacks);
        let completed: Vec<u64> = series.snapshots.iter().map(|moment| moment.completed).collect();
        assert!(completed.is_sorted() && completed[0] < 300 && completed[completed.len() - 1] > 2_700, "{completed:?}");
        assert_eq!(made.flaw, None);
        assert!((1..=FILES).contains(&names(folder.path())), "{}", names(folder.path()));
    }

    #[test]
    fn what_is_still_being_written_waits_and_what_is_none_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = log(folder.path());
        let file = folder.path().join(FOLDER).join("jeprof.7.0.i0.heap");
        fs::write(&file, &TEXT[..40]).expect("a file");
        log.tick(&sample(1), true);
        fs::write(&file, TEXT).expect("a file");
        log.tick(&sample(2), true);
        assert_eq!(log.read, 0, "it has just grown");
        log.tick(&sample(3), true);
        assert_eq!(log.read, 1);
        fs::write(folder.path().join(FOLDER).join("jeprof.7.1.i1.heap"), "heap_v2/65536\n@ 17\n").expect("a file");
        log.tick(&sample(4), true);
        log.tick(&sample(5), true);
        let made = log.finish();
        assert_eq!(made.flaw.as_deref(), Some("heap profile jeprof.7.1.i1.heap: line 2: \"17\" is not an address"));
        assert!(made.series.is_some());
    }

    #[test]
    fn a_service_that_writes_none_is_said_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = log(folder.path()).finish();
        assert!(made.series.is_none());
        assert!(made.flaw.is_some_and(|said| said.contains("built without profiling")));
    }
}
