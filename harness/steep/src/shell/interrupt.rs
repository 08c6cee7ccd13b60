//! The user's wish to stop: SIGINT, SIGTERM or SIGHUP. The first ends the load and what follows it in order, the second
//! does not wait.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::Signal;
use signal_hook::consts::SIGXFSZ;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::procfs;

/// Counts how often the user asked to stop.
#[derive(Debug)]
pub struct Interrupt {
    raised: watch::Receiver<u32>,
}

impl Interrupt {
    /// Listens from now on, in place of the system's default of ending the process. A hang-up that is ignored stays so:
    /// that is what nohup(1) asks for. SIGINT is heard in any case, as shells have it ignored by whatever is started
    /// with `&` in a script.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen() -> io::Result<Self> {
        let (count, raised) = watch::channel(0);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = if is_ignored(Signal::HUP) { None } else { Some(signal(SignalKind::hangup())?) };
        tokio::spawn(async move {
            loop {
                let hung_up = async {
                    match &mut hangup {
                        Some(hangup) => hangup.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hung_up => {}
                }
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { raised })
    }

    /// How often it was raised, to be waited for.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u32> {
        self.raised.clone()
    }

    /// Whether it was raised at all.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *self.raised.borrow() > 0
    }
}

/// Makes a file that has grown to the limit of this process (`ulimit -f`) an error of writing. By default the system
/// would end steep with SIGXFSZ, without a word. What steep starts has the default again: exec(2) resets handlers.
pub fn survive_full_files() {
    // Where it cannot be handled, all is as it was.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Whether this process ignores `signal`, which whoever started it asked for. Not known without `/proc`.
fn is_ignored(signal: Signal) -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return false };
    procfs::ignored_signals(&status) & (1 << (signal.as_raw_nonzero().get() - 1)) != 0
}
