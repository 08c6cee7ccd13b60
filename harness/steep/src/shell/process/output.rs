//! Moves the output of a process into its log file, bounded by rotation, and keeps its last lines.
//!
//! A thread of its own does it: a disk that hangs stops neither the driver nor, until the pipe is full, the process.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::tail::Tail;
use crate::shell::files;
use steep_core::log_lines::LogLines;
use steep_core::running_count::RunningCount;
use steep_judge::units::{Bytes, SinceStart};

/// A log file that has grown to this is renamed to `….1`, replacing the one before it: two files at most.
pub const LOG_FILE_MAX: Bytes = Bytes::mib(16);

/// What the pipe holds while the thread rests. 1 MiB is what Linux lets any user set (`/proc/sys/fs/pipe-max-size`).
const PIPE_BYTES: usize = 1 << 20;

/// Read in one go.
const READ_BYTES: usize = 64 << 10;

/// After a read that found less than [`READ_BYTES`] the thread rests, so that a service which logs each of 2,000
/// requests a second wakes it 50 times and not 2,000 times. With [`PIPE_BYTES`] 50 MiB/s pass before a service would
/// wait.
const REST: Duration = Duration::from_millis(20);

/// The moving of an output; ends by itself when the last process closes its end.
#[derive(Debug)]
pub struct Output {
    kept: Arc<Mutex<Captured>>,
    /// None once it has ended and that was heard.
    ended: Option<oneshot::Receiver<()>>,
}

/// What is kept in memory.
#[derive(Debug, Default)]
struct Captured {
    tail: Tail,
    /// Requests that the process counts in its output; none: nobody asked for them.
    count: Option<RunningCount>,
    /// Events that are looked for in it, and the moment that they are timed from; none: nobody asked for them.
    lines: Option<(LogLines, Instant)>,
    problem: Option<String>,
}

impl Output {
    /// Starts moving what comes out of `pipe` to the file `log`, which is begun anew.
    ///
    /// # Errors
    /// When the file cannot be created or the thread not be started.
    pub fn start(pipe: OwnedFd, log: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        // Refused where the user's pipes take too much already; then it stays at 64 KiB, and the service waits sooner.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
        let mut log = RotatingLog::create(log)?;
        let kept = Arc::new(Mutex::new(Captured::default()));
        let (ended_sender, ended) = oneshot::channel();
        let kept_by_thread = Arc::clone(&kept);
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            move_output(&pipe, &mut log, &kept_by_thread);
            // Nobody may wait for it any more.
            let _ = ended_sender.send(());
        })?;
        Ok(Self { kept, ended: Some(ended) })
    }

    /// Waits until all output has been moved, at most `timeout`.
    pub async fn drain(&mut self, timeout: Duration) {
        let Some(ended) = &mut self.ended else { return };
        // Else something that could not be killed holds the pipe, and what there is must do.
        if tokio::time::timeout(timeout, ended).await.is_ok() {
            self.ended = None;
        }
    }

    /// The last lines, oldest first.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).tail.lines()
    }

    /// From now on looks for a running count of requests in it, and in the last lines until now.
    pub fn watch_count(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = RunningCount::default();
        kept.tail.replay(|piece| count.feed(piece));
        kept.count.get_or_insert(count);
    }

    /// The requests that it counts; none: see [`Output::watch_count`].
    #[must_use]
    pub fn count(&self) -> Option<RunningCount> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).count.clone()
    }

    /// From now on looks for events in its lines, and times them from `origin`.
    pub fn watch_lines(&self, lines: LogLines, origin: Instant) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).lines = Some((lines, origin));
    }

    /// What `take` takes of the events that were found; none: see [`Output::watch_lines`].
    pub fn take_lines<T>(&self, take: impl FnOnce(&mut LogLines) -> T) -> Option<T> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).lines.as_mut().map(|(lines, _)| take(lines))
    }

    /// What went wrong with the log file, if anything did: lines are missing in it then.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).problem.clone()
    }
}

fn move_output(pipe: &OwnedFd, log: &mut RotatingLog, kept: &Mutex<Captured>) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        };
        let read_at = Instant::now();
        let written = log.write(&buffer[..count]);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tail.feed(&buffer[..count]);
        if let Some(requests) = &mut kept.count {
            requests.feed(&buffer[..count]);
        }
        if let Some((lines, origin)) = &mut kept.lines {
            lines.feed(SinceStart::new(read_at.saturating_duration_since(*origin)), &buffer[..count]);
        }
        if let Err(error) = written
            && kept.problem.is_none()
        {
            // Reading goes on: a full disk must not stop the service.
            kept.problem = Some(format!("{}: {error}", log.path.display()));
        }
        drop(kept);
        if count < READ_BYTES {
            thread::sleep(REST);
        }
    }
}

/// A file that is renamed and begun anew when it is full.
#[derive(Debug)]
struct RotatingLog {
    path: PathBuf,
    file: File,
    size: Bytes,
}

impl RotatingLog {
    fn create(path: &Path) -> io::Result<Self> {
        let file = files::begin(path)?;
        Ok(Self { path: path.to_owned(), file, size: Bytes::ZERO })
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        let piece_size = Bytes::new(piece.len() as u64);
        if self.size + piece_size > LOG_FILE_MAX {
            let mut older = self.path.clone().into_os_string();
            older.push(".1");
            fs::rename(&self.path, older)?;
            *self = Self::create(&self.path)?;
        }
        self.size = self.size + piece_size;
        self.file.write_all(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_renamed_once_and_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("service.log");
        let mut log = RotatingLog::create(&path).expect("a file");
        let piece = vec![b'a'; 1 << 20];
        for _ in 0..40 {
            log.write(&piece).expect("space");
        }
        let size = |name: &str| fs::metadata(folder.path().join(name)).expect("a file").len();
        assert_eq!(size("service.log.1"), LOG_FILE_MAX.get());
        assert_eq!(size("service.log"), Bytes::mib(8).get());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }

    #[tokio::test]
    async fn output_is_moved_until_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("service.log");
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let mut output = Output::start(reader.into(), &path).expect("a thread");
        writer.write_all(b"one\ntwo\n").expect("a reader");
        drop(writer);
        output.drain(Duration::from_mins(1)).await;
        assert_eq!(output.last_lines(), ["one", "two"]);
        assert_eq!(fs::read_to_string(&path).expect("a file"), "one\ntwo\n");
        assert_eq!(output.problem(), None);
    }
}
