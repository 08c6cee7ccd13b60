//! The server of the live view: the page at `/`, and where the run is at `/events`, as server-sent events.
//!
//! Bounded: connections, browsers that hear events, events that wait for one of them, and how long one that does not
//! read is kept. Nothing is drawn while nobody looks.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{interval, sleep, timeout};

use super::clients::{only_own, page};
pub use super::drawings::Draw;
use super::drawings::Drawings;
use super::words::{LONGEST, Status, Word};

/// Connections at once; further ones wait.
const CONNECTIONS: usize = 64;
/// Browsers that hear events at once.
const LISTENERS: usize = 16;
/// Events that wait for one browser; one that is further behind is let go, and may come again.
const EVENTS: usize = 64;
/// What steep said that a browser hears which comes late.
const SAID: usize = 5;
/// How long a browser may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what is sent may wait to be read. Then the kernel ends the connection.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether the page may be drawn anew.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long browsers that listen have to fetch the report once the run is over. It takes them milliseconds.
const LAST_PAGE: Duration = Duration::from_secs(2);
/// Waited where no connection can be taken, such as for lack of descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What the server shows.
pub struct Shown {
    /// Draws the page as the run is now, the cell that is soaked being among what is known.
    pub draw: Draw,
    /// Hears where the run is.
    pub status: Arc<Mutex<Status>>,
    /// The report, once the run is over.
    pub report: Box<dyn Fn() -> Result<String, String> + Send>,
    /// What the page may do, as its own policy says.
    pub policy: String,
}

struct Shared {
    drawings: Drawings,
    policy: String,
    status: Arc<Mutex<Status>>,
    said: Mutex<VecDeque<String>>,
    events: broadcast::Sender<News>,
    listeners: Arc<Semaphore>,
    /// Whether the page is the report.
    is_over: AtomicBool,
    /// How often it was fetched as such.
    fetched: Semaphore,
}

/// What browsers hear.
#[derive(Debug, Clone)]
enum News {
    Status(Status),
    Said(String),
    /// There is a new page.
    Drawn,
    /// The run is over.
    End(String),
}

impl News {
    fn event(&self) -> Event {
        match self {
            Self::Status(status) => {
                Event::default().event("status").data(serde_json::to_string(status).unwrap_or_default())
            }
            Self::Said(text) => Event::default().event("said").data(one_line(text)),
            Self::Drawn => Event::default().event("drawn").data("anew"),
            Self::End(text) => Event::default().event("end").data(one_line(text)),
        }
    }
}

/// An event's data may not have the carriage returns that others write.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// Serves what is `shown` on `listener` until the `words` end: at once where steep is gone, and after browsers could
/// fetch the report where the run is over.
///
/// # Errors
/// The listener is none of this runtime's.
pub async fn serve(listener: std::net::TcpListener, words: impl AsyncBufRead + Unpin, shown: Shown) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let shared = Arc::new(Shared {
        drawings: Drawings::new(shown.draw),
        policy: shown.policy,
        status: shown.status,
        said: Mutex::default(),
        events: broadcast::channel(EVENTS).0,
        listeners: Arc::new(Semaphore::new(LISTENERS)),
        is_over: AtomicBool::new(false),
        fetched: Semaphore::new(0),
    });
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let accepting = tokio::spawn(accept(listener, router(Arc::clone(&shared)), Arc::clone(&connections)));
    let drawing = tokio::spawn(draw_for_listeners(Arc::clone(&shared)));
    let end = hear(words, &shared).await;
    drawing.abort();
    if let Some(said) = end {
        shared.drawings.finish((shown.report)()).await;
        shared.is_over.store(true, Ordering::Relaxed);
        // Each of them may fetch it, and then its connections end.
        let listeners = shared.events.send(News::End(said)).unwrap_or(0);
        let fetched = async {
            let _ = shared.fetched.acquire_many(listeners as u32).await;
            // It holds one connection itself.
            accepting.abort();
            let _ = connections.acquire_many(CONNECTIONS as u32).await;
        };
        let _ = timeout(LAST_PAGE, fetched).await;
    }
    accepting.abort();
    Ok(())
}

/// Hears the words of steep; what is left to say where the run is over, none where steep is gone.
async fn hear(mut words: impl AsyncBufRead + Unpin, shared: &Shared) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        let read = (&mut words).take(LONGEST).read_line(&mut line).await;
        if !read.is_ok_and(|bytes| bytes > 0) {
            return None;
        }
        let news = match Word::of(&line) {
            Some(Word::End(said)) => return Some(said),
            Some(Word::Status(status)) => {
                shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&status);
                News::Status(status)
            }
            Some(Word::Said(text)) => {
                let mut said = shared.said.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_back(text.clone());
                if said.len() > SAID {
                    said.pop_front();
                }
                News::Said(text)
            }
            // Words may be torn where this process did not keep up.
            None => continue,
        };
        // Nobody listens: it is kept for whoever comes.
        let _ = shared.events.send(news);
    }
}

async fn accept(listener: TcpListener, router: Router, connections: Arc<Semaphore>) {
    loop {
        // It is never closed.
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(stream, router.clone(), permit))),
            Err(_) => sleep(ACCEPT_REST).await,
        }
    }
}

async fn answer(stream: TcpStream, router: Router, _permit: OwnedSemaphorePermit) {
    // What is not read for this long is not waited for; without it the browser is at least one of a bounded number.
    let _ = sockopt::set_tcp_user_timeout(stream.as_fd(), UNREAD_TIMEOUT.as_millis() as u32);
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
}

/// Draws the page anew now and then, while somebody listens.
async fn draw_for_listeners(shared: Arc<Shared>) {
    let mut looks = interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        if shared.events.receiver_count() > 0 {
            // One that fails is answered to whoever asks for the page.
            let _ = shared.page().await;
        }
    }
}

impl Shared {
    /// The page; that it was drawn anew is heard by all, whoever asked.
    async fn page(&self) -> Result<Bytes, String> {
        let (page, is_new) = self.drawings.page().await;
        if is_new {
            let _ = self.events.send(News::Drawn);
        }
        page
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(whole))
        .route("/events", get(events))
        .fallback(async || (StatusCode::NOT_FOUND, "The live view has one page: /\n"))
        .with_state(shared)
        .layer(from_fn(only_own))
}

async fn whole(State(shared): State<Arc<Shared>>) -> Response {
    let html = shared.page().await;
    if shared.is_over.load(Ordering::Relaxed) {
        shared.fetched.add_permits(1);
    }
    match html {
        Ok(html) => page(html, &shared.policy),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("The page cannot be drawn: {why}\n")).into_response(),
    }
}

async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(permit) = Arc::clone(&shared.listeners).try_acquire_owned() else {
        let why = format!("{LISTENERS} pages look at this run already: close one of them.\n");
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    Sse::new(heard(&shared, permit)).keep_alive(KeepAlive::default()).into_response()
}

/// What a browser hears: where the run is and what was said before it came, then what steep says, until the run is over
/// or it is too far behind.
fn heard(shared: &Shared, permit: OwnedSemaphorePermit) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let receiver = shared.events.subscribe();
    let said: Vec<String> = shared.said.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
    let status = shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let before: Vec<News> = said.into_iter().map(News::Said).chain([News::Status(status)]).collect();
    let live = stream::unfold(Some((receiver, permit)), async |state| {
        let (mut receiver, permit) = state?;
        // Behind by more than its queue: the connection ends, and the browser comes again by itself.
        let news = receiver.recv().await.ok()?;
        let next = if matches!(news, News::End(_)) { None } else { Some((receiver, permit)) };
        Some((news, next))
    });
    stream::iter(before).chain(live).map(|news| Ok(news.event()))
}
