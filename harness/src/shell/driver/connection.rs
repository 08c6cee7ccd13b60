//! One connection: opened, used for one request after the other, and opened again when it is gone.
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
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::scenario::Http;

use super::message::{HttpRequest, Kept, Look};
use super::switchboard::{Answer, Switchboard};
use super::target::Target;

/// The largest answer that is read; what is longer counts as endless. Some times what a service would send on purpose.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// hyper's buffer for reading, and so the longest head of an answer. Without a bound it grows to 400 KiB for each
/// connection with large answers.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// Waiting time before a connection is opened again that was refused, or ended without having carried an answer. It
/// doubles up to the longest, so that a dead service is asked once a second for each connection and not thousands of times.
const FIRST_BACK_OFF: Duration = Duration::from_millis(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);

/// An open connection.
pub(super) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<TcpStream>, Full<Bytes>>,
    /// The connection has ended and must not be polled; an answer may still be in hand.
    is_over: bool,
    /// Whole answers so far.
    answers: u64,
}

/// How an exchange left the connection.
enum Exchange {
    /// Answered, with headers and what was to be kept of the body; the headers' memory is to be used again.
    Answered(Answer, HeaderMap, Kept),
    /// The request was not answered, and the connection is useless.
    Failed(Answer),
    /// The connection ended before anything was sent.
    NotSent,
}

impl Wire {
    /// Opens a connection.
    pub(super) async fn open(target: &Target, http: &Http) -> io::Result<Self> {
        let stream = target.dial(http.connect_timeout).await?;
        let (sender, connection) = Builder::new()
            .max_buf_size(READ_BUFFER_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Self { sender, connection, is_over: false, answers: 0 })
    }

    /// Lets hyper read and write.
    fn poll_wire(&mut self, cx: &mut Context<'_>) {
        // How it ended shows in what becomes of the request.
        if !self.is_over && Pin::new(&mut self.connection).poll(cx).is_ready() {
            self.is_over = true;
        }
    }

    /// Waits for a request to send; false when the connection ended, or is to be closed.
    async fn next_request(&mut self, line: usize, switchboard: &Switchboard) -> bool {
        poll_fn(|cx| {
            self.poll_wire(cx);
            match self.sender.poll_ready(cx) {
                _ if self.is_over => Poll::Ready(false),
                Poll::Ready(Err(_)) => Poll::Ready(false),
                Poll::Ready(Ok(())) => switchboard.poll_given(line, cx),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Sends `request` and reads its answer to the end, keeping its body where that is to be looked at, until `deadline` at the latest.
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
        let mut kept = keep.then(Kept::default);
        match self.drain(body, &mut kept, deadline).await {
            Ok(received) => {
                Exchange::Answered(Answer::Whole(head.status, received), head.headers, kept.unwrap_or_default())
            }
            Err(cut) => Exchange::Failed(cut),
        }
    }

    /// Reads a body to its end and gives its size.
    async fn drain(
        &mut self,
        mut body: Incoming,
        kept: &mut Option<Kept>,
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
                        received += frame.data_ref().map_or(0, |data| data.len() as u64);
                        if let (Some(kept), Some(data)) = (kept.as_mut(), frame.data_ref()) {
                            kept.add(data);
                        }
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
    async fn serve(&mut self, line: usize, switchboard: &Switchboard, http: &Http, mut deadline: Pin<&mut Sleep>) {
        let mut headers = HeaderMap::new();
        while self.next_request(line, switchboard).await {
            let Some(request) = switchboard.request(line, std::mem::take(&mut headers)) else { continue };
            deadline.as_mut().reset(Instant::now() + http.request_timeout);
            match self.exchange(request, switchboard.needs_body(line), deadline.as_mut()).await {
                Exchange::Answered(answer, memory, body) => {
                    switchboard.ended(line, answer, Some(Look { headers: &memory, body: &body }));
                    headers = memory;
                }
                Exchange::Failed(answer) => {
                    switchboard.ended(line, answer, None);
                    return;
                }
                // `Switchboard::closed` gives the request to another connection.
                Exchange::NotSent => return,
            }
            self.answers += 1;
            if self.answers == http.max_requests_per_connection {
                return;
            }
        }
    }
}

/// Keeps `line` connected for as long as the driver runs. `wire` was opened before the load.
pub(super) async fn keep(line: usize, wire: Wire, switchboard: Rc<Switchboard>, target: Rc<Target>, http: Http) {
    let mut deadline = pin!(tokio::time::sleep(Duration::ZERO));
    let mut wire = Some(wire);
    let mut back_off = FIRST_BACK_OFF;
    loop {
        let has_served = match wire.take() {
            Some(mut wire) => {
                wire.serve(line, &switchboard, &http, deadline.as_mut()).await;
                let has_served = wire.answers > 0;
                drop(wire);
                switchboard.closed(line);
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
        poll_fn(|cx| switchboard.poll_open(line, cx)).await;
        match Wire::open(&target, &http).await {
            Ok(opened) => {
                switchboard.opened();
                wire = Some(opened);
            }
            Err(_) => switchboard.refused(),
        }
    }
}
