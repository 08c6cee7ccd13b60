//! The nights of a scenario: their lines, what changed between which, and how it is printed.

use std::sync::OnceLock;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution as _, StandardNormal};
use steep_core::exit::Status;
use steep_core::history::{Figure, History, LONGEST_LINE, Night, Recorded, Taken, names, nights};
use steep_core::outcome::Outcome;
use steep_core::report::{Layout, history, history_page};
use steep_core::scenario::Judge;
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_judge::ids::CellId;
use steep_judge::verdict::Verdict;

use super::simulated::soaked;

fn outcome(cell: &str) -> Outcome {
    static SOAKED: OnceLock<Outcome> = OnceLock::new();
    let scenario = || decoded(&sound("10m", ""));
    let mut outcome = SOAKED
        .get_or_init(|| Outcome::of(&soaked(&scenario(), &SimService { probe: true, ..SimService::default() })))
        .clone();
    outcome.cell = CellId::parse(cell);
    outcome
}

fn judge() -> Judge {
    decoded(&sound("10m", "")).judge
}

fn line(started: &str, outcomes: &[Outcome]) -> String {
    let (judge, conditions) = (judge(), "0123abcd".to_owned());
    let (name, commit, status) = ("shop", "0123456789abcdef0123456789abcdef01234567", Status::Clean);
    let run = "shop-20261122T220000Z".to_owned();
    let recorded = Recorded { name, started, run, commit, is_dirty: true, status, conditions, judge: &judge, outcomes };
    Night::line(&recorded).expect("a line")
}

#[test]
fn a_line_holds_its_figures_and_stays_short_however_many_cells_there_are() {
    let text = line("2026-11-22T22:00:00Z", &[outcome("baseline"), outcome("sessions")]);
    assert!(text.len() <= LONGEST_LINE && text.ends_with('\n'), "{text}");
    let (found, broken) = nights([text.as_str()], "shop");
    let [night] = &found[..] else { panic!("{found:?}") };
    assert_eq!((broken, night.commit.as_str(), night.cells_left_out), (0, "0123456789ab+", 0));
    let cell = night.cell(&CellId::parse("sessions")).expect("a cell");
    assert_eq!(cell.verdict, Verdict::Stable);
    let settled = outcome("sessions").figures.expect("figures").settled_anon_bytes.as_f64();
    assert_eq!(night.figure(cell, Figure::SettledAnonBytes), Some(Taken(settled, 0.0)));
    assert!(night.figure(cell, Figure::GrowthBytesPerRequest).is_some());

    let mut many: Vec<Outcome> = (0..64).map(|cell| outcome(&format!("flag-number-{cell}"))).collect();
    many[63].judgement.verdict = Verdict::Leak;
    let text = line("2026-11-22T22:00:00Z", &many);
    assert!(text.len() <= LONGEST_LINE, "{} bytes", text.len());
    let night = &nights([text.as_str()], "shop").0[0];
    assert!(night.cells.len() >= 6 && night.cells.len() + night.cells_left_out == 64, "{night:?}");
    // What was found comes first.
    assert_eq!((night.cells[0].as_str(), night.cells[1].as_str()), ("flag-number-63", "flag-number-0"));
}

#[test]
fn torn_lines_others_and_what_a_resumed_run_said_before_are_passed_over() {
    let one = line("2026-11-22T22:00:00Z", &[outcome("baseline")]);
    let resumed = line("2026-11-22T22:00:00Z", &[outcome("baseline"), outcome("sessions")]);
    let other = one.replace("\"name\":\"shop\"", "\"name\":\"till\"");
    let later = line("2026-11-23T22:00:00Z", &[outcome("baseline")]);
    let torn = &one[..one.len() / 2];
    let all = [later.as_str(), &one, torn, &other, "\n", "null\n", &resumed];
    let (found, broken) = nights(all, "shop");
    assert_eq!((found.len(), broken), (2, 2));
    assert_eq!((found[0].cells.len(), found[1].started.as_str()), (2, "2026-11-23T22:00:00Z"));
    assert_eq!(names(all), ["shop", "till"]);
}

proptest! {
    /// Whatever stands in the file, nothing panics, and figures are finite.
    #[test]
    fn any_line_is_a_night_or_broken(text in "\\PC{0,60}", cut in 0_usize..900) {
        let whole = line("2026-11-22T22:00:00Z", &[outcome("baseline")]);
        let cut = format!("{}{text}", whole.get(..cut).unwrap_or(&whole));
        let (found, broken) = nights([cut.as_str()], "shop");
        prop_assert!(found.len() + broken <= 1);
        let _ = History::new("shop", &found, broken);
    }
}

/// Nights whose figures chance moves, with `step` bytes per request from night 25 on.
fn simulated(dice: &mut ChaCha8Rng, count: usize, step: f64) -> Vec<Night> {
    static NIGHT: OnceLock<Night> = OnceLock::new();
    let night = NIGHT.get_or_init(|| {
        let (mut found, _) = nights([line("2026-10-01T22:00:00Z", &[outcome("baseline")]).as_str()], "shop");
        found.remove(0)
    });
    let mut normal = || -> f64 { StandardNormal.sample(dice) };
    (0..count)
        .map(|number| {
            let mut night = night.clone();
            night.started = format!("2026-{:02}-{:02}T22:00:00Z", 10 + number / 28, 1 + number % 28);
            night.commit = format!("c{number:03}");
            let level = if number >= 25 { step } else { 0.0 };
            night.growth_bytes_per_request = vec![Some(Taken(level + 0.6 * normal(), 0.5))];
            night.settled_bytes = vec![Some((40e6 * (1.0 + 0.02 * normal())) as u64)];
            night.p99_us = vec![Some((2000.0 * (0.3 * normal()).exp()) as u64)];
            night.cpu_us_per_request = vec![Some(80.0 * (0.05 * normal()).exp())];
            night
        })
        .collect()
}

/// Growth, settled memory, latency and CPU time together.
#[test]
fn of_forty_nights_without_a_change_few_have_one_of_any_figure() {
    let mut dice = ChaCha8Rng::seed_from_u64(40);
    let alarms = (0..300).filter(|_| {
        let nights = simulated(&mut dice, 40, 0.0);
        History::new("shop", &nights, 0).cells.iter().any(|course| !course.changes.is_empty())
    });
    let alarms = alarms.count();
    assert!(alarms <= 12, "{alarms} of 300");
}

#[test]
fn a_change_is_named_with_its_nights_and_commits() {
    let nights = simulated(&mut ChaCha8Rng::seed_from_u64(7), 40, 30.0);
    let found = History::new("shop", &nights, 0);
    let [change] = &found.cells[0].changes[..] else { panic!("{:?}", found.cells[0].changes) };
    assert_eq!((change.figure, change.commits.as_str()), (Figure::GrowthBytesPerRequest, "c024..c025"));
    assert!(change.seen <= nights[27].started && !change.other_conditions, "{change:?}");
    assert!(change.sentence.contains("more growth since 2026-10-26 22:00"), "{}", change.sentence);
    assert!(change.sentence.contains("commits c024..c025)"), "{}", change.sentence);

    let mut moved = nights;
    moved.iter_mut().skip(25).for_each(|night| night.conditions = "another".to_owned());
    let found = History::new("shop", &moved, 0);
    assert!(found.cells[0].changes[0].sentence.contains("not the program alone"), "{:?}", found.cells[0].changes);
    assert!(found.cells[0].nights[25].other_conditions && !found.cells[0].nights[26].other_conditions);
}

#[test]
fn what_is_printed_for_people() {
    let nights = simulated(&mut ChaCha8Rng::seed_from_u64(7), 30, 30.0);
    let found = History::new("shop", &nights, 1);
    insta::assert_snapshot!(history(&found, None, Layout::new(Some(110), false)));
}

#[test]
fn the_page_says_what_changed_and_has_a_line_and_a_point_for_each_night() {
    let nights = simulated(&mut ChaCha8Rng::seed_from_u64(7), 30, 30.0);
    let found = History::new("shop <b>", &nights, 1);
    let change = found.cells[0].changes.last().expect("a change");
    let page = history_page(&found, None);
    let page = page.split("<script>").next().expect("a page");
    assert!(page.contains("shop &lt;b&gt; – nights") && !page.contains("NaN"));
    let sentence = page.find(&change.sentence).expect("what changed");
    let first = page.find("<figure").expect("a figure");
    assert!(sentence < first, "what changed stands first");
    // A head row and 30 nights; a point each in three figures, and the change as a band in that of its figure.
    let (rows, points) = (page.matches("<tr>").count(), page.matches("class=\"point").count());
    assert_eq!((rows, points, page.matches("class=\"band\"").count()), (2 + 31, 3 * 30, 1));
    assert!(page.contains("1 line of the file cannot be read"));

    let other = history_page(&found, Some(&CellId::parse("sessions")));
    assert!(!other.contains("<figure") && other.contains("No lasting change"));
    let calm = simulated(&mut ChaCha8Rng::seed_from_u64(7), 1, 0.0);
    assert!(history_page(&History::new("shop", &calm, 0), None).contains("No lasting change"));
}
