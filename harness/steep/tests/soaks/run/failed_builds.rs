//! Builds that fail: what that means for their cells, and for those of other builds.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Place;

/// A cargo package whose service is that of the other tests, with one feature that builds and one that does not.
fn package(folder: &Path) {
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/moody.rs"), include_str!("../../../stage/moody.rs")).unwrap();
    fs::write(folder.join("src/guarded.rs"), include_str!("../../../stage/guarded.rs")).unwrap();
    let main = r#"
#[cfg(feature = "broken")]
compile_error!("the shelf is missing");
mod guarded;
mod moody;
fn main() {
    moody::serve_forever("fine", &std::env::args().nth(1).unwrap());
}
"#;
    fs::write(folder.join("src/main.rs"), main).unwrap();
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nsound = []\nbroken = []\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
}

#[test]
fn a_build_that_fails_ends_its_cells_and_no_others() {
    let flags = r#"
[[flags]]
name = "sound"
kind = "cargo-feature"
feature = "sound"
[[flags]]
name = "broken"
kind = "cargo-feature"
feature = "broken"
[plan]
strategy = "each"
"#;
    let place = Place::new("fine", 2, flags);
    package(place.folder.path());
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap();
    let package: Vec<&str> = scenario
        .lines()
        .filter(|line| !line.starts_with("env = "))
        .map(|line| if line.starts_with("command = ") { "package = \"shop\"\nargs = [\"{{port}}\"]" } else { line })
        .collect();
    fs::write(place.path("soak.toml"), package.join("\n")).unwrap();
    let ran = place.run();
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    let cells = ran.report["cells"].as_array().unwrap();
    let ids: Vec<_> = cells.iter().map(|cell| cell["cell"].as_str().unwrap()).collect();
    assert_eq!(ids, ["baseline", "broken", "sound"]);
    assert!(ran.is_undecided(0) && ran.is_undecided(2), "{}", ran.report);
    assert_eq!(cells[1]["verdict"], "invalid");
    assert!(cells[1]["reason"].as_str().unwrap().contains("the shelf is missing"), "{}", cells[1]["reason"]);
    // One folder for all builds, and the binary's hash in the header of the trace.
    assert!(place.path("target/steep/release/shop").is_file());
    let header = fs::read_to_string(place.path("out/sound/trace.jsonl")).unwrap();
    let header: Value = serde_json::from_str(header.lines().next().unwrap()).unwrap();
    assert_eq!(header["provenance"]["binary_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(header["provenance"]["features"], serde_json::json!(["sound"]));
}
