use std::collections::BTreeSet;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, StandardNormal};

use super::*;
use crate::plan::{Plan, plan};
use crate::problem::Spans;
use crate::scenario::decode::decode;
use crate::scenario::package::Features;
use crate::scenario::{Shape, StartAt, Supplies};
use steep_judge::ids::CellId;

/// Cells of half an hour among five flags.
fn scenario(more: &str) -> Scenario {
    let flags: String = ["cache", "labels", "render", "sessions", "tenants"]
        .iter()
        .map(|name| format!("[[flags]]\nname = \"{name}\"\nkind = \"env\"\nvar = \"{}\"\n", name.to_uppercase()))
        .collect();
    let text = format!(
        r#"
name = "shop"
[service]
command = ["shop"]
url = "http://127.0.0.1:{{{{port}}}}"
[[phases]]
name = "warmup"
role = "warmup"
shape = "ramp"
start_rate = 0
target_rate = 100
duration = "2m"
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 100
duration = "28m"
[[requests]]
name = "get"
path = "/"
{flags}{more}
"#
    );
    let decoded = decode(&text);
    decoded.scenario.unwrap_or_else(|| panic!("a sound scenario: {:?}", decoded.problems))
}

/// Two values of an axis, the first of which is that of production.
const ALLOCATORS: &str = r#"
[[axes]]
name = "arenas"
kind = "env"
var = "MALLOC_ARENA_MAX"
values = ["8", "2"]
"#;

/// A service, the host it runs on, and the time there.
struct World {
    /// Sets of flags that leak, and by how much where all of them are on, in times what is worth finding.
    leaks: Vec<(FlagSet, f64)>,
    /// Standard error of growth in a cell of half an hour, in the same. The first simulations had 0.5 B/request where 4
    /// are worth finding (docs/isolation.md, where the numbers come from).
    error: f64,
    build: Duration,
    around: Duration,
    left: Duration,
    seed: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            leaks: Vec::new(),
            error: 0.125,
            build: Duration::ZERO,
            around: Duration::from_secs(2),
            left: Duration::from_hours(9),
            seed: 1,
        }
    }
}

/// Standard deviation of what differs between cells, and of the growth of an innocent flag, in times what is worth
/// finding (docs/isolation.md, where the numbers come from).
const CREEP: f64 = 0.3 / 4.0;

/// A night that is over.
#[derive(Debug, PartialEq)]
struct Spent {
    cells: Vec<(String, Duration)>,
    ended: Turn,
    left: Duration,
}

impl World {
    /// As `steep run --until` does, with a clock that jumps.
    fn spend(mut self, scenario: &Scenario, mut past: Vec<Past>) -> (Spent, Vec<Past>) {
        let features = Features::default();
        let allowed = Allowed::of(scenario, &features);
        let planned = plan(scenario, &features, &Spans::default()).expect("a plan");
        let mut night = Night::new(scenario, &allowed, &planned.cells);
        let mut soaking = Plan::of_night(scenario, &planned, "07:00".to_owned());
        soaking.cells = past.iter().map(|past| past.cell.clone()).collect();
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut built: BTreeSet<FlagSet> = BTreeSet::new();
        let mut cells = Vec::new();
        let mut normal = || -> f64 { StandardNormal.sample(&mut random) };
        let creep: BTreeMap<String, f64> =
            allowed.switches().into_iter().map(|flag| (flag, CREEP * normal())).collect();
        loop {
            let must_be_built = |flags: &FlagSet, _: &BTreeMap<String, String>| !built.contains(flags);
            let wanted = match night.next(&past, &Doubts::default(), self.left, must_be_built) {
                Turn::Soak(wanted) => wanted,
                ended => return (Spent { cells, ended, left: self.left }, past),
            };
            if built.insert(wanted.flags.clone()) {
                self.left = self.left.saturating_sub(self.build);
                night.pace.saw_build(self.build);
            }
            let Some(length) = night.length(past.is_empty(), self.left) else { continue };
            let longer = stretched(scenario, &Supplies::default(), length);
            let load = longer.as_ref().unwrap_or(scenario).soak_duration();
            let took = load + self.around;
            assert!(took <= self.left, "a cell of {load:?} was begun with {:?} left", self.left);
            self.left -= took;
            night.pace.saw_cell(took, load);
            let cell = soaking.append(scenario, &features, &wanted.flags, &wanted.axes);
            cells.push((cell.id.to_string(), load));
            let error = self.error * (1800.0 / load.as_secs_f64()).powf(1.5);
            let noise = error * normal() + CREEP * normal();
            let creep: f64 = wanted.flags.iter().map(|flag| creep[flag]).sum();
            let on = self.leaks.iter().filter(|(flags, _)| flags.iter().all(|flag| wanted.flags.contains(flag)));
            let growth = on.map(|(_, growth)| growth).sum::<f64>() + creep + noise;
            past.push(Past { cell, growth: Some((growth, error)), stacks: Vec::new(), is_decided: 1.96 * error < 1.0 });
            assert!(past.len() <= 200, "a night ends");
        }
    }
}

/// What the likeliest explanation of these cells names.
fn named(scenario: &Scenario, past: Vec<Past>) -> Vec<FlagSet> {
    let allowed = Allowed::of(scenario, &Features::default());
    let described =
        past.into_iter().map(|past| CellGrowth { flags: past.cell.flags, growth: past.growth, stacks: past.stacks });
    let search = Search::new(&allowed.switches(), rules(scenario), described);
    search.look(&allowed, |_| true, Duration::MAX).explanations.swap_remove(0).culprits
}

#[test]
fn a_night_of_eight_hours_names_what_leaks_and_nothing_else() {
    let scenario = scenario("");
    let cases: [&[(&[&str], f64)]; 4] =
        [&[], &[(&["labels"], 4.0)], &[(&["labels"], 4.0), (&["cache"], 2.0)], &[(&["labels", "tenants"], 4.0)]];
    for case in cases {
        let leaks: Vec<(FlagSet, f64)> = case.iter().map(|(flags, growth)| (set(flags), *growth)).collect();
        let mut truth: Vec<FlagSet> = leaks.iter().map(|(flags, _)| flags.clone()).collect();
        truth.sort();
        // docs/night.md has the figures of two hundred.
        for seed in 0..5 {
            let world = World { leaks: leaks.clone(), left: Duration::from_hours(8), seed, ..World::default() };
            let (spent, past) = world.spend(&scenario, Vec::new());
            let mut culprits = named(&scenario, past);
            culprits.sort();
            assert_eq!((&culprits, &spent.ended), (&truth, &Turn::Sure), "{seed}: {spent:?}");
        }
    }
}

fn set(flags: &[&str]) -> FlagSet {
    flags.iter().copied().collect()
}

const ALL: &str = "cache+labels+render+sessions+tenants";
const HALF_HOUR: Duration = Duration::from_mins(30);

#[test]
fn a_night_begins_with_a_long_cell_and_what_that_raises_is_answered_by_short_ones() {
    let world = World { leaks: vec![(set(&["labels"]), 8.0)], ..World::default() };
    let (spent, _) = world.spend(&scenario(""), Vec::new());
    assert_eq!(spent.ended, Turn::Sure, "{spent:?}");
    assert_eq!(spent.cells[0], (ALL.to_owned(), LONGEST));
    assert!(spent.cells.len() > 2 && spent.cells[1..].iter().all(|(_, load)| *load == HALF_HOUR), "{spent:?}");
}

#[test]
fn a_night_in_which_nothing_grows_ends_once_that_is_known() {
    let (spent, _) = World::default().spend(&scenario(""), Vec::new());
    assert_eq!(spent.ended, Turn::Sure);
    assert_eq!(spent.cells, [(ALL.to_owned(), LONGEST), ("baseline".to_owned(), HALF_HOUR)]);
}

#[test]
fn the_long_cell_gets_half_of_the_night_or_all_of_what_has_no_room_for_another() {
    let first = |left| World { left, ..World::default() }.spend(&scenario(""), Vec::new()).0.cells[0].1;
    assert_eq!(first(Duration::from_hours(3)), Duration::from_mins(90));
    assert_eq!(first(Duration::from_hours(1)), Duration::from_hours(1) - Duration::from_secs(3));
    assert_eq!(first(Duration::from_hours(24)), LONGEST);
}

#[test]
fn values_of_axes_come_once_the_flags_are_decided() {
    let (spent, past) = World::default().spend(&scenario(ALLOCATORS), Vec::new());
    assert_eq!(spent.ended, Turn::Sure);
    let values: Vec<&str> = past.iter().map(|past| past.cell.axes["arenas"].as_str()).collect();
    assert_eq!(values, ["8", "8", "2"], "{spent:?}");
}

#[test]
fn what_is_inconclusive_is_soaked_again_and_not_for_ever() {
    // The cells together say enough, and the one with no flag on is never decided.
    let world = World { error: 0.52, left: Duration::from_hours(12), ..World::default() };
    let (spent, past) = world.spend(&scenario(""), Vec::new());
    assert_eq!(spent.ended, Turn::Sure, "{spent:?}");
    let baselines = past.iter().filter(|past| past.cell.flags.is_empty()).count();
    assert_eq!(baselines, MAX_REPEATS, "{spent:?}");
}

#[test]
fn another_night_goes_on_where_the_last_one_ended() {
    let leaks = vec![(set(&["labels"]), 8.0)];
    let short = World { leaks: leaks.clone(), left: Duration::from_hours(2), ..World::default() };
    let (first, past) = short.spend(&scenario(""), Vec::new());
    assert!(matches!(&first.ended, Turn::Unsure { reason } if reason.contains("fits into the")), "{first:?}");
    let (second, all) = World { leaks, seed: 2, ..World::default() }.spend(&scenario(""), past.clone());
    assert_eq!(second.ended, Turn::Sure);
    assert!(second.cells.iter().all(|(_, load)| *load == HALF_HOUR), "no second long cell: {second:?}");
    assert_eq!(all[..past.len()], past[..]);
}

#[test]
fn a_flag_that_the_report_does_not_clear_is_soaked_again() {
    let (_, past) = World::default().spend(&scenario(""), Vec::new());
    let scenario = scenario("");
    let allowed = Allowed::of(&scenario, &Features::default());
    let night = Night::new(&scenario, &allowed, &[]);
    let next =
        |flags: FlagSet| night.next(&past, &Doubts { flags, axes: false }, Duration::from_hours(1), |_, _| false);
    assert_eq!(next(FlagSet::default()), Turn::Sure);
    let Turn::Soak(wanted) = next(set(&["render"])) else { panic!("a cell") };
    assert!(wanted.flags.contains("render") && wanted.why.contains("would not show it"), "{wanted:?}");
}

#[test]
fn a_night_that_is_too_short_says_what_it_takes() {
    let scenario = scenario("");
    let allowed = Allowed::of(&scenario, &Features::default());
    let night = Night::new(&scenario, &allowed, &[]);
    let error = night.outline(String::new(), Duration::from_mins(20), true, &[]).expect_err("too short");
    assert_eq!(
        error.to_string(),
        "20m are left, and the first cell takes about 30m 33s: 30m of load, and a build of about 30s"
    );
    assert!(night.outline(String::new(), error.enough(), true, &[]).is_ok());
    let outline =
        night.outline(String::new(), Duration::from_hours(8), true, &[CellId::parse("baseline")]).expect("it fits");
    assert_eq!((outline.least_short_cells, outline.most_short_cells), (7, 7));
    assert_eq!((outline.long_cell.as_str(), outline.not_sure.len()), (ALL, 1));
}

#[test]
fn waves_stay_whole_and_what_cannot_go_on_stays_as_it_is() {
    let mut scenario = scenario("");
    let length = |scenario: &Scenario| {
        let longer = stretched(scenario, &Supplies::default(), Duration::from_hours(2));
        longer.map(|longer| longer.soak_duration())
    };
    assert_eq!(length(&scenario), Some(Duration::from_hours(2)));
    let Shape::Constant { rate } = scenario.phases[1].shape else { panic!("constant") };
    let (period, start_at) = (Duration::from_mins(28), StartAt::Trough);
    scenario.phases[1].shape = Shape::Sine { mean: rate, amplitude: rate, period, start_at };
    assert_eq!(length(&scenario), Some(HALF_HOUR + 3 * period));
    scenario.phases[1].shape = Shape::Ramp { start_rate: rate, target_rate: rate };
    assert_eq!((length(&scenario), can_be_longer(&scenario)), (None, false));
}

/// Nothing leaks, one flag does, or two only together.
fn leaks() -> impl Strategy<Value = Vec<(FlagSet, f64)>> {
    prop_oneof![
        Just(Vec::new()),
        (1.0..20.0).prop_map(|growth| vec![(set(&["labels"]), growth)]),
        (1.0..20.0).prop_map(|growth| vec![(set(&["labels", "tenants"]), growth)]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// `World::spend` asserts of every cell that it is over in time, however long builds take.
    #[test]
    fn no_cell_is_begun_that_is_not_over_in_time_and_the_same_world_has_the_same_night(
        leaks in leaks(), seed in any::<u64>(), minutes in 0_u64..600, error in 0.05..2.0, build in 0_u64..1200
    ) {
        let world = || World {
            leaks: leaks.clone(),
            error,
            build: Duration::from_secs(build),
            left: Duration::from_mins(minutes),
            seed,
            ..World::default()
        };
        let scenario = scenario(ALLOCATORS);
        let (spent, past) = world().spend(&scenario, Vec::new());
        prop_assert_eq!(&spent, &world().spend(&scenario, Vec::new()).0);
        prop_assert!(spent.cells.iter().skip(1).all(|(_, load)| *load == HALF_HOUR));
        // Whoever ends early is sure of it, or has nothing left that fits.
        if !matches!(spent.ended, Turn::Sure) && past.len() < steep_judge::bisect::MAX_CELLS {
            let described = format!("{spent:?}");
            prop_assert!(spent.left < HALF_HOUR + Duration::from_secs(3 + build.max(30)), "{}", described);
        }
    }
}
