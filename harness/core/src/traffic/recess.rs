//! When connections are closed: in pauses that say so. Pure.

use std::time::Duration;

use crate::scenario::Phase;
use steep_judge::units::SinceStart;

/// Connections are opened again so long before a pause ends, or a tenth of it if that is less: a thousand are opened
/// one after the other within about a tenth of a second, and the first requests are not to wait for them.
const LEAD: Duration = Duration::from_secs(1);

/// A time without connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recess {
    /// They are closed then.
    pub from: SinceStart,
    /// They are opened again then; none: no more.
    pub to: Option<SinceStart>,
}

/// The times without connections in `phases`. Pauses that follow each other are one.
#[must_use]
pub fn recesses(phases: &[Phase]) -> Vec<Recess> {
    let mut recesses = Vec::new();
    let mut open: Option<SinceStart> = None;
    let mut now = SinceStart::ZERO;
    for phase in phases {
        match (phase.close_connections, open) {
            (true, None) => open = Some(now),
            (false, Some(from)) => {
                let lead = LEAD.min(now.since(from) / 10);
                let to = SinceStart::new(now.elapsed().saturating_sub(lead));
                recesses.push(Recess { from, to: Some(to) });
                open = None;
            }
            _ => {}
        }
        now = now + phase.duration;
    }
    recesses.extend(open.map(|from| Recess { from, to: None }));
    recesses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::testing::{constant, pause};

    fn closed(seconds: f64) -> Phase {
        Phase { close_connections: true, ..pause(seconds) }
    }

    #[test]
    fn connections_are_back_before_the_load_is() {
        let at = SinceStart::from_secs_f64;
        let phases = [constant(1.0, 10.0), closed(60.0), closed(40.0), constant(1.0, 5.0), pause(5.0), closed(5.0)];
        let expected = [Recess { from: at(10.0), to: Some(at(109.0)) }, Recess { from: at(120.0), to: None }];
        assert_eq!(recesses(&phases), expected);
        assert_eq!(recesses(&[closed(1.0), constant(1.0, 1.0)]), [Recess { from: at(0.0), to: Some(at(0.9)) }]);
    }
}
