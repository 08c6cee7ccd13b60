//! What goes wrong in a simulated world: with the host, the service, what is between them, and the disk.

use std::time::Duration;

use crate::scenario::Http;
use crate::traffic::dispatch::Outcome;
use steep_judge::units::SinceStart;

/// How long an answer takes: what the sample service needs on the loopback. Users of a closed load would otherwise send
/// without end in one moment.
pub(super) const ANSWER_TIME: Duration = Duration::from_millis(1);

/// From the first moment to the second.
pub type Spell = (SinceStart, SinceStart);

/// All that goes wrong; by default nothing does.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The driver and the sampler get no CPU.
    pub stalls: Vec<Spell>,
    /// How the requests are answered that are sent meanwhile; of several spells the first decides.
    pub answers: Vec<(Spell, Answers)>,
    /// The service closes all connections, whatever is in flight on them; they are opened again.
    pub closes: Vec<SinceStart>,
    /// The host sleeps for so long: the clock since boot jumps, and the one that times the soak stands still.
    pub sleeps: Vec<(SinceStart, Duration)>,
    /// Bytes that the disk has room for; none: it is never full, and nothing is written.
    pub disk: Option<usize>,
}

/// How a service in trouble answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// As expected, and after this long: too late, if the scenario does not wait for it.
    After(Duration),
    /// With a status that is not expected.
    Failing,
    /// With an answer that breaks off.
    Broken,
    /// Not at all: no connection can be opened.
    Unreachable,
}

impl Faults {
    /// `moment`, or the end of the stalls that it falls into.
    pub(super) fn awake_at(&self, moment: SinceStart) -> SinceStart {
        let mut awake = moment;
        // Stalls may overlap, and each ends later than it begins: at most one turn for each.
        while let Some((_, end)) = self.stalls.iter().find(|(from, to)| (*from..*to).contains(&awake)) {
            awake = *end;
        }
        awake
    }

    /// How a request is answered that is sent at `moment`.
    pub(super) fn answers_at(&self, moment: SinceStart) -> Answers {
        let spell = self.answers.iter().find(|((from, to), _)| (*from..*to).contains(&moment));
        spell.map_or(Answers::After(ANSWER_TIME), |(_, answers)| *answers)
    }

    /// The first moment at which the connections are closed again, once they were closed at all up to `last`.
    pub(super) fn closes_after(&self, last: Option<SinceStart>) -> Option<SinceStart> {
        self.closes.iter().copied().filter(|at| last.is_none_or(|last| *at > last)).min()
    }

    /// How long the host slept after `earlier` and until `now`.
    pub(super) fn slept(&self, earlier: Option<SinceStart>, now: SinceStart) -> Duration {
        let between = |at: SinceStart| earlier.is_none_or(|earlier| at > earlier) && at <= now;
        self.sleeps.iter().filter(|(at, _)| between(*at)).map(|(_, slept)| *slept).sum()
    }
}

impl Answers {
    /// How long a request waits for its end, and what that is.
    pub(super) fn end(self, http: &Http) -> (Duration, Outcome) {
        match self {
            Self::After(late) if late > http.request_timeout => (http.request_timeout, Outcome::FailedTimeout),
            // Never in the same moment: users of a closed load would send without end in it.
            Self::After(late) => (late.max(ANSWER_TIME), Outcome::Ok),
            Self::Failing => (ANSWER_TIME, Outcome::FailedStatus),
            Self::Broken => (ANSWER_TIME, Outcome::FailedBody),
            Self::Unreachable => (http.connect_timeout.max(ANSWER_TIME), Outcome::FailedConnect),
        }
    }
}
