use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn flags(count: usize) -> Vec<String> {
    (0..count).map(|flag| format!("f{flag}")).collect()
}

fn set(names: &[&str]) -> FlagSet {
    names.iter().copied().collect()
}

fn bytes(growth: f64) -> BytesPerRequest {
    BytesPerRequest::new(growth)
}

fn soaked(on: &[&str], growth: f64) -> Soaked {
    Soaked { flags: set(on), growth: bytes(growth), error: bytes(0.5), stacks: Vec::new() }
}

fn posteriors(count: usize, cells: &[Soaked]) -> BTreeMap<String, f64> {
    let mut bisect = Bisect::new(flags(count), Rules::default());
    cells.iter().cloned().for_each(|cell| bisect.add(cell));
    bisect.by_flag(&bisect.posterior())
}

fn rehearsal(count: usize) -> Rehearsal {
    Rehearsal { flags: flags(count), rules: Rules::default(), budget: Duration::from_hours(2) }
}

#[test]
fn a_search_begins_with_all_on_and_then_none() {
    let mut bisect = Bisect::new(flags(3), Rules::default());
    let mut asked = Vec::new();
    for _ in 0..2 {
        let Next::Soak(cell) = bisect.look(|_| true, Duration::from_hours(2)).next else { panic!("a cell") };
        asked.push(cell.flags.clone());
        bisect.add(Soaked { flags: cell.flags, growth: bytes(0.1), error: bytes(0.5), stacks: Vec::new() });
    }
    assert_eq!(asked, [set(&["f0", "f1", "f2"]), set(&[])]);
    let look = bisect.look(|_| true, Duration::from_hours(2));
    assert_eq!(look.next, Next::Sure, "{look:?}");
    assert!(look.explanations[0].culprits.is_empty());
}

#[test]
fn nothing_that_cannot_be_run_is_asked_for_and_every_flag_is_tried() {
    // f0 and f1 exclude each other, and f2 needs f3.
    let can_run = |flags: &FlagSet| {
        !(flags.contains("f0") && flags.contains("f1")) && (!flags.contains("f2") || flags.contains("f3"))
    };
    let mut bisect = Bisect::new(flags(4), Rules::default());
    let mut tried = FlagSet::default();
    let mut left = 20;
    while let Next::Soak(cell) = bisect.look(can_run, Duration::from_hours(5)).next {
        assert!(can_run(&cell.flags), "{}", cell.flags);
        for flag in cell.flags.iter() {
            tried = tried.with(flag);
        }
        let growth = if cell.flags.contains("f1") { 16.0 } else { 0.0 };
        bisect.add(Soaked { flags: cell.flags, growth: bytes(growth), error: bytes(0.5), stacks: Vec::new() });
        left -= 1;
        assert!(left > 0, "the search ends");
    }
    let look = bisect.look(can_run, Duration::from_hours(5));
    assert_eq!(look.explanations[0].culprits, [set(&["f1"])]);
    assert_eq!(tried, flags(4).into_iter().collect());
}

#[test]
fn a_flag_that_no_cell_can_have_on_is_not_cleared_by_clean_others() {
    let mut bisect = Bisect::new(flags(2), Rules::default());
    for on in [&[][..], &["f0"], &["f0"], &[]] {
        bisect.add(soaked(on, 0.0));
    }
    let can_run = |flags: &FlagSet| !flags.contains("f1");
    let Next::Unsure { reason } = bisect.look(can_run, Duration::from_hours(2)).next else { panic!("not sure") };
    assert_eq!(reason, "no cell that was judged had f1 on, and none can be run");
    assert!(matches!(Bisect::new(flags(1), Rules::default()).look(|_| false, Duration::MAX).next, Next::Unsure { .. }));
}

#[test]
fn where_cells_are_of_one_length_the_search_foretells_by_the_cells_it_had() {
    let minute = Duration::from_mins(1);
    let rules = Rules { fixed_length: Some(minute), ..Rules::default() };
    assert_eq!(rules.length(bytes(1.0), false), minute);
    let mut bisect = Bisect::new(flags(3), rules);
    bisect.add(soaked(&["f0", "f1", "f2"], 16.0));
    bisect.add(soaked(&[], 0.0));
    let Next::Soak(cell) = bisect.look(|_| true, minute).next else { panic!("a cell") };
    assert_eq!(cell.length, minute);
    assert!(!cell.flags.is_empty() && cell.flags.iter().count() < 3, "{}", cell.flags);
    assert!(matches!(bisect.look(|_| true, Duration::from_secs(59)).next, Next::Unsure { .. }));
    for _ in 0..MAX_CELLS {
        bisect.add(Soaked { error: bytes(1000.0), ..soaked(&["f0"], 0.0) });
    }
    let Next::Unsure { reason } = bisect.look(|_| true, minute).next else { panic!("no more cells") };
    assert!(reason.contains("64 cells"), "{reason}");
}

#[test]
fn cells_that_could_not_have_seen_a_leak_clear_nobody() {
    let mut bisect = Bisect::new(flags(1), Rules::default());
    for on in [&["f0"][..], &[]] {
        bisect.add(Soaked { error: bytes(13_000.0), ..soaked(on, 0.0) });
    }
    assert_ne!(bisect.look(|_| true, Duration::from_hours(2)).next, Next::Sure);
}

#[test]
fn what_could_not_have_been_seen_is_soaked_again_until_it_could() {
    let rules = Rules { fixed_length: Some(Duration::from_mins(10)), ..Rules::default() };
    let mut bisect = Bisect::new(flags(2), rules);
    // 4 B/request are one and a half standard errors of a cell.
    for on in [&["f0", "f1"][..], &[]] {
        bisect.add(Soaked { error: bytes(2.7), ..soaked(on, 0.0) });
    }
    let mut whys = Vec::new();
    while let Next::Soak(cell) = bisect.look(|_| true, Duration::from_hours(2)).next {
        assert!(!cell.flags.is_empty(), "with no flag on none is seen to leak");
        whys.push(cell.why);
        bisect.add(Soaked { flags: cell.flags, growth: bytes(0.0), error: bytes(2.7), stacks: Vec::new() });
        assert!(whys.len() < 8, "{whys:?}");
    }
    assert_eq!(bisect.look(|_| true, Duration::from_hours(2)).next, Next::Sure);
    assert_eq!(whys[0], "2 flags could leak 4 B/request and the cells so far would not show it");
}

#[test]
fn a_rehearsal_has_a_line_for_each_case_that_the_constraints_leave() {
    let rehearsal = rehearsal(2);
    let names = |can_run: &dyn Fn(&FlagSet) -> bool| -> Vec<usize> {
        rehearsal.usual_cases(1, can_run).into_iter().map(|(_, tally)| tally.trials).collect()
    };
    assert_eq!(names(&|_| true), [1, 1, 1, 1]);
    assert_eq!(names(&|flags| flags.iter().count() < 2), [1, 1, 1, 0]);
}

#[test]
fn without_time_a_search_says_so() {
    let bisect = Bisect::new(flags(3), Rules::default());
    let Next::Unsure { reason } = bisect.look(|_| true, Duration::from_mins(3)).next else { panic!("no cell") };
    assert!(reason.contains("no time is left"), "{reason}");
}

#[test]
fn culprits_are_named_exactly_in_simulated_searches() {
    let culprits: [&[(&[&str], f64)]; 4] =
        [&[], &[(&["f1"], 16.0)], &[(&["f1"], 16.0), (&["f4"], 8.0)], &[(&["f1", "f4"], 16.0)]];
    for culprits in culprits {
        let truth = Truth { culprits: culprits.iter().map(|(flags, growth)| (set(flags), bytes(*growth))).collect() };
        let mut tally = Tally::default();
        (0..3).for_each(|seed| rehearsal(8).search(&truth, seed, |_| true, &mut tally));
        assert_eq!((tally.trials, tally.exact, tally.wrong), (3, 3, 0), "{truth:?}: {tally:?}");
    }
}

#[test]
fn where_nothing_leaks_nobody_is_named() {
    let each: Vec<FlagSet> = flags(8).iter().map(|flag| FlagSet::default().with(flag)).collect();
    let plan: Vec<FlagSet> = [flags(8).into_iter().collect(), FlagSet::default()].into_iter().chain(each).collect();
    for seed in 0..25 {
        let posteriors = rehearsal(8).soak_all(&Truth::default(), &plan, Duration::from_mins(10), seed);
        assert!(posteriors.values().all(|posterior| *posterior < crate::isolation::NAMED), "{seed}: {posteriors:?}");
    }
}

#[test]
fn a_cell_that_is_wrong_names_nobody() {
    let cells =
        [soaked(&[], 0.1), soaked(&["f0"], 0.2), soaked(&["f0"], -0.1), soaked(&["f0"], 50.0), soaked(&["f1"], 0.0)];
    let posteriors = posteriors(2, &cells);
    assert!(posteriors.values().all(|posterior| *posterior < 0.5), "{posteriors:?}");
}

#[test]
fn what_no_flags_explain_is_soaked_again_and_then_not_called_clean() {
    let mut bisect = Bisect::new(flags(3), Rules::default());
    let add = |bisect: &mut Bisect, flags: &[&str], growth| {
        bisect.add(Soaked { flags: set(flags), growth: bytes(growth), error: bytes(0.3), stacks: Vec::new() });
    };
    let pairs = [["f0", "f1"], ["f0", "f2"], ["f1", "f2"]];
    for pair in &pairs {
        add(&mut bisect, pair, 0.1);
    }
    add(&mut bisect, &[], 0.1);
    add(&mut bisect, &["f0", "f1", "f2"], 16.0);
    let look = bisect.look(|_| true, Duration::from_hours(2));
    let Next::Soak(again) = look.next else { panic!("{look:?}") };
    assert_eq!(again.flags, set(&["f0", "f1", "f2"]), "{}", again.why);
    let mut refuted = bisect.clone();
    add(&mut refuted, &["f0", "f1", "f2"], 0.1);
    assert_eq!(refuted.look(|_| true, Duration::from_hours(2)).next, Next::Sure);
    add(&mut bisect, &["f0", "f1", "f2"], 16.2);
    let look = bisect.look(|_| true, Duration::from_hours(2));
    assert!(!matches!(look.next, Next::Sure), "{look:?}");
}

#[test]
fn leaks_of_very_different_size_are_named_together() {
    let cells = [
        soaked(&["f0", "f1", "f2"], 3020.0),
        soaked(&["f1", "f2"], 20.0),
        soaked(&["f0", "f2"], 3000.0),
        soaked(&["f0", "f1"], 3020.0),
        soaked(&[], 0.0),
    ];
    let posteriors = posteriors(3, &cells);
    assert!(posteriors["f0"] > 0.95 && posteriors["f1"] > 0.95 && posteriors["f2"] < 0.05, "{posteriors:?}");
}

#[test]
fn a_longer_cell_has_a_smaller_error_and_a_smaller_effect_needs_a_longer_cell() {
    let rules = Rules::default();
    assert!(rules.error(Duration::from_mins(32)).get() - 0.5 < 1e-9);
    assert!(rules.length(bytes(4.0), false) > rules.length(bytes(16.0), false));
    // docs/isolation.md: W + 30 · (4 · se / Δ)^(2/3) min.
    assert!(
        (rules.length(bytes(4.0), false).as_secs_f64() / 60.0 - (2.0 + 30.0 * 0.5_f64.powf(2.0 / 3.0))).abs() < 1e-6
    );
    assert_eq!(rules.length(bytes(0.0), false), Duration::from_mins(62));
}

/// Six cells of four flags of which some leak, by themselves or two of them together, with noise.
fn cells() -> impl Strategy<Value = Vec<(Vec<bool>, f64)>> {
    let effect = || prop_oneof![2 => Just(0.0), 1 => 8.0..40.0_f64];
    let cell = (prop::collection::vec(any::<bool>(), 4), -1.2..1.2_f64);
    (prop::collection::vec(effect(), 4), effect(), prop::collection::vec(cell, 6)).prop_map(|(singles, both, cells)| {
        let growth = |on: &[bool]| {
            let single: f64 = on.iter().zip(&singles).filter(|(on, _)| **on).map(|(_, effect)| effect).sum();
            single + if on[0] && on[1] { both } else { 0.0 }
        };
        cells.into_iter().map(|(on, noise)| (on.clone(), growth(&on) + noise)).collect()
    })
}

fn of(cells: &[(Vec<bool>, f64)], names: &[&str; 4], unit: f64) -> BTreeMap<String, f64> {
    let rules = Rules { worth_finding: bytes(4.0 * unit), ..Rules::default() };
    let mut bisect = Bisect::new(names.iter().map(ToString::to_string), rules);
    for (on, growth) in cells {
        let flags = names.iter().zip(on).filter(|(_, on)| **on).map(|(name, _)| *name).collect();
        bisect.add(Soaked { flags, growth: bytes(growth * unit), error: bytes(0.7 * unit), stacks: Vec::new() });
    }
    bisect.by_flag(&bisect.posterior())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_cells_and_flags_and_the_unit_do_not_matter(cells in cells(), unit in 0.01..1000.0) {
        let names = ["a", "b", "c", "d"];
        let plain = of(&cells, &names, 1.0);
        let mut reversed = cells.clone();
        reversed.reverse();
        // The model sorts flags by name: other names are another order.
        let renamed: BTreeMap<String, f64> = of(&cells, &["d", "c", "b", "a"], 1.0);
        let renamed: Vec<f64> = renamed.into_values().rev().collect();
        for (other, what) in [(of(&reversed, &names, 1.0), "cells"), (of(&cells, &names, unit), "unit")] {
            for (flag, posterior) in &plain {
                prop_assert!((posterior - other[flag]).abs() < 0.005, "{what}: {plain:?}, {other:?}");
            }
        }
        for (posterior, other) in plain.values().zip(renamed) {
            prop_assert!((posterior - other).abs() < 0.005, "{posterior} {other}");
        }
    }

    #[test]
    fn posteriors_are_probabilities_whatever_the_numbers(
        cells in prop::collection::vec((prop::collection::vec(any::<bool>(), 4), any::<f64>()), 0..5)
    ) {
        for posterior in of(&cells, &["a", "b", "c", "d"], 1.0).into_values() {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&posterior));
        }
    }
}

/// Four leaks and a pair among eleven flags, each by a stack of its own, in cells in which they sum up.
#[test]
fn a_search_that_knows_the_stacks_ends_when_each_has_one_cause() {
    let truth: [(&[&str], f64); 5] =
        [(&["f0"], 600.0), (&["f2"], 400.0), (&["f5"], 300.0), (&["f7"], 390.0), (&["f3", "f9"], 540.0)];
    let rules = Rules { worth_finding: bytes(256.0), fixed_length: Some(Duration::from_mins(1)), ..Rules::default() };
    let mut bisect = Bisect::new(flags(11), rules);
    let mut cells = 0;
    let look = loop {
        let look = bisect.look(|_| true, Duration::from_hours(1));
        let Next::Soak(cell) = &look.next else { break look };
        let is_on = |needed: &[&str]| needed.iter().all(|flag| cell.flags.contains(flag));
        let level = |(needed, growth): &(&[&str], f64)| {
            let growth = if is_on(needed) { *growth / 256.0 } else { 0.0 };
            Some(StackLevel { growth, error: (0.1 * growth).max(0.03), kept: 1.0 })
        };
        let stacks = truth.iter().map(level).collect();
        bisect.add(Soaked { flags: cell.flags.clone(), growth: bytes(5.0), error: bytes(30.0), stacks });
        cells += 1;
    };
    assert_eq!(look.next, Next::Sure, "{look:?}");
    let mut named = look.explanations[0].culprits.clone();
    named.sort();
    let mut expected: Vec<FlagSet> = truth.iter().map(|(needed, _)| set(needed)).collect();
    expected.sort();
    assert_eq!(named, expected);
    assert!(cells <= 12, "{cells} cells");
}

/// A stack that grows with `f1`, which is kept with this probability by all cells.
fn after_cells_with_a_stack(kept: f64) -> SearchState {
    let mut bisect = Bisect::new(flags(3), Rules::default());
    for on in [&["f0", "f1", "f2"][..], &[], &["f0", "f2"], &["f1"], &["f1", "f2"], &["f0", "f1"], &["f0"], &["f2"]] {
        let growth = if on.contains(&"f1") { 4.0 } else { 0.0 };
        let stacks = vec![Some(StackLevel { growth, error: 0.3, kept })];
        bisect.add(Soaked { error: bytes(0.4), stacks, ..soaked(on, 0.0) });
    }
    bisect.look(|_| true, Duration::from_hours(2))
}

#[test]
fn what_may_fill_ends_no_search_and_is_looked_at_for_longer() {
    assert_eq!(after_cells_with_a_stack(0.99).next, Next::Sure);
    let open = after_cells_with_a_stack(0.6);
    assert!((open.flags["f1"] - 0.6).abs() < 0.02, "{open:?}");
    let Next::Soak(cell) = open.next else { panic!("{open:?}") };
    assert!(cell.flags.contains("f1"), "{}", cell.flags);
    let fills = after_cells_with_a_stack(0.01);
    assert!(fills.next == Next::Sure && fills.explanations[0].culprits.is_empty(), "{fills:?}");
}

/// A quarter of the flags bring a cache that is far from full when the warm-up is over.
#[test]
fn a_cache_that_fills_through_half_of_a_cell_is_no_leak() {
    let sampled = Sampled { every: 16_384.0, rate: 500.0, fills: Duration::from_secs(90) };
    let rules = Rules { sampled: Some(sampled), ..Rules::default() };
    let rehearsal = Rehearsal { flags: flags(4), rules, budget: Duration::from_hours(1) };
    let mut tally = Tally::default();
    for seed in 0..3 {
        rehearsal.search(&Truth::default(), seed, |_| true, &mut tally);
    }
    assert_eq!((tally.exact, tally.wrong), (3, 0), "{tally:?}");
}
