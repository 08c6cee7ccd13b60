//! One connection: opened, used, and opened again when it is gone. Here also the one of HTTP/1.1, which carries one
//! request after the other.
//!
//! The task that waits for answers polls hyper's connection itself, so that a request wakes one task and not three.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep};

use steep_core::scenario::{Farewell, Http};

use super::answer::Answer;
use super::message::HttpRequest;
use super::received::Received;
use super::slow::Rates;
use super::stream::Stream;
use super::switchboard::Switchboard;
use super::target::Target;

/// The largest answer that is read; what is longer counts as endless. Some times what a service would send on purpose.
pub(super) const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// hyper's buffer for reading, and so the longest head of an answer. Without a bound it grows to 400 KiB for each
/// connection with large answers.
pub(super) const READ_BUFFER_BYTES: usize = 64 << 10;

/// Waiting time before a connection is opened again that was refused, or ended without having carried an answer. It
/// doubles up to the longest, so that a dead service is asked once a second for each connection and not thousands of
/// times.
const FIRST_BACK_OFF: Duration = Duration::from_millis(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);

/// An open connection of some protocol.
pub(super) trait Wire: Sized {
    /// Opens one.
    async fn open(target: &Target, http: &Http) -> io::Result<Self>;

    /// Carries requests until the connection is gone or has served its time, and says how it is left.
    async fn serve(&mut self, switchboard: &Switchboard, http: &Http, deadline: Pin<&mut Sleep>) -> Farewell;

    /// Whether it did what it was opened for: then the next one is opened at once.
    fn has_served(&self) -> bool;

    /// Closes it, if it still is open.
    fn leave(self, farewell: Farewell);
}

/// A connection of HTTP/1.1.
pub(super) struct Single {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Stream>, Full<Bytes>>,
    /// The connection has ended and must not be polled; an answer may still be in hand.
    is_over: bool,
    /// Requests that ended as they should, with whole answers but for those left on purpose.
    served: u64,
    /// Given up because nothing was to be sent.
    was_idle: bool,
}

/// How an exchange left the connection.
enum Exchange {
    /// Answered, with what may be looked at; the headers' memory is to be used again.
    Answered(Answer, Received),
    /// The request was not answered, and the connection is useless.
    Failed(Answer),
    /// The connection ended before anything was sent.
    NotSent,
}

impl Single {
    /// Lets hyper read and write.
    fn poll_wire(&mut self, cx: &mut Context<'_>) {
        // How it ended shows in what becomes of the request.
        if !self.is_over && Pin::new(&mut self.connection).poll(cx).is_ready() {
            self.is_over = true;
        }
    }

    /// Waits for a request to send; false when the connection ended, is to be closed, or was idle until `give_up`.
    async fn next_request(
        &mut self,
        line: usize,
        switchboard: &Switchboard,
        mut give_up: Option<Pin<&mut Sleep>>,
    ) -> bool {
        poll_fn(|cx| {
            self.poll_wire(cx);
            let given = match self.sender.poll_ready(cx) {
                _ if self.is_over => return Poll::Ready(false),
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(())) => switchboard.poll_given(line, cx),
                Poll::Pending => Poll::Pending,
            };
            if let Some(alarm) = &mut give_up
                && given.is_pending()
                && alarm.as_mut().poll(cx).is_ready()
            {
                self.was_idle = true;
                return Poll::Ready(false);
            }
            given
        })
        .await
    }

    /// Sends `request` and reads its answer to the end, keeping its body where that is to be looked at, until
    /// `deadline` at the latest.
    async fn exchange(&mut self, request: HttpRequest, keep: bool, mut deadline: Pin<&mut Sleep>) -> Exchange {
        let mut answer = pin!(self.sender.try_send_request(request));
        let head = poll_fn(|cx| {
            self.poll_wire(cx);
            match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending => deadline.as_mut().poll(cx).map(|()| None),
            }
        });
        let (head, body) = match head.await {
            Some(Ok(response)) => response.into_parts(),
            Some(Err(mut failed)) => {
                let unsent = failed.take_message().is_some();
                return if unsent { Exchange::NotSent } else { Exchange::Failed(Answer::Broken(0)) };
            }
            None => return Exchange::Failed(Answer::TooLate(0)),
        };
        let mut look = Received::begin(head.headers, keep);
        match self.drain(body, &mut look, deadline).await {
            Ok(received) => Exchange::Answered(Answer::Whole(head.status, received), look),
            Err(cut) => Exchange::Failed(cut),
        }
    }

    /// Reads a body and what follows it to the end, and gives its size.
    async fn drain(
        &mut self,
        mut body: Incoming,
        look: &mut Received,
        mut deadline: Pin<&mut Sleep>,
    ) -> Result<u64, Answer> {
        let mut received = 0;
        poll_fn(|cx| {
            let mut has_polled_wire = false;
            loop {
                match Pin::new(&mut body).poll_frame(cx) {
                    Poll::Ready(None) => return Poll::Ready(Ok(received)),
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Answer::Broken(received))),
                    Poll::Ready(Some(Ok(frame))) => {
                        received += look.take(frame);
                        if received > MAX_ANSWER_BYTES {
                            return Poll::Ready(Err(Answer::Broken(received)));
                        }
                        has_polled_wire = false;
                    }
                    Poll::Pending if has_polled_wire => {
                        return deadline.as_mut().poll(cx).map(|()| Err(Answer::TooLate(received)));
                    }
                    Poll::Pending => {
                        self.poll_wire(cx);
                        has_polled_wire = true;
                    }
                }
            }
        })
        .await
    }

    /// Carries requests of `line` until the connection is gone or has served its time.
    async fn carry(
        &mut self,
        line: usize,
        switchboard: &Switchboard,
        http: &Http,
        mut deadline: Pin<&mut Sleep>,
    ) -> Farewell {
        let mut headers = HeaderMap::new();
        loop {
            let give_up = http.max_idle.map(|longest| {
                deadline.as_mut().reset(Instant::now() + longest);
                deadline.as_mut()
            });
            if !self.next_request(line, switchboard, give_up).await {
                return Farewell::Close;
            }
            let Some((request, abort)) = switchboard.request(line, std::mem::take(&mut headers)) else {
                // It fits no message: others, the pacer among them, come before the next.
                tokio::task::yield_now().await;
                continue;
            };
            let patience = abort.map_or(http.request_timeout, |abort| abort.after);
            deadline.as_mut().reset(Instant::now() + patience);
            match self.exchange(request, switchboard.needs_body(line), deadline.as_mut()).await {
                Exchange::Answered(answer, look) => {
                    switchboard.ended(line, answer, Some(&look));
                    headers = look.headers;
                }
                Exchange::Failed(answer) => {
                    if let (Answer::TooLate(received), Some(abort)) = (answer, abort) {
                        switchboard.ended(line, Answer::Left(received), None);
                        self.served += 1;
                        return abort.with;
                    }
                    switchboard.ended(line, answer, None);
                    return Farewell::Close;
                }
                // `Switchboard::leave` gives the request to another connection.
                Exchange::NotSent => return Farewell::Close,
            }
            self.served += 1;
            if self.served == http.max_requests_per_connection {
                return Farewell::Close;
            }
        }
    }
}

impl Wire for Single {
    async fn open(target: &Target, http: &Http) -> io::Result<Self> {
        let stream = target.dial(http.connect_timeout, Rates::default()).await?;
        let (sender, connection) = Builder::new()
            .max_buf_size(READ_BUFFER_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Self { sender, connection, is_over: false, served: 0, was_idle: false })
    }

    async fn serve(&mut self, switchboard: &Switchboard, http: &Http, deadline: Pin<&mut Sleep>) -> Farewell {
        let line = switchboard.take_line();
        let farewell = self.carry(line, switchboard, http, deadline).await;
        switchboard.leave(line);
        farewell
    }

    fn has_served(&self) -> bool {
        self.served > 0 || self.was_idle
    }

    fn leave(self, farewell: Farewell) {
        if farewell == Farewell::Reset {
            self.connection.into_parts().io.inner().reset_at_close();
        }
    }
}

/// Keeps a connection open for as long as the driver runs. `wire` was opened before the load.
pub(super) async fn keep<W: Wire>(wire: W, switchboard: Rc<Switchboard>, target: Rc<Target>, http: Http) {
    let mut deadline = pin!(tokio::time::sleep(Duration::ZERO));
    let mut wire = Some(wire);
    let mut back_off = FIRST_BACK_OFF;
    loop {
        let has_served = match wire.take() {
            Some(mut wire) => {
                let farewell = wire.serve(&switchboard, &http, deadline.as_mut()).await;
                let has_served = wire.has_served();
                wire.leave(farewell);
                switchboard.closed();
                has_served
            }
            None => false,
        };
        if has_served {
            back_off = FIRST_BACK_OFF;
        } else {
            tokio::time::sleep(back_off).await;
            back_off = (back_off * 2).min(LONGEST_BACK_OFF);
        }
        poll_fn(|cx| switchboard.poll_open(cx)).await;
        match W::open(&target, &http).await {
            Ok(opened) => {
                switchboard.opened();
                wire = Some(opened);
            }
            Err(_) => switchboard.refused(),
        }
    }
}
