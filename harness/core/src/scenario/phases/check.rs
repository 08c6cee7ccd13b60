//! Phases: that they load something and can be judged.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Phase, Role, Shape};
use crate::problem::{listed, nearest};
use crate::scenario::check::{Check, SHORTEST_FIT};
use crate::scenario::{Model, Scenario};

impl Check<'_> {
    pub(in crate::scenario) fn phases(&mut self, scenario: &Scenario) {
        let phases = &scenario.phases;
        if phases.is_empty() && self.spans.of("phases").is_none() {
            return; // Reported already, as a key that is missing.
        }
        if phases.is_empty() {
            self.error("phases", "there is no phase", "a soak needs at least one: [[phases]] with role = \"steady\"");
            return;
        }
        self.distinct_names("phases", phases.iter().map(|phase| phase.name.as_str()));
        let fitted = |phase: &&Phase| matches!(phase.role, Role::Warmup | Role::Steady);
        if !phases.iter().any(|phase| phase.role == Role::Steady) {
            self.error("phases", "no phase has role = \"steady\"", "that is what growth is judged on");
        } else if scenario.load.model != Model::None && phases.iter().filter(fitted).all(is_without_load) {
            let help = "give a steady phase a rate above 0; for a soak without traffic say [load] model = \"none\": growth is judged per hour then";
            self.error("phases", "the rate is 0 in every phase that is judged", help);
        }
        for (index, phase) in phases.iter().enumerate() {
            let place = format!("phases[{index}]");
            self.shape(&place, &phase.name, &phase.shape, phase.duration);
            self.model(&place, phase, scenario.load.model);
            self.weights(&place, phase, scenario);
        }
        let lasts = |stretch: &[Phase]| stretch.iter().map(|phase| phase.duration).sum::<Duration>();
        let judged = phases.split(|phase| !fitted(&phase)).map(lasts).max().unwrap_or_default();
        if judged < SHORTEST_FIT {
            let message = format!(
                "warm-up and steady phases last {}s in one piece, and nothing is judged below {}s",
                judged.as_secs(),
                SHORTEST_FIT.as_secs()
            );
            self.warning("phases", message, "every cell will come out inconclusive: lengthen the steady phase");
        }
        let first_fitted = phases.iter().position(|phase| fitted(&phase));
        let last_fitted = phases.iter().rposition(|phase| fitted(&phase));
        for (index, phase) in phases.iter().enumerate() {
            let inside =
                first_fitted.is_some_and(|first| first < index) && last_fitted.is_some_and(|last| index < last);
            if !fitted(&phase) && inside {
                let message = format!("\"{}\" stands between phases that are fitted", phase.name);
                self.warning(
                    &format!("phases[{index}]"),
                    message,
                    "only the longest stretch without idle or cooldown phases is fitted; the others are judged by themselves, and see less",
                );
            }
        }
    }

    /// That a phase speaks of rates in an open load, and of users in a closed one.
    fn model(&mut self, place: &str, phase: &Phase, model: Model) {
        match (model, &phase.shape) {
            (Model::Open, Shape::Users { .. }) => {
                let help = "say [load] model = \"closed\", or give the phase a shape with a rate";
                self.error(&format!("{place}.shape"), "\"users\" is of a closed load", help);
            }
            (Model::Closed { vus, .. }, Shape::Users { users: Some(users) }) if *users > vus => {
                self.error(&format!("{place}.users"), format!("there are only {vus} users"), "raise load.vus");
            }
            (Model::None, _) if is_without_load(phase) && !phase.close_connections && phase.storm.is_none() => {}
            (Model::None, _) => {
                let message = format!("\"{}\" has a load, and [load] model = \"none\" sends nothing", phase.name);
                self.error(place, message, "write shape = \"pause\" and no more, or take model = \"none\" out");
            }
            (Model::Open, _) | (Model::Closed { .. }, Shape::Users { .. } | Shape::Pause) => {}
            (Model::Closed { .. }, _) => {
                let help = "users send as fast as they are answered: shape = \"users\", or [load] model = \"open\"";
                self.error(&format!("{place}.shape"), "a closed load has no rate", help);
            }
        }
    }

    fn weights(&mut self, place: &str, phase: &Phase, scenario: &Scenario) {
        if phase.weights.is_empty() {
            return;
        }
        let known = || scenario.weights().map(|(name, _)| name);
        let is_known: BTreeSet<&str> = known().collect();
        let or_flow = if scenario.flows.is_empty() { "" } else { " or flow" };
        for name in phase.weights.keys().filter(|name| !is_known.contains(name.as_str())) {
            let help = match nearest(name, known()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are {}", listed(known())),
            };
            self.error(&format!("{place}.weights.{name}"), format!("there is no request{or_flow} \"{name}\""), help);
        }
        let of = |name: &str, own: f64| phase.weights.get(name).copied().unwrap_or(own);
        self.shares(&format!("{place}.weights"), scenario.weights().map(|(name, own)| (name, of(name, own))));
        let nothing = scenario.weights().all(|(name, own)| of(name, own) <= 0.0);
        if nothing {
            self.error(
                &format!("{place}.weights"),
                format!("the weight of every request{or_flow} is 0 here"),
                "use shape = \"pause\" for that",
            );
        }
    }
}

fn is_without_load(phase: &Phase) -> bool {
    // A file is read later, and rates above 0 are looked for then.
    let is_unknown = matches!(phase.shape, Shape::Users { .. } | Shape::External | Shape::FromFile { .. });
    !is_unknown && phase.shape.peak().get() <= 0.0
}
