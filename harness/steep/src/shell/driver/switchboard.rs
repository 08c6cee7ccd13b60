//! Brings due requests and free connections together, and keeps the accounts of both. All on the driver's thread.
//!
//! A request belongs to the switchboard from its due time to its end, so that none is lost with the connection that
//! carried it. What its connections ask of it is in `exchange`.

mod exchange;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use crate::shell::sampler::host::own_thread;
use steep_core::scenario::Http;
use steep_core::trace::{Connections, Disturbance, Percentiles, Traffic};
use steep_core::traffic::dispatch::{Dispatch, Ended, Fate, Outcome};
use steep_core::traffic::latency::{Interval, Latencies, LatencyLimit};
use steep_core::traffic::{Due, Schedule};
use steep_judge::units::SinceStart;

use super::line::{Line, Pool, Recess, State, lines};
use super::message::Message;
use super::meter::Meter;
use super::{Completed, DriverEnd};

/// What pacer and connections share.
#[derive(Debug)]
pub(super) struct Switchboard {
    messages: Vec<Message>,
    completed: Arc<Completed>,
    http: Http,
    meter: Rc<Meter>,
    board: RefCell<Board>,
}

#[derive(Debug)]
struct Board {
    origin: Instant,
    dispatch: Dispatch,
    latencies: Latencies,
    connections: Connections,
    /// Open now, beside those of requests that have one of their own.
    open: usize,
    /// Since when there is no connection at all.
    cut_off_since: Option<SinceStart>,
    /// First the ordinary lines, and behind them those of requests with a connection of their own.
    lines: Vec<Line>,
    /// Ordinary lines that no connection uses.
    unused: Vec<usize>,
    ordinary: Pool,
    aside: Pool,
    first_aside: usize,
    /// Of each kind of request, whether it has a connection of its own.
    goes_aside: Vec<bool>,
    is_stopped: bool,
    recess: Recess,
    /// Wakes the pacer, and the moment that it sleeps until: in a closed load an answer may make a request due before.
    pacer: Option<(Waker, SinceStart)>,
    /// Texts are put together here.
    scratch: String,
    /// The first answer that was not as expected, in words.
    first_unmet: Option<String>,
}

impl Switchboard {
    pub(super) fn new(
        messages: Vec<Message>,
        completed: Arc<Completed>,
        http: Http,
        max_in_flight: usize,
        limits: Vec<LatencyLimit>,
        schedule: Schedule,
        meter: Rc<Meter>,
    ) -> Self {
        let latencies = Latencies::new(messages.len(), http.request_timeout, limits);
        let (ordinary, aside) = lines(&http, max_in_flight, &messages);
        let goes_aside = messages.iter().map(|message| message.aside().is_some()).collect();
        let board = RefCell::new(Board {
            origin: Instant::now(),
            dispatch: Dispatch::new(schedule, max_in_flight),
            latencies,
            connections: Connections::default(),
            open: 0,
            cut_off_since: None,
            lines: (0..ordinary + aside).map(|_| Line::default()).collect(),
            unused: (0..ordinary).rev().collect(),
            ordinary: Pool::new(http.connections, max_in_flight),
            aside: Pool::new(aside, if aside > 0 { max_in_flight } else { 0 }),
            first_aside: ordinary,
            goes_aside,
            is_stopped: false,
            recess: Recess::default(),
            pacer: None,
            scratch: String::new(),
            first_unmet: None,
        });
        Self { messages, completed, http, meter, board }
    }

    /// The lines of requests that have a connection of their own.
    pub(super) fn aside_lines(&self) -> std::ops::Range<usize> {
        let board = self.board.borrow();
        board.first_aside..board.lines.len()
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
        if !board.dispatch.follows_answers() {
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
        board.recess.set(begins);
        board.lines.iter().filter_map(|line| line.waker.as_ref()).for_each(Waker::wake_by_ref);
    }

    /// When the next request is due.
    pub(super) fn next_due_at(&self) -> Option<SinceStart> {
        self.board.borrow().dispatch.next_due_at()
    }

    /// No more requests come due.
    pub(super) fn stop(&self) {
        let board = &mut *self.board.borrow_mut();
        board.dispatch.stop();
        board.is_stopped = true;
    }

    /// Whether no more are to come.
    pub(super) fn is_stopped(&self) -> bool {
        self.board.borrow().is_stopped
    }

    /// Whether requests wait for a line.
    pub(super) fn has_waiting(&self) -> bool {
        let board = self.board.borrow();
        !board.ordinary.waiting.is_empty() || !board.aside.waiting.is_empty()
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
            while let Some(due) = board.ordinary.pop_waiting_for(now, patience) {
                board.fail(due, Outcome::FailedConnect, 0);
            }
        }
        let patience = self.http.request_timeout;
        while let Some(due) = board.ordinary.pop_waiting_for(now, patience) {
            board.fail(due, Outcome::FailedTimeout, 0);
        }
        while let Some(due) = board.aside.pop_waiting_for(now, patience) {
            board.fail(due, Outcome::FailedTimeout, 0);
        }
    }

    /// Whether no connection was available for the connect timeout. Less does not count: when requests time out
    /// together, their connections are all opened anew together.
    fn is_cut_off(&self, board: &Board, now: SinceStart) -> bool {
        board.cut_off_since.is_some_and(|since| now.since(since) > self.http.connect_timeout)
    }

    /// Fails all that has not ended, at the end of the drain.
    pub(super) fn fail_in_flight(&self) {
        let board = &mut *self.board.borrow_mut();
        let is_cut_off = self.is_cut_off(board, board.now());
        let outcome = if is_cut_off { Outcome::FailedConnect } else { Outcome::FailedTimeout };
        while let Some(due) = board.ordinary.waiting.pop_front() {
            board.fail(due, outcome, 0);
        }
        while let Some(due) = board.aside.waiting.pop_front() {
            board.fail(due, Outcome::FailedTimeout, 0);
        }
        for line in 0..board.lines.len() {
            match std::mem::take(&mut board.lines[line].state) {
                State::Busy { due, body_bytes, is_as_wanted: true, .. } => {
                    self.completed.add_one(due.request);
                    let (now, outcome) = (board.now(), Outcome::Aborted);
                    let ended = Ended { outcome, body_bytes_sent: body_bytes, body_bytes_received: 0 };
                    board.dispatch.ended(now, due, ended);
                }
                State::Busy { due, body_bytes, .. } => board.fail(due, Outcome::FailedTimeout, body_bytes),
                State::Given { due, .. } => board.fail(due, Outcome::FailedTimeout, 0),
                State::Away | State::Free => {}
            }
        }
    }

    /// What happened until `now`; the times since this was last asked. Asked on the driver's thread, whose CPU time it
    /// tells.
    pub(super) fn traffic(&self, now: SinceStart) -> (Traffic, Interval) {
        let board = &mut *self.board.borrow_mut();
        let interval = board.latencies.take_interval(now);
        let (bytes_sent, bytes_received) = (self.meter.sent(), self.meter.received());
        let traffic = Traffic {
            t_s: now,
            requests: self.by_name(board.dispatch.counts().iter().copied()),
            flows: board.dispatch.flows().map(|(name, counts)| (name.to_owned(), counts)).collect(),
            connections: Connections { bytes_sent, bytes_received, ..board.connections },
            in_flight: board.dispatch.in_flight() as u64,
            in_flight_peak: board.dispatch.take_in_flight_peak() as u64,
            latency: self.by_name(interval.latency()),
            slower: board.latencies.slower().collect(),
            lateness: interval.lateness(),
            driver: own_thread(),
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
}

impl Board {
    fn now(&self) -> SinceStart {
        SinceStart::new(Instant::now().saturating_duration_since(self.origin))
    }

    /// Sends, misses or drops what is due.
    fn hand_out(&mut self, now: SinceStart) {
        while let Some((due, fate)) = self.dispatch.take() {
            let pool = if self.goes_aside[due.request] { &mut self.aside } else { &mut self.ordinary };
            match (fate, pool.free.pop_front()) {
                (Fate::Send, Some(line)) => self.lines[line].give(due, false),
                (Fate::Send, None) => {
                    self.latencies.sent(now.since(due.at));
                    pool.waiting.push_back(due);
                }
                (Fate::Missed | Fate::Dropped, line) => {
                    self.latencies.unanswered(due.request, now.since(due.at));
                    pool.free.extend(line);
                }
            }
        }
    }

    /// A user was answered. One of a closed load that does not think sends at once, on the connection that has become
    /// free, without a detour by way of the pacer; for the others the pacer may sleep too long. In an open load it is
    /// always the pacer that hands out, because it sees first whether the driver was starved.
    fn go_on(&mut self, now: SinceStart) {
        if !self.dispatch.is_open() {
            self.hand_out(now);
        }
        if let (Some((pacer, until)), Some(next)) = (&self.pacer, self.dispatch.next_due_at())
            && next < *until
        {
            pacer.wake_by_ref();
        }
    }

    fn fail(&mut self, due: Due, outcome: Outcome, body_bytes_sent: u64) {
        let now = self.now();
        self.latencies.unanswered(due.request, now.since(due.at));
        self.dispatch.ended(now, due, Ended { outcome, body_bytes_sent, body_bytes_received: 0 });
    }
}
