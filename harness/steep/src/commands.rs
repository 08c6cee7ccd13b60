//! One file for each command: what it reads, in which order it does things, and what it prints. Only here meet the pure
//! half and the effects.

mod analyze;
mod bisect;
mod campaign;
mod check;
mod configs;
mod features;
mod import;
mod init;
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
pub use self::import::import;
pub use self::init::init;
pub use self::plan::plan;
pub use self::profile::profile;
pub use self::report::{report, report_schema};
pub use self::run::run;
