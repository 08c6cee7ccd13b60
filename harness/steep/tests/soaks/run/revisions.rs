//! Git revisions as an axis: each is built from its own commit whatever is changed in the folder, and nothing is left
//! of the worktrees.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A server that answers its edition to everything, without any dependency.
const MAIN: &str = r#"
use std::io::{BufRead, BufReader, Write};
fn main() {
    let port = std::env::args().nth(1).unwrap();
    for stream in std::net::TcpListener::bind(format!("127.0.0.1:{port}")).unwrap().incoming().flatten() {
        std::thread::spawn(move || {
            let mut lines = BufReader::new(&stream).lines();
            while let Some(Ok(line)) = lines.next() {
                if line.is_empty() {
                    let edition = "EDITION";
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{edition}", edition.len());
                    if (&stream).write_all(head.as_bytes()).is_err() { return }
                }
            }
        });
    }
}
"#;

const SCENARIO: &str = r#"name = "editions"
[service]
package = "editions"
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
duration = "2s"
[[requests]]
name = "get"
path = "/"
[[axes]]
name = "revision"
kind = "revision"
values = ["v1", "v2"]
[plan]
strategy = "off"
"#;

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What the server of an edition answers.
fn text(edition: &str) -> String {
    format!("this is the edition {edition}")
}

/// A repository with the package in a folder of it: the tags `v1` and `v2`, and changes that are in no commit.
fn repository() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let package = place.path().join("service");
    fs::create_dir_all(package.join("src")).unwrap();
    git(place.path(), &["init", "-q"]);
    let manifest = "[package]\nname = \"editions\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::write(package.join(".gitignore"), "target\n").unwrap();
    for edition in ["v1", "v2"] {
        fs::write(package.join("src/main.rs"), MAIN.replace("EDITION", &text(edition))).unwrap();
        git(place.path(), &["add", "-A"]);
        git(place.path(), &["commit", "-q", "-m", edition]);
        git(place.path(), &["tag", edition]);
    }
    fs::write(package.join("src/main.rs"), "this is not Rust").unwrap();
    fs::write(package.join("soak.toml"), SCENARIO).unwrap();
    place
}

fn steep(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_steep")).args(args).current_dir(folder).output().unwrap()
}

#[test]
fn each_revision_is_built_from_its_commit_and_no_worktree_is_left() {
    let place = repository();
    let package = place.path().join("service");
    let output = steep(&package, &["run", "soak.toml", "--out", "out", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
    assert_eq!(report["cells"].as_array().unwrap().len(), 2, "{said}");
    for (cell, revision) in [("baseline", "v1"), ("baseline@revision=v2", "v2")] {
        let trace = fs::read_to_string(package.join("out").join(cell).join("trace.jsonl")).unwrap();
        let header: Value = serde_json::from_str(trace.lines().next().unwrap()).unwrap();
        assert_eq!(header["provenance"]["git_commit"], git(place.path(), &["rev-parse", revision]), "{said}");
        assert_eq!(header["provenance"]["git_dirty"], false);
        assert!(trace.contains("\"sent\""), "{cell} was not loaded: {said}");
        let binary = header["provenance"]["command"][0].as_str().unwrap();
        let program = fs::read(package.join(binary)).unwrap();
        let has = |edition: &str| {
            let text = text(edition);
            program.windows(text.len()).any(|bytes| bytes == text.as_bytes())
        };
        assert_eq!((has("v1"), has("v2")), (revision == "v1", revision == "v2"), "{binary}");
    }
    assert_eq!(git(place.path(), &["worktree", "list"]).lines().count(), 1);
    assert_eq!(fs::read_dir(package.join("target/steep/worktrees")).unwrap().count(), 0);
}

/// What `steep check` says with these values of the axis.
fn checked(folder: &Path, values: &str) -> String {
    fs::write(folder.join("soak.toml"), SCENARIO.replace(r#"["v1", "v2"]"#, values)).unwrap();
    String::from_utf8(steep(folder, &["check", "soak.toml"]).stderr).unwrap()
}

#[test]
fn revisions_that_are_not_there_or_in_no_order_are_reported() {
    let place = repository();
    let package = place.path().join("service");
    insta::assert_snapshot!(checked(&package, r#"["v2", "v1", "v3", "main"]"#));
    insta::assert_snapshot!(checked(&package, r#"["v2", "main"]"#));
    insta::assert_snapshot!(checked(&package, r#"["v2", "v1"]"#));
    fs::remove_dir_all(place.path().join(".git")).unwrap();
    let said = checked(&package, r#"["v1", "v2"]"#);
    assert!(said.contains("there are no revisions here") && said.contains("not a git repository"), "{said}");
}
