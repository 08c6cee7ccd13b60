//! The runtime of the main thread: one thread, for the soak, the sampler and questions.

use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use tokio::runtime::{Builder, Runtime};

/// Descriptors that a run needs beside those of connections: the runtime's own, pipes of supervisors and logs, and what
/// the sampler holds open of each process. Tokio panics where it finds none for its signals.
const DESCRIPTORS: usize = 48;

/// Starts the runtime.
///
/// # Errors
/// This process may not open as many files as a run needs.
pub fn start() -> io::Result<Runtime> {
    let opened: Result<Vec<_>, _> = (0..DESCRIPTORS).map(|_| fcntl_dupfd_cloexec(io::stderr(), 0)).collect();
    if let Err(error) = opened.map(drop) {
        let message =
            format!("fewer than {DESCRIPTORS} more files can be opened ({error}): raise `ulimit -n`, 1024 is usual");
        return Err(io::Error::other(message));
    }
    Builder::new_current_thread().enable_all().build()
}
