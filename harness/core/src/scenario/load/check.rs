//! Users of a closed load, who can all be carried.

use super::{Model, ThinkTime};
use crate::scenario::Scenario;
use crate::scenario::check::Check;

impl Check<'_> {
    /// That users can all be carried, and that what they think is a time.
    pub(in crate::scenario) fn load(&mut self, scenario: &Scenario) {
        let Model::Closed { vus, think_time } = scenario.load.model else { return };
        if vus as usize > scenario.http.connections {
            let message = format!("{vus} users on {} connections would wait for each other", scenario.http.connections);
            self.error("load.vus", message, "raise http.connections to as many as there are users");
        }
        if vus as usize > scenario.load.max_in_flight {
            let message = format!("{vus} users, and at most {} requests in flight", scenario.load.max_in_flight);
            self.error("load.vus", message, "raise load.max_in_flight to as many as there are users");
        }
        if let ThinkTime::Uniform { min, max } = think_time
            && min > max
        {
            self.error("load.think_time.max", "\"max\" is below \"min\"", "");
        }
    }
}
