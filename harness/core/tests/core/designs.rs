//! What holds of every plan, whatever its flags and constraints are.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use steep_core::plan::{Plan, plan};
use steep_core::problem::Spans;
use steep_core::scenario::package::Features;
use steep_core::scenario::{Foldover, Scenario};
use steep_core::testing::{decoded, sound};
use steep_judge::ids::FlagSet;

/// As many cells as a design has.
fn head() -> String {
    sound("5m", "[plan]\nmax_cells = 10000\n")
}

fn flag(name: &str, more: &str) -> String {
    format!("[[flags]]\nname = \"{name}\"\nkind = \"env\"\nvar = \"{name}\"\n{more}\n")
}

/// A scenario with `count` flags that nothing constrains.
fn free(count: usize, strategy: &str) -> Scenario {
    let flags: String = (0..count).map(|number| flag(&format!("f{number:02}"), "")).collect();
    decoded(&format!("{}strategy = \"{strategy}\"\n{flags}", head()))
}

fn of(scenario: &Scenario) -> Plan {
    plan(scenario, &Features::default(), &Spans::default()).expect("a plan")
}

const STRATEGIES: [&str; 9] =
    ["off", "all", "default", "each", "leave-one-out", "pairwise", "screening", "full", "auto"];

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A scenario with six flags under random constraints; `f` has three values.
fn constrained() -> impl Strategy<Value = String> {
    let pair = || (select(&NAMES[..]), select(&NAMES[..])).prop_filter("two flags", |(one, other)| one != other);
    let list = || subsequence(&NAMES[..5], 2..4);
    let requires = proptest::collection::vec(pair(), 0..3);
    let conflicts = proptest::collection::vec(pair(), 0..3);
    let lists = (proptest::option::of(list()), proptest::option::of(list()), proptest::option::of(list()));
    let pinned = proptest::option::of((select(&NAMES[..5]), any::<bool>()));
    (requires, conflicts, lists, pinned, any::<u16>()).prop_map(|(requires, conflicts, lists, pinned, seed)| {
        let mut text = format!("seed = {seed}\n{}strategy = \"STRATEGY\"\n", head());
        for name in NAMES {
            let others = |pairs: &[(&str, &str)]| {
                pairs.iter().filter(|pair| pair.0 == name).map(|pair| pair.1.to_owned()).collect::<Vec<_>>()
            };
            let values = if name == "f" { "values = [\"off\", \"lru\", \"arc\"]" } else { "" };
            let more =
                format!("requires = {:?}\nconflicts_with = {:?}\n{values}", others(&requires), others(&conflicts));
            text += &flag(name, &more);
        }
        text += "[constraints]\n";
        let keys = ["mutually_exclusive", "at_least_one_of", "exactly_one_of"];
        for (key, list) in keys.iter().zip([lists.0, lists.1, lists.2]) {
            if let Some(list) = list {
                writeln!(text, "{key} = [{list:?}]").expect("a text");
            }
        }
        if let Some((name, on)) = pinned {
            writeln!(text, "pinned = {{ {name} = {on} }}").expect("a text");
        }
        text
    })
}

fn is_on(flags: &FlagSet, name: &str) -> bool {
    flags.iter().any(|member| member == name || member.starts_with(&format!("{name}=")))
}

/// Whether `flags` keeps the constraints of `scenario`, told from them one by one.
fn keeps(scenario: &Scenario, flags: &FlagSet) -> bool {
    let of_flags = scenario.flags.iter().filter(|flag| is_on(flags, &flag.name)).all(|flag| {
        flag.requires.iter().all(|other| is_on(flags, other))
            && flag.conflicts_with.iter().all(|other| !is_on(flags, other))
    });
    let count = |list: &Vec<String>| list.iter().filter(|name| is_on(flags, name)).count();
    let constraints = &scenario.constraints;
    of_flags
        && constraints.mutually_exclusive.iter().all(|list| count(list) <= 1)
        && constraints.at_least_one_of.iter().all(|list| count(list) >= 1)
        && constraints.exactly_one_of.iter().all(|list| count(list) == 1)
        && constraints.pinned.iter().all(|(name, values)| is_on(flags, name).to_string() == values[0])
        && flags.iter().filter(|member| member.starts_with("f=")).count() <= 1
}

/// Every flag set that keeps the constraints, found by trying all.
fn possible(scenario: &Scenario) -> Vec<FlagSet> {
    let all = (0..1_u32 << 5).flat_map(|bits| {
        let set: FlagSet = (0..5).filter(|place| bits >> place & 1 == 1).map(|place| NAMES[place]).collect();
        [set.clone(), set.with("f=lru"), set.with("f=arc")]
    });
    all.filter(|flags| keeps(scenario, flags)).collect()
}

/// What each flag is.
fn levels(flags: &FlagSet) -> Vec<String> {
    let level =
        |name: &str| flags.iter().find(|member| member.starts_with(name)).map_or(format!("not-{name}"), str::to_owned);
    NAMES.iter().map(|name| level(name)).collect()
}

/// Every combination of `strength` flags that stands in any of `sets`.
fn combinations<'f>(sets: impl IntoIterator<Item = &'f FlagSet>, strength: usize) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for levels in sets.into_iter().map(levels) {
        for bits in (0..1_u32 << 6).filter(|bits| bits.count_ones() as usize == strength) {
            found.insert((0..6).filter(|place| bits >> place & 1 == 1).map(|place| levels[place].clone()).collect());
        }
    }
    found
}

proptest! {
    // Some of these plan nine strategies for each case.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_strategy_keeps_every_constraint(text in constrained()) {
        let any = !possible(&decoded(&text.replace("STRATEGY", "off"))).is_empty();
        for strategy in STRATEGIES {
            let scenario = decoded(&text.replace("STRATEGY", strategy));
            match plan(&scenario, &Features::default(), &Spans::default()) {
                Ok(plan) => {
                    for cell in &plan.cells {
                        prop_assert!(keeps(&scenario, &cell.flags), "{strategy}: {}", cell.id);
                    }
                }
                // Whether any flag set is possible is found alike; strategies of fixed sets may be left without one.
                Err(problem) if !any => prop_assert_eq!(problem.message, "no flag set keeps all constraints"),
                Err(problem) => prop_assert!(
                    ["all", "default", "screening"].contains(&strategy), "{}: {} {}", strategy, problem.message, problem.help
                ),
            }
        }
    }

    #[test]
    fn pairwise_covers_every_combination_that_is_possible(text in constrained(), strength in 2_usize..4) {
        let mut scenario = decoded(&text.replace("STRATEGY", "pairwise"));
        scenario.plan.strength = strength;
        let possible = possible(&scenario);
        if !possible.is_empty() {
            let plan = of(&scenario);
            let covered = combinations(plan.cells.iter().map(|cell| &cell.flags), strength);
            prop_assert_eq!(covered, combinations(&possible, strength));
        }
    }

    #[test]
    fn full_is_every_flag_set_that_is_possible(text in constrained()) {
        let scenario = decoded(&text.replace("STRATEGY", "full"));
        let possible: BTreeSet<FlagSet> = possible(&scenario).into_iter().collect();
        if !possible.is_empty() {
            let planned: BTreeSet<FlagSet> = of(&scenario).cells.into_iter().map(|cell| cell.flags).collect();
            prop_assert_eq!(planned, possible);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_ids_stay_when_flags_are_reordered_or_added(text in constrained()) {
        for strategy in STRATEGIES {
            let mut scenario = decoded(&text.replace("STRATEGY", strategy));
            let planned = plan(&scenario, &Features::default(), &Spans::default()).ok();
            prop_assert_eq!(&planned, &plan(&scenario, &Features::default(), &Spans::default()).ok());
            // Of a greedy or balanced design the cells may be others; of the others they are the same.
            if ["each", "leave-one-out", "full", "all", "default"].contains(&strategy)
                && scenario.constraints.at_least_one_of.is_empty()
                && scenario.constraints.exactly_one_of.is_empty()
            {
                let ids = |plan: Option<Plan>| plan.map(|plan| plan.cells.into_iter().map(|cell| cell.id).collect::<BTreeSet<_>>());
                scenario.flags.reverse();
                let reversed = plan(&scenario, &Features::default(), &Spans::default()).ok();
                prop_assert_eq!(&ids(planned.clone()), &ids(reversed));
                let added = text.replace("STRATEGY", strategy).replace("[constraints]", &(flag("added", "") + "[constraints]"));
                let more = plan(&decoded(&added), &Features::default(), &Spans::default()).ok();
                if ["each", "full", "default"].contains(&strategy) {
                    prop_assert!(ids(planned).unwrap_or_default().is_subset(&ids(more).unwrap_or_default()));
                }
            }
        }
    }

    #[test]
    fn a_screening_is_balanced(count in 2_usize..32, foldover in any::<bool>()) {
        let mut scenario = free(count, "screening");
        scenario.plan.foldover = if foldover { Foldover::Always } else { Foldover::Never };
        let plan = of(&scenario);
        prop_assert!(plan.foldover.is_empty());
        let on = |flag: &str| plan.cells.iter().filter(|cell| cell.flags.contains(flag)).count();
        for flag in &scenario.flags {
            prop_assert_eq!(on(&flag.name) * 2, plan.cells.len());
            for other in scenario.flags.iter().filter(|other| other.name != flag.name) {
                let both = plan.cells.iter().filter(|cell| cell.flags.contains(&flag.name) && cell.flags.contains(&other.name));
                prop_assert_eq!(both.count() * 4, plan.cells.len());
            }
        }
        prop_assert!(plan.notes.changed.is_empty());
        let single = |effects: &Vec<String>| effects.iter().any(|effect| !effect.contains('×'));
        prop_assert!(!foldover || !plan.notes.aliasing.alike.iter().any(single), "a fold tells single flags from pairs");
    }

    #[test]
    fn a_foldover_is_the_opposite_of_each_row_and_leaves_the_plan_as_it_is(count in 2_usize..24, replicates in 1_u32..3) {
        let mut scenario = free(count, "screening");
        scenario.plan.replicates = replicates;
        scenario.plan.foldover = Foldover::Never;
        let never = of(&scenario);
        scenario.plan.foldover = Foldover::IfAmbiguous;
        let before = of(&scenario);
        prop_assert_eq!(&before.cells, &never.cells);
        prop_assert_eq!(&before.hash, &never.hash);
        let folded = before.clone().folded(&scenario, &Features::default());
        prop_assert!(folded.foldover.is_empty());
        prop_assert_eq!(&folded.hash, &before.hash);
        prop_assert_eq!(&folded.cells[..before.cells.len()], &before.cells[..]);
        let ids: BTreeSet<_> = folded.cells.iter().map(|cell| &cell.id).collect();
        prop_assert_eq!(ids.len(), folded.cells.len());
        for cell in &before.cells {
            let opposite: FlagSet =
                scenario.flags.iter().map(|flag| &flag.name).filter(|name| !cell.flags.contains(name)).cloned().collect();
            prop_assert!(folded.cells.iter().any(|other| other.flags == opposite));
        }
    }

    #[test]
    fn each_block_has_every_cell_once_and_that_of_production(count in 1_usize..12, replicates in 1_u32..4) {
        let mut scenario = free(count, "auto");
        scenario.plan.replicates = replicates;
        let plan = of(&scenario);
        let size = plan.cells.len() / replicates as usize;
        for (number, block) in plan.cells.chunks(size).enumerate() {
            prop_assert!(block.iter().all(|cell| cell.replicate as usize == number + 1));
            prop_assert_eq!(block.iter().filter(|cell| cell.flags.is_empty()).count(), 1);
            prop_assert_eq!(block.iter().map(|cell| &cell.flags).collect::<BTreeSet<_>>().len(), size);
        }
    }
}

#[test]
fn auto_takes_few_cells_for_any_number_of_flags() {
    let cells: Vec<usize> = [0, 1, 3, 4, 5, 6, 8, 9, 11, 12, 15, 16, 19, 20, 23]
        .iter()
        .map(|count| of(&free(*count, "auto")).cells.len())
        .collect();
    assert_eq!(cells, [1, 2, 8, 8, 16, 16, 16, 12, 12, 16, 16, 20, 20, 24, 24]);
    assert!(of(&free(24, "auto")).cells.len() <= 13);
}

/// The oracle is allpairspy, which takes 8 rows for 8 flags and 10 for 20.
#[test]
fn pairwise_takes_about_as_few_rows_as_others_do() {
    let rows = |count| of(&free(count, "pairwise")).cells.len();
    assert!(rows(8) <= 9 && rows(20) <= 12, "{} and {}", rows(8), rows(20));
}

#[test]
fn flags_of_run_time_need_one_build_for_each_allocator() {
    let flags: String = (0..24).map(|number| flag(&format!("f{number:02}"), "")).collect();
    let allocators = "[[axes]]\nname = \"allocator\"\nkind = \"allocator\"\nvalues = [\"system\", \"jemalloc\", \"mimalloc\"]\n\
        [allocators.jemalloc]\nfeatures = [\"jemalloc\"]\n[allocators.mimalloc]\nfeatures = [\"mimalloc\"]\n";
    let head = head().replace("command = [\"shop\"]", "package = \"shop\"");
    let plan = of(&decoded(&format!("{head}{flags}{allocators}")));
    assert_eq!(plan.builds.len(), 3);
    assert!(plan.cells.len() <= 39, "{}", plan.cells.len());
}
