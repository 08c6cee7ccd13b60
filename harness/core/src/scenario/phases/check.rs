//! Phases: that they load something, can be judged, and have shapes that can be.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Phase, Role, Shape};
use crate::problem::{listed, nearest};
use crate::scenario::check::{Check, SHORTEST_FIT};
use crate::scenario::rates::{HIGHEST_RATE, MAX_STRETCHES};
use crate::scenario::{Model, Scenario};

/// The longest soak, as keys have it.
const LONGEST_PHASE: Duration = Duration::from_hours(720);

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
            self.shape(&place, phase);
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

    fn shape(&mut self, place: &str, phase: &Phase) {
        if phase.shape.peak().get() > HIGHEST_RATE {
            let message = format!("\"{}\" wants more than {HIGHEST_RATE} requests per second", phase.name);
            self.error(place, message, "no driver sends that many");
        }
        if phase.shape.own_duration().is_some_and(|own| own > LONGEST_PHASE) {
            let message = format!("\"{}\" lasts {} s", phase.name, phase.duration.as_secs());
            self.error(place, message, "a phase lasts at most 30 days");
        }
        match &phase.shape {
            Shape::Stages { stages, .. } if stages.is_empty() => {
                self.error(place, "\"stages\" is empty", "stages = [{ target_rate = 100, duration = \"5m\" }]");
            }
            Shape::Spike { every, width, .. } => {
                if width >= every {
                    self.error(&format!("{place}.width"), "a peak must be shorter than the time between two", "");
                }
                if every > &phase.duration {
                    let help = "a peak ends each stretch of \"every\": make the phase longer";
                    self.error(&format!("{place}.every"), "the phase ends before its first peak", help);
                }
                self.pieces(place, 2.0 * phase.duration.as_secs_f64() / every.as_secs_f64());
            }
            Shape::Square { halves, .. } if halves % 2 == 1 => {
                self.error(&format!("{place}.halves"), format!("{halves} halves make no whole"), "give an even number");
            }
            Shape::Sine { mean, amplitude, period, .. } => {
                if amplitude.get() > mean.get() {
                    let help = "a rate cannot be negative: at most \"mean\"";
                    self.error(&format!("{place}.amplitude"), "the amplitude is above the mean", help);
                }
                if *period > phase.duration {
                    let help = "what is taken for growth may be a part of the wave: make the phase longer";
                    self.warning(&format!("{place}.period"), "the phase is shorter than one swing", help);
                }
            }
            _ => {}
        }
    }

    fn pieces(&mut self, place: &str, pieces: f64) {
        if pieces > MAX_STRETCHES as f64 {
            let message = format!("the shape has {pieces:.0} pieces, more than {MAX_STRETCHES}");
            self.error(place, message, "make the phase shorter, or the pieces longer");
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
