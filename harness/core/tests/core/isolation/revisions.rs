//! Growth that revisions brought and took away.

use steep_core::outcome::Outcome;
use steep_judge::ids::{CellId, History};
use steep_judge::isolation::{AxisFinding, Guilt, Isolation, Turn};
use steep_judge::verdict::Verdict;

use super::{cell, said};

/// Growth of each revision, the oldest first.
fn history(growth: &[f64]) -> Isolation {
    let names: Vec<String> = (1..=growth.len()).map(|number| format!("v{number}")).collect();
    let cells: Vec<Outcome> = growth
        .iter()
        .enumerate()
        .map(|(place, growth)| {
            let mut outcome = cell(&[], *growth, 1.0);
            outcome.axes = [("revision".to_owned(), names[place].clone())].into();
            outcome.cell = CellId::parse(&format!("baseline@revision={}", names[place]));
            outcome.history = Some(History { axis: "revision".to_owned(), until: names[..=place].to_vec() });
            outcome
        })
        .collect();
    said(&[], &cells)
}

#[test]
fn growth_is_reported_with_the_revision_since_which_it_is_there() {
    // More revisions grow than a model has causes.
    let isolation = history(&[0.0, 0.1, -0.1, 64.0, 64.2, 63.9, 64.1, 64.0, 63.8, 64.1, 64.3, 64.0]);
    let named: Vec<String> =
        isolation.axes.iter().filter(|axis| axis.finding.guilt == Guilt::Leaks).map(AxisFinding::name).collect();
    assert_eq!(named, ["since v4"]);
    insta::assert_snapshot!(isolation.sentence);
}

#[test]
fn growth_may_be_older_than_all_revisions_or_end_or_come_in_turns() {
    let described = [
        history(&[32.0, 32.1, 31.9]),
        history(&[64.0, 63.9, 0.0]),
        history(&[0.0, 32.0, 32.0, 96.0]),
        history(&[0.1, 0.0, -0.1]),
        history(&[0.0, 64.0, 64.1, 0.0, 0.1]),
    ]
    .map(|isolation| isolation.sentence);
    insta::assert_snapshot!(described.join("\n"));
}

#[test]
fn a_revision_that_was_not_judged_is_passed_over() {
    let names = ["v1", "v2", "v3"].map(str::to_owned);
    let mut cells: Vec<Outcome> = [0.0, 0.0, 64.0].map(|growth| cell(&[], growth, 1.0)).to_vec();
    for (place, outcome) in cells.iter_mut().enumerate() {
        outcome.axes = [("revision".to_owned(), names[place].clone())].into();
        outcome.history = Some(History { axis: "revision".to_owned(), until: names[..=place].to_vec() });
    }
    cells[1].judgement.verdict = Verdict::Invalid;
    let isolation = said(&[], &cells);
    let since = isolation.axes.iter().find(|axis| axis.name() == "since v3").expect("a turn");
    assert_eq!(since.turn, Some(Turn::Since { not_in: "v1".to_owned() }));
}
