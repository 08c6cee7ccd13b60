//! What `check` says of growth that was filed long ago.

use std::fs;

use assert_cmd::Command;
use steep_core::testing::SOUND;

#[test]
fn an_entry_that_expired_is_a_warning_of_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("soak.toml");
    let more = r#"
[[flags]]
name = "labels"
kind = "env"
var = "LABELS"
[[known]]
flag = "labels"
issue = "https://example.org/issues/12"
max_growth_per_request = "64B"
expires = "2001-01-01"
"#;
    fs::write(&file, format!("{SOUND}{more}")).expect("write");
    let output = Command::cargo_bin("steep").expect("steep").arg("check").arg(&file).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("warning: what is known of labels expired on 2001-01-01"), "{said}");
    assert_eq!(output.status.code(), Some(0));
}
