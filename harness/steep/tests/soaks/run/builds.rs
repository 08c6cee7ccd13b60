//! What is built: where, how long cargo waits for others meanwhile, and which flags that proves. Cargo is played by a
//! script, which leaves all but the build to the real one.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use super::Place;
use crate::support::stage;

const CARGO: &str = r#"#!/bin/sh
[ "$1" = build ] || exec "REAL" "$@"
echo "$CARGO_TARGET_DIR" > target-folder
case "$*" in *"--features cache"*) features='"cache"' ;; esac
echo "    Blocking waiting for file lock on build directory" >&2
for _ in $(seq 600); do [ -e go ] && break; sleep 0.1; done
echo "   Compiling shop v0.1.0" >&2
echo '{"reason":"compiler-artifact","package_id":"path+file:///shop#0.1.0","manifest_path":"/shop/Cargo.toml","target":{"kind":["bin"],"crate_types":["bin"],"name":"shop","src_path":"/shop/src/main.rs","edition":"2024","doc":true,"doctest":false,"test":true},"profile":{"opt_level":"3","debuginfo":0,"debug_assertions":false,"overflow_checks":false,"test":false},"features":['"$features"'],"filenames":["SERVICE"],"executable":"SERVICE","fresh":false}'
"#;

const MANIFEST: &str =
    "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\ncache = []\n[workspace]\n";

/// A package in the folder `shop`, with a scenario of two flags, and the cargo that builds it.
fn package() -> Place {
    let place = Place::new("fine", 2, "");
    let service = stage().display().to_string();
    fs::create_dir_all(place.path("shop/src")).unwrap();
    fs::write(place.path("shop/Cargo.toml"), MANIFEST).unwrap();
    fs::write(place.path("shop/src/main.rs"), "fn main() {}").unwrap();
    let cargo = CARGO.replace("REAL", env!("CARGO")).replace("SERVICE", &service);
    fs::write(place.path("cargo"), cargo).unwrap();
    fs::set_permissions(place.path("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    place.change(&format!("command = [\"{service}\", \"moody\"]"), "package = \"shop\"\nargs = [\"moody\"]");
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap();
    let flags = "[[flags]]\nname = \"cache\"\nkind = \"cargo-feature\"\nfeature = \"cache\"\n[[flags]]\nname = \"log\"\n\
                 kind = \"env\"\nvar = \"LOG\"\non = \"1\"\n[plan]\nstrategy = \"all\"\n";
    assert!(scenario.contains("MOOD"));
    fs::write(place.path("shop/soak.toml"), format!("{scenario}{flags}")).unwrap();
    place
}

#[test]
fn what_cargo_waits_is_said_and_is_not_a_time_of_building_and_features_need_no_further_proof() {
    let place = package();
    let mut command = place.steep(&["run", "shop/soak.toml", "--out", "out", "--format", "json"]);
    command.env("CARGO", place.path("cargo")).env("CARGO_TARGET_DIR", "elsewhere/target");
    let mut steep = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(steep.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("another cargo has the lock on the build directory, and this one waits for it") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    fs::write(place.path("shop/go"), "").unwrap();
    stderr.read_to_string(&mut said).unwrap();
    let output = steep.wait_with_output().unwrap();
    assert!(said.contains("of waiting for cargo's lock"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
    assert!(report["cells"][0]["verdict"] == "inconclusive", "{said}");
    let unverified = |flag: usize| report["flags"][flag]["unverified"].as_bool().unwrap();
    assert_eq!(
        (unverified(0), unverified(1)),
        (false, true),
        "cargo says that the feature is in, and nothing speaks of a variable"
    );
    // Relative it is to where steep was called.
    let folder = fs::read_to_string(place.path("shop/target-folder")).unwrap();
    let here = place.folder.path().canonicalize().unwrap();
    assert_eq!(folder.trim(), here.join("elsewhere/target/steep").display().to_string());
}
