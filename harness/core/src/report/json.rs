//! A report for programs: the whole model as one JSON document, and the schema of that.

use schemars::generate::SchemaSettings;

use super::Report;

pub(super) fn json(report: &Report) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// The JSON schema (draft 2020-12) of what a [`Report`] is written as.
///
/// # Panics
/// Never: a schema is JSON.
#[must_use]
#[expect(clippy::expect_used, reason = "a schema is JSON")]
pub fn schema() -> String {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    serde_json::to_string_pretty(&generator.into_root_schema_for::<Report>()).expect("a schema is JSON") + "\n"
}
