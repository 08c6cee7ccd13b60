//! Turns a scenario into requests with due times: when each arrives, which it is, and what stands in it.
//!
//! In an open load due times follow from the phases and the seed alone, never from how the service answers, so that
//! waiting is measured and not left out (coordinated omission). In a closed load users wait for answers, and a slow
//! service is asked less. One seed gives every cell the same arrivals, picks and parameter values, whatever is sent,
//! missed or dropped there. Pure: no clock, no socket; `dispatch` is told the time.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use crate::scenario::{Flaw, Flow, Load, Model, Param, Phase, Request, Scenario, Supplies};
use crate::trace::FlowCounts;
use steep_judge::units::{Seed, SinceStart};

pub mod arrivals;
pub mod capture;
pub mod conduct;
pub mod curve;
pub mod dispatch;
pub mod draw;
mod escape;
pub mod excerpt;
pub mod expect;
pub mod grpc;
pub mod hash;
pub mod jar;
pub mod latency;
mod lists;
pub mod recess;
pub mod request;
mod rows;
pub mod sessions;
pub mod stream;
pub mod supplied;
pub mod text;
pub mod users;
mod zipf;

use arrivals::Arrivals;
use capture::Variables;
use curve::Curve;
use draw::{Draw, Picks, Values};
use grpc::{Call, Descriptors};
use lists::Lists;
use request::{FileBody, RequestText};
use sessions::{Session, Sessions};
use stream::Stream;
use text::Names;
use users::Users;

/// What of a scenario decides its traffic.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Workload<'s> {
    /// Where all randomness comes from.
    pub seed: Seed,
    /// What makes a request due, and how arrivals are spaced.
    pub load: &'s Load,
    /// The rate over time.
    pub phases: &'s [Phase],
    /// What is sent, picked by weight.
    pub requests: &'s [Request],
    /// What users do step by step.
    #[serde(skip_serializing_if = "<[Flow]>::is_empty")]
    pub flows: &'s [Flow],
    /// What the templates of requests may name.
    pub params: &'s BTreeMap<String, Param>,
    /// The files that they name.
    #[serde(skip_serializing_if = "Supplies::is_empty")]
    pub supplies: &'s Supplies,
}

impl<'s> Workload<'s> {
    /// That of `scenario`, with the files that it names.
    #[must_use]
    pub fn of(scenario: &'s Scenario, supplies: &'s Supplies) -> Self {
        let Scenario { seed, load, phases, requests, flows, params, .. } = scenario;
        Self { seed: *seed, load, phases, requests, flows, params, supplies }
    }
}

/// A request that is to be sent at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: SinceStart,
    /// Which of the scenario's requests.
    pub request: usize,
    /// Its number among all arrivals, from 0; of a later step of a session, one far above that no other request has.
    pub nth: u64,
    /// The values of its parameters, for [`RequestText`] to write.
    pub values: Values,
    /// A parameter with `pick = "queue"` has no row left: there is nothing to send.
    pub is_dry: bool,
    /// Too many sessions are under way for one more.
    pub is_crowded: bool,
    /// The session that it is a step of.
    pub session: Option<Box<Session>>,
}

/// All requests of a cell, in the order of their due times.
#[derive(Debug, Clone)]
pub struct Schedule {
    source: Source,
    picks: Picks,
    /// Of each parameter of the scenario, in the order of their names.
    draws: Vec<Draw>,
    texts: Arc<[RequestText]>,
    /// None where there are no flows.
    sessions: Option<Box<Sessions>>,
    load_end: SinceStart,
    nth: u64,
}

/// What makes requests due.
#[derive(Debug, Clone)]
enum Source {
    /// The clock.
    Clock { arrivals: Arrivals, next: Option<SinceStart> },
    /// Users, who wait for answers.
    Users(Users),
}

/// A scenario that gives no schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// No request can be picked.
    #[error("no request has a weight above 0")]
    NothingToPick,
    /// A template names what is neither a parameter nor known to the cell.
    #[error("request `{request}`: nothing defines `{{{{{name}}}}}`")]
    UnknownName {
        /// The request.
        request: String,
        /// The name.
        name: String,
    },
    /// A value cannot stand where a request has it.
    #[error("request `{request}`, {key}: {}", flaw.message)]
    Unfit {
        /// The request.
        request: String,
        /// The key of the request.
        key: &'static str,
        /// What is wrong.
        flaw: Flaw,
    },
    /// An expression that captures is none.
    #[error("request `{request}`, capture of `{name}`: {error}")]
    Capture {
        /// The request.
        request: String,
        /// The name that it would give a value.
        name: String,
        /// What is wrong with it.
        error: String,
    },
    /// A file does not have what the scenario wants of it.
    #[error("{key}: {}", flaw.message)]
    Supply {
        /// The key of the scenario that is about it.
        key: String,
        /// What is wrong.
        flaw: Flaw,
    },
}

impl Schedule {
    /// The schedule of `workload`. Names that are not parameters, such as `port`, are the same throughout a cell and
    /// come from `cell_value`.
    ///
    /// # Errors
    /// All weights are 0, or a template names something unknown.
    pub fn new(workload: Workload<'_>, cell_value: impl Fn(&str) -> Option<String>) -> Result<Self, ScheduleError> {
        let Workload { seed, load, phases, requests, flows, params, supplies } = workload;
        let (files, lists) = supplied(requests, params, supplies)?;
        let calls = calls(requests, supplies)?;
        let variables = Variables::of(requests);
        let names = Names { params, lists: &lists, variables: &variables, cell_value };
        let texts: Arc<[RequestText]> = requests
            .iter()
            .zip(files)
            .zip(&calls)
            .map(|((request, file), call)| RequestText::compile(request, file, call.as_ref(), &names))
            .collect::<Result<_, _>>()?;
        let sessions = Sessions::new(flows, requests, &texts, variables.count(), phases, seed).map(Box::new);
        let of_requests = requests.iter().map(|request| (request.name.as_str(), request.weight));
        let mut weighted: Vec<_> =
            of_requests.chain(flows.iter().map(|flow| (flow.name.as_str(), flow.weight))).collect();
        if load.model == Model::None {
            // Nothing comes that could be picked.
            weighted = vec![("", 1.0)];
        }
        let code = load.code(phases, requests.len() + flows.len());
        let picks = Picks::new(&weighted, phases, seed, code.clone()).ok_or(ScheduleError::NothingToPick)?;
        let draws = params
            .iter()
            .enumerate()
            .map(|(place, (name, param))| Draw::new(name, param, lists.rows(place), seed))
            .collect();
        let curve = Curve::new(phases);
        let load_end = curve.end();
        let source = match load.model {
            Model::Open | Model::None => {
                let mut arrivals = Arrivals::new(curve, load.arrival, Stream::new(seed, "arrivals"), code);
                Source::Clock { next: arrivals.next(), arrivals }
            }
            Model::Closed { vus, think_time } => {
                Source::Users(Users::new(phases, vus, think_time, Stream::new(seed, "think time")))
            }
        };
        Ok(Self { source, picks, draws, texts, sessions, load_end, nth: 0 })
    }

    /// When the next request is due, as far as is known: of a closed load, before another answer. None after the last.
    #[must_use]
    pub fn next_at(&self) -> Option<SinceStart> {
        let arrives = self.arrives_at();
        match &self.sessions {
            None => arrives,
            Some(sessions) => arrives.into_iter().chain(sessions.next_at()).min(),
        }
    }

    /// When the next request or user comes that is not a step of a session under way.
    fn arrives_at(&self) -> Option<SinceStart> {
        match &self.source {
            Source::Clock { next, .. } => *next,
            Source::Users(users) => users.next_at(),
        }
    }

    /// The next request that is due by `now`.
    pub fn due_by(&mut self, now: SinceStart) -> Option<Due> {
        if self.sessions.is_some()
            && let Some(step) = self.step_by(now)
        {
            return Some(step);
        }
        let at = match &mut self.source {
            Source::Clock { arrivals, next } => {
                let at = next.take_if(|at| *at <= now)?;
                *next = arrivals.next();
                at
            }
            Source::Users(users) => users.take(now)?,
        };
        let request = self.picks.draw(at);
        let nth = self.nth;
        self.nth += 1;
        if let (Some(flow), Some(sessions)) = (request.checked_sub(self.texts.len()), &mut self.sessions) {
            return Some(sessions.begin(flow, at, nth, |param| self.draws[param].draw()));
        }
        let mut is_dry = false;
        let draw = |param: &usize| {
            let value = self.draws[*param].draw();
            is_dry |= value.is_none();
            value.unwrap_or_default()
        };
        let values = self.texts[request].params().iter().map(draw).collect();
        Some(Due { at, request, nth, values, is_dry, is_crowded: false, session: None })
    }

    /// The next step of a session that is due by `now`, and before whatever else comes.
    fn step_by(&mut self, now: SinceStart) -> Option<Due> {
        loop {
            let arrives = self.arrives_at();
            let sessions = self.sessions.as_mut()?;
            let at = sessions.next_at()?;
            if at > now || arrives.is_some_and(|arrives| arrives < at) {
                return None;
            }
            match sessions.take() {
                Some(step) => return Some(step),
                None => self.release_user(now),
            }
        }
    }

    /// A due request was sent, or will not be: then a session that it is a step of is over.
    pub fn settle(&mut self, due: &mut Due, is_sent: bool) {
        if let Some(sessions) = &mut self.sessions {
            sessions.settle(due, is_sent);
        }
    }

    /// A request that was sent has ended, as it should or not.
    pub fn ended(&mut self, now: SinceStart, due: Due, is_well: bool) {
        let is_over = self.sessions.as_mut().is_none_or(|sessions| sessions.answered(now, due, is_well));
        if is_over {
            self.release_user(now);
        }
    }

    /// A user has done what it came for.
    fn release_user(&mut self, now: SinceStart) {
        if let Source::Users(users) = &mut self.source {
            users.ended(now);
        }
    }

    /// No session goes on any more.
    pub fn stop(&mut self) {
        self.sessions.iter_mut().for_each(|sessions| sessions.stop());
    }

    /// Whether answers make requests due.
    #[must_use]
    pub fn follows_answers(&self) -> bool {
        self.sessions.is_some() || !self.is_open()
    }

    /// What became of the sessions of each flow, by its name.
    pub fn flows(&self) -> impl Iterator<Item = (&str, FlowCounts)> {
        self.sessions.iter().flat_map(|sessions| sessions.counts())
    }

    /// Whether due times do not depend on answers.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.source, Source::Clock { .. })
    }

    /// What stands in each of the scenario's requests.
    #[must_use]
    pub fn texts(&self) -> &Arc<[RequestText]> {
        &self.texts
    }

    /// When the last phase ends.
    #[must_use]
    pub fn load_end(&self) -> SinceStart {
        self.load_end
    }
}

/// What comes due when nothing is answered: all of an open load, and of a closed one what its users send first.
impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        // A user may be gone when it would have sent.
        while let Some(at) = self.next_at() {
            if let Some(due) = self.due_by(at) {
                return Some(due);
            }
        }
        None
    }
}

/// The bodies that are in files, and the rows of parameters.
fn supplied(
    requests: &[Request],
    params: &BTreeMap<String, Param>,
    supplies: &Supplies,
) -> Result<(Vec<Option<FileBody>>, Lists), ScheduleError> {
    let mut files = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let file = FileBody::of(request, supplies);
        files.push(file.map_err(|flaw| ScheduleError::Supply { key: format!("requests[{index}].body_file"), flaw })?);
    }
    let (lists, flaws) = Lists::new(params, request::templates(requests, &files), supplies);
    match flaws.into_iter().next() {
        Some((key, flaw)) => Err(ScheduleError::Supply { key, flaw }),
        None => Ok((files, lists)),
    }
}

/// What of gRPC each request is.
fn calls(requests: &[Request], supplies: &Supplies) -> Result<Vec<Option<Call>>, ScheduleError> {
    let mut descriptors = Descriptors::default();
    let call = |(index, request): (usize, &Request)| {
        let described = |(key, flaw)| ScheduleError::Supply { key: format!("requests[{index}].{key}"), flaw };
        descriptors.call(request, supplies).map_err(described)
    };
    requests.iter().enumerate().map(call).collect()
}

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
