//! Growth that is filed already: whether it was seen again, whether it worsened, and which cells do not fail because of
//! it.
//!
//! Pure: the day is that on which the run was begun, so that a report that is made again says the same.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Status;
use crate::outcome::Outcome;
use crate::scenario::{Date, Finding, Known};
use steep_judge::growth::Growth;
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::isolation::{Effect, Finding as Found, Guilt, Isolation, NAMED};
use steep_judge::units::{BytesPerHour, BytesPerRequest, Estimate};
use steep_judge::verdict::Verdict;

/// What became of growth that is filed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KnownGrowth {
    /// The flag, or those that leak only together.
    pub flags: FlagSet,
    /// Where it is filed.
    pub issue: String,
    /// The most that it grows by with the work done.
    pub max_growth_bytes_per_request: Option<BytesPerRequest>,
    /// The most that it grows by over time.
    pub max_growth_bytes_per_hour: Option<BytesPerHour>,
    /// The first day on which it fails again.
    pub expires: Date,
    /// What the run says of it.
    pub state: State,
    /// What it adds, by all cells together.
    pub effect: Option<Effect>,
    /// Cells that would have failed without it.
    pub excused: Vec<CellId>,
}

/// What a run says of growth that is filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is there and within what is filed.
    Seen,
    /// It is there, and the interval reaches from within what is filed to beyond.
    MayHaveWorsened,
    /// It is there and surely more than what is filed, or not to be compared with it.
    Worsened,
    /// The cells could have seen it, and did not.
    NotSeen,
    /// The cells do not tell.
    NotDecided,
    /// Its time is over.
    Expired,
}

impl State {
    /// Whether growth in a cell may be put down to it.
    const fn may_excuse(self) -> bool {
        matches!(self, Self::Seen | Self::MayHaveWorsened | Self::NotDecided)
    }
}

/// What is said of growth that is filed, and the status of each of `outcomes`, in their order.
///
/// A cell that failed by its growth alone does not fail where all growth that is named in it is filed, and the cell
/// grows by no more than all of that together. Where its interval reaches beyond, it is undecided.
#[must_use]
pub fn weigh(
    known: &[Known],
    day: Option<&Date>,
    isolation: &Isolation,
    outcomes: &[Outcome],
    fail_on: &[Finding],
) -> (Vec<KnownGrowth>, Vec<Status>) {
    let culprits = culprits(isolation);
    let mut weighed: Vec<KnownGrowth> =
        known.iter().map(|known| weighed(known, day, isolation, &culprits, outcomes)).collect();
    let statuses = outcomes
        .iter()
        .map(|outcome| {
            let active: Vec<usize> =
                (0..weighed.len()).filter(|&place| weighed[place].may_excuse(&outcome.flags)).collect();
            let entries: Vec<&KnownGrowth> = active.iter().map(|&place| &weighed[place]).collect();
            let Some(excused) = excused(outcome, fail_on, &entries, &culprits) else { return outcome.status(fail_on) };
            for place in active {
                weighed[place].excused.push(outcome.cell.clone());
            }
            excused
        })
        .collect();
    (weighed, statuses)
}

/// Something that was named: growth that a cell has where it applies.
struct Culprit<'i> {
    kind: Kind<'i>,
    effect: Option<&'i Effect>,
}

enum Kind<'i> {
    /// A flag, and those of which one must be on beside it.
    Flag(&'i str, Option<&'i FlagSet>),
    /// A value of an axis.
    Axis(&'i str, &'i str),
    /// A flag that is off.
    Off(&'i str),
    /// Whatever is on, or a turn in the history of the service.
    Program,
}

impl Culprit<'_> {
    fn is_at_work(&self, outcome: &Outcome) -> bool {
        match &self.kind {
            Kind::Flag(flag, with) => {
                outcome.flags.contains(flag) && with.is_none_or(|with| with.iter().any(|other| is_on(outcome, other)))
            }
            Kind::Axis(axis, value) => outcome.axes.get(*axis).is_some_and(|on| on == value),
            Kind::Off(flag) => !outcome.flags.contains(flag),
            Kind::Program => true,
        }
    }

    /// Whether that is what is filed: the flag itself, or a pair with all flags that are filed.
    fn is_filed_as(&self, flags: &FlagSet) -> bool {
        let Kind::Flag(flag, with) = &self.kind else { return false };
        let named: BTreeSet<&str> = std::iter::once(*flag).chain(with.iter().flat_map(|with| with.iter())).collect();
        !flags.is_empty() && flags.iter().all(|flag| named.contains(flag))
    }
}

/// Whether the cell has what a pair names: a flag, or a value of an axis as `axis=value`.
fn is_on(outcome: &Outcome, name: &str) -> bool {
    let is_axis =
        name.split_once('=').is_some_and(|(axis, value)| outcome.axes.get(axis).is_some_and(|on| on == value));
    outcome.flags.contains(name) || is_axis
}

fn culprits(isolation: &Isolation) -> Vec<Culprit<'_>> {
    let flags = isolation.flags.iter().filter(|flag| grows(&flag.finding)).map(|flag| Culprit {
        kind: match flag.finding.guilt {
            Guilt::LeaksOff => Kind::Off(&flag.flag),
            _ => Kind::Flag(&flag.flag, company(&flag.finding)),
        },
        effect: flag.finding.effect.as_ref(),
    });
    let axes = isolation.axes.iter().filter(|axis| grows(&axis.finding)).map(|axis| Culprit {
        kind: if axis.turn.is_some() { Kind::Program } else { Kind::Axis(&axis.axis, &axis.value) },
        effect: axis.finding.effect.as_ref(),
    });
    let program = isolation.program.iter().filter(|program| program.posterior >= NAMED);
    let program = program.map(|program| Culprit { kind: Kind::Program, effect: program.effect.as_ref() });
    flags.chain(axes).chain(program).collect()
}

/// Whether memory grows with it.
const fn grows(found: &Found) -> bool {
    matches!(
        found.guilt,
        Guilt::Leaks | Guilt::LeaksOff | Guilt::LeaksWith(_) | Guilt::LeaksWithout(_) | Guilt::Retains
    )
}

/// What must be on beside it.
const fn company(found: &Found) -> Option<&FlagSet> {
    match &found.guilt {
        Guilt::LeaksWith(others) => Some(others),
        _ => None,
    }
}

fn weighed(
    known: &Known,
    day: Option<&Date>,
    isolation: &Isolation,
    culprits: &[Culprit<'_>],
    outcomes: &[Outcome],
) -> KnownGrowth {
    let flags: FlagSet = known.flags.iter().cloned().collect();
    let limit = Limit::of([known.max_growth_bytes_per_request], [known.max_growth_bytes_per_hour]);
    let culprit = culprits.iter().find(|culprit| culprit.is_filed_as(&flags));
    let is_alone = |outcome: &&Outcome| {
        flags.iter().all(|flag| outcome.flags.contains(flag))
            && culprits.iter().all(|culprit| !culprit.is_at_work(outcome) || culprit.is_filed_as(&flags))
    };
    // A cell with no other culprit may tell more than the effect, whose interval has what is common to all cells in it.
    let alone = outcomes.iter().filter(is_alone).filter_map(|outcome| limit.exceeded_in(outcome));
    let effect = culprit.map(|culprit| culprit.effect.map_or(Compared::Beyond, |effect| limit.exceeded_by(effect)));
    let is_innocent =
        isolation.flags.iter().any(|flag| flags.contains(&flag.flag) && flag.finding.guilt == Guilt::Innocent);
    // A run whose beginning is not known excuses nothing.
    let state = match effect.map(|effect| alone.fold(effect, Compared::max)) {
        _ if day.is_none_or(|day| *day >= known.expires) => State::Expired,
        Some(Compared::Within) => State::Seen,
        Some(Compared::Between) => State::MayHaveWorsened,
        Some(Compared::Beyond) => State::Worsened,
        None if is_innocent => State::NotSeen,
        None => State::NotDecided,
    };
    KnownGrowth {
        flags,
        issue: known.issue.clone(),
        max_growth_bytes_per_request: known.max_growth_bytes_per_request,
        max_growth_bytes_per_hour: known.max_growth_bytes_per_hour,
        expires: known.expires.clone(),
        state,
        effect: culprit.and_then(|culprit| culprit.effect).cloned(),
        excused: Vec::new(),
    }
}

impl KnownGrowth {
    fn may_excuse(&self, on: &FlagSet) -> bool {
        self.state.may_excuse() && self.flags.iter().all(|flag| on.contains(flag))
    }
}

/// What a cell comes to that fails by nothing but growth that `entries` may explain; none if it does not fail, or fails
/// all the same.
fn excused(
    outcome: &Outcome,
    fail_on: &[Finding],
    entries: &[&KnownGrowth],
    culprits: &[Culprit<'_>],
) -> Option<Status> {
    let by_growth = |finding: &Finding| matches!(finding, Finding::Leak | Finding::Step | Finding::Retention);
    let others: Vec<Finding> = fail_on.iter().copied().filter(|finding| !by_growth(finding)).collect();
    let beside_growth = outcome.status(&others);
    if entries.is_empty() || outcome.status(fail_on) != Status::Finding || beside_growth == Status::Finding {
        return None;
    }
    let is_filed = |culprit: &Culprit<'_>| entries.iter().any(|entry| culprit.is_filed_as(&entry.flags));
    if culprits.iter().any(|culprit| culprit.is_at_work(outcome) && !is_filed(culprit)) {
        return None;
    }
    let limit = Limit::of(
        entries.iter().map(|entry| entry.max_growth_bytes_per_request),
        entries.iter().map(|entry| entry.max_growth_bytes_per_hour),
    );
    match limit.exceeded_in(outcome)? {
        Compared::Within if entries.iter().all(|entry| entry.state != State::MayHaveWorsened) => Some(beside_growth),
        Compared::Within | Compared::Between => Some(Status::of([beside_growth, Status::Undecided])),
        Compared::Beyond => None,
    }
}

/// The most that is known, of several together: a unit in which one of them has no limit has none.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limit {
    per_request: Option<f64>,
    per_hour: Option<f64>,
}

/// Growth beside what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Compared {
    /// The estimate is not above.
    Within,
    /// The estimate is above, and the interval is not.
    Between,
    /// The whole interval is above, or there is nothing to compare with.
    Beyond,
}

impl Limit {
    fn of(
        per_request: impl IntoIterator<Item = Option<BytesPerRequest>>,
        per_hour: impl IntoIterator<Item = Option<BytesPerHour>>,
    ) -> Self {
        let per_request = per_request.into_iter().map(|most| most.map(BytesPerRequest::get)).sum();
        let per_hour = per_hour.into_iter().map(|most| most.map(BytesPerHour::get)).sum();
        Self { per_request, per_hour }
    }

    fn exceeded_by(self, effect: &Effect) -> Compared {
        self.compare(effect.per_request, effect.per_hour)
    }

    /// What the cell grew by, beside the limit; none if it was not found to grow.
    fn exceeded_in(self, outcome: &Outcome) -> Option<Compared> {
        let growth: &Growth = match outcome.verdict() {
            Verdict::Leak | Verdict::Step => outcome.growth()?,
            Verdict::Retention => outcome.judgement.anonymous.as_ref()?,
            Verdict::Plateau | Verdict::Stable | Verdict::Inconclusive | Verdict::Crashed | Verdict::Invalid => {
                return None;
            }
        };
        Some(self.compare(growth.per_request, growth.per_hour))
    }

    fn compare(self, per_request: Option<Estimate<BytesPerRequest>>, per_hour: Estimate<BytesPerHour>) -> Compared {
        let one = |most: f64, growth: Estimate<f64>| {
            if growth.value <= most {
                Compared::Within
            } else if growth.low <= most {
                Compared::Between
            } else {
                Compared::Beyond
            }
        };
        let by_work = self
            .per_request
            .map(|most| per_request.map_or(Compared::Beyond, |growth| one(most, growth.map(BytesPerRequest::get))));
        let by_time = self.per_hour.map(|most| one(most, per_hour.map(BytesPerHour::get)));
        by_work.into_iter().chain(by_time).max().unwrap_or(Compared::Beyond)
    }
}
