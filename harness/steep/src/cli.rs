//! The command line: types only.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use steep_core::night::Until;
use steep_core::recorded::Columns;
use steep_core::report::Format;

/// Soaks a service under realistic traffic and says whether its memory keeps growing, how fast, and which flag does it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
  0  clean: nothing was found
  1  finding: a verdict in fail_on (leak, step, crashed, headroom unless the scenario says otherwise)
  2  the command line or the scenario is wrong
  3  undecided: nothing was found, and at least one cell is inconclusive, or --until left a flag unjudged
  4  could not be done: a build failed, the service was never ready, the load was not delivered, interrupted
Where several apply, the first of 2, 1, 4, 3, 0 counts.

Results go to stdout, progress and messages to stderr.";

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
    /// Write a first scenario from an access log or an OpenAPI description
    #[command(subcommand)]
    Import(Import),
    /// Keeps a service and all its descendants; steep starts it by itself
    #[command(hide = true)]
    Supervise {
        /// The supervisor's own arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
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
    /// Say nothing of progress: only warnings, errors and the report
    #[arg(short, long)]
    pub quiet: bool,
    /// How to print the result
    #[command(flatten)]
    pub format: ReportFormat,
}

/// Options of `steep analyze`.
#[derive(Debug, Args)]
pub struct AnalyzeOptions {
    /// Run folder, cell folder, trace.jsonl, or CSV with the columns `t_s,rss_bytes,requests`
    #[arg(required = true, value_name = "RUN_DIR|TRACE|CSV")]
    pub inputs: Vec<PathBuf>,
    /// How to print the result; json: one object per input and line
    #[arg(long, value_enum, default_value_t = ResultFormat::Terminal)]
    pub format: ResultFormat,
    /// Print every column of the table, each row on one line
    #[arg(long)]
    pub wide: bool,
    /// Print the best models with their scores and intervals, and the rule that decided
    #[arg(long)]
    pub explain: bool,
    /// Other column names of CSV files: `time=NAME,memory=NAME,requests=NAME,live=NAME`, any of them. Time is in
    /// seconds, in milliseconds since 1970, or RFC 3339 in UTC; memory in bytes, or in the unit that its name ends with
    /// (`rss_kib`, `rss_mb`)
    #[arg(long, value_name = "ROLE=NAME,...")]
    pub columns: Option<Columns>,
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

const ACCESS_LOG_HELP: &str = "\
Ids in paths become parameters, requests are weighted by how often they came, and the rates go into
a CSV file beside the scenario. On stdout, or for a log of less than two minutes, the mean rate is
held instead.

Examples:
  steep import access-log /var/log/nginx/access.log -o soak.toml
  zcat access.log.*.gz | steep import access-log - -o soak.toml";

const RUN_HELP: &str = "\
A package is built into `steep` below cargo's target folder; CARGO_TARGET_DIR moves it (docs/builds.md).

With --until the night is the plan: each cell is the one that tells most after those before it, no
cell is begun that would not be over in time, and what was not soaked is reported and never counted as
clean. With --resume such a run goes on in another night.

Examples:
  steep run scenarios/quickstart.toml
  steep run soak.toml --cell baseline --cell sessions
  steep run soak.toml --until 07:00
  steep run soak.toml --resume results/checkout-20261122T220000Z
  steep run soak.toml --resume results/checkout-20261122T220000Z --cell cache+sessions";

const PROFILE_HELP: &str = "\
The cell is soaked as `run` soaks it, with service.live = \"preload\" whatever the scenario says: the
program itself is not changed. Beside its trace are heap.pb.gz (for go tool pprof and others),
heap.folded (what was alive at the end) and growth.folded (what came to it), for flame graphs.

Examples:
  steep profile soak.toml
  steep profile soak.toml --cell sessions --sample 4KiB";

const BISECT_HELP: &str = "\
Each cell is as long as the phases of the scenario. Of [plan] only the exclusions are followed, and
axes have their first values. A search ends when one answer has a posterior of 0.97. Its folder is
that of a run: report and analyze read it.

Examples:
  steep bisect soak.toml --plan-only 50
  steep bisect soak.toml --max-hours 3
  steep bisect soak.toml --resume results/checkout-20261122T220000Z";

const REPORT_HELP: &str = "\
Examples:
  steep report results/quickstart-20261122T220000Z --format json -o report.json
  steep report --schema -o report.schema.json";

const ANALYZE_HELP: &str = "\
Examples:
  steep analyze results/quickstart-20261122T220000Z
  steep analyze results/quickstart-20261122T220000Z/sessions/trace.jsonl --format json
  steep analyze results/quickstart-20261122T220000Z/sessions --explain
  steep analyze node.csv --columns time=timestamp,memory=rss";

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

impl Cli {
    /// The same, if its options agree.
    ///
    /// # Errors
    /// `--wide` for a format that has no tables.
    pub fn agreeing(self) -> Result<Self, clap::Error> {
        let (wide, has_tables) = match &self.command {
            Command::Plan(PlanOptions { format, wide, .. }) => (*wide, *format == PlanFormat::Table),
            Command::Analyze(AnalyzeOptions { format, wide, .. }) => (*wide, *format == ResultFormat::Terminal),
            Command::Run(RunOptions { format, .. })
            | Command::Bisect(BisectOptions { format, .. })
            | Command::Profile(ProfileOptions { format, .. })
            | Command::Report { format, .. } => (format.wide, format.format.has_layout()),
            Command::Init { .. } | Command::Check { .. } | Command::Import(_) | Command::Supervise { .. } => {
                (false, false)
            }
        };
        if wide && !has_tables {
            let message = "--wide is for tables, and this --format has none: leave one of them out";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(self)
    }
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Table,
    /// For programs
    Json,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// For people
    Terminal,
    /// For programs
    Json,
}
