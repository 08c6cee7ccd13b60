use super::*;
use crate::outcome::judged_cells;
use crate::scenario::AxisKind;
use crate::scenario::decode::decode;
use crate::sim::{SimService, soak};
use crate::testing::sound;
use steep_judge::ids::FlagSet;
use steep_judge::isolation::isolate;

/// A cell that ran `program`.
fn cell(id: &str, flags: &[&str], program: &str) -> Outcome {
    let scenario = decode(&sound("10m", "")).scenario.expect("a sound scenario");
    let mut trace = soak(&scenario, &SimService { probe: true, ..SimService::default() }, &[]).expect("a trace");
    trace.header.provenance.binary_sha256 = program.to_owned();
    trace.header.settings_sha256 = "0".repeat(64);
    trace.header.flags = flags.iter().copied().collect();
    trace.header.cell = CellId::parse(id);
    Outcome::of(&trace)
}

#[test]
fn a_flag_that_left_the_program_as_it_is_is_neither_innocent_nor_compared() {
    let cells = [cell("baseline", &[], "one"), cell("idle", &["idle"], "one"), cell("cache", &["cache"], "two")];
    let (apart, alike) = told_apart(&[], &cells);
    assert_eq!(alike.len(), 1);
    assert_eq!(
        alike[0].described(),
        "idle ran the same program as baseline, started the same way: `idle` made no difference"
    );
    assert_eq!(apart[1].flags, FlagSet::default());
    let mut isolation = isolate(&["idle".to_owned(), "cache".to_owned()], &judged_cells(&apart));
    explain(&mut isolation, &alike, &apart);
    let idle = &isolation.flags[0].finding;
    assert_eq!(idle.guilt, Guilt::Undecided);
    assert!(idle.reason.starts_with("idle ran the same program as baseline"), "{}", idle.reason);
    assert_eq!(isolation.flags[1].finding.guilt, Guilt::Innocent);
}

#[test]
fn replicates_and_cells_of_which_nothing_is_known_are_left_as_they_are() {
    let replicates = [cell("cache", &["cache"], "one"), cell("cache#2", &["cache"], "one")];
    assert_eq!(told_apart(&[], &replicates), (replicates.to_vec(), Vec::new()));
    let unknown = [cell("baseline", &[], ""), cell("cache", &["cache"], "")];
    assert_eq!(told_apart(&[], &unknown), (unknown.to_vec(), Vec::new()));
}

#[test]
fn revisions_of_one_program_are_reported_by_the_first() {
    let axis =
        Axis { name: "release".to_owned(), kind: AxisKind::Revision, values: vec!["v1".to_owned(), "v2".to_owned()] };
    let mut cells = [cell("baseline@release=v2", &[], "one"), cell("baseline", &[], "one")];
    cells[0].axes.insert("release".to_owned(), "v2".to_owned());
    cells[1].axes.insert("release".to_owned(), "v1".to_owned());
    let (apart, alike) = told_apart(&[axis], &cells);
    assert_eq!((alike[0].same_as.as_str(), &alike[0].without_effect[..]), ("baseline", &["release=v2".to_owned()][..]));
    assert!(apart.iter().all(|outcome| outcome.axes["release"] == "v1"));
}
