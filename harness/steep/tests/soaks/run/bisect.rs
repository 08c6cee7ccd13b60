//! `steep bisect` with real processes: what its folder holds, how it ends undecided, how it goes on, and what it
//! refuses.

use serde_json::Value;

use super::{Place, Ran};

/// A flag that does nothing.
const FLAG: &str = r#"
[[flags]]
name = "sessions"
kind = "env"
var = "SESSIONS"
on = "1"
[plan]
retries = 0
"#;
/// Time for two cells of two seconds.
const TWO_CELLS: &str = "0.0012";

fn search(place: &Place, more: &[&str]) -> Ran {
    Ran::of(place.steep(&[&["bisect", "soak.toml", "--format", "json"], more].concat()).output().unwrap())
}

fn cells(report: &Value) -> Vec<&str> {
    report["cells"].as_array().unwrap().iter().map(|cell| cell["cell"].as_str().unwrap()).collect()
}

#[test]
fn a_search_that_decides_nothing_says_so_and_its_folder_is_that_of_a_run() {
    let place = Place::new("fine", 2, FLAG);
    let ran = search(&place, &["--out", "out", "--max-hours", TWO_CELLS]);
    assert!(ran.stderr.contains("UNDECIDED: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("next: sessions – it tells whether any of 1 flag leaks"), "{}", ran.stderr);
    assert!([3, 4].contains(&ran.status) && (0..2).all(|cell| ran.is_undecided(cell)), "{}", ran.stderr);
    assert_eq!(cells(&ran.report), ["baseline", "sessions"]);
    let described = Ran::of(place.steep(&["report", "out", "--format", "json"]).output().unwrap());
    assert_eq!((described.status, cells(&described.report)), (0, cells(&ran.report)));

    // Cells that were soaked count, and are not soaked again.
    let resumed = search(&place, &["--resume", "out", "--max-hours", TWO_CELLS]);
    assert_eq!(cells(&resumed.report), cells(&ran.report), "{}", resumed.stderr);
    assert!(!place.path("out/sessions/attempts").exists() && resumed.stderr.contains("UNDECIDED: "));

    // Another command's folder is not gone on with.
    let run = Ran::of(place.steep(&["run", "soak.toml", "--resume", "out"]).output().unwrap());
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("what `bisect` began `bisect`"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_searched_is_refused_and_soaks_nothing() {
    let without = search(&Place::new("fine", 2, ""), &[]);
    assert_eq!(without.status, 2);
    assert!(without.stderr.contains("no flags to search among"), "{}", without.stderr);
    let place = Place::new("fine", 2, FLAG);
    let short = search(&place, &["--max-hours", "0.0001"]);
    assert_eq!(short.status, 2);
    assert!(short.stderr.contains("less than one cell of 2"), "{}", short.stderr);
    assert_eq!(search(&place, &["--max-hours=-1"]).status, 2);
    assert!(!place.path("results").exists());
}

#[test]
fn a_rehearsal_soaks_nothing_and_says_what_searches_take() {
    let place = Place::new("fine", 2, FLAG);
    let output = place.steep(&["bisect", "soak.toml", "--plan-only", "2", "--max-hours", "1"]).output().unwrap();
    let described = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{described}");
    assert!(
        described.contains("\nnothing ") && described.contains("\none flag ") && !described.contains("\ntwo"),
        "{described}"
    );
    assert!(!place.path("results").exists());
}
