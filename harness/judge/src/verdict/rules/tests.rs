use super::*;
use crate::growth::planted::Planted;
use crate::growth::{Layer, Materiality, Shape, fit};
use crate::units::BytesPerHour;

const BAR: f64 = 3.0;

/// A change to a calm half hour, and the rule that decides then.
type Case = (&'static str, fn(&mut Growth));

/// Evidence of growth by twice what is worth finding, all of it material.
fn grown(growth: &mut Growth) {
    let amount = BytesPerHour::new(2.0 * growth.worth_finding.get());
    growth.per_hour = growth.per_hour.map(|_| amount);
    (growth.evidence, growth.floor, growth.ceiling) = (10.0, amount, amount);
    (growth.second_half, growth.last_quarter) = (amount, amount);
    growth.least_growth = Bytes::mib(1);
}

/// What is worth finding is not excluded.
fn open(growth: &mut Growth) {
    growth.ceiling = BytesPerHour::new(2.0 * growth.worth_finding.get());
}

const CASES: [Case; 18] = [
    ("jumps_that_double", |growth| growth.jumps.doubling = true),
    ("jumps_of_one_height", |growth| (growth.jumps.regular, growth.evidence) = (true, 0.0)),
    ("jumps_spread_out", |growth| (growth.jumps.spread, growth.evidence) = (true, 2.0)),
    ("fell_back", |growth| {
        grown(growth);
        growth.given_back = Some(GivenBack { fallen: Bytes::mib(9), at_s: 900.0, missing_s: 60.0 });
    }),
    ("grows", grown),
    ("disturbed", |growth| {
        grown(growth);
        growth.environment_noisy = true;
    }),
    ("jumps_of_open_cause", |growth| growth.jumps.dominant = true),
    ("jumped_late", |growth| growth.jumps.open = true),
    ("grows_by_too_little", |growth| growth.evidence = 10.0),
    ("grew_and_stopped", |growth| {
        (growth.calm_model, growth.calm_gain, growth.risen) = (Shape::Cap, 9.0, 1e6);
    }),
    ("does_not_grow", |_| ()),
    ("within_allocator_drift", |growth| {
        grown(growth);
        (growth.seconds, growth.least_growth) = (60.0, Bytes::mib(16));
    }),
    ("no_flat_end", |growth| {
        (growth.seconds, growth.flat_end) = (600.0, None);
        growth.worth_finding = BytesPerHour::new(4e6);
        growth.ceiling = BytesPerHour::new(3.9e6);
    }),
    ("less_than_counts", |growth| {
        grown(growth);
        growth.least_growth = Bytes::mib(999);
    }),
    ("creeps_after_cap", |growth| {
        open(growth);
        growth.after_cap = Some(AfterCap { full_s: 300.0, filled: Bytes::mib(30), crept: Bytes::mib(3) });
    }),
    ("slows_down", |growth| {
        grown(growth);
        (growth.seconds, growth.evidence, growth.calm_gain) = (600.0, 4.0, 40.0);
        growth.last_quarter = BytesPerHour::new(0.5 * growth.second_half.get());
    }),
    ("hidden_by_peak", |growth| growth.hidden_by_peaks = Some(600.0)),
    ("too_uncertain", open),
];

#[test]
fn each_rule_of_growth_can_decide_and_they_are_asked_in_this_order() {
    let series = Planted { seconds: 1800, ..Planted::CALM }.series();
    let calm = fit(&series, Layer::Resident, &Materiality::default()).expect("a series that can be judged");
    for (name, change) in CASES {
        let mut growth = calm.clone();
        change(&mut growth);
        let decided = first(&OF_GROWTH, |decide| decide(&growth, &Limits::of(&growth, BAR)));
        let (rule, said) = decided.unwrap_or_else(|| (TOO_UNCERTAIN, too_uncertain(&growth)));
        assert_eq!(rule.name, name, "{}", said.reason);
        assert_eq!(said.need.is_some(), rule.verdict == Some(Verdict::Inconclusive), "{name}");
    }
    let names: Vec<&str> = all().filter(|(about, _)| *about == "growth").map(|(_, rule)| rule.name).collect();
    assert_eq!(names, CASES.map(|(name, _)| name));
}
