//! The command line: types only.

mod analysis;
mod formats;
mod help;

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use self::analysis::{AnalyzeOptions, TimeUnit};
pub use self::formats::{HistoryFormat, PlanFormat, ResultFormat};
use self::help::{
    ACCESS_LOG_HELP, ANALYZE_HELP, BISECT_HELP, CLEAN_HELP, COMPARE_HELP, COMPLETIONS_HELP, EXIT_STATUS, HISTORY_HELP,
    MAN_HELP, PROFILE_HELP, REPORT_HELP, RUN_HELP,
};
use steep_core::following::LiveAddress;
use steep_core::night::Until;
use steep_core::report::Format;

/// Soaks a service under realistic traffic and says whether its memory keeps growing, how fast, and which flag does it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first scenario for a cargo package: its features as flags, and guesses to look at
    #[command(
        after_help = "Example:\n  steep init services/checkout\n\nWrites steep.toml there; a file that is there already stays."
    )]
    Init {
        /// Folder of the package
        #[arg(default_value = ".", value_name = "CRATE_DIR")]
        folder: PathBuf,
    },
    /// Check a scenario and report every problem at once
    #[command(after_help = "Example:\n  steep check scenarios/quickstart.toml")]
    Check {
        /// Scenario file (TOML)
        scenario: PathBuf,
        /// How to print the problems
        #[arg(long, value_enum, default_value_t = ResultFormat::Terminal)]
        format: ResultFormat,
    },
    /// Show what a run would soak: cells, builds and machine-hours; nothing is built
    #[command(after_help = "Example:\n  steep plan scenarios/quickstart.toml --format json")]
    Plan(PlanOptions),
    /// Build the service, soak every cell, judge and report
    #[command(after_help = RUN_HELP)]
    Run(RunOptions),
    /// Soak one cell, its stacks sampled finely, and say which lines keep, allocate most, and hold what is old
    #[command(after_help = PROFILE_HELP)]
    Profile(ProfileOptions),
    /// Name the flags that leak with the fewest cells: after each, the one that tells most is soaked next
    #[command(after_help = BISECT_HELP)]
    Bisect(BisectOptions),
    /// Judge recorded data again: folders of runs or cells, trace files, CSV files
    #[command(after_help = ANALYZE_HELP)]
    Analyze(AnalyzeOptions),
    /// Print the report of a run
    #[command(after_help = REPORT_HELP)]
    Report {
        /// Folder of a run
        #[arg(required_unless_present = "schema")]
        run: Option<PathBuf>,
        /// Print the JSON schema of `report.json` and of `--format json` instead
        #[arg(long, conflicts_with_all = ["run", "format", "wide"])]
        schema: bool,
        /// How to print it
        #[command(flatten)]
        format: ReportFormat,
        /// Write to this file instead of stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Hold a run against another, cell by cell: what got worse, what is fixed, what is new
    #[command(after_help = COMPARE_HELP)]
    Compare(CompareOptions),
    /// Print a line for each night of a scenario, and what changed between which nights
    #[command(after_help = HISTORY_HELP)]
    History(HistoryOptions),
    /// Delete old runs, after saying which; compress traces and share equal binaries of the others
    #[command(after_help = CLEAN_HELP)]
    Clean(CleanOptions),
    /// Print the completions of a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page of steep, or of one of its commands, as roff
    #[command(after_help = MAN_HELP)]
    Man {
        /// The command, such as `run` or `import openapi` [default: steep itself]
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Write a first scenario from an access log or an OpenAPI description
    #[command(subcommand, after_help = "Example:\n  steep import openapi openapi.yaml -o soak.toml")]
    Import(Import),
    /// Shows a run that is under way; steep starts it by itself
    #[command(hide = true)]
    LiveView {
        /// Folder of the run
        run: PathBuf,
    },
    /// Keeps a service and all its descendants; steep starts it by itself
    #[command(hide = true)]
    Supervise {
        /// The supervisor's own arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Options of `steep plan`.
#[derive(Debug, Args)]
pub struct PlanOptions {
    /// Scenario file (TOML)
    pub scenario: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = PlanFormat::Table)]
    pub format: PlanFormat,
    /// Print each row of the table on one line, however wide
    #[arg(long)]
    pub wide: bool,
    /// Show what fits into this many hours: whole replicates, the last ones left out first
    #[arg(long, value_name = "H", value_parser = hours)]
    pub max_hours: Option<Duration>,
    /// Show what a night would be that lasts until this local time, such as 07:00
    #[arg(long, value_name = "TIME", conflicts_with = "max_hours")]
    pub until: Option<Until>,
}

/// Options of `steep run`.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Scenario file (TOML)
    pub scenario: PathBuf,
    /// Folder of the run [default: results/<name>-<utc time>]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Soak only this cell, of the plan or beside it; may be given several times, and with --resume
    #[arg(long = "cell", value_name = "ID")]
    pub cells: Vec<String>,
    /// Soak what fits into this many hours: whole replicates, the last ones left out first
    #[arg(long, value_name = "H", value_parser = hours, conflicts_with_all = ["resume", "cells"])]
    pub max_hours: Option<Duration>,
    /// Soak until this local time, such as 07:00 or 2026-11-24T07:00: a long cell with everything on, then what tells
    /// most
    #[arg(long, value_name = "TIME", conflicts_with_all = ["max_hours", "cells"])]
    pub until: Option<Until>,
    /// Soak again what this run did not finish, in its folder
    #[arg(long, value_name = "RUN_DIR")]
    pub resume: Option<PathBuf>,
    /// Show the run in a browser while it is under way, at this loopback address [default: 127.0.0.1, a free port]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = LiveAddress::DEFAULT)]
    pub live: Option<LiveAddress>,
    /// Say nothing of progress: only warnings, errors and the report
    #[arg(short, long)]
    pub quiet: bool,
    /// How to print the result
    #[command(flatten)]
    pub format: ReportFormat,
}

/// Options of `steep profile`.
#[derive(Debug, Args)]
pub struct ProfileOptions {
    /// Scenario file (TOML)
    pub scenario: PathBuf,
    /// The cell, of the plan or beside it [default: baseline, in which no flag differs from production]
    #[arg(long, value_name = "ID")]
    pub cell: Option<String>,
    /// Mean bytes between two samples, such as 64KiB [default: 16KiB, or 1/32768 of the memory limit if that is
    /// more]
    #[arg(long, value_name = "SIZE", value_parser = sample_size)]
    pub sample: Option<u64>,
    /// Folder of the run [default: results/<name>-<utc time>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Say nothing of progress: only warnings, errors and the report
    #[arg(short, long)]
    pub quiet: bool,
    /// How to print the result
    #[command(flatten)]
    pub format: ReportFormat,
}

/// Options of `steep bisect`.
#[derive(Debug, Args)]
pub struct BisectOptions {
    /// Scenario file (TOML)
    pub scenario: PathBuf,
    /// Folder of the run [default: results/<name>-<utc time>]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on with this search, in its folder
    #[arg(long, value_name = "RUN_DIR")]
    pub resume: Option<PathBuf>,
    /// Time that all cells together may take; those of a search that is resumed count
    #[arg(long, value_name = "HOURS", default_value_t = 8.0)]
    pub max_hours: f64,
    /// Soak nothing: simulate this many searches of each kind, and say what they take
    #[arg(long, value_name = "N", conflicts_with_all = ["out", "resume"], value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub plan_only: Option<u32>,
    /// Show the run in a browser while it is under way, at this loopback address [default: 127.0.0.1, a free port]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = LiveAddress::DEFAULT)]
    pub live: Option<LiveAddress>,
    /// Say nothing of progress: only warnings, errors and the report
    #[arg(short, long)]
    pub quiet: bool,
    /// How to print the result
    #[command(flatten)]
    pub format: ReportFormat,
}

/// Options of `steep compare`.
#[derive(Debug, Args)]
pub struct CompareOptions {
    /// Folders of two runs of one scenario; with --baseline of the one that is compared
    #[arg(required = true, num_args = 1..=2, value_names = ["BASE", "RUN"])]
    pub runs: Vec<PathBuf>,
    /// Compare with this run of the same scenario in the same folder
    #[arg(long, value_enum, value_name = "WHICH")]
    pub baseline: Option<Baseline>,
    /// Compare although machine, toolchain or schedule differ
    #[arg(long)]
    pub anyway: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = ResultFormat::Terminal)]
    pub format: ResultFormat,
    /// Print every column of the table, each row on one line
    #[arg(long)]
    pub wide: bool,
}

/// With which run another is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Baseline {
    /// The last one before it that was clean
    LatestClean,
}

/// Options of `steep history`.
#[derive(Debug, Args)]
pub struct HistoryOptions {
    /// Name of the scenario
    pub name: String,
    /// Folder with history.jsonl, which `steep run` adds a line to beside the folder of each run
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Show the nights of this cell [default: one that changed, or else the first]
    #[arg(long, value_name = "ID")]
    pub cell: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = HistoryFormat::Terminal)]
    pub format: HistoryFormat,
    /// Print all nights and every column, each row on one line
    #[arg(long)]
    pub wide: bool,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `steep clean`.
#[derive(Debug, Args)]
pub struct CleanOptions {
    /// Folder with the folders of runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Keep this many runs of each scenario, the latest ones
    #[arg(long, value_name = "N", value_parser = keep())]
    pub keep: u32,
    /// Keep every run that ended with a finding, however old
    #[arg(long)]
    pub keep_findings: bool,
    /// Only the runs of this scenario
    #[arg(long, value_name = "SCENARIO")]
    pub name: Option<String>,
    /// Say what would be deleted, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Delete without asking
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = ResultFormat::Terminal)]
    pub format: ResultFormat,
}

/// What `steep import` reads.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Routes, their weights, and the rate over time, from a log in the common or combined format of nginx and Apache
    #[command(after_help = ACCESS_LOG_HELP)]
    AccessLog {
        /// The log; `-` reads stdin
        log: PathBuf,
        /// Where the scenario goes
        #[command(flatten)]
        target: ImportTarget,
    },
    /// A request for each operation of a description in OpenAPI 3.0 or 3.1, JSON or YAML
    #[command(after_help = "Example:\n  steep import openapi openapi.yaml -o soak.toml")]
    Openapi {
        /// The description; `-` reads stdin
        description: PathBuf,
        /// Where the scenario goes
        #[command(flatten)]
        target: ImportTarget,
    },
}

/// Where an import goes.
#[derive(Debug, Args)]
pub struct ImportTarget {
    /// Write the scenario to this file, which must not exist yet [default: stdout]
    #[arg(short, long, value_name = "SCENARIO")]
    pub output: Option<PathBuf>,
    /// Base address of the service on this machine
    #[arg(long, default_value = "http://127.0.0.1:{{port}}")]
    pub url: String,
}

/// How many runs are kept: with none left there is nothing to compare with.
fn keep() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..)
}

/// Hours as a number.
fn hours(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 24.0 * 365.0;
    let hours = text.parse::<f64>().ok().filter(|hours| (0.0..=LONGEST).contains(hours) && *hours > 0.0);
    hours
        .map(|hours| Duration::from_secs_f64(hours * 3600.0))
        .ok_or_else(|| "a number of hours, such as 8 or 0.5".to_owned())
}

/// Bytes between two samples.
fn sample_size(text: &str) -> Result<u64, String> {
    // Each sample walks a stack; above, a soak of minutes has next to none.
    const ALLOWED: RangeInclusive<u64> = 1 << 10..=64 << 20;
    let size = text.parse::<ByteSize>().ok().map(|size| size.as_u64());
    size.filter(|size| ALLOWED.contains(size)).ok_or_else(|| "a size from 1KiB to 64MiB, such as 64KiB".to_owned())
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct ReportFormat {
    /// How to print the report
    #[arg(long, value_parser = report_format(), default_value = Format::ALL[0].name())]
    pub format: Format,
    /// Print every column of the tables, each row on one line
    #[arg(long)]
    pub wide: bool,
}

/// The formats of a report by their names.
fn report_format() -> impl TypedValueParser<Value = Format> {
    let names = Format::ALL.map(|format| PossibleValue::new(format.name()).help(format.purpose()));
    PossibleValuesParser::new(names).try_map(|name| {
        let named = Format::ALL.into_iter().find(|format| format.name() == name);
        named.ok_or_else(|| format!("{name} is not the name of a format"))
    })
}

impl CompareOptions {
    /// Why there are too few runs, or too many; none if there are not.
    fn disagreement(&self) -> Option<&'static str> {
        match (self.baseline, self.runs.len()) {
            (None, 1) => Some("a run is compared with another: give both folders, or --baseline latest-clean"),
            (Some(_), 2..) => Some("--baseline finds the run to compare with: leave BASE out, or --baseline"),
            _ => None,
        }
    }
}

/// The words of a command line, with the address spelled out after each `--live` that has none, so that the scenario
/// may follow it.
#[must_use]
pub fn spelled_out(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter().peekable();
    let mut all = Vec::new();
    while let Some(word) = words.next() {
        if word == "--live" && !words.peek().is_some_and(|next| next.to_str().is_some_and(LiveAddress::is_meant)) {
            all.push(format!("--live={}", LiveAddress::DEFAULT).into());
        } else {
            all.push(word);
        }
    }
    all
}

impl Cli {
    /// The same, if its options agree.
    ///
    /// # Errors
    /// `--wide` for a format that has no tables.
    pub fn agreeing(self) -> Result<Self, clap::Error> {
        let (wide, has_tables) = match &self.command {
            Command::Plan(PlanOptions { format, wide, .. }) => (*wide, *format == PlanFormat::Table),
            Command::Analyze(AnalyzeOptions { format, wide, .. }) => (*wide, *format == ResultFormat::Terminal),
            Command::History(HistoryOptions { format, wide, .. }) => (*wide, *format == HistoryFormat::Terminal),
            Command::Compare(options) => {
                if let Some(message) = options.disagreement() {
                    return Err(Self::command().error(ErrorKind::WrongNumberOfValues, message));
                }
                (options.wide, options.format == ResultFormat::Terminal)
            }
            Command::Run(RunOptions { format, .. })
            | Command::Bisect(BisectOptions { format, .. })
            | Command::Profile(ProfileOptions { format, .. })
            | Command::Report { format, .. } => (format.wide, format.format.has_layout()),
            Command::Init { .. }
            | Command::Check { .. }
            | Command::Clean(_)
            | Command::Completions { .. }
            | Command::Man { .. }
            | Command::Import(_)
            | Command::LiveView { .. }
            | Command::Supervise { .. } => (false, false),
        };
        if wide && !has_tables {
            let message = "--wide is for tables, and this --format has none: leave one of them out";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(self)
    }
}
