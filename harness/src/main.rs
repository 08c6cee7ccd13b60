//! The `steep` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        Some(word) if word == steep::shell::supervisor::SUBCOMMAND => steep::shell::supervisor::supervise(args),
        _ => ExitCode::from(2),
    }
}
