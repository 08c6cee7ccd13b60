//! A report for programs: the whole model as one JSON document, and the schema of that.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use serde_json::json;

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
    let mut schema = generator.into_root_schema_for::<Report>();
    RecursiveTransform(allow_not_finite).transform(&mut schema);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

/// JSON has no infinity: what is not finite, as a time that is never reached, is written as `null`.
fn allow_not_finite(schema: &mut Schema) {
    let is = |name, value| schema.get(name).is_some_and(|given| given == value);
    if is("format", "double") && is("type", "number") {
        schema.insert("type".to_owned(), json!(["number", "null"]));
    }
}
