//! Requests of clients that are slow or hold on to an answer: each on a connection of its own, so that no other waits
//! behind it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use steep_core::scenario::{Abort, Conduct, Farewell, Http, Protocol};

use super::answer::Answer;
use super::connection::{MAX_ANSWER_BYTES, READ_BUFFER_BYTES};
use super::message::HttpRequest;
use super::multiplexed::handshake;
use super::received::Received;
use super::slow::Rates;
use super::switchboard::Switchboard;
use super::target::Target;

/// How long a client that says goodbye waits for the connection to end.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// What goes over the wire beside headers and body at most: the names and frames of HTTP/2, and TLS around them.
const OVERHEAD_BYTES: u64 = 512;

/// Carries the requests of `line`, one after the other, for as long as the driver runs.
pub(super) async fn attend(line: usize, switchboard: Rc<Switchboard>, target: Rc<Target>, http: Http) {
    loop {
        poll_fn(|cx| switchboard.poll_given(line, cx)).await;
        let Some(conduct) = switchboard.take_up(line) else { continue };
        match Own::open(&target, &http, conduct).await {
            Ok(own) => {
                switchboard.opened_aside();
                if let Some((request, abort)) = switchboard.request(line, HeaderMap::new()) {
                    own.carry(request, abort, line, &switchboard, &http, conduct).await;
                }
                switchboard.closed_aside();
            }
            Err(_) => switchboard.refused_aside(line),
        }
    }
}

/// A connection for one request.
struct Own {
    sender: Sender,
    /// Ends when the connection has.
    connection: JoinHandle<()>,
    /// Throws the connection away.
    socket: std::os::fd::OwnedFd,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Own {
    async fn open(target: &Target, http: &Http, conduct: &Conduct) -> io::Result<Self> {
        let stream = target.dial(http.connect_timeout, Rates::of(conduct)).await?;
        let socket = stream.descriptor()?;
        let (sender, connection) = match http.protocol {
            Protocol::Http1 => {
                let builder = http1::Builder::new().max_buf_size(READ_BUFFER_BYTES).handshake(TokioIo::new(stream));
                let (sender, connection) = builder.await.map_err(io::Error::other)?;
                (Sender::Http1(sender), tokio::task::spawn_local(async { drop(connection.await) }))
            }
            Protocol::Http2 => {
                let (sender, connection) = timeout(http.connect_timeout, handshake(stream)).await??;
                (Sender::Http2(sender), tokio::task::spawn_local(async { drop(connection.await) }))
            }
        };
        Ok(Self { sender, connection, socket })
    }

    /// Sends the request, takes its answer as `conduct` says, and ends the connection.
    async fn carry(
        mut self,
        request: HttpRequest,
        abort: Option<Abort>,
        line: usize,
        switchboard: &Switchboard,
        http: &Http,
        conduct: &Conduct,
    ) {
        // The service has not failed to answer what it does not have yet.
        let patience = sending_time(&request, conduct) + http.request_timeout;
        let sent = Instant::now();
        let taken = self.take(request, patience, line, switchboard, http, conduct);
        let ((answer, look), farewell) = match abort {
            Some(abort) => match timeout_at(sent + abort.after, taken).await {
                Ok(taken) => (taken, Farewell::Close),
                Err(_) => ((Answer::Left(0), None), abort.with),
            },
            None => (taken.await, Farewell::Close),
        };
        switchboard.ended(line, answer, look.as_ref());
        let is_rude = conduct.hold.is_some_and(|hold| !hold.goodbye) && matches!(answer, Answer::Left(_));
        self.leave(if is_rude { Farewell::Reset } else { farewell }).await;
    }

    /// The answer, with what may be looked at of it.
    async fn take(
        &mut self,
        request: HttpRequest,
        patience: Duration,
        line: usize,
        switchboard: &Switchboard,
        http: &Http,
        conduct: &Conduct,
    ) -> (Answer, Option<Received>) {
        let response = match timeout(patience, self.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => return (Answer::Broken(0), None),
            Err(_) => return (Answer::TooLate(0), None),
        };
        let (head, body) = response.into_parts();
        let mut look = Received::begin(head.headers, switchboard.needs_body(line));
        if !switchboard.expects(line, head.status, &look) {
            return (Answer::Whole(head.status, 0), Some(look));
        }
        let is_patient = conduct.hold.is_some() || conduct.read_bytes_per_second.is_some();
        if is_patient {
            switchboard.mark_as_wanted(line);
        }
        let mut received = 0;
        let until = conduct.hold.map_or(http.request_timeout, |hold| hold.time);
        // What is held is bounded by its time; it is read, and kept no longer than is looked at.
        let most = if conduct.hold.is_some() { u64::MAX } else { MAX_ANSWER_BYTES };
        match timeout(until, drain(body, &mut look, most, &mut received)).await {
            Ok(true) => (Answer::Whole(head.status, received), Some(look)),
            Ok(false) => (Answer::Broken(received), None),
            // Who reads slowly has not seen what the body holds; who waited for it has.
            Err(_) if is_patient => (Answer::Left(received), conduct.hold.is_some().then_some(look)),
            Err(_) => (Answer::TooLate(received), None),
        }
    }

    async fn send(&mut self, request: HttpRequest) -> hyper::Result<hyper::Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        }
    }

    /// Ends the connection. Whoever closes it lets hyper end what is to be ended; whoever throws it away does not.
    async fn leave(self, farewell: Farewell) {
        let Self { sender, mut connection, socket } = self;
        if farewell == Farewell::Reset {
            // A socket that does not let itself be reset is closed as any other.
            let _ = rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
        } else {
            drop(sender);
            if timeout(GOODBYE_TIMEOUT, &mut connection).await.is_ok() {
                return;
            }
        }
        connection.abort();
        // Until it is dropped, and the socket closed with it.
        let _ = connection.await;
    }
}

/// How long sending takes at the rate of `conduct`.
fn sending_time(request: &HttpRequest, conduct: &Conduct) -> Duration {
    let Some(rate) = conduct.send_bytes_per_second else { return Duration::ZERO };
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let bytes = (headers + path) as u64 + request.body().size_hint().lower() + OVERHEAD_BYTES;
    Duration::from_secs_f64(bytes as f64 / rate.as_f64())
}

/// Reads a body to its end; false if it is cut off or larger than `most`.
async fn drain(mut body: Incoming, look: &mut Received, most: u64, received: &mut u64) -> bool {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame else { return false };
        *received += look.take(frame);
        if *received > most {
            return false;
        }
    }
    true
}
