use super::*;

fn recipe(family: Family) -> Recipe {
    Recipe { family, seconds: 600, leak: 16.0, rps: Some(2000.0), known: true, seed: 1, index: 0 }
}

fn all() -> impl Iterator<Item = Family> {
    CALM.into_iter().chain(LEAKING).chain(EXTRA_CALM).chain(EXTRA_LEAKING)
}

#[test]
fn every_family_gives_numbers_that_can_be_and_a_truth() {
    for family in all() {
        let Simulated { series, truth } = simulate(&recipe(family));
        assert_eq!(series.t_s.len(), series.memory_bytes.len(), "{family}");
        assert_eq!(series.t_s.len(), series.requests.len(), "{family}");
        assert!(series.memory_bytes.iter().all(|bytes| bytes.is_finite()), "{family}");
        assert!(series.requests.is_sorted(), "{family}");
        assert_eq!(truth.bytes_per_request > 0.0, family.is_leaking(), "{family}: {truth:?}");
    }
}

#[test]
fn the_same_recipe_gives_the_same_series_and_another_index_another() {
    let first = recipe(Family::LeakBursty);
    assert_eq!(simulate(&first), simulate(&first));
    assert_ne!(simulate(&first).series, simulate(&Recipe { index: 1, ..first }).series);
}

#[test]
fn a_planted_leak_is_as_large_as_the_recipe_says() {
    for family in [Family::LeakLinear, Family::LeakTime, Family::LeakLate, Family::LeakArena, Family::LeakIdleEnd] {
        let truth = simulate(&recipe(family)).truth;
        assert!((truth.bytes_per_request / 16.0 - 1.0).abs() < 0.02, "{family}: {truth:?}");
        assert!((truth.bytes_per_hour / (16.0 * 2000.0 * 3600.0) - 1.0).abs() < 0.02, "{family}: {truth:?}");
    }
}

#[test]
fn a_phase_without_load_is_left_out() {
    let series = simulate(&recipe(Family::IdleMiddle)).series;
    assert!(series.t_s[0] > 200.0, "the longer stretch is the second one");
    assert!(series.requests.windows(2).all(|w| w[1] > w[0]));
}
