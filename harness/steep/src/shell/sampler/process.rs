//! One process as the sampler reads it, from descriptors that stay open.
//!
//! A kept descriptor costs 8 µs a reading against 13 µs for opening anew, and belongs to its process: when the number
//! is used again by another, reading says that the process is gone.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::pread;

use crate::shell::procfs::{self, SmapsRollup, Stat, Status};
use steep_core::trace::{Memory, ProcessId};
use steep_judge::units::Bytes;

/// `stat` and what is used of `status` take a third of it.
const READ_MAX_BYTES: usize = 4096;

/// A process of a tree.
#[derive(Debug)]
pub struct Watched {
    /// Who it is.
    pub id: ProcessId,
    /// Who started it, or took it over since.
    pub parent: u32,
    /// Its name, as of the last time that it was asked for.
    pub name: String,
    /// Which pages of it are counted in other processes of the tree already; none until that was measured.
    pub counted_elsewhere: Option<Memory>,
    files: Option<Files>,
}

/// The descriptors that stay open.
#[derive(Debug)]
struct Files {
    stat: File,
    status: File,
    /// The folder of descriptors; none where another user's process hides it.
    descriptors: Option<File>,
}

/// What one reading says.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Times and faults.
    pub stat: Stat,
    /// Memory and threads.
    pub status: Status,
    /// Open descriptors; 0 where they cannot be seen.
    pub fds: u64,
}

impl Watched {
    /// The process that has number `pid` now, if there is one.
    #[must_use]
    pub fn open(pid: u32, keep: bool) -> Option<Self> {
        let files = Files::open(pid)?;
        let stat = files.stat()?;
        let id = ProcessId { pid, start_ticks: stat.start_ticks };
        let name = with_text(&files.stat, |text| procfs::name(text).to_owned()).unwrap_or_default();
        Some(Self { id, parent: stat.parent, name, counted_elsewhere: None, files: keep.then_some(files) })
    }

    /// Asks for its name anew: a process may become another program, or call itself otherwise once it runs.
    pub fn learn_name(&mut self) {
        let path = format!("/proc/{}/stat", self.id.pid);
        let Ok(text) = fs::read(path) else { return };
        let text = String::from_utf8_lossy(&text);
        if procfs::stat(&text).is_some_and(|stat| stat.start_ticks == self.id.start_ticks) {
            procfs::name(&text).clone_into(&mut self.name);
        }
    }

    /// Reads it; none when it has ended.
    #[must_use]
    pub fn read(&self) -> Option<Reading> {
        match &self.files {
            Some(files) => files.read(),
            None => Files::open(self.id.pid)?.read().filter(|reading| reading.stat.start_ticks == self.id.start_ticks),
        }
    }
}

impl Files {
    fn open(pid: u32) -> Option<Self> {
        Some(Self {
            stat: File::open(format!("/proc/{pid}/stat")).ok()?,
            status: File::open(format!("/proc/{pid}/status")).ok()?,
            descriptors: File::open(format!("/proc/{pid}/fd")).ok(),
        })
    }

    fn stat(&self) -> Option<Stat> {
        with_text(&self.stat, procfs::stat)?.filter(|stat| !stat.ended)
    }

    fn read(&self) -> Option<Reading> {
        let status = with_text(&self.status, procfs::status)?;
        // Second: a process that ended between the two shows here, and its memory of zero is not taken for its size.
        let stat = self.stat()?;
        Some(Reading { stat, status, fds: self.descriptors.as_ref().map_or(0, count) })
    }
}

/// Descriptors in an open `/proc/PID/fd`: its size since Linux 6.2, before that the number of its entries.
fn count(folder: &File) -> u64 {
    match folder.metadata() {
        Ok(metadata) if metadata.len() > 0 => metadata.len(),
        _ => {
            use std::os::fd::AsRawFd as _;
            // Through this process's own link, so that it is still the folder of the same process.
            fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd())).map_or(0, |entries| entries.count() as u64)
        }
    }
}

fn with_text<T>(file: &File, parse: impl FnOnce(&str) -> T) -> Option<T> {
    let mut buffer = [0; READ_MAX_BYTES];
    let count = pread(file, &mut buffer, 0).ok().filter(|&count| count > 0)?;
    // A process may name itself in any bytes.
    Some(parse(&String::from_utf8_lossy(&buffer[..count])))
}

/// steep itself, or another process without descendants of interest.
#[derive(Debug)]
pub struct OwnStatus(Option<OwnedFd>);

impl OwnStatus {
    /// Opens `/proc/self/status`.
    #[must_use]
    pub fn open() -> Self {
        Self(File::open("/proc/self/status").ok().map(OwnedFd::from))
    }

    /// Anonymous resident memory; zero where there is no `/proc`.
    #[must_use]
    pub fn anon(&self) -> Bytes {
        let mut buffer = [0; READ_MAX_BYTES];
        let count = self.0.as_ref().and_then(|file| pread(file, &mut buffer, 0).ok()).unwrap_or(0);
        procfs::status(&String::from_utf8_lossy(&buffer[..count])).memory.anon_bytes
    }
}

/// What the costly reading of one process says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shares {
    /// What is resident, and the shares of it.
    Known(Memory, SmapsRollup),
    /// They cannot be read: another user's process, or a kernel before 4.14.
    Unknown,
}

/// The costly reading of one process: 11–16 µs for each resident MB, during which its mmap calls wait. None where it
/// has ended, or was about to become another program.
#[must_use]
pub fn measure(id: ProcessId) -> Option<Shares> {
    let process = Watched::open(id.pid, true).filter(|process| process.id == id)?;
    let resident = process.read()?.status.memory;
    // Opened anew each time: an open `smaps_rollup` stays with the memory from before an exec.
    match fs::read_to_string(format!("/proc/{}/smaps_rollup", id.pid)) {
        Ok(text) => Some(Shares::Known(resident, procfs::smaps_rollup(&text)?)),
        Err(error) => {
            let never = matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound);
            (never && process.read().is_some()).then_some(Shares::Unknown)
        }
    }
}
