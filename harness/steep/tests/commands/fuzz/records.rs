//! What steep wrote itself, and series that others recorded: traces, `run.json`, CSV.

use steep::shell::recording;
use steep::shell::store::RunRecord;
use steep_core::outcome::Outcome;
use steep_core::recorded::{Columns, Options};
use steep_core::trace::{Record, Trace};
use steep_judge::growth::{Materiality, fit};

use super::Target;
use super::make;

pub fn targets() -> Vec<Target> {
    vec![
        Target { name: "trace", seeds: traces, tokens: words_of_traces, make: make::trace, read: trace, cost: 10 },
        Target { name: "run_json", seeds: runs, tokens: Vec::new, make: make::run_json, read: run_json, cost: 1 },
        Target { name: "csv", seeds: tables, tokens: words_of_tables, make: make::csv, read: csv, cost: 1 },
    ]
}

fn traces() -> Vec<String> {
    (0..6).map(|nth| make::trace(&mut super::mutate::Random::of("trace seeds", nth))).collect()
}

fn words_of_traces() -> Vec<String> {
    let words = ["\"t_s\":1e9,", "\"t_s\":-1,", "null", "{}", "[]", "\"record\":\"end\"", "\"role\":\"idle\""];
    words.map(str::to_owned).to_vec()
}

/// What is read of a trace is what was written of it, and it is judged.
fn trace(input: &[u8]) {
    let Ok(trace) = Trace::read(&String::from_utf8_lossy(input)) else { return };
    let written = written(&trace);
    let back = Trace::read(&written).expect("what was written");
    let mut wanted = trace.clone();
    wanted.broken_lines = 0;
    assert_eq!(back, wanted, "{written}");
    super::taken();
    let outcome = Outcome::of(&trace);
    assert!(!outcome.judgement.reason.is_empty());
    assert!(serde_json::to_string(&outcome).is_ok());
}

fn written(trace: &Trace) -> String {
    let header = std::iter::once(Record::Header(Box::new(trace.header.clone())));
    let records = header
        .chain(trace.start.clone().map(Record::Start))
        .chain(trace.phases.iter().cloned().map(Record::Phase))
        .chain(trace.samples.iter().cloned().map(Record::Sample))
        .chain(trace.traffic.iter().cloned().map(Record::Traffic))
        .chain(trace.disturbances.iter().cloned().map(Record::Disturbance))
        .chain(trace.end.clone().map(Record::End));
    records.map(|record| serde_json::to_string(&record).expect("JSON") + "\n").collect()
}

fn runs() -> Vec<String> {
    vec![make::run_json(&mut super::mutate::Random::of("run_json seeds", 0))]
}

fn run_json(input: &[u8]) {
    let Ok(run) = serde_json::from_slice::<RunRecord>(input) else { return };
    super::taken();
    let written = serde_json::to_string(&run).expect("JSON");
    assert_eq!(serde_json::from_str::<RunRecord>(&written).expect("what was written"), run);
    assert!(!steep_core::report::plan_table(&run.plan, steep_core::report::Layout::default()).is_empty());
}

fn tables() -> Vec<String> {
    let row = |nth: usize| format!("{nth},{},{}\n", 50_000_000 + nth * 4_000, nth * 100);
    let table: String = (0..200).map(row).collect();
    vec![
        format!("t_s,rss_bytes,requests\n{table}"),
        "time,rss_kib\n2026-01-01T00:00:00Z,51200\n2026-01-01T00:00:01Z,51300\n".to_owned(),
        "08:00:00\n  PID USER PR NI VIRT RES SHR S %CPU %MEM TIME+ COMMAND\n  7 a 20 0 9 9000 1 S 0,1 0 0:01 b c\n"
            .to_owned(),
        "NAME  CPU %  MEM USAGE / LIMIT\nweb  1.0%  180.0MiB / 2GiB\n".to_owned(),
        "{\"ts\":1790000000,\"rss_bytes\":9000000,\"pid\":7}\n{\"ts\":1790000001,\"rss_bytes\":9000001}\n".to_owned(),
        "CMDLINE a\nMEM 100.5 1790000000.5\nMEM 100.6 1790000001.5\n".to_owned(),
    ]
}

fn words_of_tables() -> Vec<String> {
    let words =
        ["rss_kib", "rss_mb", "time", "t_s", "requests", "2026-01-01T00:00:00Z", ";", "\t", "\"a\nb\"", "# x\n"];
    words.map(str::to_owned).to_vec()
}

fn csv(input: &[u8]) {
    for columns in ["", "time=t_s,memory=rss_bytes,live=requests"] {
        let columns = if columns.is_empty() { Columns::default() } else { columns.parse().expect("columns") };
        let options = Options { columns, unit: "KiB".parse().ok(), ..Options::default() };
        if let Ok(read) = recording::read(input, &options) {
            super::taken();
            assert!(!read.recordings.is_empty());
            // Judging takes longer than all else: that of one in sixteen.
            if input.len().is_multiple_of(16) {
                for recording in &read.recordings {
                    let judgement = recording.judged(&Materiality::default(), fit);
                    assert!(!judgement.reason.is_empty());
                }
            }
        }
    }
}
