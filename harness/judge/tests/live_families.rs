//! Some of each simulated family of live bytes, after two minutes: nothing wrong may be said of any, and most must be
//! decided. The figures over hundreds of each are in METHOD.md.
#![allow(clippy::expect_used, reason = "a test may fail")]

use steep_judge::growth::Materiality;
use steep_judge::simulator::{LiveFamily, LiveRecipe, live};
use steep_judge::units::BytesPerRequest;
use steep_judge::verdict::{Verdict, judge};

/// Series of each family.
const EACH: u64 = 2;

fn recipe(family: LiveFamily, leak: f64, index: u64) -> LiveRecipe {
    LiveRecipe { family, seconds: 120.0, leak, rps: 500.0, hz: 10.0, seed: 15, index }
}

/// What is said where growth of `worth` bytes a request is worth finding, and until when the service filled.
fn said(recipe: &LiveRecipe, worth: f64) -> (Verdict, f64) {
    let simulated = live(recipe);
    let materiality = Materiality { per_request: BytesPerRequest::new(worth), ..Materiality::default() };
    (judge(&simulated.series, &materiality).verdict, simulated.truth.settled)
}

#[test]
fn what_has_filled_is_never_a_leak_and_mostly_cleared() {
    let (mut all, mut cleared) = (0, 0);
    for family in LiveFamily::all().filter(|family| !family.is_leaking()) {
        for index in 0..EACH {
            let (verdict, settled) = said(&recipe(family, 0.0, index), 16.0);
            let named = matches!(verdict, Verdict::Leak | Verdict::Step);
            assert!(!named || settled > 96.0, "{family} #{index}: {verdict}");
            all += i32::from(settled <= 54.0);
            cleared += i32::from(settled <= 54.0 && verdict.is_clear());
        }
    }
    assert!(10 * cleared >= 8 * all, "{cleared} of {all}");
}

#[test]
fn what_leaks_is_never_cleared_and_mostly_named() {
    let (mut all, mut named) = (0, 0);
    for family in LiveFamily::all().filter(|family| family.is_leaking()) {
        for index in 0..EACH {
            let (verdict, _) = said(&recipe(family, 16.0, index), 16.0);
            assert!(!verdict.is_clear(), "{family} #{index}: {verdict}");
            all += 1;
            named += i32::from(matches!(verdict, Verdict::Leak | Verdict::Step));
        }
    }
    assert!(10 * named >= 8 * all, "{named} of {all}");
}
