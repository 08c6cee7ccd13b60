//! One connection of HTTP/2: carries many requests at a time, and is polled with all of them by one task.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, timeout};

use steep_core::scenario::{Farewell, Http};

use super::answer::Answer;
use super::connection::{MAX_ANSWER_BYTES, Wire};
use super::message::HttpRequest;
use super::received::Received;
use super::slow::Rates;
use super::stream::Stream;
use super::switchboard::Switchboard;
use super::target::Target;

/// What a stream, and what all of a connection, may have received and not read. hyper's own are 2 and 5 MB for each
/// connection, which would make the driver's memory follow the answers; these are those of browsers, rounded down.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// How soon it is seen that the service has sent its settings: the grid of the runtime's timers.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Runs what hyper wants to run beside a connection, on the driver's thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside;

impl<F: Future + 'static> hyper::rt::Executor<F> for Beside
where
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// The connection as hyper has it.
pub(super) type Http2 = Connection<TokioIo<Stream>, Full<Bytes>, Beside>;

/// A connection of HTTP/2.
pub(super) struct Multiplexed {
    sender: SendRequest<Full<Bytes>>,
    /// None: it has ended, and with it all streams.
    connection: Option<Http2>,
    /// Requests sent.
    sent: u64,
    /// Requests that ended as they should.
    served: u64,
    /// Takes no more requests: it has carried all that it may, the service wants to end it, or it was idle.
    is_closing: bool,
    was_idle: bool,
}

/// How a stream ended.
enum Ended {
    /// With what may be looked at, where it is whole.
    With(Answer, Option<Received>),
    /// The connection ended before anything was sent.
    NotSent,
}

/// Speaks HTTP/2 over `stream`, and waits until the service does.
pub(super) async fn handshake(stream: Stream) -> io::Result<(SendRequest<Full<Bytes>>, Http2)> {
    let (sender, mut connection) = Builder::new(Beside)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        // Until the service's settings are there, which say how many there may be.
        .initial_max_send_streams(0)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // hyper reads beside this and wakes nobody when the settings are there.
    while connection.current_max_send_streams() == 0 {
        let has_ended = timeout(LOOK_EVERY, &mut connection).await;
        if let Ok(ended) = has_ended {
            let reason = ended.err().map_or_else(|| "it closed the connection".to_owned(), |error| innermost(&error));
            let message = format!("the service does not speak HTTP/2 with this client: {reason}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
    }
    Ok((sender, connection))
}

/// The cause that says most: those around it only say that there was an error.
fn innermost(error: &hyper::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

impl Multiplexed {
    fn poll_wire(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(cx).is_ready()
        {
            self.connection = None;
        }
    }

    /// How many requests it may carry now.
    fn capacity(&self, http: &Http) -> usize {
        let allowed = self.connection.as_ref().map_or(0, Connection::current_max_send_streams);
        http.max_concurrent_streams.min(allowed)
    }

    fn takes_more(&self, http: &Http) -> bool {
        let max = http.max_requests_per_connection;
        self.connection.is_some() && !self.is_closing && !self.sender.is_closed() && (max == 0 || self.sent < max)
    }

    /// Notes how the stream on `line` ended.
    fn note(&mut self, line: usize, ended: &Ended, switchboard: &Switchboard) {
        match ended {
            Ended::With(answer, look) => {
                self.served += u64::from(matches!(answer, Answer::Whole(..) | Answer::Left(_)));
                switchboard.ended(line, *answer, look.as_ref());
            }
            // `Switchboard::leave` gives the request to another connection.
            Ended::NotSent => self.is_closing = true,
        }
        switchboard.leave(line);
    }
}

impl Wire for Multiplexed {
    async fn open(target: &Target, http: &Http) -> io::Result<Self> {
        let opening = async { handshake(target.dial(http.connect_timeout, Rates::default()).await?).await };
        let (sender, connection) = timeout(http.connect_timeout, opening).await??;
        let connection = Some(connection);
        Ok(Self { sender, connection, sent: 0, served: 0, is_closing: false, was_idle: false })
    }

    async fn serve(&mut self, switchboard: &Switchboard, http: &Http, mut deadline: Pin<&mut Sleep>) -> Farewell {
        let mut streams = FuturesUnordered::new();
        // The line on which it can take the next request.
        let mut offered = None;
        let mut used_last = Instant::now();
        poll_fn(|cx| {
            loop {
                self.poll_wire(cx);
                while let Poll::Ready(Some((line, ended))) = streams.poll_next_unpin(cx) {
                    self.note(line, &ended, switchboard);
                    used_last = Instant::now();
                }
                if !self.takes_more(http) {
                    offered.take().into_iter().for_each(|line| switchboard.leave(line));
                    return if streams.is_empty() { Poll::Ready(()) } else { Poll::Pending };
                }
                if streams.len() >= self.capacity(http) {
                    return Poll::Pending;
                }
                let line = *offered.get_or_insert_with(|| switchboard.take_line());
                match switchboard.poll_given(line, cx) {
                    Poll::Ready(true) => {}
                    // It is to be closed, once all that it carries has ended.
                    Poll::Ready(false) => {
                        self.is_closing = true;
                        continue;
                    }
                    Poll::Pending => break,
                }
                if let Some((request, abort)) = switchboard.request(line, hyper::HeaderMap::new()) {
                    let patience = abort.map_or(http.request_timeout, |abort| abort.after);
                    let (answer, keep) = (self.sender.try_send_request(request), switchboard.needs_body(line));
                    streams.push(async move { (line, exchange(answer, keep, patience, abort.is_some()).await) });
                    self.sent += 1;
                    offered = None;
                } else {
                    // It fits no message: others, the pacer among them, come before the next.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if let (Some(longest), true) = (http.max_idle, streams.is_empty()) {
                deadline.as_mut().reset(used_last + longest);
                if deadline.as_mut().poll(cx).is_ready() {
                    (self.is_closing, self.was_idle) = (true, true);
                    offered.take().into_iter().for_each(|line| switchboard.leave(line));
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
        Farewell::Close
    }

    fn has_served(&self) -> bool {
        self.served > 0 || self.was_idle
    }

    fn leave(self, _: Farewell) {}
}

/// Waits for the answer to a request and reads it to the end, keeping its body where that is to be looked at. Dropping
/// what is not whole resets the stream.
async fn exchange(
    answer: impl Future<Output = Result<hyper::Response<Incoming>, TrySendError<HttpRequest>>>,
    keep: bool,
    patience: Duration,
    is_left_then: bool,
) -> Ended {
    let received = Cell::new(0);
    let reading = pin!(async {
        let response = match answer.await {
            Ok(response) => response,
            Err(mut failed) => {
                let unsent = failed.take_message().is_some();
                return if unsent { Ended::NotSent } else { Ended::With(Answer::Broken(0), None) };
            }
        };
        let (head, mut body) = response.into_parts();
        let mut look = Received::begin(head.headers, keep);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let Ok(frame) = frame else { return Ended::With(Answer::Broken(received.get()), None) };
            received.set(received.get() + look.take(frame));
            if received.get() > MAX_ANSWER_BYTES {
                return Ended::With(Answer::Broken(received.get()), None);
            }
        }
        Ended::With(Answer::Whole(head.status, received.get()), Some(look))
    });
    match timeout(patience, reading).await {
        Ok(ended) => ended,
        Err(_) if is_left_then => Ended::With(Answer::Left(received.get()), None),
        Err(_) => Ended::With(Answer::TooLate(received.get()), None),
    }
}
