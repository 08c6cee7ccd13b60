//! Sessions of several steps: which flow a user follows, how far it is, and when its next step is due. Pure.
//!
//! All that chance decides of a session, it has from its start: so that it is the same however fast its answers come.

use std::collections::BTreeMap;

use crate::scenario::{Flow, Phase, Request, Shape, ThinkTime};
use crate::trace::FlowCounts;
use steep_judge::units::{Seed, SinceStart};

use super::Due;
use super::draw::{Values, mixed};
use super::jar::Jar;
use super::request::RequestText;
use super::stream::{Stream, share_of};
use super::users::thought;

/// The most sessions under way: each has its values and cookies, a KiB or so, while its user thinks. Beyond, whoever
/// comes is turned away and counted as dropped.
pub const MAX_SESSIONS: usize = 1 << 16;

/// The numbers of a session's later steps are so far from that of its first that no other request has them.
const STEP_BITS: u32 = 40;

/// A flow, compiled.
#[derive(Debug, Clone)]
struct Script {
    name: String,
    steps: Vec<Step>,
    /// The parameters that its steps need, as places in the scenario's; each once.
    params: Vec<usize>,
    think_time: ThinkTime,
    keeps_cookies: bool,
}

/// A step of a flow.
#[derive(Debug, Clone)]
struct Step {
    request: usize,
    /// Where in the session's values those of the request stand.
    slots: Vec<usize>,
}

/// One user on the way through a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    flow: usize,
    step: usize,
    /// Its number among all arrivals.
    nth: u64,
    /// Where its think times come from.
    key: u64,
    /// The values of its flow's parameters: one each, whichever steps use it.
    drawn: Values,
    jar: Option<Jar>,
}

impl Session {
    /// Its cookies, if its user keeps them.
    #[must_use]
    pub fn jar(&self) -> Option<&Jar> {
        self.jar.as_ref()
    }

    /// Its cookies, to be changed by an answer.
    pub fn jar_mut(&mut self) -> Option<&mut Jar> {
        self.jar.as_mut()
    }
}

/// What waits for its next step: the session, and what it has captured.
#[derive(Debug, Clone)]
struct Waiting {
    session: Box<Session>,
    captured: Vec<String>,
}

/// All sessions under way.
#[derive(Debug, Clone)]
pub struct Sessions {
    scripts: Vec<Script>,
    counts: Vec<FlowCounts>,
    /// By the moment that the next step is due, and the session's number. No more than [`MAX_SESSIONS`].
    waiting: BTreeMap<(SinceStart, u64), Waiting>,
    live: usize,
    /// How many values may be captured.
    variables: usize,
    stream: Stream,
    /// From when to when there is no load.
    pauses: Vec<(SinceStart, SinceStart)>,
    load_end: SinceStart,
}

impl Sessions {
    /// Sessions of `flows`; none where there are no flows. Steps that name no request are left out: `check` refuses
    /// them.
    #[must_use]
    pub fn new(
        flows: &[Flow],
        requests: &[Request],
        texts: &[RequestText],
        variables: usize,
        phases: &[Phase],
        seed: Seed,
    ) -> Option<Self> {
        if flows.is_empty() {
            return None;
        }
        let mut end = SinceStart::ZERO;
        let mut pauses = Vec::new();
        for phase in phases {
            let from = end;
            end = end + phase.duration;
            if phase.shape == Shape::Pause {
                pauses.push((from, end));
            }
        }
        Some(Self {
            scripts: flows.iter().map(|flow| Script::new(flow, requests, texts)).collect(),
            counts: vec![FlowCounts::default(); flows.len()],
            waiting: BTreeMap::new(),
            live: 0,
            variables,
            stream: Stream::new(seed, "flow think time"),
            pauses,
            load_end: end,
        })
    }

    /// When the next step is due.
    #[must_use]
    pub fn next_at(&self) -> Option<SinceStart> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first step of a user who comes at `at` to follow `flow`; `draw` gives the value of a parameter.
    pub fn begin(&mut self, flow: usize, at: SinceStart, nth: u64, mut draw: impl FnMut(usize) -> Option<u64>) -> Due {
        let script = &self.scripts[flow];
        let mut is_dry = false;
        let mut drawn = |param: &usize| {
            let value = draw(*param);
            is_dry |= value.is_none();
            value.unwrap_or_default()
        };
        let drawn: Values = script.params.iter().map(&mut drawn).collect();
        let jar = script.keeps_cookies.then(Jar::default);
        let session = Box::new(Session { flow, step: 0, nth, key: self.stream.bits(), drawn, jar });
        let is_crowded = self.live >= MAX_SESSIONS;
        self.live += 1;
        Due { is_dry, is_crowded, ..script.due(at, session, vec![String::new(); self.variables]) }
    }

    /// The step that is due first, which is of a moment that [`next_at`](Self::next_at) gave; none where its user has
    /// left meanwhile, because there is a pause.
    pub fn take(&mut self) -> Option<Due> {
        let ((at, _), Waiting { session, captured }) = self.waiting.pop_first()?;
        if self.pauses.iter().any(|(from, to)| (*from..*to).contains(&at)) {
            self.live -= 1;
            self.counts[session.flow].left += 1;
            return None;
        }
        Some(self.scripts[session.flow].due(at, session, captured))
    }

    /// A step was sent, or will not be: then its session is over.
    pub fn settle(&mut self, due: &mut Due, is_sent: bool) {
        let Some(session) = &due.session else { return };
        let counts = &mut self.counts[session.flow];
        if is_sent {
            counts.started += u64::from(session.step == 0);
            return;
        }
        counts.ended_early += u64::from(session.step > 0);
        self.live -= 1;
        due.session = None;
    }

    /// A step was answered at `now`, as it should be or not. Tells whether its user has nothing more to do in this
    /// session; one who would go on after the end of the load has left.
    pub fn answered(&mut self, now: SinceStart, due: Due, is_well: bool) -> bool {
        let Some(mut session) = due.session else { return true };
        let (script, counts) = (&self.scripts[session.flow], &mut self.counts[session.flow]);
        session.step += 1;
        if is_well && session.step < script.steps.len() {
            let share = || share_of(mixed(session.key.wrapping_add(session.step as u64)));
            let at = now + thought(script.think_time, share);
            if at < self.load_end {
                self.waiting.insert((at, session.nth), Waiting { session, captured: due.values.into_captured() });
            } else {
                counts.left += 1;
                self.live -= 1;
            }
            return false;
        }
        *if is_well { &mut counts.completed } else { &mut counts.ended_early } += 1;
        self.live -= 1;
        true
    }

    /// No step comes due any more.
    pub fn stop(&mut self) {
        self.load_end = SinceStart::ZERO;
        for Waiting { session, .. } in std::mem::take(&mut self.waiting).into_values() {
            self.counts[session.flow].left += 1;
            self.live -= 1;
        }
    }

    /// What became of the sessions of each flow, by its name.
    pub fn counts(&self) -> impl Iterator<Item = (&str, FlowCounts)> {
        self.scripts.iter().map(|script| script.name.as_str()).zip(self.counts.iter().copied())
    }
}

impl Script {
    fn new(flow: &Flow, requests: &[Request], texts: &[RequestText]) -> Self {
        let mut params = Vec::new();
        let mut slot_of = |param: &usize| {
            params.iter().position(|known| known == param).unwrap_or_else(|| {
                params.push(*param);
                params.len() - 1
            })
        };
        let steps = flow.steps.iter().filter_map(|name| {
            let request = requests.iter().position(|request| request.name == *name)?;
            Some(Step { request, slots: texts[request].params().iter().map(&mut slot_of).collect() })
        });
        let steps = steps.collect();
        Self { name: flow.name.clone(), steps, params, think_time: flow.think_time, keeps_cookies: flow.cookies }
    }

    /// The step that `session` is at.
    fn due(&self, at: SinceStart, session: Box<Session>, captured: Vec<String>) -> Due {
        let step = &self.steps[session.step];
        let values: Values = step.slots.iter().map(|slot| session.drawn.get(*slot)).collect();
        Due {
            at,
            request: step.request,
            nth: session.nth.wrapping_add((session.step as u64) << STEP_BITS),
            values: values.with_captured(captured),
            is_dry: false,
            is_crowded: false,
            session: Some(session),
        }
    }
}

#[cfg(test)]
mod tests;
