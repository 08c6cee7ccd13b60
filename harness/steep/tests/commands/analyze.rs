//! `steep analyze`: what it takes, what it prints, and that nothing broken is a panic.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use steep::shell::store::{RunFolder, RunRecord, TRACE_FILE};
use steep_core::plan::plan;
use steep_core::problem::Spans;
use steep_core::scenario::Scenario;
use steep_core::scenario::package::Features;
use steep_core::sim::{SimService, soak};
use steep_core::testing::{decoded, sound};
use steep_core::trace::{Provenance, Record};

const HEAD: &str = "t_s,rss_bytes,requests\n";

fn analyze(args: &[&str]) -> std::process::Output {
    Command::cargo_bin("steep").unwrap().arg("analyze").args(args).env("COLUMNS", "100").output().unwrap()
}

/// What is said of each input, and the exit status.
fn judged(args: &[&str]) -> (Vec<Value>, i32) {
    let output = analyze(&[args, &["--format", "json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

/// A calm service with a little noise that has no pattern a model could follow.
fn row(t: usize) -> String {
    format!("{t},{},{}\n", 20_000_000 + t * 7919 % 104_729, t * 100)
}

fn rows(count: usize) -> String {
    (0..count).map(row).collect()
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let file = folder.join(name);
    fs::write(&file, bytes).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn broken_files_are_invalid_or_inconclusive_with_a_reason_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{HEAD}{}", rows(400));
    let hour_later: String = (4000..4400).map(row).collect();
    let cases: [(&str, Vec<u8>, &str, &str, i32); 22] = [
        ("empty.csv", b"".to_vec(), "invalid", "the file is empty", 4),
        ("head.csv", HEAD.into(), "inconclusive", "there are no readings", 3),
        ("three.csv", format!("{HEAD}{}", rows(3)).into(), "inconclusive", "too short: 3 readings", 3),
        ("nan.csv", format!("{long}400,NaN,5\n").into(), "invalid", "reading 401 is not a possible number", 4),
        ("infinite.csv", format!("{long}inf,1,5\n").into(), "invalid", "reading 401 is not a possible number", 4),
        ("negative.csv", format!("{long}400,-1,5\n").into(), "invalid", "line 402: -1 bytes", 4),
        ("words.csv", format!("{long}400,many,5\n").into(), "invalid", "line 402: \"many\" is not a number", 4),
        ("backwards.csv", format!("{long}3,20000000,40000\n").into(), "invalid", "time goes backwards", 4),
        ("reset.csv", format!("{long}400,20000000,0\n").into(), "stable", "2 lives; life 1, from line 2: no leak", 0),
        ("hour.csv", format!("{long}{hour_later}").into(), "inconclusive", "800 readings where about 4399", 3),
        ("garbage.csv", (0..=255).cycle().skip(128).take(9000).collect(), "invalid", "line 1 is not UTF-8 text", 4),
        ("zeros.csv", vec![0; 9000], "invalid", "names no column", 4),
        ("long.csv", vec![b'7'; 300_000], "invalid", "line 1 goes on for more than 64 KiB", 4),
        ("quote.csv", format!("{HEAD}0,\"{}", rows(9000)).into(), "invalid", "line 2 goes on for more than 64 KiB", 4),
        ("semicolons.csv", long.replace(',', ";").into(), "stable", "no leak", 0),
        ("twice.csv", format!("t_s,rss_bytes,rss_bytes\n{}", rows(400)).into(), "invalid", "rss_bytes twice", 4),
        ("cut.csv", format!("{long}400,2000").into(), "invalid", "line 402 has 2 fields", 4),
        (
            "others.csv",
            long.replace("rss_bytes", "rss").into(),
            "invalid",
            "the unit of rss stands nowhere: say it by --unit",
            4,
        ),
        ("none.csv", long.replace("rss_bytes", "cpu").into(), "invalid", "it has t_s, cpu, requests", 4),
        ("empty.jsonl", b"".to_vec(), "invalid", "the trace is empty", 4),
        ("garbage.jsonl", vec![0xff; 9000], "invalid", "trace", 4),
        ("sample.jsonl", b"{\"record\":\"sample\"}\n".to_vec(), "invalid", "not a header of a trace", 4),
    ];
    for (name, bytes, verdict, reason, status) in cases {
        let file = write(folder.path(), name, bytes);
        let (said, code) = judged(&[&file]);
        assert_eq!(said.len(), 1, "{name}");
        assert_eq!((said[0]["verdict"].as_str().unwrap(), code), (verdict, status), "{name}: {}", said[0]);
        assert!(said[0]["reason"].as_str().unwrap().contains(reason), "{name}: {}", said[0]);
    }
}

#[test]
fn what_is_not_there_or_is_a_folder_keeps_nothing_else_from_being_judged() {
    let folder = tempfile::tempdir().unwrap();
    let sound = write(folder.path(), "sound.csv", format!("{HEAD}{}", rows(1800)));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let (said, status) = judged(&["/no/such/file.csv", empty.to_str().unwrap(), "/no/such/trace.jsonl", &sound]);
    let verdicts: Vec<&str> = said.iter().map(|said| said["verdict"].as_str().unwrap()).collect();
    assert_eq!((&verdicts[..], status), (&["invalid", "invalid", "invalid", "stable"][..], 4));
    for (said, reason) in said.iter().zip(["No such file", "neither run.json nor trace.jsonl", "No such file"]) {
        assert!(said["reason"].as_str().unwrap().contains(reason), "{said}");
    }
}

#[test]
fn every_input_has_exactly_the_promised_fields_and_null_where_nothing_was_fitted() {
    const PROMISED: [&str; 22] = [
        "source",
        "verdict",
        "rule",
        "reason",
        "growth_bytes_per_hour",
        "low_bytes_per_hour",
        "high_bytes_per_hour",
        "growth_bytes_per_request",
        "low_bytes_per_request",
        "high_bytes_per_request",
        "follows",
        "evidence",
        "leak_model",
        "calm_model",
        "need_seconds",
        "seen_at_least_bytes_per_hour",
        "samples",
        "seconds",
        "series",
        "format",
        "unit",
        "remarks",
    ];
    let folder = tempfile::tempdir().unwrap();
    let sound = write(folder.path(), "sound.csv", format!("{HEAD}{}", rows(1800)));
    let no_requests: String = (0..1800).map(|t| format!("{t},{}\n", 20_000_000 + t * 7919 % 104_729)).collect();
    let no_requests = write(folder.path(), "memory.csv", format!("t_s,rss_bytes\n{no_requests}"));
    let short = write(folder.path(), "short.csv", format!("{HEAD}{}", rows(3)));
    let broken = write(folder.path(), "broken.csv", "");
    let nulls = |file: &str| {
        let (said, _) = judged(&[file]);
        let said = said[0].as_object().unwrap().clone();
        assert_eq!(said["source"], file);
        let mut names: Vec<&str> = said.keys().map(String::as_str).collect();
        let mut wanted = PROMISED.to_vec();
        names.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(names, wanted);
        PROMISED.iter().filter(|name| said[**name].is_null()).copied().collect::<Vec<&str>>()
    };
    assert_eq!(nulls(&sound), ["need_seconds", "series"]);
    let per_request = ["growth_bytes_per_request", "low_bytes_per_request", "high_bytes_per_request"];
    assert_eq!(nulls(&no_requests), [&per_request[..], &["need_seconds", "series"]].concat());
    let fitted = || PROMISED[4..18].iter().copied();
    let of_short = fitted().filter(|name| *name != "need_seconds").chain(["series"]);
    assert_eq!(nulls(&short), of_short.collect::<Vec<_>>());
    assert_eq!(nulls(&broken), fitted().chain(["series", "format", "unit"]).collect::<Vec<_>>());
}

#[test]
fn other_column_names_are_read_and_wrong_ones_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let ours = write(folder.path(), "ours.csv", format!("{HEAD}{}", rows(1800)));
    let other = write(folder.path(), "other.csv", format!("when,rss,done\n{}", rows(1800)));
    let (mut said, _) = judged(&[&other, "--columns", "time=when,memory=rss,requests=done", "--unit", "bytes"]);
    said[0]["source"] = ours.clone().into();
    assert_eq!(said, judged(&[&ours]).0);

    let (said, status) = judged(&[&other, "--columns", "time=when,memory=heap"]);
    assert_eq!(status, 4);
    assert!(said[0]["reason"].as_str().unwrap().contains("no column heap; it has when, rss, done"), "{}", said[0]);

    for (columns, described) in [
        ("colour=red", "unknown role \"colour\": expected one of time"),
        ("time", "not a ROLE=NAME"),
        ("time=a,time=b", "twice"),
    ] {
        let output = analyze(&[&other, "--columns", columns]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{columns}");
        assert!(stderr.contains(described), "{stderr}");
    }
}

#[test]
fn live_bytes_decide_where_their_column_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..1800).map(|t| format!("{},{}\n", row(t).trim_end(), 9_000_000 + t * 200_000)).collect();
    let file = write(folder.path(), "live.csv", format!("t_s,rss_bytes,requests,live_bytes\n{rows}"));
    assert_eq!(judged(&[&file]).0[0]["verdict"], "stable");
    assert_eq!(judged(&[&file, "--columns", "live=live_bytes"]).0[0]["verdict"], "leak");
    let both = analyze(&[&file, "--explain", "--format", "json"]);
    assert_eq!(both.status.code(), Some(2), "{}", String::from_utf8_lossy(&both.stderr));
    let explained = String::from_utf8(analyze(&[&file, "--columns", "live=live_bytes", "--explain"]).stdout).unwrap();
    assert!(
        explained.contains("live.csv, live bytes:") && explained.contains("live.csv, anonymous memory:"),
        "{explained}"
    );
    let rule = judged(&[&file, "--columns", "live=live_bytes"]).0[0]["rule"].as_str().unwrap().to_owned();
    let in_one_line = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(in_one_line.contains(&format!("leak by rule `{rule}`: the evidence is above")), "{rule}: {explained}");
}

#[test]
fn a_hundred_thousand_readings_are_judged() {
    // Ten million are judged by hand: harness/steep/benches/README.md.
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "day.csv", format!("{HEAD}{}", rows(100_000)));
    let (said, status) = judged(&[&file]);
    assert_eq!((said[0]["verdict"].as_str(), said[0]["samples"].as_u64(), status), (Some("stable"), Some(100_000), 0));
}

/// Two cells of twenty minutes.
fn scenario() -> Scenario {
    decoded(&sound("20m", "[[flags]]\nname = \"cache\"\nkind = \"env\"\nvar = \"CACHE\"\n"))
}

#[test]
fn of_a_run_that_was_cut_off_each_cell_is_judged_by_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let scenario = scenario();
    let plan = plan(&scenario, &Features::default(), &Spans::default()).unwrap();
    let run = RunRecord::new(
        scenario.clone(),
        &steep_core::scenario::Supplies::default(),
        folder.path().to_owned(),
        plan.clone(),
        Provenance::default(),
    );
    RunFolder::create(Some(&path), &run, "").unwrap();
    let source = |i: usize| path.join(plan.cells[i].id.as_str()).to_str().unwrap().to_owned();

    let mut trace = soak(&scenario, &SimService::default(), &[]).unwrap();
    trace.header.cell = plan.cells[0].id.clone();
    let records = std::iter::once(Record::Header(Box::new(trace.header.clone())))
        .chain(trace.start.clone().map(Record::Start))
        .chain(trace.samples.iter().cloned().map(Record::Sample));
    let text: String = records.map(|record| serde_json::to_string(&record).unwrap() + "\n").collect();
    fs::create_dir(source(0)).unwrap();
    fs::write(Path::new(&source(0)).join(TRACE_FILE), &text[..text.len() - 30]).unwrap();

    let (said, status) = judged(&[path.to_str().unwrap()]);
    assert_eq!(said.len(), 2);
    assert_eq!((&said[0]["source"], &said[0]["samples"]), (&source(0).into(), &(trace.samples.len() - 1).into()));
    assert_eq!(said[1]["source"], source(1));
    assert_eq!((&said[1]["verdict"], &said[1]["reason"]), (&"invalid".into(), &"not soaked".into()));
    assert_eq!(status, 4);

    fs::write(path.join("run.json"), "{\"format\":").unwrap();
    let (said, status) = judged(&[path.to_str().unwrap()]);
    assert_eq!((said.len(), said[0]["verdict"].as_str(), status), (1, Some("invalid"), 4));
}
