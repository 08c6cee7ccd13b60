//! The command line: help texts, exit statuses, and where things are printed.

use std::fs;

use assert_cmd::Command;
use clap::{CommandFactory as _, Parser as _};
use steep::cli::Cli;
use steep_core::testing::sound;

fn steep(args: &[&str]) -> std::process::Output {
    Command::cargo_bin("steep").unwrap().args(args).env("COLUMNS", "100").env_remove("CLICOLOR_FORCE").output().unwrap()
}

fn stdout(args: &[&str]) -> String {
    String::from_utf8(steep(args).stdout).unwrap()
}

#[test]
fn help_texts() {
    insta::assert_snapshot!("help", stdout(&["--help"]));
    let all = ["init", "check", "plan", "run", "profile", "bisect", "analyze", "report", "compare", "history", "clean"];
    for command in all.iter().chain(&["completions", "man", "import"]) {
        insta::assert_snapshot!(format!("help-{command}"), stdout(&[command, "--help"]));
    }
}

#[test]
fn help_texts_of_imports() {
    for source in ["access-log", "openapi"] {
        insta::assert_snapshot!(format!("help-import-{source}"), stdout(&["import", source, "--help"]));
    }
}

/// The examples of a command's help: what follows `steep` up to what a shell takes.
fn examples(command: &clap::Command) -> Vec<Vec<String>> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let of_shell = |word: &str| matches!(word, ">" | "|" | "<" | ">>");
    let lines = help.lines().filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        let words: Vec<&str> = line.split_whitespace().skip_while(|word| *word != "steep").collect();
        let is_command = line.starts_with("steep ") || line.contains("| steep ");
        let own = words.into_iter().take_while(|word| !of_shell(word)).map(str::to_owned).collect();
        is_command.then_some(own)
    });
    lines.collect()
}

/// All commands that users see, with what leads to them.
fn commands(command: &clap::Command, path: &[String]) -> Vec<(Vec<String>, clap::Command)> {
    let seen = command.get_subcommands().filter(|next| !next.is_hide_set() && next.get_name() != "help");
    let below = seen.flat_map(|next| commands(next, &[path, &[next.get_name().to_owned()]].concat()));
    std::iter::once((path.to_vec(), command.clone())).chain(below).collect()
}

#[test]
fn every_help_has_an_example_of_its_command_and_each_is_a_command_line() {
    let whole = Cli::command();
    for (path, command) in commands(&whole, &["steep".to_owned()]) {
        let examples = examples(&command);
        assert!(!examples.is_empty(), "{path:?} has no example");
        for example in examples {
            let parsed = Cli::try_parse_from(&example).and_then(Cli::agreeing);
            assert!(parsed.is_ok(), "{example:?}: {}", parsed.unwrap_err());
            assert!(example.starts_with(&path), "{example:?} is none of {path:?}");
        }
    }
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = stdout(&["completions", shell]);
        for command in ["compare", "history", "bisect"] {
            assert!(text.contains(command), "{shell} does not know {command}");
        }
    }
    let page = stdout(&["man"]);
    assert!(page.contains(".TH steep") && page.contains("history"), "{page}");
    let page = stdout(&["man", "import", "openapi"]);
    assert!(page.contains("openapi") && page.contains("steep import openapi openapi.yaml"), "{page}");
    assert_eq!(steep(&["man", "frobnicate"]).status.code(), Some(2));
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    assert_eq!(steep(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(steep(&[]).status.code(), Some(2));
    assert_eq!(steep(&["run", "x.toml", "--out", "a", "--resume", "b"]).status.code(), Some(2));
}

#[test]
fn what_is_wide_is_a_table_and_no_format_without_one() {
    for command in [&["report", "run"][..], &["run", "x.toml"], &["analyze", "x.csv"], &["plan", "x.toml"]] {
        let output = steep(&[command, &["--wide", "--format", "json"]].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(stderr.contains("--wide is for tables"), "{stderr}");
    }
    let output = steep(&["report", "run", "--format", "pdf"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && stderr.contains("possible values: terminal, json"), "{stderr}");
}

#[test]
fn a_table_in_a_pipe_has_80_columns_and_cuts_no_name_and_a_wide_one_has_a_line_for_each_row() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("soak.toml");
    let names: Vec<String> = (0..6).map(|number| format!("a-flag-with-a-long-name-{number}")).collect();
    let flag = |name: &String| format!("[[flags]]\nname = \"{name}\"\nkind = \"env\"\nvar = \"F_{}\"\n", &name[24..]);
    // Every row of the plan is wider than the 80 columns of a file.
    let flags: String = names.iter().map(flag).collect();
    fs::write(&file, sound("5m", &format!("[plan]\nstrategy = \"leave-one-out\"\n{flags}"))).unwrap();
    let file = file.to_str().unwrap();
    let (narrow, wide) = (stdout(&["plan", file]), stdout(&["plan", file, "--wide"]));
    assert!(narrow.lines().all(|line| line.chars().count() <= 80) && !narrow.contains('…'), "{narrow}");
    assert!(wide.lines().any(|line| line.contains(&names[..5].join("+"))), "{wide}");
    assert!(names.iter().all(|name| narrow.contains(name)), "{narrow}");
}

#[test]
fn a_wrong_scenario_exits_with_2_and_is_reported_on_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("soak.toml");
    fs::write(&file, "nme = \"x\"\n").unwrap();
    for command in ["check", "plan", "run"] {
        let output = steep(&[command, file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("unknown key \"nme\"") && stderr.contains("did you mean \"name\"?"), "{stderr}");
        assert!(output.stdout.is_empty());
    }
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&["check", file.to_str().unwrap(), "--format", "json"])).unwrap();
    assert!(json.as_array().unwrap().iter().any(|problem| problem["line"] == 1 && problem["column"] == 1), "{json}");
}

#[test]
fn a_scenario_that_is_not_there_exits_with_2() {
    let output = steep(&["check", "/no/such/file.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot read the scenario"));
}

#[test]
fn a_flag_that_names_no_feature_of_the_package_is_reported_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), "fn main() {}\n").unwrap();
    let manifest =
        "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nsessions = []\n[workspace]\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    let flag = "[[flags]]\nname = \"sessions\"\nkind = \"cargo-feature\"\nfeature = \"session\"\n";
    let scenario = sound("5m", flag).replace("command = [\"shop\"]", "package = \"shop\"");
    let file = folder.path().join("soak.toml");
    fs::write(&file, scenario).unwrap();
    let output = steep(&["check", file.to_str().unwrap()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("package \"shop\" has no feature \"session\""), "{stderr}");
    assert!(stderr.contains("did you mean \"sessions\"?"), "{stderr}");
}

#[test]
fn every_scenario_that_comes_with_steep_is_valid() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "toml") {
            let output = steep(&["check", entry.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            let text = fs::read_to_string(&entry).unwrap();
            assert!(text.starts_with("# "), "{} opens with no comment that says what it shows", entry.display());
        }
    }
}

#[test]
fn a_folder_that_is_not_a_run_has_no_report() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(steep(&["report", folder.path().to_str().unwrap()]).status.code(), Some(4));
}

#[test]
fn init_writes_a_scenario_that_is_sound_and_overwrites_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), "fn main() { serve(\"0.0.0.0:3000\", \"/healthz\") }\n").unwrap();
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\ndefault = [\"cache\"]\ncache = []\n[workspace]\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    let (home, file) = (folder.path().to_str().unwrap(), folder.path().join("steep.toml"));
    assert_eq!(steep(&["init", home]).status.code(), Some(0));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("url = \"http://127.0.0.1:3000\"") && text.contains("path = \"/healthz\""), "{text}");
    let checked = steep(&["check", file.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    let again = steep(&["init", home]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8(again.stderr).unwrap().contains("is there already"));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_limit_of_hours_that_fits_no_replicate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("soak.toml");
    let scenario = sound("30m", "[plan]\nreplicates = 2\n");
    fs::write(&file, scenario).unwrap();
    let plan = |hours: &str| steep(&["plan", file.to_str().unwrap(), "--max-hours", hours]);
    assert_eq!(plan("0.1").status.code(), Some(2));
    assert!(String::from_utf8(plan("0.1").stderr).unwrap().contains("--max-hours allows 6m"));
    let shortened = String::from_utf8(plan("0.9").stdout).unwrap();
    assert!(shortened.contains("1 cell of 30m") && shortened.contains("left out: 1 cell"), "{shortened}");
    assert_eq!(plan("none").status.code(), Some(2));
}

#[test]
fn texts_of_others_steer_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let escapes = "\u{1b}]52;c;cHduZWQ=\u{7}\u{9b}2J\u{202e}";
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // A key, a value, a comment beside them, and the name of the file.
    let scenario = format!("name = \"a{escapes}b\" # {escapes}\n[ser{escapes}vice]\n\"k{escapes}\" = 1\n");
    let named = at(&format!("soak{escapes}.toml"));
    fs::write(&named, &scenario).unwrap();
    let quoted = format!("name = \"soak\"\n\"{}\" = 1\n", "\\u001b]52;c;cHduZWQ=\\u0007\\u009b2J\\u202e");
    fs::write(at("quoted.toml"), quoted).unwrap();
    fs::write(at("a.csv"), format!("t_s,rss{escapes}_bytes\n0,1\n")).unwrap();
    fs::write(at("a.jsonl"), format!("{{\"record\":\"{escapes}\"}}\n")).unwrap();
    fs::write(at("a.log"), format!("{escapes}\n")).unwrap();
    fs::write(at("a.json"), format!("{{\"openapi\": \"{escapes}\"}}")).unwrap();
    let cases = [
        &["check", &named][..],
        &["check", &named, "--format", "json"],
        &["check", &at("quoted.toml")],
        &["check", &at(escapes)],
        &["analyze", &at("a.csv")],
        &["analyze", &at("a.csv"), "--format", "json"],
        &["analyze", &at("a.jsonl")],
        &["report", &at(escapes)],
        &["import", "access-log", &at("a.log")],
        &["import", "openapi", &at("a.json")],
        &[escapes],
        &["run", "a.toml", escapes],
    ];
    for args in cases {
        let output = steep(args);
        let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        assert!(!said.is_empty() && !said.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{args:?}: {said:?}");
    }
}

/// Any two of them may leak together only.
#[test]
fn a_search_among_too_many_flags_is_refused_with_what_to_do() {
    let flags: String =
        (0..301).map(|nth| format!("[[flags]]\nname = \"f{nth}\"\nkind = \"env\"\nvar = \"F{nth}\"\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let (scenario, out) = (folder.path().join("soak.toml"), folder.path().join("out"));
    fs::write(&scenario, sound("5m", &flags)).unwrap();
    let (scenario, out) = (scenario.to_str().unwrap(), format!("--out={}", out.to_str().unwrap()));
    for args in [
        &["bisect", scenario, "--plan-only=1"][..],
        &["bisect", scenario, &out],
        &["plan", scenario, "--until=23:59"],
        &["run", scenario, "--until=23:59", &out],
    ] {
        let output = steep(args);
        let said = String::from_utf8(output.stderr).unwrap();
        let wanted = "error: 301 flags are too many to search among, and 300 are the most: put flags that belong";
        assert!(said.contains(wanted) && output.status.code() == Some(2), "{args:?}: {said}");
    }
    assert!(!folder.path().join("out").exists());
}
