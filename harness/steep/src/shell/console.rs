//! stdout and stderr: the only place that writes to them, so that no text of others reaches a terminal as it is.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use steep_core::visible::{visible, visible_styled};

/// Writes a result to stdout. A reader who has seen enough (a closed pipe) is not an error.
///
/// # Errors
/// Nothing can be written there: a full disk, a terminal that was closed.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(visible(text).as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// How many columns the window has that stdout is shown in; none where it is a file, a pipe, or a terminal without a
/// size.
#[must_use]
pub fn columns() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout))?.ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Asks the user on stderr, and whether the answer is yes; none where nobody is at a terminal.
#[must_use]
pub fn asked(question: &str) -> Option<bool> {
    // The longest answer that is read: a word.
    const LONGEST: u64 = 64;
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let _ = write!(io::stderr().lock(), "{}", visible(question));
    let mut answer = String::new();
    stdin.lock().take(LONGEST).read_line(&mut answer).ok()?;
    Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Tells the user something on stderr.
pub fn tell(message: &str) {
    write(&visible(message));
}

/// The same of what steep has coloured.
pub fn tell_styled(message: &str) {
    write(&visible_styled(message));
}

fn write(message: &str) {
    // Nobody to tell is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{message}");
}
