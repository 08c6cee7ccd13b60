//! A report for programs: the whole model as one JSON document.

use super::Report;

pub(super) fn json(report: &Report) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}
