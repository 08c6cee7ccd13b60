//! Reports for machines: one file for each form.
//!
//! All are made of cases, what is said of each flag, value of an axis and cell, and of their figures. A text of others
//! passes through the escaping of its form.

mod annotations;
mod bencher;
mod case;
mod code_quality;
mod figure;
mod junit;
mod markdown;
mod openmetrics;

pub(super) use self::annotations::annotations;
pub(super) use self::bencher::bencher;
pub(super) use self::code_quality::code_quality;
pub(super) use self::junit::junit;
pub(super) use self::markdown::markdown;
pub(super) use self::openmetrics::openmetrics;
