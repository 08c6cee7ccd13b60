//! The library that counts inside of the service: laid into the cell's folder before the start, read with each sample.
//!
//! Its file outlives the process, so that the last count of one that was killed is still there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use steep_live::layout::CHAINED;
use steep_live::{
    Counts, FOLDER_VARIABLE, LIBRARY, LIBRARY_FILE, Mapping, SAMPLE_EVERY_VARIABLE, TIMES_VARIABLE, file_name, pid_of,
};
use thiserror::Error;

use super::large;
use super::obstacle::Obstacle;
use crate::shell::files;
use crate::shell::preload::{PreloadError, VARIABLE, nameable};
use steep_core::trace::{LargeBlock, Live, ProcessId};
use steep_judge::units::Bytes;

/// The folder of the counts in the folder of a cell, and the library beside it.
const FOLDER: &str = "live";

/// The numbers of tmpfs, ramfs and hugetlbfs (linux/magic.h).
const IN_MEMORY: [i64; 3] = [0x0102_1994, 0x8584_58f6, 0x9584_58f6];

/// Why the library cannot be loaded into the service.
#[derive(Debug, Error)]
pub enum LiveError {
    /// There is none for this machine.
    #[error(
        "the library that counts live bytes needs Linux with glibc on x86-64 or aarch64, which this steep was not built for; put the probe into the service (docs/live-bytes.md)"
    )]
    NoLibrary,
    /// It cannot be laid where the service finds it.
    #[error("the library that counts live bytes cannot be written to {}: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Pages of files in memory would count as the service's.
    #[error(
        "{} lies in memory (tmpfs), so that what the library writes there would count as the service's: choose a folder on a disk with --out",
        .0.display()
    )]
    InMemory(PathBuf),
    /// The program does not take it.
    #[error(transparent)]
    Obstacle(Obstacle),
    /// It cannot be named.
    #[error(transparent)]
    Preload(#[from] PreloadError),
}

/// What each process of the service counts at one moment; none where it does not.
#[derive(Debug)]
pub struct Counted(Vec<Option<Counts>>);

impl Counted {
    /// What they hold together; none where one of them does not count.
    #[must_use]
    pub fn live(&self) -> Option<Live> {
        let mut live = Live::default();
        for counts in &self.0 {
            let counts = counts.as_ref()?;
            live.live_bytes = live.live_bytes + Bytes::new(counts.live_bytes());
            live.live_objects += counts.live_objects();
            live.allocated_objects = Some(live.allocated_objects.unwrap_or(0) + counts.allocated_objects);
        }
        (!self.0.is_empty()).then_some(live)
    }

    /// Anonymous memory that they mapped for themselves, none where one of them does not count.
    #[must_use]
    pub fn mapped(&self) -> Option<Bytes> {
        self.0.iter().map(|counts| Some(Bytes::new(counts.as_ref()?.mapped_bytes))).sum()
    }

    /// Whether any has another allocator than glibc's.
    #[must_use]
    pub fn has_other_allocator(&self) -> bool {
        self.0.iter().flatten().any(|counts| counts.flags & CHAINED != 0)
    }

    /// What programs took themselves at the end of the heap, where glibc's lies as well.
    #[must_use]
    pub fn own_break(&self) -> Bytes {
        Bytes::new(self.0.iter().flatten().map(|counts| counts.break_bytes).sum())
    }
}

/// Where samples are as fine as a profile's, calls are timed too. The clock costs next to nothing; but it is one more
/// thing that a strict program may have given up, and `run` does not need it.
const TIMED: u64 = 32 << 10;

/// The library in a cell, and what it writes.
#[derive(Debug, Clone)]
pub struct Preloaded {
    pub(super) folder: PathBuf,
    sample_every: u64,
}

impl Preloaded {
    /// Lays the library into `cell_folder`, which is absolute; between two samples are `sample_every` bytes on average.
    /// What another attempt left there is gone afterwards.
    ///
    /// # Errors
    /// There is no library, or it cannot be written or named.
    pub fn lay(cell_folder: &Path, sample_every: u64) -> Result<Self, LiveError> {
        if LIBRARY.is_empty() {
            return Err(LiveError::NoLibrary);
        }
        let folder = cell_folder.join(FOLDER);
        let failed = |source| LiveError::Write { path: folder.clone(), source };
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        files::own_folder(&folder).map_err(failed)?;
        let kind = rustix::fs::statfs(&folder).map_err(|error| failed(error.into()))?.f_type;
        if IN_MEMORY.contains(&kind) {
            return Err(LiveError::InMemory(folder));
        }
        let library = nameable(folder.join(LIBRARY_FILE))?;
        files::replace(&library, LIBRARY).map_err(failed)?;
        Ok(Self { folder, sample_every })
    }

    /// What has to be in the environment of the service, where `behind` is preloaded already.
    pub fn add_to(&self, env: &mut BTreeMap<String, Option<String>>, behind: Option<&str>) {
        let library = self.library().display().to_string();
        let all = behind.filter(|behind| !behind.is_empty()).map(|behind| format!("{library}:{behind}"));
        env.insert(VARIABLE.to_owned(), Some(all.unwrap_or(library)));
        env.insert(FOLDER_VARIABLE.to_owned(), Some(self.folder.display().to_string()));
        env.insert(SAMPLE_EVERY_VARIABLE.to_owned(), Some(self.sample_every.to_string()));
        let are_timed = self.sample_every <= TIMED;
        env.insert(TIMES_VARIABLE.to_owned(), are_timed.then(|| "1".to_owned()));
    }

    /// The folder of the cell.
    pub(super) fn cell_folder(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// The library, as it stands in the maps of a process.
    #[must_use]
    pub fn library(&self) -> PathBuf {
        self.folder.join(LIBRARY_FILE)
    }

    /// What `processes` count.
    #[must_use]
    pub fn read(&self, processes: &[ProcessId]) -> Counted {
        Counted(processes.iter().map(|process| self.counts(process.pid)).collect())
    }

    fn counts(&self, pid: u32) -> Option<Counts> {
        // Opened anew each time: a process that becomes another program begins a new file.
        let file = files::open(&self.folder.join(file_name(pid))).ok()?;
        let mut bytes = vec![0; Counts::BYTES];
        file.read_exact_at(&mut bytes, 0).ok()?;
        Counts::read(&bytes).ok()
    }

    /// A part of the file of a process.
    fn table(&self, pid: u32, at: u64, bytes: usize) -> Option<Vec<u8>> {
        let file = files::open(&self.folder.join(file_name(pid))).ok()?;
        let mut table = vec![0; bytes];
        file.read_exact_at(&mut table, at).ok()?;
        Some(table)
    }

    /// The blocks of `processes` that are mappings of their own; none where that is not known of one.
    #[must_use]
    pub fn large_blocks(&self, processes: &[ProcessId]) -> Option<Vec<LargeBlock>> {
        let of = |process: &ProcessId| {
            let table = self.table(process.pid, steep_live::LargeBlock::AT, steep_live::LargeBlock::TABLE_BYTES)?;
            large::resident(process.pid, &steep_live::LargeBlock::read(&table))
        };
        large::of_all(processes.iter().map(of))
    }

    /// What is resident of the memory of an allocator that is not glibc's, in all of `processes`; none where that is
    /// not known of one.
    #[must_use]
    pub fn of_allocator(&self, processes: &[ProcessId]) -> Option<Bytes> {
        let of = |process: &ProcessId| {
            // What was lost sight of may be another's by now.
            let is_whole = self.counts(process.pid)?.lost_mappings == 0;
            let table = self.table(process.pid, Mapping::AT, Mapping::TABLE_BYTES).filter(|_| is_whole)?;
            let mappings = Mapping::read(&table);
            if mappings.is_empty() { Some(Bytes::ZERO) } else { large::of_allocator(process.pid, &mappings) }
        };
        processes.iter().map(of).sum()
    }

    /// Removes the files of processes that came and went, but those of `kept`, so that a service which starts programs
    /// all the time fills no disk.
    pub fn tidy(&self, kept: &[ProcessId]) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        for entry in entries {
            let name = entry.file_name();
            let pid: Option<u32> = name.to_str().and_then(pid_of);
            let is_kept = |pid: u32| kept.iter().any(|process| process.pid == pid);
            if pid.is_some_and(|pid| !is_kept(pid) && !Path::new(&format!("/proc/{pid}")).exists()) {
                // One that cannot be removed goes with the folder.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Removes all that was laid and written.
    pub fn remove(&self) {
        // What stays is below the cell's folder, and the next attempt removes it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_named_before_what_is_preloaded_already() {
        let folder = tempfile::tempdir().expect("a folder");
        let preloaded = Preloaded::lay(folder.path(), 64 * 1024).expect("it is laid");
        let library = preloaded.library().display().to_string();
        assert!(fs::metadata(&library).is_ok_and(|file| file.len() > 10_000));
        let mut env = BTreeMap::new();
        preloaded.add_to(&mut env, None);
        assert_eq!(env[VARIABLE].as_deref(), Some(&*library));
        preloaded.add_to(&mut env, Some("/lib/libjemalloc.so.2"));
        assert_eq!(env[VARIABLE].as_deref(), Some(&*format!("{library}:/lib/libjemalloc.so.2")));
        assert!(env[FOLDER_VARIABLE].as_deref().is_some_and(|place| place.ends_with("/live")));
        preloaded.remove();
        assert!(!folder.path().join(FOLDER).exists());
    }

    #[test]
    fn a_place_that_cannot_be_named_or_lies_in_memory_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let spaced = folder.path().join("a b");
        fs::create_dir(&spaced).expect("a folder");
        assert!(matches!(Preloaded::lay(&spaced, 64 * 1024), Err(LiveError::Preload(PreloadError::Unwritable(_)))));
        if let Ok(shared) = tempfile::tempdir_in("/dev/shm") {
            let refused = Preloaded::lay(shared.path(), 64 * 1024).expect_err("it lies in memory");
            assert!(refused.to_string().contains("lies in memory (tmpfs)"), "{refused}");
        }
    }

    #[test]
    fn a_process_without_a_file_makes_the_sum_unknown_and_files_of_ended_ones_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let preloaded = Preloaded::lay(folder.path(), 64 * 1024).expect("it is laid");
        let own = ProcessId { pid: std::process::id(), start_ticks: 0 };
        assert_eq!((preloaded.read(&[own]).live(), preloaded.read(&[]).live()), (None, None));
        let left = preloaded.folder.join(file_name(u32::MAX));
        let alive = preloaded.folder.join(file_name(own.pid));
        for file in [&left, &alive] {
            fs::write(file, []).expect("a file");
        }
        preloaded.tidy(&[ProcessId { pid: u32::MAX, start_ticks: 0 }]);
        assert!(left.exists(), "its last count is still to be read");
        preloaded.tidy(&[]);
        assert!(!left.exists() && alive.exists() && preloaded.library().exists());
    }
}
