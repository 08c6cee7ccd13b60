//! A screening design that leaves open what leaks is folded over, and then tells.

use std::fmt::Write as _;

use steep_core::outcome::{Outcome, judged_cells};
use steep_core::plan::{Plan, plan};
use steep_core::problem::Spans;
use steep_core::scenario::Scenario;
use steep_core::scenario::package::Features;
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_judge::ids::FlagSet;
use steep_judge::isolation::{Guilt, Isolation, isolate};

use super::simulated::soaked;

const FLAGS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

fn scenario() -> Scenario {
    let mut text = sound("20m", "[plan]\nstrategy = \"screening\"\n");
    for flag in FLAGS {
        let _ = write!(text, "[[flags]]\nname = \"{flag}\"\nkind = \"env\"\nvar = \"{flag}\"\n");
    }
    decoded(&text)
}

/// What the cells of `plan` come to where each of `causes` leaks 512 B for each request if all of its flags are on.
fn outcomes(scenario: &Scenario, plan: &Plan, causes: &[&[&str]]) -> Vec<Outcome> {
    let leaks = |flags: &FlagSet, cause: &[&str]| cause.iter().all(|flag| flags.contains(flag));
    plan.cells
        .iter()
        .map(|planned| {
            let at_work = causes.iter().filter(|cause| leaks(&planned.flags, cause)).count();
            let service = SimService { leak_per_request: 512.0 * at_work as f64, probe: true, ..SimService::default() };
            let mut trace = soaked(scenario, &service);
            trace.header.flags = planned.flags.clone();
            trace.header.cell = planned.id.clone();
            Outcome::of(&trace)
        })
        .collect()
}

fn isolated(outcomes: &[Outcome]) -> Isolation {
    isolate(&FLAGS.map(str::to_owned), &judged_cells(outcomes))
}

#[test]
fn what_leaks_only_together_is_open_until_the_design_is_folded_over() {
    let scenario = scenario();
    let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
    let causes: [&[&str]; 2] = [&["a", "b"], &["c", "d"]];
    let before = outcomes(&scenario, &plan, &causes);
    let open = isolated(&before)
        .ambiguity(&judged_cells(&before))
        .expect("two pairs have too many explanations in eight rows");
    assert!(open.starts_with("one of "), "{open}");
    let folded = plan.folded(&scenario, &Features::default());
    assert_eq!(folded.cells.len(), 8 + 9);
    let after = outcomes(&scenario, &folded, &causes);
    let isolation = isolated(&after);
    assert_eq!(isolation.ambiguity(&judged_cells(&after)), None, "{}", isolation.sentence);
    let guilt = |flag: usize| &isolation.flags[flag].finding.guilt;
    assert_eq!(guilt(0), &Guilt::LeaksWith(["b"].into_iter().collect()), "{}", isolation.sentence);
    assert_eq!(guilt(2), &Guilt::LeaksWith(["d"].into_iter().collect()), "{}", isolation.sentence);
}

#[test]
fn a_design_that_tells_is_not_folded_over() {
    let scenario = scenario();
    let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
    for causes in [&[&["c"][..]][..], &[]] {
        let outcomes = outcomes(&scenario, &plan, causes);
        assert_eq!(isolated(&outcomes).ambiguity(&judged_cells(&outcomes)), None, "{causes:?}");
    }
}

#[test]
fn a_flag_with_several_possible_partners_is_open_in_either_direction() {
    let scenario = scenario();
    let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
    let outcomes = outcomes(&scenario, &plan, &[&["a"]]);
    let mut isolation = isolated(&outcomes);
    let partners = |names: &[&str]| names.iter().copied().collect::<FlagSet>();
    for (guilt, said) in [
        (Guilt::LeaksWith(partners(&["b", "c"])), Some("a leaks only together with one of b, c")),
        (Guilt::LeaksWithout(partners(&["b", "c"])), Some("a leaks only without one of b, c")),
        (Guilt::LeaksWithout(partners(&["b"])), None),
    ] {
        isolation.flags[0].finding.guilt = guilt;
        assert_eq!(isolation.ambiguity(&judged_cells(&outcomes)).as_deref(), said);
    }
}
