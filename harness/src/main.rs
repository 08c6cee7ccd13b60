//! The `steep` program: reads the command line, runs the command, and exits with what it came to.

use std::process::ExitCode;

use clap::Parser as _;
use steep::cli::{Cli, Command};
use steep::commands;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Init { folder } => commands::init(&folder),
        Command::Check { scenario, format } => commands::check(&scenario, format),
        Command::Plan { scenario, format, max_hours, until } => commands::plan(&scenario, format, max_hours, until),
        Command::Run(options) => commands::run(&options),
        Command::Bisect(options) => commands::bisect(&options),
        Command::Analyze(options) => commands::analyze(&options),
        Command::Report { run, format, output } => commands::report(&run, format, output.as_deref()),
        Command::Import(import) => commands::import(&import),
        Command::Supervise { args } => return steep::shell::supervisor::supervise(args),
    }
    .into()
}
