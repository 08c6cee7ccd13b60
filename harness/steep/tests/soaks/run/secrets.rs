//! Secrets of the environment: they are sent, written nowhere, and missed before anything is started.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Place, Ran};

#[path = "../../../stage/guarded.rs"]
mod guarded;

/// Sent within [`guarded::BASIC`] only.
const PASSWORD: &str = "hush-word-0815";

/// All that a run wrote, below `folder`.
fn all_files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![(path.clone(), fs::read(path).unwrap())] })
        .collect()
}

#[test]
fn a_secret_is_sent_and_written_nowhere() {
    // Sent, or the service would say 401 to everything.
    let more = "headers = { x-key = \"key {{env.SHOP_KEY}}\" }\n[http.auth]\nbasic = { user = \"u\", password_env = \"SHOP_PASSWORD\" }";
    let place = Place::new("guarded", 2, more);
    let (key, password) = (guarded::KEY, PASSWORD);
    let mut command = place.steep(&["run", "soak.toml", "--out", "out", "--format", "json"]);
    let output = command.env("SHOP_KEY", key).env("SHOP_PASSWORD", password).env("RUST_LOG", "trace").output().unwrap();
    let written = [output.stdout.clone(), output.stderr.clone()].concat();
    let ran = Ran::of(output);
    assert!(ran.is_undecided(0), "{} {}", ran.stderr, ran.reason());
    assert!(ran.requests("ok") > 0 && ran.requests("failed_status") == 0);

    let mut files = all_files(&place.path("out"));
    assert!(files.iter().any(|(path, _)| path.ends_with("run.json")), "{files:?}");
    files.push(("output".into(), written));
    for secret in [key, password, guarded::BASIC] {
        let has_it = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        let described: Vec<&PathBuf> = files.iter().filter(|(_, bytes)| has_it(bytes)).map(|(path, _)| path).collect();
        assert!(described.is_empty(), "{secret} stands in {described:?}");
    }
}

#[test]
fn a_secret_that_is_not_there_is_named_before_anything_is_started() {
    let place = Place::new("guarded", 2, "[http.auth]\nbearer_env = \"NOBODY_SET_THIS\"");
    for command in ["check", "run"] {
        let ran = Ran::of(place.steep(&[command, "soak.toml"]).output().unwrap());
        assert_eq!(ran.status, 2);
        assert!(ran.stderr.contains("the environment has no variable NOBODY_SET_THIS"), "{}", ran.stderr);
    }
}
