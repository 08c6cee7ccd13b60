//! The places of requests on connections: which are free, what each does, and what waits for one.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use steep_core::scenario::{Http, Protocol};
use steep_core::traffic::Due;
use steep_judge::units::SinceStart;

use super::message::Message;

/// Lines that serve the same requests.
#[derive(Debug)]
pub(super) struct Pool {
    /// Lines that can take a request. The one that rested longest is taken first: all are in use alike, and none rests
    /// until the service gives it up.
    pub(super) free: VecDeque<usize>,
    /// Due requests that found no free line. No longer than `max_in_flight`.
    pub(super) waiting: VecDeque<Due>,
}

/// The place of one request on a connection.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) state: State,
    pub(super) waker: Option<Waker>,
}

/// What a line does.
#[derive(Debug, Default)]
pub(super) enum State {
    /// There is no connection, or it is not ready yet.
    #[default]
    Away,
    /// Can take a request.
    Free,
    /// Has one to send. The driver's lateness is reported when it is sent, but for one that waited for a line: then it
    /// was reported before, because waiting is the service's doing.
    Given { due: Due, is_told: bool },
    /// Has sent it.
    Busy { due: Due, sent: SinceStart, body_bytes: u64, is_as_wanted: bool },
}

/// Whether there are to be not connections now.
#[derive(Debug, Default)]
pub(super) struct Recess {
    pub(super) is_now: bool,
    /// Wake those who wait for its end to open connections; no more than there are connections.
    away: Vec<Waker>,
}

/// How many lines there are: one for each connection, or with HTTP/2 so many that each connection can offer one while
/// all that may be in flight is on others; and those of requests with a connection of their own, if there are such.
pub(super) fn lines(http: &Http, max_in_flight: usize, messages: &[Message]) -> (usize, usize) {
    let ordinary = match http.protocol {
        Protocol::Http1 => http.connections,
        Protocol::Http2 => http.connections + max_in_flight,
    };
    let has_aside = messages.iter().any(|message| message.aside().is_some());
    (ordinary, if has_aside { http.aside_connections } else { 0 })
}

impl Pool {
    pub(super) fn new(lines: usize, max_waiting: usize) -> Self {
        Self { free: VecDeque::with_capacity(lines), waiting: VecDeque::with_capacity(max_waiting) }
    }

    /// The first of those that wait for longer than `patience`.
    pub(super) fn pop_waiting_for(&mut self, now: SinceStart, patience: Duration) -> Option<Due> {
        self.waiting.pop_front_if(|due| now.since(due.at) > patience)
    }
}

impl Recess {
    /// It begins or ends.
    pub(super) fn set(&mut self, begins: bool) {
        self.is_now = begins;
        self.away.drain(..).for_each(Waker::wake);
    }

    /// Ready when connections may be opened.
    pub(super) fn poll_over(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_now {
            return Poll::Ready(());
        }
        if !self.away.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.away.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Line {
    pub(super) fn wake_by(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    pub(super) fn give(&mut self, due: Due, is_told: bool) {
        self.state = State::Given { due, is_told };
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
