//! The half of the switchboard that connections and their requests see.

use std::task::{Context, Poll};

use hyper::StatusCode;
use hyper::header::HeaderMap;

use steep_core::scenario::{Abort, Conduct};
use steep_core::traffic::Due;
use steep_core::traffic::dispatch::{Ended, Outcome};
use steep_judge::units::SinceStart;

use super::super::answer::Answer;
use super::super::line::State;
use super::super::message::{HttpRequest, add_cookies};
use super::super::received::Received;
use super::{Board, Switchboard};

impl Switchboard {
    /// A connection was opened.
    pub(in crate::shell::driver) fn opened(&self) {
        let board = &mut *self.board.borrow_mut();
        board.connections.opened += 1;
        board.open += 1;
        board.cut_off_since = None;
    }

    /// A connection could not be opened.
    pub(in crate::shell::driver) fn refused(&self) {
        self.board.borrow_mut().connections.refused += 1;
    }

    /// A connection is gone.
    pub(in crate::shell::driver) fn closed(&self) {
        let board = &mut *self.board.borrow_mut();
        board.connections.closed += 1;
        board.open -= 1;
        if board.open == 0 {
            board.cut_off_since = Some(board.now());
        }
    }

    /// A connection for one request was opened.
    pub(in crate::shell::driver) fn opened_aside(&self) {
        self.board.borrow_mut().connections.opened += 1;
    }

    /// A connection for one request is gone.
    pub(in crate::shell::driver) fn closed_aside(&self) {
        self.board.borrow_mut().connections.closed += 1;
    }

    /// No connection could be opened for the request of `line`.
    pub(in crate::shell::driver) fn refused_aside(&self, line: usize) {
        self.refused();
        self.ended(line, Answer::NotConnected, None);
    }

    /// Some connections were opened and closed by a storm, and others could not be opened.
    pub(in crate::shell::driver) fn stormed(&self, opened: u64, refused: u64) {
        let connections = &mut self.board.borrow_mut().connections;
        connections.storm_opened += opened;
        connections.storm_refused += refused;
    }

    /// A line for a connection that can take a request.
    pub(in crate::shell::driver) fn take_line(&self) -> usize {
        self.board.borrow_mut().unused.pop().expect("`lines` counts one for each that may be wanted at a time")
    }

    /// The connection of `line` is gone, or has no use for it. A request that it was given and has not sent goes to
    /// another, or waits.
    pub(in crate::shell::driver) fn leave(&self, line: usize) {
        let board = &mut *self.board.borrow_mut();
        let (due, is_told) = match std::mem::take(&mut board.lines[line].state) {
            State::Given { due, is_told } => (due, is_told),
            State::Busy { due, .. } => (due, true),
            State::Free => {
                board.ordinary.free.retain(|free| *free != line);
                return board.unused.push(line);
            }
            State::Away => return board.unused.push(line),
        };
        board.unused.push(line);
        if let Some(other) = board.ordinary.free.pop_front() {
            return board.lines[other].give(due, is_told);
        }
        if !is_told {
            let lateness = board.now().since(due.at);
            board.latencies.sent(lateness);
        }
        board.ordinary.waiting.push_front(due);
    }

    /// Ready when connections may be opened.
    pub(in crate::shell::driver) fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        self.board.borrow_mut().recess.poll_over(cx)
    }

    /// Ready when there is a request to send on `line`, which is free until then; with false when there is none, and
    /// the connection is to be closed.
    pub(in crate::shell::driver) fn poll_given(&self, line: usize, cx: &Context<'_>) -> Poll<bool> {
        let board = &mut *self.board.borrow_mut();
        // Requests that open their own connections find nothing to close.
        let is_closing = board.recess.is_now && line < board.first_aside;
        let place = &mut board.lines[line];
        match &place.state {
            State::Given { .. } => return Poll::Ready(true),
            State::Free if is_closing => return Poll::Ready(false),
            State::Free => {}
            State::Away | State::Busy { .. } => {
                let pool = if line < board.first_aside { &mut board.ordinary } else { &mut board.aside };
                if let Some(due) = pool.waiting.pop_front() {
                    place.state = State::Given { due, is_told: true };
                    return Poll::Ready(true);
                }
                if is_closing {
                    return Poll::Ready(false);
                }
                place.state = State::Free;
                pool.free.push_back(line);
            }
        }
        place.wake_by(cx);
        Poll::Pending
    }

    /// Builds the request given to `line`, whose sending begins now, and says whether it is to be left. `headers` lends
    /// its memory. None: there is none, or its values fit no message, and it has failed.
    pub(in crate::shell::driver) fn request(
        &self,
        line: usize,
        headers: HeaderMap,
    ) -> Option<(HttpRequest, Option<Abort>)> {
        let board = &mut *self.board.borrow_mut();
        let State::Given { due, is_told } = std::mem::take(&mut board.lines[line].state) else { return None };
        let message = &self.messages[due.request];
        let mut request = match message.build(&due.values, headers, &mut board.scratch) {
            Ok(request) => request,
            Err(unfit) => {
                self.fail_unsent(board, due, is_told, &unfit);
                return None;
            }
        };
        if let Some(jar) = due.session.as_ref().and_then(|session| session.jar()) {
            add_cookies(jar, &mut request, &mut board.scratch);
        }
        let abort = message.abort(due.nth);
        let body_bytes = hyper::body::Body::size_hint(request.body()).lower();
        let sent = board.now();
        if !is_told {
            board.latencies.sent(sent.since(due.at));
        }
        board.lines[line].state = State::Busy { due, sent, body_bytes, is_as_wanted: false };
        Some((request, abort))
    }

    /// Ends a request that cannot be sent.
    fn fail_unsent(&self, board: &mut Board, due: Due, is_told: bool, unfit: &str) {
        let now = board.now();
        if !is_told {
            board.latencies.sent(now.since(due.at));
        }
        self.note_unmet(board, due.request, unfit);
        board.fail(due, Outcome::FailedUnsent, 0);
        if board.dispatch.follows_answers() {
            board.go_on(now);
        }
    }

    fn note_unmet(&self, board: &mut Board, request: usize, unmet: &str) {
        let (name, _) = &self.completed.0[request];
        board.first_unmet.get_or_insert_with(|| format!("request \"{name}\": {unmet}"));
    }

    /// Whether the body of the answer on `line` is to be kept, to be looked at when the request has ended.
    pub(in crate::shell::driver) fn needs_body(&self, line: usize) -> bool {
        match &self.board.borrow().lines[line].state {
            State::Busy { due, .. } => self.messages[due.request].needs_body(),
            State::Away | State::Free | State::Given { .. } => false,
        }
    }

    /// How the request given to `line` is treated, for which a connection of its own is opened now: the driver is no
    /// later for what that takes.
    pub(in crate::shell::driver) fn take_up(&self, line: usize) -> Option<&Conduct> {
        let board = &mut *self.board.borrow_mut();
        let now = board.now();
        let State::Given { due, is_told } = &mut board.lines[line].state else { return None };
        if !std::mem::replace(is_told, true) {
            board.latencies.sent(now.since(due.at));
        }
        self.messages[due.request].aside()
    }

    /// Whether the answer to the request on `line` begins as expected.
    pub(in crate::shell::driver) fn expects(&self, line: usize, status: StatusCode, look: &Received) -> bool {
        match &self.board.borrow().lines[line].state {
            State::Busy { due, .. } => self.messages[due.request].expects(&due.values, status, look),
            State::Away | State::Free | State::Given { .. } => false,
        }
    }

    /// What the request on `line` was sent for has come about: whenever it ends, it has not failed.
    pub(in crate::shell::driver) fn mark_as_wanted(&self, line: usize) {
        if let State::Busy { is_as_wanted, .. } = &mut self.board.borrow_mut().lines[line].state {
            *is_as_wanted = true;
        }
    }

    /// The request on `line`, or the one given to it, has ended; `look` at its answer, if there is one to be looked at.
    pub(in crate::shell::driver) fn ended(&self, line: usize, answer: Answer, look: Option<&Received>) {
        let board = &mut *self.board.borrow_mut();
        let (mut due, sent, body_bytes) = match std::mem::take(&mut board.lines[line].state) {
            State::Busy { due, sent, body_bytes, .. } => (due, sent, body_bytes),
            State::Given { due, .. } => (due, SinceStart::ZERO, 0),
            State::Away | State::Free => return,
        };
        // Before the answer is looked at: that takes time which is not the service's.
        let now = board.now();
        let (outcome, unmet) = self.messages[due.request].outcome(&mut due, answer, look);
        if let Some(unmet) = unmet {
            self.note_unmet(board, due.request, &unmet);
        }
        if outcome.is_answered() {
            board.latencies.answered(due.request, now.since(due.at), now.since(sent));
            self.completed.add_one(due.request);
        } else if outcome == Outcome::Aborted {
            // It has no latency: nobody waited for the answer.
            self.completed.add_one(due.request);
        } else {
            board.latencies.unanswered(due.request, now.since(due.at));
        }
        let ended = Ended { outcome, body_bytes_sent: body_bytes, body_bytes_received: answer.received() };
        board.dispatch.ended(now, due, ended);
        if board.dispatch.follows_answers() {
            board.go_on(now);
        }
    }
}
