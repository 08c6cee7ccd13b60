//! A scenario whose load lasts longer: one steady phase goes on, and all else is as it was.

use std::time::Duration;

use crate::problem::Spans;
use crate::scenario::{Model, Phase, Role, Scenario, Shape, Supplies};
use crate::traffic::supplied;

/// The time in whole multiples of which a steady phase can go on without becoming other traffic; none: it cannot.
fn rhythm(phase: &Phase) -> Option<Duration> {
    phase.shape.rhythm().filter(|_| phase.role == Role::Steady)
}

/// The longest of the phases that can go on: what is fitted is the longest stretch without idle.
fn longest(scenario: &Scenario) -> Option<(usize, Duration)> {
    let phases = scenario.phases.iter().enumerate();
    // A pause in a load has its place in the traffic; where there is none at all, it is what is soaked.
    let quiet = |phase: &Phase| {
        let is_soaked = scenario.load.model == Model::None && phase.role == Role::Steady;
        (is_soaked && phase.shape == Shape::Pause).then_some(Duration::from_secs(1))
    };
    let able = phases.filter_map(|(index, phase)| Some((index, rhythm(phase).or_else(|| quiet(phase))?)));
    able.max_by_key(|(index, _)| scenario.phases[*index].duration)
}

/// Whether any phase of `scenario` can go on for longer.
#[must_use]
pub fn can_be_longer(scenario: &Scenario) -> bool {
    longest(scenario).is_some()
}

/// `scenario` with a load that lasts for `length`, or a little less, so that waves and peaks are whole. None where it
/// would last no longer than it does, or its files would not do for this long.
#[must_use]
pub fn stretched(scenario: &Scenario, supplies: &Supplies, length: Duration) -> Option<Scenario> {
    let (index, rhythm) = longest(scenario)?;
    let more = length.saturating_sub(scenario.soak_duration());
    let times = more.as_millis().checked_div(rhythm.as_millis())?;
    let times = u32::try_from(times).ok().filter(|times| *times > 0)?;
    let mut longer = scenario.clone();
    longer.phases[index].duration += rhythm * times;
    let problems = |scenario: &Scenario| supplied::problems(scenario, &Spans::default(), supplies).len();
    (problems(&longer) <= problems(scenario)).then_some(longer)
}
