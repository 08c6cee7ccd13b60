//! Reports: the model of what a run comes to, and one file for each format that prints it.
//!
//! Where to add a format: a variant in [`Format`] (`report/format.rs`) and a file beside it that renders a [`Report`];
//! `report/json.rs` is the shortest, and `report/files/` has those for machines. `--format` offers what [`Format::ALL`]
//! lists.
//!
//! Pure: rendering gives a text.

mod analysis;
mod files;
mod format;
mod json;
mod layout;
mod model;
mod not_run;
mod page;
mod settling;
mod terminal;

pub use self::analysis::Analysis;
pub use self::format::{Format, RenderError};
pub use self::json::schema;
pub use self::layout::Layout;
pub use self::model::{Missing, Report, Results};
pub use self::not_run::{NotJudged, NotRun};
pub use self::page::{Course, Page, history_page, policy};
pub use self::terminal::{cells, compared, history, outline_text, plan_table, profile, rehearsed, terminal};
