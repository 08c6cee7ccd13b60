//! Brings due requests and free connections together, and keeps the accounts of both. All on the driver's thread.
//!
//! A request belongs to the switchboard from its due time to its end, so that none is lost with the connection that
//! carried it.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use hyper::StatusCode;
use hyper::header::HeaderMap;

use crate::scenario::Http;
use crate::trace::{Connections, Disturbance, Percentiles, Traffic};
use crate::traffic::dispatch::{Dispatch, Ended, Fate, Outcome};
use crate::traffic::latency::{Interval, Latencies, LatencyLimit};
use crate::traffic::{Due, Schedule};
use crate::units::SinceStart;

use super::message::{HttpRequest, Look, Message};
use super::{Completed, DriverEnd};

/// What pacer and connections share.
#[derive(Debug)]
pub(super) struct Switchboard {
    messages: Vec<Message>,
    completed: Arc<Completed>,
    http: Http,
    board: RefCell<Board>,
}

#[derive(Debug)]
struct Board {
    origin: Instant,
    dispatch: Dispatch,
    latencies: Latencies,
    connections: Connections,
    /// Since when there is no connection at all.
    cut_off_since: Option<SinceStart>,
    lines: Vec<Line>,
    /// Lines that can take a request. The one that rested longest is taken first: all are in use alike, and none rests
    /// until the service gives it up.
    free: VecDeque<usize>,
    /// Due requests that found no free line. No longer than `max_in_flight`.
    waiting: VecDeque<Due>,
    /// Whether there are to be no connections now.
    in_recess: bool,
    /// Wakes the pacer, and the moment that it sleeps until: in a closed load an answer may make a request due before.
    pacer: Option<(Waker, SinceStart)>,
    /// Texts are put together here.
    scratch: String,
    /// The first answer that was not as expected, in words.
    first_unmet: Option<String>,
}

/// The place of one connection.
#[derive(Debug, Default)]
struct Line {
    state: State,
    waker: Option<Waker>,
}

/// What a line does.
#[derive(Debug, Default)]
enum State {
    /// There is no connection, or it is not ready yet.
    #[default]
    Away,
    /// Can take a request.
    Free,
    /// Has one to send. The driver's lateness is told when it is sent, but for one that waited for a line: then it was
    /// told before, because waiting is the service's doing.
    Given { due: Due, is_told: bool },
    /// Has sent it.
    Busy { due: Due, sent: SinceStart, body_bytes: u64 },
}

/// How an exchange ended, as its connection saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// With this status and so many bytes of body.
    Whole(StatusCode, u64),
    /// Not in time, after so many bytes.
    TooLate(u64),
    /// Cut off, garbled or too large, after so many bytes.
    Broken(u64),
}

impl Switchboard {
    pub(super) fn new(
        messages: Vec<Message>,
        completed: Arc<Completed>,
        http: Http,
        max_in_flight: usize,
        limits: Vec<LatencyLimit>,
        schedule: Schedule,
    ) -> Self {
        let latencies = Latencies::new(messages.len(), http.request_timeout, limits);
        let board = RefCell::new(Board {
            origin: Instant::now(),
            dispatch: Dispatch::new(schedule, max_in_flight),
            latencies,
            connections: Connections::default(),
            cut_off_since: None,
            lines: (0..http.connections).map(|_| Line::default()).collect(),
            free: VecDeque::with_capacity(http.connections),
            waiting: VecDeque::with_capacity(max_in_flight),
            in_recess: false,
            pacer: None,
            scratch: String::new(),
            first_unmet: None,
        });
        Self { messages, completed, http, board }
    }

    /// The load starts at `origin`.
    pub(super) fn begin(&self, origin: Instant) {
        let board = &mut *self.board.borrow_mut();
        board.origin = origin;
        board.cut_off_since = board.cut_off_since.map(|_| SinceStart::ZERO);
    }

    /// The moment that it is now.
    pub(super) fn now(&self) -> SinceStart {
        self.board.borrow().now()
    }

    // ----- for the pacer

    /// Sends, misses or drops what is due. Tells if the driver was starved.
    pub(super) fn dispatch(&self, now: SinceStart) -> Option<Disturbance> {
        let board = &mut *self.board.borrow_mut();
        let starved = board.dispatch.wake(now);
        board.hand_out(now);
        starved
    }

    /// The pacer sleeps until `moment`, unless an answer in a closed load wakes it.
    pub(super) fn pacer_sleeps(&self, moment: SinceStart, cx: &Context<'_>) {
        let board = &mut *self.board.borrow_mut();
        if board.dispatch.is_open() {
            return;
        }
        match &mut board.pacer {
            Some((waker, until)) => {
                waker.clone_from(cx.waker());
                *until = moment;
            }
            none => *none = Some((cx.waker().clone(), moment)),
        }
    }

    /// Closes all connections once they have nothing to carry, or lets them be opened again.
    pub(super) fn recess(&self, begins: bool) {
        let board = &mut *self.board.borrow_mut();
        board.in_recess = begins;
        board.lines.iter().filter_map(|line| line.waker.as_ref()).for_each(Waker::wake_by_ref);
    }

    /// When the next request is due.
    pub(super) fn next_due_at(&self) -> Option<SinceStart> {
        self.board.borrow().dispatch.next_due_at()
    }

    /// No more requests come due.
    pub(super) fn stop(&self) {
        self.board.borrow_mut().dispatch.stop();
    }

    /// Whether requests wait for a line.
    pub(super) fn has_waiting(&self) -> bool {
        !self.board.borrow().waiting.is_empty()
    }

    /// Whether all that was sent has ended.
    pub(super) fn is_drained(&self) -> bool {
        self.board.borrow().dispatch.in_flight() == 0
    }

    /// Fails what has waited for too long: for the connect timeout without any connection, or, behind others on
    /// connections that are busy, for the request timeout.
    pub(super) fn expire(&self, now: SinceStart) {
        let board = &mut *self.board.borrow_mut();
        if self.is_cut_off(board, now) {
            let patience = self.http.connect_timeout;
            while let Some(due) = board.waiting.pop_front_if(|due| now.since(due.at) > patience) {
                board.fail(&due, Outcome::FailedConnect, 0);
            }
        }
        let patience = self.http.request_timeout;
        while let Some(due) = board.waiting.pop_front_if(|due| now.since(due.at) > patience) {
            board.fail(&due, Outcome::FailedTimeout, 0);
        }
    }

    /// Whether no connection could be had for the connect timeout. Less does not count: when requests time out together,
    /// their connections are all opened anew together.
    fn is_cut_off(&self, board: &Board, now: SinceStart) -> bool {
        board.cut_off_since.is_some_and(|since| now.since(since) > self.http.connect_timeout)
    }

    /// Fails all that has not ended, at the end of the drain.
    pub(super) fn fail_in_flight(&self) {
        let board = &mut *self.board.borrow_mut();
        let is_cut_off = self.is_cut_off(board, board.now());
        let outcome = if is_cut_off { Outcome::FailedConnect } else { Outcome::FailedTimeout };
        while let Some(due) = board.waiting.pop_front() {
            board.fail(&due, outcome, 0);
        }
        for line in 0..board.lines.len() {
            match std::mem::take(&mut board.lines[line].state) {
                State::Busy { due, body_bytes, .. } => board.fail(&due, Outcome::FailedTimeout, body_bytes),
                State::Given { due, .. } => board.fail(&due, Outcome::FailedTimeout, 0),
                State::Away | State::Free => {}
            }
        }
    }

    /// What happened until `now`; the times since this was last asked.
    pub(super) fn traffic(&self, now: SinceStart) -> (Traffic, Interval) {
        let board = &mut *self.board.borrow_mut();
        let interval = board.latencies.take_interval(now);
        let traffic = Traffic {
            t_s: now,
            requests: self.by_name(board.dispatch.counts().iter().copied()),
            connections: board.connections,
            in_flight: board.dispatch.in_flight() as u64,
            in_flight_peak: board.dispatch.take_in_flight_peak() as u64,
            latency: self.by_name(interval.latency()),
            slower: board.latencies.slower().collect(),
            lateness: interval.lateness(),
        };
        (traffic, interval)
    }

    /// What the load came to.
    pub(super) fn finish(&self, now: SinceStart) -> DriverEnd {
        let (traffic, interval) = self.traffic(now);
        let times = self.board.borrow().latencies.times();
        let named = |times: Vec<Percentiles>| self.by_name(times);
        DriverEnd {
            traffic,
            interval,
            latency: named(times.latency),
            service_time: named(times.service_time),
            lateness: times.lateness,
            first_unmet: self.board.borrow_mut().first_unmet.take(),
        }
    }

    fn by_name<T>(&self, of_each: impl IntoIterator<Item = T>) -> BTreeMap<String, T> {
        self.completed.iter().map(|(name, _)| name.to_owned()).zip(of_each).collect()
    }

    // ----- for the connections

    /// A connection was opened.
    pub(super) fn opened(&self) {
        let board = &mut *self.board.borrow_mut();
        board.connections.opened += 1;
        board.cut_off_since = None;
    }

    /// A connection could not be opened.
    pub(super) fn refused(&self) {
        self.board.borrow_mut().connections.refused += 1;
    }

    /// The connection of `line` is gone. A request that it was given and has not sent goes to another, or waits.
    pub(super) fn closed(&self, line: usize) {
        let board = &mut *self.board.borrow_mut();
        board.connections.closed += 1;
        if board.connections.closed == board.connections.opened {
            board.cut_off_since = Some(board.now());
        }
        let (due, is_told) = match std::mem::take(&mut board.lines[line].state) {
            State::Given { due, is_told } => (due, is_told),
            State::Busy { due, .. } => (due, true),
            State::Free => return board.free.retain(|free| *free != line),
            State::Away => return,
        };
        if let Some(other) = board.free.pop_front() {
            return board.lines[other].give(due, is_told);
        }
        if !is_told {
            let lateness = board.now().since(due.at);
            board.latencies.sent(lateness);
        }
        board.waiting.push_front(due);
    }

    /// Ready when connections may be opened.
    pub(super) fn poll_open(&self, line: usize, cx: &Context<'_>) -> Poll<()> {
        let board = &mut *self.board.borrow_mut();
        if !board.in_recess {
            return Poll::Ready(());
        }
        board.lines[line].wake_by(cx);
        Poll::Pending
    }

    /// Ready when there is a request to send on `line`, which is free until then; with false when there is none, and the
    /// connection is to be closed.
    pub(super) fn poll_given(&self, line: usize, cx: &Context<'_>) -> Poll<bool> {
        let board = &mut *self.board.borrow_mut();
        let place = &mut board.lines[line];
        match &place.state {
            State::Given { .. } => return Poll::Ready(true),
            State::Free if board.in_recess => return Poll::Ready(false),
            State::Free => {}
            State::Away | State::Busy { .. } => {
                if let Some(due) = board.waiting.pop_front() {
                    place.state = State::Given { due, is_told: true };
                    return Poll::Ready(true);
                }
                if board.in_recess {
                    return Poll::Ready(false);
                }
                place.state = State::Free;
                board.free.push_back(line);
            }
        }
        place.wake_by(cx);
        Poll::Pending
    }

    /// Builds the request given to `line`, whose sending begins now. `headers` lends its memory.
    pub(super) fn request(&self, line: usize, headers: HeaderMap) -> Option<HttpRequest> {
        let board = &mut *self.board.borrow_mut();
        let State::Given { due, is_told } = std::mem::take(&mut board.lines[line].state) else { return None };
        let request = self.messages[due.request].build(&due.values, headers, &mut board.scratch);
        let body_bytes = hyper::body::Body::size_hint(request.body()).lower();
        let sent = board.now();
        if !is_told {
            board.latencies.sent(sent.since(due.at));
        }
        board.lines[line].state = State::Busy { due, sent, body_bytes };
        Some(request)
    }

    /// Whether the body of the answer on `line` is to be kept, to be looked at when the request has ended.
    pub(super) fn needs_body(&self, line: usize) -> bool {
        match &self.board.borrow().lines[line].state {
            State::Busy { due, .. } => self.messages[due.request].needs_body(),
            State::Away | State::Free | State::Given { .. } => false,
        }
    }

    /// The request on `line` has ended; `look` at its answer, if there is one.
    pub(super) fn ended(&self, line: usize, answer: Answer, look: Option<Look<'_>>) {
        let board = &mut *self.board.borrow_mut();
        let State::Busy { due, sent, body_bytes } = std::mem::take(&mut board.lines[line].state) else { return };
        // Before the answer is looked at: that takes time which is not the service's.
        let now = board.now();
        let message = &self.messages[due.request];
        let (outcome, received) = match answer {
            Answer::Whole(status, received) if message.expects(status) => {
                match look.and_then(|look| message.unmet(&due.values, look)) {
                    None => {
                        let is_refused = status.is_client_error() || status.is_server_error();
                        (if is_refused { Outcome::Refused } else { Outcome::Ok }, received)
                    }
                    Some(unmet) => {
                        let (name, _) = &self.completed.0[due.request];
                        board.first_unmet.get_or_insert_with(|| format!("request \"{name}\": {unmet}"));
                        (Outcome::FailedExpect, received)
                    }
                }
            }
            Answer::Whole(_, received) => (Outcome::FailedStatus, received),
            Answer::TooLate(received) => (Outcome::FailedTimeout, received),
            Answer::Broken(received) => (Outcome::FailedBody, received),
        };
        if outcome.is_completed() {
            board.latencies.answered(due.request, now.since(due.at), now.since(sent));
            self.completed.add_one(due.request);
        } else {
            board.latencies.unanswered(due.request, now.since(due.at));
        }
        let ended = Ended { outcome, body_bytes_sent: body_bytes, body_bytes_received: received };
        board.dispatch.ended(now, due.request, ended);
        if !board.dispatch.is_open() {
            board.go_on(now);
        }
    }
}

impl Board {
    fn now(&self) -> SinceStart {
        SinceStart::new(Instant::now().saturating_duration_since(self.origin))
    }

    /// Sends, misses or drops what is due.
    fn hand_out(&mut self, now: SinceStart) {
        while let Some((due, fate)) = self.dispatch.take() {
            match (fate, self.free.pop_front()) {
                (Fate::Send, Some(line)) => self.lines[line].give(due, false),
                (Fate::Send, None) => {
                    self.latencies.sent(now.since(due.at));
                    self.waiting.push_back(due);
                }
                (Fate::Missed | Fate::Dropped, line) => {
                    self.latencies.unanswered(due.request, now.since(due.at));
                    self.free.extend(line);
                }
            }
        }
    }

    /// A user of a closed load was answered. One that does not think sends at once, on the connection that has become free,
    /// without a detour by way of the pacer; for the others the pacer may sleep too long.
    fn go_on(&mut self, now: SinceStart) {
        self.hand_out(now);
        if let (Some((pacer, until)), Some(next)) = (&self.pacer, self.dispatch.next_due_at())
            && next < *until
        {
            pacer.wake_by_ref();
        }
    }

    fn fail(&mut self, due: &Due, outcome: Outcome, body_bytes_sent: u64) {
        let now = self.now();
        self.latencies.unanswered(due.request, now.since(due.at));
        self.dispatch.ended(now, due.request, Ended { outcome, body_bytes_sent, body_bytes_received: 0 });
    }
}

impl Line {
    fn wake_by(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    fn give(&mut self, due: Due, is_told: bool) {
        self.state = State::Given { due, is_told };
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
