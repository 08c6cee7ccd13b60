//! A flag and a level in real services: what changes nothing in the program is compared with nothing, and what takes
//! memory once is reported.

use std::fs;
use std::process::Command;

use serde_json::Value;

/// A server that holds as many bytes as `HOLD` says, from its start.
const MAIN: &str = r#"
use std::io::{BufRead, BufReader, Write};
fn main() {
    let held = vec![inner::filler(); std::env::var("HOLD").map_or(0, |n| n.parse().unwrap())];
    let port = std::env::args().nth(1).unwrap();
    for stream in std::net::TcpListener::bind(format!("127.0.0.1:{port}")).unwrap().incoming().flatten() {
        std::thread::spawn(move || {
            let mut lines = BufReader::new(&stream).lines();
            while let Some(Ok(line)) = lines.next() {
                if line.is_empty() && (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() { return }
            }
        });
    }
    drop(held);
}
"#;

const SCENARIO: &str = r#"name = "levels"
[service]
package = "holder"
args = ["{{port}}"]
url = "http://127.0.0.1:{{port}}"
ready = { path = "/" }
[http]
connections = 2
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 50
duration = "4s"
[[requests]]
name = "get"
path = "/"
[[flags]]
name = "idle"
kind = "cargo-feature"
feature = "inner/filled"
[[flags]]
name = "dictionary"
kind = "env"
var = "HOLD"
on = "40000000"
[plan]
strategy = "each"
"#;

#[test]
fn a_level_is_reported_and_a_feature_that_leaves_the_program_as_it_is_is_compared_with_nothing() {
    let place = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        fs::create_dir_all(place.path().join(path).parent().unwrap()).unwrap();
        fs::write(place.path().join(path), text).unwrap();
    };
    let manifest =
        "[package]\nname = \"holder\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\nmembers = [\"inner\"]\n";
    // What the flag turns on is on already, by another way: cargo builds nothing anew.
    write(
        "Cargo.toml",
        &format!("{manifest}[dependencies]\ninner = {{ path = \"inner\", features = [\"filled\"] }}\n"),
    );
    let inner = "[package]\nname = \"inner\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[features]\nfilled = []\n";
    write("inner/Cargo.toml", inner);
    write("inner/src/lib.rs", "pub fn filler() -> u8 { if cfg!(feature = \"filled\") { 1 } else { 0 } }\n");
    write("src/main.rs", MAIN);
    write("soak.toml", SCENARIO);
    let steep = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_steep")).args(args).current_dir(place.path()).output().unwrap()
    };
    let output = steep(&["run", "soak.toml", "--out", "out", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
    let alike = &report["alike"][0];
    assert_eq!((&alike["cell"], &alike["same_as"]), (&"idle".into(), &"baseline".into()), "{report}");
    assert_eq!(report["alike"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["flags"][0]["guilt"], "undecided", "{report}");
    assert!(report["flags"][0]["reason"].as_str().unwrap().contains("ran the same program as baseline"), "{report}");

    let factors = report["levels"]["factors"].as_array().unwrap();
    assert_eq!(factors.len(), 1, "{report}");
    assert_eq!(factors[0]["names"][0], "dictionary");
    let peak = &factors[0]["adds"]["peak_bytes"];
    let number = |key: &str| peak[key].as_f64().unwrap() / 1_048_576.0;
    assert!(peak["is_said"] == true && number("low") < 38.2 && number("high") > 38.1, "{peak}");
    assert!((number("value") - 38.1).abs() < 2.0, "{peak}");

    let described = String::from_utf8(steep(&["report", "out"]).stdout).unwrap();
    assert!(described.contains("idle ran the same program as baseline, started the same way"), "{described}");
    let words = described.split_whitespace().collect::<Vec<_>>().join(" ");
    // Its own figure, to a tenth: allocators and threads of a busy machine move the second.
    let adds = format!("`dictionary` adds {:.1}", number("value"));
    assert!(words.contains(&adds) && words.contains("MiB in the peak"), "{adds}: {described}");
}

#[test]
fn a_feature_that_no_source_asks_for_is_reported_before_anything_is_built() {
    let place = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        fs::create_dir_all(place.path().join(path).parent().unwrap()).unwrap();
        fs::write(place.path().join(path), text).unwrap();
    };
    let features = "[features]\nidle = []\nasked = []\nbuilt-in = []\nboth = [\"asked\"]\n";
    write(
        "Cargo.toml",
        &format!("[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n{features}"),
    );
    write("src/main.rs", "mod deep;\nfn main() {}\n");
    write("src/deep/mod.rs", "#[cfg(feature = \"asked\")]\nconst ASKED: () = ();\n");
    write("build.rs", "fn main() { std::env::var(\"CARGO_FEATURE_BUILT_IN\").ok(); }\n");
    let flags = ["idle", "asked", "built-in", "both"]
        .map(|name| format!("[[flags]]\nname = \"{name}\"\nkind = \"cargo-feature\"\nfeature = \"{name}\"\n"));
    let head = SCENARIO.split("[[flags]]").next().unwrap().replace("\"holder\"", "\"shop\"");
    write("soak.toml", &(head + &flags.concat()));
    let output =
        Command::new(env!("CARGO_BIN_EXE_steep")).args(["check", "soak.toml"]).current_dir(place.path()).output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("nothing in the sources of \"shop\" asks for the feature \"idle\""), "{said}");
    assert_eq!(said.matches("asks for the feature").count(), 1, "{said}");
}
