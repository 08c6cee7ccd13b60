//! The `steep` program: reads the command line, runs the command, and exits with what it came to.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use steep::cli::{Cli, Command, spelled_out};
use steep::commands;
use steep::shell::{console, interrupt};

fn main() -> ExitCode {
    interrupt::survive_full_files();
    let command = match Cli::try_parse_from(spelled_out(std::env::args_os())).and_then(Cli::agreeing) {
        Ok(cli) => cli.command,
        Err(error) if error.use_stderr() => return refused(&error),
        Err(help) => help.exit(),
    };
    let status = match command {
        Command::Init { folder } => commands::init(&folder),
        Command::Check { scenario, format } => commands::check(&scenario, format),
        Command::Plan(options) => commands::plan(options),
        Command::Run(options) => commands::run(&options),
        Command::Profile(options) => commands::profile(&options),
        Command::Bisect(options) => commands::bisect(&options),
        Command::Analyze(options) => commands::analyze(&options),
        Command::Report { run: Some(run), format, output, .. } => commands::report(&run, format, output.as_deref()),
        Command::Report { run: None, output, .. } => commands::report_schema(output.as_deref()),
        Command::Clean(options) => commands::clean(&options),
        Command::Completions { shell } => commands::completions(shell),
        Command::Man { command } => commands::man(&command),
        Command::Compare(options) => commands::compare(&options),
        Command::History(options) => commands::history(&options),
        Command::Import(import) => commands::import(&import),
        Command::LiveView { run } => commands::live_view(&run),
        Command::Supervise { args } => return steep::shell::supervisor::supervise(args),
    };
    ExitCode::from(status.code())
}

/// A command line that is wrong, which may quote anything, such as the name of a file.
fn refused(error: &clap::Error) -> ExitCode {
    let message = error.render();
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        console::tell_styled(message.ansi().to_string().trim_end());
    } else {
        console::tell(message.to_string().trim_end());
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}
