//! `steep completions` and `steep man`: what a shell and a reader of manual pages want to know of the command line.

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::output::{print, status_of, tell};
use crate::cli::Cli;
use steep_core::exit::Status;

/// Prints the completions of a shell.
#[must_use]
pub fn completions(shell: Shell) -> Status {
    let mut text = Vec::new();
    generate(shell, &mut Cli::command(), "steep", &mut text);
    status_of(print(&String::from_utf8_lossy(&text), None).map(|()| Status::Clean))
}

/// Prints the manual page of steep, or of the command with these names.
#[must_use]
pub fn man(names: &[String]) -> Status {
    let mut whole = Cli::command();
    whole.build();
    let mut command = &whole;
    for name in names {
        let Some(next) = command.get_subcommands().find(|known| known.get_name() == name && !known.is_hide_set())
        else {
            let known = command.get_subcommands().filter(|known| !known.is_hide_set());
            let known: Vec<&str> = known.map(clap::Command::get_name).collect();
            tell(&format!("error: {} has no command {name:?}; it has {}", command.get_name(), known.join(", ")));
            return Status::Usage;
        };
        command = next;
    }
    let page = || -> Result<Status, anyhow::Error> {
        let mut text = Vec::new();
        Man::new(command.clone()).render(&mut text).context("write the page")?;
        print(&String::from_utf8_lossy(&text), None)?;
        Ok(Status::Clean)
    };
    status_of(page())
}
