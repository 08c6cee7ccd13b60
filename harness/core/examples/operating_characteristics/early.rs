//! How often an hour's soak is stopped early, and when.

use std::fmt::Write as _;
use std::time::Duration;

use steep_judge::growth::{Layer, Materiality, fit};
use steep_judge::simulator::{CALM, Recipe, Simulated, simulate};
use steep_judge::verdict::{EarlyStop, looks};

use crate::tally::Share;

/// One soak: when it was stopped, and whether what fills had filled by then.
pub struct Stop {
    recipe: Recipe,
    after: Option<Duration>,
    settled: bool,
}

impl Stop {
    pub fn of(recipe: &Recipe, materiality: &Materiality) -> Self {
        let simulated = simulate(recipe);
        let mut stop = EarlyStop::new(materiality.bar);
        let after = looks(Duration::from_secs(recipe.seconds as u64)).find(|look| {
            let Simulated { series, .. } = simulated.clone().look(look.as_secs_f64());
            stop.may_stop(fit(&series, Layer::Resident, materiality).ok().as_ref(), true)
        });
        let settled = after.is_none_or(|after| simulated.truth.is_settled(after.as_secs_f64()));
        Self { recipe: *recipe, after, settled }
    }
}

/// Calm families apart by whether they had settled, leaks by size.
pub fn table(stops: &[Stop]) -> String {
    let mut text = "|soaks of an hour|n|stopped early|after min, mean|\n|---|---|---|---|\n".to_owned();
    let mut row = |name: &str, is_in: &dyn Fn(&Stop) -> bool, counts: &dyn Fn(&Stop) -> bool| {
        let mut share = Share::default();
        let mut minutes = Vec::new();
        for stop in stops.iter().filter(|stop| is_in(stop)) {
            share.count(counts(stop));
            minutes.extend(stop.after.map(|after| after.as_secs_f64() / 60.0));
        }
        if share.all > 0 {
            let _ = writeln!(text, "|{name}|{}|{share}|{:.1}|", share.all, steep_judge::stats::order::mean(&minutes));
        }
    };
    let is_calm = |stop: &Stop| CALM.contains(&stop.recipe.family);
    row("not leaking, what fills had filled", &is_calm, &|stop| stop.after.is_some() && stop.settled);
    row("not leaking, still filling", &is_calm, &|stop| stop.after.is_some() && !stop.settled);
    for size in [4.0, 16.0, 64.0] {
        let is_in = |stop: &Stop| stop.recipe.family.is_leaking() && (stop.recipe.leak - size).abs() < 0.5;
        row(&format!("leaking {size} B/request"), &is_in, &|stop| stop.after.is_some());
    }
    text
}
