//! The reference of scenario keys, and the schema of reports, say what the code does.
#![expect(clippy::disallowed_methods, reason = "the core has no files, and the reference is one")]

use std::fs;
use std::path::Path;

use steep_core::report::schema;
use steep_core::scenario::keys::reference;

#[test]
fn the_reference_of_keys_is_the_list_of_keys() {
    is_written("scenario.md", &reference());
}

#[test]
fn the_reference_of_reports_is_the_schema_of_their_types() {
    is_written("report.schema.json", &schema());
}

fn is_written(name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, wanted).expect("write the reference");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == wanted, "docs/{name} is out of date: run `just docs`");
}
