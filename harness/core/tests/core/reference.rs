//! The reference of scenario keys says what the code does.
#![expect(clippy::disallowed_methods, reason = "the core has no files, and the reference is one")]

use std::fs;
use std::path::Path;

use steep_core::scenario::keys::reference;

#[test]
fn the_reference_of_keys_is_the_list_of_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenario.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, reference()).expect("write the reference");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == reference(), "docs/scenario.md is out of date: run `just docs`");
}
