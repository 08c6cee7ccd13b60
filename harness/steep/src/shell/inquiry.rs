//! Commands that answer a question and end: git, rustc, `cargo metadata`. Each has a bound of time and of what it
//! prints, and can be given up, so that a repository on a disk that hangs, or a lock that nobody gives back, does not
//! take the night.

use std::io;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use thiserror::Error;

use super::process_tree;
use steep_judge::units::duration_text;

/// The longest answer: the metadata of the largest workspaces have some 10 MB.
const LONGEST_ANSWER: usize = 64 << 20;
/// How often it is looked whether the time is over, or the answer is not wanted any more.
const SLICE: Duration = Duration::from_millis(20);
/// How long a command that was killed is waited for; one that hangs in the kernel does not end.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);
/// Read in one go.
const READ_BYTES: usize = 8 << 10;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum InquiryError {
    /// It could not be started, or not be read.
    #[error(transparent)]
    Start(#[from] io::Error),
    /// It did not end.
    #[error("it did not end in {}", duration_text(*.0))]
    TooLong(Duration),
    /// It printed without end.
    #[error("it printed more than {LONGEST_ANSWER} bytes")]
    TooMuch,
    /// The answer is not wanted any more.
    #[error("it was given up")]
    GivenUp,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it printed as errors.
    pub stderr: Vec<u8>,
}

impl Answer {
    /// What it printed, without the end of the line; none where it failed.
    #[must_use]
    pub fn said(&self) -> Option<String> {
        self.status.success().then(|| String::from_utf8_lossy(&self.stdout).trim_end().to_owned())
    }
}

/// Asks `command`, and waits for at most `limit`.
///
/// # Errors
/// It cannot be started, or does not end in time.
pub fn ask(mut command: Command, limit: Duration) -> Result<Answer, InquiryError> {
    answer(&mut command, limit, &AtomicBool::new(false))
}

/// The same beside other work; dropping the future ends the command.
///
/// # Errors
/// As of [`ask`].
pub async fn ask_aside(mut command: Command, limit: Duration) -> Result<Answer, InquiryError> {
    let wanted = Wanted(Arc::new(AtomicBool::new(false)));
    let given_up = Arc::clone(&wanted.0);
    let answering = tokio::task::spawn_blocking(move || answer(&mut command, limit, &given_up));
    let answered = answering.await.map_err(|error| InquiryError::Start(io::Error::other(error)));
    drop(wanted);
    answered?
}

/// Tells the thread that waits for an answer when nobody wants it any more.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn answer(command: &mut Command, limit: Duration, given_up: &AtomicBool) -> Result<Answer, InquiryError> {
    let deadline = Instant::now() + limit;
    // It stays in steep's group: Ctrl-C on the terminal reaches it as well.
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let answered = heard(&mut child, deadline, given_up);
    match answered {
        Ok(answer) => Ok(answer),
        Err(error) => {
            end(&mut child);
            Err(if matches!(error, InquiryError::TooLong(_)) { InquiryError::TooLong(limit) } else { error })
        }
    }
}

fn heard(child: &mut Child, deadline: Instant, given_up: &AtomicBool) -> Result<Answer, InquiryError> {
    let mut stdout = Stream::new(child.stdout.take().map(Into::into));
    let mut stderr = Stream::new(child.stderr.take().map(Into::into));
    loop {
        let is_silent = !listen(&mut [&mut stdout, &mut stderr])?;
        // What it started may hold its output for longer than it runs itself.
        if is_silent && let Some(status) = child.try_wait()? {
            return Ok(Answer { status, stdout: stdout.heard, stderr: stderr.heard });
        }
        if given_up.load(Ordering::Relaxed) {
            return Err(InquiryError::GivenUp);
        }
        if Instant::now() >= deadline {
            return Err(InquiryError::TooLong(Duration::ZERO));
        }
    }
}

/// An output that is read.
struct Stream {
    /// None once it has ended.
    pipe: Option<std::os::fd::OwnedFd>,
    heard: Vec<u8>,
}

impl Stream {
    fn new(pipe: Option<std::os::fd::OwnedFd>) -> Self {
        Self { pipe, heard: Vec::new() }
    }

    fn read(&mut self) -> Result<(), InquiryError> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let mut piece = [0; READ_BYTES];
        match rustix::io::read(pipe, &mut piece) {
            Ok(0) => self.pipe = None,
            Ok(count) if self.heard.len() + count > LONGEST_ANSWER => return Err(InquiryError::TooMuch),
            Ok(count) => self.heard.extend_from_slice(&piece[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(InquiryError::Start(error.into())),
        }
        Ok(())
    }
}

/// Reads what `streams` have to say within a [`SLICE`]; says whether there was anything, their ends included.
fn listen(streams: &mut [&mut Stream]) -> Result<bool, InquiryError> {
    let slice = Timespec { tv_sec: 0, tv_nsec: i64::from(SLICE.subsec_nanos()) };
    let open: Vec<usize> = (0..streams.len()).filter(|&index| streams[index].pipe.is_some()).collect();
    let pipes = open.iter().filter_map(|&index| streams[index].pipe.as_ref());
    let mut polled: Vec<PollFd<'_>> = pipes.map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)).collect();
    match poll(&mut polled, Some(&slice)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(InquiryError::Start(error.into())),
    }
    let ready: Vec<usize> =
        open.into_iter().zip(&polled).filter(|(_, fd)| !fd.revents().is_empty()).map(|(index, _)| index).collect();
    drop(polled);
    for &index in &ready {
        streams[index].read()?;
    }
    Ok(!ready.is_empty())
}

/// Kills a command with what it started.
fn end(child: &mut Child) {
    for process in process_tree::descendants(&process_tree::processes(), child.id()) {
        // Who is left is not worth waiting for.
        let _ = process_tree::send(process.pid, Signal::KILL);
    }
    let _ = child.kill();
    let deadline = Instant::now() + KILL_TIMEOUT;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        std::thread::sleep(SLICE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn an_answer_is_heard_whole_with_its_status() {
        let answer =
            ask(shell("head -c 300000 /dev/zero; echo no >&2; exit 3"), Duration::from_mins(1)).expect("ended");
        assert_eq!(
            (answer.stdout.len(), answer.stderr.as_slice(), answer.status.code()),
            (300_000, &b"no\n"[..], Some(3))
        );
        assert_eq!(answer.said(), None);
        let answer = ask(shell("echo 1.2; sleep 300 & exit 0"), Duration::from_mins(1)).expect("ended");
        assert_eq!(answer.said().as_deref(), Some("1.2"));
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let described = folder.path().join("child");
        let mut command = shell("sleep 300 & echo $! > new; mv new child; wait");
        command.current_dir(folder.path());
        let given_up = AtomicBool::new(false);
        let answered = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !described.exists() {
                    std::thread::yield_now();
                }
                given_up.store(true, Ordering::Relaxed);
            });
            answer(&mut command, Duration::from_mins(5), &given_up)
        });
        assert!(matches!(answered, Err(InquiryError::GivenUp)), "{answered:?}");
        let child: u32 = std::fs::read_to_string(described).expect("a file").trim().parse().expect("a number");
        // It was sent the signal, and is gone as soon as the kernel has a moment for it.
        while process_tree::stat_of(child).is_some_and(|process| !process.ended) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_has_no_end_or_no_beginning_is_reported() {
        let described = ask(shell("sleep 300"), Duration::from_millis(300)).expect_err("it hangs").to_string();
        assert_eq!(described, "it did not end in 300 ms");
        assert!(matches!(ask(shell("yes"), Duration::from_mins(1)), Err(InquiryError::TooMuch)));
        let missing = ask(Command::new("no-such-program"), Duration::from_mins(1));
        assert!(matches!(missing, Err(InquiryError::Start(_))));
    }

    #[test]
    fn an_answer_that_nobody_waits_for_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let hangs = ask_aside(shell("sleep 300"), Duration::from_mins(5));
            assert!(tokio::time::timeout(Duration::from_millis(50), hangs).await.is_err());
            let said = ask_aside(shell("echo yes"), Duration::from_mins(1)).await.expect("an answer").said();
            assert_eq!(said.as_deref(), Some("yes"));
        });
        // It waits for the thread, and so for the end of the command.
        drop(runtime);
    }
}
