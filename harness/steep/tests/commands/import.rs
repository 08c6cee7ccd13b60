//! `steep import` from the command line: what it writes, what it refuses, and what stands on stdout and stderr.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

/// Runs `steep import` with `stdin`; exit status, stdout, stderr.
fn import(args: &[&str], stdin: impl Into<Vec<u8>>) -> (i32, String, String) {
    let output = Command::cargo_bin("steep").unwrap().arg("import").args(args).write_stdin(stdin).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A log of `minutes`, one request per second.
fn log(minutes: u32) -> String {
    let line = |second: u32| {
        let (minute, second) = (second / 60, second % 60);
        format!("::1 - - [10/Oct/2026:13:{minute:02}:{second:02} +0000] \"GET /items/{second} HTTP/1.1\" 200 5\n")
    };
    (0..minutes * 60).map(line).collect()
}

fn check(scenario: &Path) -> (i32, String) {
    let output = Command::cargo_bin("steep").unwrap().arg("check").arg(scenario).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_log_gives_a_scenario_and_its_rates_in_files_that_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("access.log"), log(10)).unwrap();
    let (from, to) = (path("access.log"), path("soak.toml"));
    let args = ["access-log", from.to_str().unwrap(), "-o", to.to_str().unwrap()];
    let (status, stdout, stderr) = import(&args, "");
    assert_eq!((status, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("600 lines read: 1 route stand"), "{stderr}");
    let rates = fs::read_to_string(path("soak.rates.csv")).unwrap();
    assert!(rates.starts_with("time,rate\n0,1\n30,1\n"), "{rates}");
    let scenario = fs::read_to_string(&to).unwrap();
    assert!(scenario.contains("path = \"soak.rates.csv\"") && scenario.contains("name = \"soak\""), "{scenario}");
    fs::remove_file(&to).unwrap();
    let (status, _, stderr) = import(&args, "");
    assert_eq!(status, 4);
    assert!(stderr.contains("soak.rates.csv exists already"), "{stderr}");
    assert!(!to.exists());
}

#[test]
fn a_short_log_and_a_description_give_scenarios_that_pass_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let description = "openapi: 3.1.0\npaths: {'/a/{id}': {get: {parameters: [{name: id, in: path}]}}}\n";
    for (source, text) in [("access-log", log(1)), ("openapi", description.to_owned())] {
        let file = folder.path().join(format!("{source}.toml"));
        let (status, _, stderr) = import(&[source, "-", "-o", file.to_str().unwrap()], text);
        assert_eq!(status, 0, "{stderr}");
        assert_eq!(check(&file), (0, String::new()), "{}", fs::read_to_string(&file).unwrap());
    }
}

#[test]
fn without_a_file_the_scenario_goes_to_stdout() {
    let (status, stdout, stderr) = import(&["access-log", "-", "--url", "http://localhost:8080"], log(10));
    assert_eq!(status, 0);
    assert!(
        stdout.starts_with("# From an access log") && stdout.contains("shape = \"constant\"\nrate = 1\n"),
        "{stdout}"
    );
    assert!(stdout.contains("url = \"http://localhost:8080\"") && !stderr.contains("written"), "{stderr}");
}

#[test]
fn what_is_not_a_log_and_no_description_is_reported() {
    let endless = vec![b'x'; 1 << 20];
    let cases: [(&str, &[u8], &str); 7] = [
        ("access-log", b"", "the log is empty"),
        ("access-log", b"\x1f\x8b\x08\x00", "is compressed: zcat"),
        ("access-log", &endless, "1 of 1 lines are not in the common or combined format"),
        ("access-log", b"\x00\x01\n\xff\xfe\n", "2 of 2 lines are not"),
        ("openapi", b"", "not a description in OpenAPI 3"),
        ("openapi", b"\xff\xfe", "stream did not contain valid UTF-8"),
        ("openapi", b"<html>", "OpenAPI"),
    ];
    for (source, text, wanted) in cases {
        let (status, stdout, stderr) = import(&[source, "-"], text);
        assert_eq!((status, stdout.as_str()), (4, ""), "{source} {wanted}: {stderr}");
        assert!(stderr.contains(wanted), "{wanted}: {stderr}");
    }
    assert!(import(&["openapi", "/no/such/file"], "").2.contains("open /no/such/file"));
}

/// A scenario by `steep import` of `log`, which `steep check` takes.
fn imported(log: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("soak.toml");
    let (status, _, said) = import(&["access-log", "-", "-o", to.to_str().unwrap()], log);
    assert_eq!(status, 0, "{said}");
    assert_eq!(check(&to), (0, String::new()));
    (fs::read_to_string(to).unwrap(), said)
}

#[test]
fn whatever_a_log_has_its_scenario_passes_check() {
    let line = |day: u32, minute: u32, request: &str| {
        let (month, day) = if day < 31 { ("Mar", 1 + day) } else { ("Apr", day - 30) };
        let (hour, minute) = (minute / 60, minute % 60);
        format!("::1 - - [{day:02}/{month}/2026:{hour:02}:{minute:02}:00 +0000] \"GET {request} HTTP/1.1\" 200 5\n")
    };
    // 45 days.
    let long: String = (0..45 * 48).map(|nth| line(nth / 48, nth % 48 * 30, &format!("/items/{nth}"))).collect();
    let (text, said) = imported(&long);
    assert!(said.contains("720 requests left out of the rates: a phase lasts at most 30 days"), "{said}");
    assert!(text.contains("shape = \"from_file\""), "{text}");
    // One line with a damaged year.
    let short: String = (0..60).map(|minute| line(0, minute, "/a")).collect();
    let (_, said) = imported(&format!("{short}{}", line(0, 0, "/a").replace("2026", "2206")));
    assert!(said.contains("1 request left out of the rates: more than a day away"), "{said}");
    // What scans leave, names that mean something, numbers and paths without end.
    let odd = ["{{7*7}}", "%7B%7Bx%7D%7D", "a\\x22b", "}}", "%00", "999999999999999999", "%F0%9F%A6%80"];
    let asked = |nth: u32| format!("/find/{}?env={}&q=w{nth}", odd[nth as usize % 7], odd[nth as usize % 6]);
    let scanned: String = (0..600).map(|nth| line(0, nth % 60, &asked(nth))).collect();
    let long_path = line(0, 0, &format!("/{}", "x".repeat(9_000)));
    let (text, said) = imported(&(scanned + &long_path));
    assert!(!text.contains("{{7") && text.contains("[params.env_2]"), "{text}");
    assert!(said.contains("Left out: 1 "), "{said}");
}
