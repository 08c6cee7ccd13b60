//! Scenarios that are as large as people have them, and larger: each has an answer after a bounded amount of work.
//!
//! What is counted is what is allocated, which is the same on every machine. `plan::effort` bounds the rest.
#![allow(clippy::expect_used, reason = "a test may fail")]

use std::alloc::System;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use steep_core::outcome::{Outcome, judged_cells};
use steep_core::plan::{Allowed, Cell, Plan, plan};
use steep_core::problem::{any_error, render};
use steep_core::scenario::decode::{Decoded, decode};
use steep_core::scenario::package::Features;
use steep_core::sim::{SimService, soak};
use steep_judge::isolation::{Guilt, Isolation, isolate};
use steep_judge::units::{BytesPerRequest, Estimate};
use steep_probe::Counted;

#[global_allocator]
static ALLOCATOR: Counted<System> = Counted::new(System);

const TRAFFIC: &str = "[[phases]]\nname = \"steady\"\nrole = \"steady\"\nshape = \"constant\"\nrate = 10\nduration = \"5m\"\n\
                       [[requests]]\nname = \"get\"\npath = \"/\"\n";

/// Of a package with features.
const PACKAGE: &str =
    "name = \"shop\"\n[service]\npackage = \"shop\"\ndefault_features = false\nurl = \"http://127.0.0.1:{{port}}\"\n";

/// Of a program.
const COMMAND: &str = "name = \"shop\"\n[service]\ncommand = [\"shop\"]\nurl = \"http://127.0.0.1:{{port}}\"\n";

/// `act` and how many bytes it allocated.
fn counted<T>(act: impl FnOnce() -> T) -> (T, u64) {
    // The counts of a process: tests of this file would add to each other's.
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let allocated = || steep_probe::snapshot().counts.expect("this program counts").allocated_bytes_total;
    let before = allocated();
    let done = act();
    (done, allocated() - before)
}

fn flags(count: usize, kind: &str) -> String {
    let flag = |nth: usize| match kind {
        "cargo-feature" => format!("\n[[flags]]\nname = \"f{nth}\"\nkind = \"cargo-feature\"\nfeature = \"f{nth}\"\n"),
        _ => format!("\n[[flags]]\nname = \"f{nth}\"\nkind = \"env\"\nvar = \"F{nth}\"\n"),
    };
    (0..count).map(flag).collect()
}

/// Features `f0` to `f{count}`, each of which turns on `others` of it.
fn features<I: IntoIterator<Item = usize>>(count: usize, others: impl Fn(usize) -> I) -> Features {
    let of = |nth: usize| others(nth).into_iter().map(|other| format!("f{other}")).collect();
    Features::new((0..count).map(|nth| (format!("f{nth}"), of(nth))).collect::<BTreeMap<_, Vec<String>>>())
}

/// The plan of a scenario with nothing wrong, or what is against one; and the bytes that it took.
fn planned(text: &str, features: &Features) -> (Result<Plan, String>, u64) {
    let Decoded { scenario, problems, spans, .. } = decode(text);
    let scenario = scenario.unwrap_or_else(|| panic!("{}", render(&problems, "soak.toml", text, false)));
    let (planned, bytes) = counted(|| plan(&scenario, features, &spans));
    (planned.map_err(|problem| format!("{}\n{}", problem.message, problem.help)), bytes)
}

const MIB: u64 = 1 << 20;

#[test]
fn three_hundred_features_that_imply_each_other_have_a_plan() {
    let text = format!("{PACKAGE}{TRAFFIC}{}", flags(300, "cargo-feature"));
    // All or none.
    let (cross, bytes) = planned(&text, &features(300, |nth| (0..300).filter(move |other| *other != nth)));
    let cross = cross.expect("a plan");
    assert!(cross.cells.len() <= 3, "{}", cross.cells.len());
    assert!(
        cross.notes.impossible.len() <= 100 && cross.notes.more_impossible > 50_000,
        "{}",
        cross.notes.more_impossible
    );
    assert!(bytes < 1024 * MIB, "{bytes}");
    // Each turns on the next.
    let (chain, bytes) = planned(&text, &features(300, |nth| (nth + 1 < 300).then_some(nth + 1)));
    // Each pair of neighbours is apart in one set only: all 301 sets are needed, and that is said.
    let too_many = chain.expect_err("more cells than a plan may have");
    assert!(too_many.starts_with("the plan has 301 cells, more than max_cells = 64"), "{too_many}");
    assert!(bytes < 512 * MIB, "{bytes}");
}

#[test]
fn features_in_layers_have_a_plan_and_a_search() {
    // Leaves, groups of five, and some over all groups.
    let layers = features(267, |nth| match nth {
        0..200 => 0..0,
        200..240 => (nth - 200) * 5..(nth - 200) * 5 + 5,
        240..260 => 200 + (nth - 240) * 2..202 + (nth - 240) * 2,
        _ => 200..240,
    });
    let text = format!("{PACKAGE}{TRAFFIC}{}", flags(267, "cargo-feature"));
    let (plan, bytes) = planned(&text, &layers);
    let plan = plan.expect("a plan");
    assert!((16..=64).contains(&plan.cells.len()), "{}", plan.cells.len());
    assert!(bytes < 512 * MIB, "{bytes}");
    let scenario = decode(&text).scenario.expect("a scenario");
    let (allowed, bytes) = counted(|| Allowed::of(&scenario, &layers));
    assert_eq!(allowed.switches().len(), 267);
    assert!(plan.cells.iter().all(|cell| allowed.allows(&cell.flags)));
    assert!(bytes < 128 * MIB, "{bytes}");
}

#[test]
fn three_hundred_flags_with_a_hundred_exclusions_have_a_plan() {
    let mut text = format!("{COMMAND}{TRAFFIC}{}", flags(300, "env"));
    let pair = |nth: usize| format!("[\"f{}\", \"f{}\", \"f{}\"]", nth, (nth * 7 + 1) % 300, (nth * 13 + 5) % 300);
    let lists: Vec<String> = (0..100).map(pair).collect();
    let _ = writeln!(text, "[constraints]\nmutually_exclusive = [{}]", lists.join(", "));
    let _ = writeln!(text, "at_least_one_of = [[\"f1\", \"f2\", \"f3\"], [\"f10\", \"f20\", \"f30\", \"f40\"]]");
    for nth in 0..100 {
        let _ = writeln!(text, "[[plan.exclude]]\nflags = [\"f{nth}\", \"f{}\"]", nth + 100);
    }
    let (plan, bytes) = planned(&text, &Features::default());
    assert!((16..=64).contains(&plan.expect("a plan").cells.len()));
    assert!(bytes < 512 * MIB, "{bytes}");
}

#[test]
fn axes_are_counted_before_they_are_listed() {
    let axes = |count: usize, values: usize| {
        let values: Vec<String> = (0..values).map(|value| format!("\"{value}\"")).collect();
        let axis = |nth: usize| {
            format!(
                "\n[[axes]]\nname = \"a{nth}\"\nkind = \"env\"\nvar = \"A{nth}\"\nvalues = [{}]\n",
                values.join(", ")
            )
        };
        format!("{COMMAND}{TRAFFIC}{}", (0..count).map(axis).collect::<String>())
    };
    for (count, values, described) in
        [(6, 10, "1000000"), (64, 2, "18446744073709551616"), (200, 10, "more than 3402823669")]
    {
        let (refused, bytes) = planned(&axes(count, values), &Features::default());
        let refused = refused.expect_err("too many");
        assert!(
            refused.contains(&format!("the axes have {described}")) && refused.contains("max_cells = 64"),
            "{refused}"
        );
        assert!(bytes < MIB, "{bytes}");
    }
    // As many as are gone through: each is counted.
    let (refused, bytes) = planned(&axes(4, 16), &Features::default());
    assert!(refused.expect_err("too many").starts_with("the plan has 65536 cells, more than max_cells = 64"));
    assert!(bytes < 512 * MIB, "{bytes}");
    let rules: String = (0..200)
        .map(|nth| format!("\n[[rules]]\nwhen = {{ a0 = \"{}\" }}\nthen = {{ a1 = \"{}\" }}\n", nth % 16, nth % 16))
        .collect();
    let (refused, _) = planned(&(axes(4, 16) + &rules), &Features::default());
    assert!(refused.expect_err("too many").starts_with("the plan has 4096 cells"));
}

#[test]
fn constraints_that_multiply_or_tangle_are_refused_with_a_sentence() {
    let mut text = format!("{COMMAND}{TRAFFIC}");
    for nth in 0..12 {
        let values: Vec<String> = (0..20).map(|value| format!("\"v{value}\"")).collect();
        let _ = writeln!(
            text,
            "\n[[flags]]\nname = \"f{nth}\"\nkind = \"env\"\nvar = \"F{nth}\"\nvalues = [{}]",
            values.join(", ")
        );
    }
    let some: Vec<String> = (1..20).map(|value| format!("\"v{value}\"")).collect();
    let when: Vec<String> = (0..11).map(|nth| format!("f{nth} = [{}]", some.join(", "))).collect();
    let _ = writeln!(text, "\n[[rules]]\nwhen = {{ {} }}\nthen = {{ f11 = \"v0\" }}", when.join(", "));
    let (refused, bytes) = planned(&text, &Features::default());
    let refused = refused.expect_err("19^11 clauses");
    assert!(refused.starts_with("the constraints are too hard: ") && refused.contains("group"), "{refused}");
    assert!(bytes < 1024 * MIB, "{bytes}");
}

/// What the report of a run of this many flags says, in which cells with all of `culprits` grow; and the bytes that it
/// took.
fn reported(count: usize, culprits: &[&str]) -> (Isolation, u64) {
    let text = format!("{COMMAND}{TRAFFIC}{}", flags(count, "env"));
    let plan = planned(&text, &Features::default()).0.expect("a plan");
    let scenario = decode(&format!("{COMMAND}{TRAFFIC}")).scenario.expect("a scenario");
    let service = SimService { probe: true, ..SimService::default() };
    let judged = Outcome::of(&soak(&scenario, &service, &[]).expect("a trace"));
    let outcome = |cell: &Cell| {
        let grown = if culprits.iter().all(|flag| cell.flags.contains(flag)) { 100.0 } else { 0.1 };
        let mut outcome = judged.clone();
        (outcome.cell, outcome.flags) = (cell.id.clone(), cell.flags.clone());
        let fitted = outcome.judgement.growth.as_mut().expect("growth");
        let estimate = Estimate { value: grown, low: grown - 1.0, high: grown + 1.0 }.map(BytesPerRequest::new);
        fitted.per_request = Some(estimate);
        fitted.per_hour = estimate.map(|growth| growth.at(fitted.rate));
        outcome
    };
    let outcomes: Vec<Outcome> = plan.cells.iter().map(outcome).collect();
    let names: Vec<String> = (0..count).map(|nth| format!("f{nth}")).collect();
    counted(|| isolate(&names, &judged_cells(&outcomes)))
}

/// 100 flags have 15,000 causes with their pairs, whose matrix took 1.8 GB.
#[test]
fn the_cells_of_many_flags_are_weighed_in_little_memory() {
    let (isolation, bytes) = reported(100, &["f7"]);
    for finding in &isolation.flags {
        let wanted = if finding.flag == "f7" { Guilt::Leaks } else { Guilt::Innocent };
        assert_eq!(finding.finding.guilt, wanted, "{finding:?}");
    }
    assert!(bytes < 512 * MIB, "{bytes}");
}

/// The problems of `text`, and the bytes that it took to find and to show them.
fn checked(text: &str) -> (Decoded, String, u64) {
    let ((decoded, shown), bytes) = counted(|| {
        let decoded = decode(text);
        let shown = render(&decoded.problems, "soak.toml", text, false);
        (decoded, shown)
    });
    (decoded, shown, bytes)
}

#[test]
fn many_sound_tables_take_as_much_as_there_are() {
    let requests = |count: usize| {
        (0..count).map(|nth| format!("[[requests]]\nname = \"r{nth}\"\npath = \"/r{nth}?{{{{p{nth}}}}}\"\n[params.p{nth}]\ndist = \"unique\"\n")).collect::<String>()
    };
    let thresholds = |count: usize| {
        (0..count)
            .map(|nth| format!("[[thresholds]]\nmetric = \"p99\"\nrequest = \"r{}\"\nmax = \"1s\"\n", nth / 2))
            .collect::<String>()
    };
    let text = |count: usize| format!("{COMMAND}{TRAFFIC}{}{}", requests(count), thresholds(count));
    let (small, _, few) = checked(&text(500));
    let (large, shown, many) = checked(&text(5_000));
    assert!(!any_error(&small.problems) && !any_error(&large.problems), "{shown}");
    assert!(many < 12 * few, "{few} bytes for 500, {many} for 5,000");
}

#[test]
fn many_mistakes_take_as_much_as_there_are_and_the_first_are_shown() {
    let bad = |count: usize| {
        (0..count)
            .map(|nth| format!("[[requests]]\nname = \"r\"\npath = \"x/{{{{no{nth}}}}}\"\nzz = {nth}\n"))
            .collect::<String>()
    };
    let text = |count: usize| format!("{COMMAND}{TRAFFIC}{}", bad(count));
    let (_, _, few) = checked(&text(500));
    let (large, shown, many) = checked(&text(5_000));
    assert!(large.problems.len() >= 15_000, "{}", large.problems.len());
    assert!(shown.contains("more problems, which are not shown") && shown.len() < 64 << 10, "{} bytes", shown.len());
    assert!(many < 12 * few, "{few} bytes for 500, {many} for 5,000");
}

#[test]
fn long_names_and_templates_and_deep_values_are_reported_in_few_bytes() {
    let long = "n".repeat(1 << 20);
    let template = "{{id}}/".repeat(150_000);
    let deep = format!("{}1{}", "[".repeat(3_000), "]".repeat(3_000));
    for more in [
        format!("[[flags]]\nname = \"{long}\"\nkind = \"env\"\nvar = \"A\"\nrequires = [\"x\", \"{long}y\"]\n"),
        format!("[[requests]]\nname = \"long\"\npath = \"/{template}\"\n[params.id]\ndist = \"unique\"\n"),
        format!("[[requests]]\nname = \"body\"\npath = \"/\"\nbody = \"{{{{x}}}} {template}\"\n"),
        format!("[params.id]\ndist = \"choice\"\nvalues = {deep}\n"),
        format!("[service.env]\n\"{long}\" = \"{{{{{long}}}}}\"\n"),
    ] {
        let (decoded, _, bytes) = checked(&format!("{COMMAND}{TRAFFIC}{more}"));
        assert!(any_error(&decoded.problems), "{}", &more[..100]);
        assert!(bytes < 400 * MIB, "{bytes} bytes: {}", &more[..100]);
    }
}
