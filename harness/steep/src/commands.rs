//! One file for each command: what it reads, in which order it does things, and what it prints. Only here meet the pure
//! half and the effects.

mod analyze;
mod at_once;
mod bisect;
mod campaign;
mod check;
mod clean;
mod compare;
mod configs;
mod features;
mod history;
mod import;
mod init;
mod live_view;
mod manual;
mod night;
mod outcomes;
mod output;
mod page;
mod plan;
mod profile;
mod rendered;
mod report;
mod revisions;
mod run;
mod scenario_file;
mod supplies;

pub use self::analyze::analyze;
pub use self::bisect::bisect;
pub use self::check::check;
pub use self::clean::clean;
pub use self::compare::compare;
pub use self::history::history;
pub use self::import::import;
pub use self::init::init;
pub use self::live_view::live_view;
pub use self::manual::{completions, man};
pub use self::plan::plan;
pub use self::profile::profile;
pub use self::report::{report, report_schema};
pub use self::run::run;
