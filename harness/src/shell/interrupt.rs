//! The user's wish to stop: SIGINT, SIGTERM or SIGHUP. The first ends the load and what follows it in order, the second does not wait.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Counts how often the user asked to stop.
#[derive(Debug)]
pub struct Interrupt {
    raised: watch::Receiver<u32>,
}

impl Interrupt {
    /// Listens from now on, in place of the system's default of ending the process.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen() -> io::Result<Self> {
        let (count, raised) = watch::channel(0);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
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
