//! steep's own program, which is also its supervisor and its guard.

use std::io;
use std::path::{Path, PathBuf};

/// The program that is started as the supervisor: steep itself. On Linux by a link of the kernel that stays right when
/// the file is replaced by a new build during a soak.
///
/// # Errors
/// When the system does not tell a program its own path.
pub fn own_program() -> io::Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if link.exists() { Ok(link.to_owned()) } else { std::env::current_exe() }
}
