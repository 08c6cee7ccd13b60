//! Reports for machines, in the folder of a run and printed later.

use std::fs;

use super::{ONCE, Place};

const FILES: [(&str, &str); 7] = [
    ("terminal", "report.txt"),
    ("junit", "junit.xml"),
    ("markdown", "report.md"),
    ("annotations", "annotations.txt"),
    ("code-quality", "code-quality.json"),
    ("bencher", "bencher.json"),
    ("openmetrics", "openmetrics.txt"),
];

#[test]
fn each_form_that_the_scenario_asks_for_is_in_the_folder_as_it_is_printed_later() {
    let names = FILES.map(|(format, _)| format!("\"{format}\"")).join(", ");
    let place = Place::new("fine", 3, &format!("{ONCE}[report]\nformats = [{names}]\n"));
    let run = place.steep(&["run", "soak.toml", "--out", "out"]).output().unwrap();
    assert!(run.status.code().is_some_and(|status| status != 2), "{}", String::from_utf8_lossy(&run.stderr));
    for (format, file) in FILES {
        let printed = place.steep(&["report", "out", "--format", format]).output().unwrap();
        assert!(printed.status.success(), "{format}");
        let kept = fs::read_to_string(place.path("out").join(file)).unwrap();
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), kept, "{format}");
        assert!(!kept.is_empty(), "{format}");
    }
}

#[test]
fn nothing_is_beside_the_report_that_nobody_asked_for() {
    let place = Place::new("fine", 3, ONCE);
    place.steep(&["run", "soak.toml", "--out", "out"]).output().unwrap();
    assert!(place.path("out/report.json").is_file());
    assert!(FILES.iter().all(|(_, file)| !place.path("out").join(file).exists()));
}
