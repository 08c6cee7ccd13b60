//! Waits until a process that was started is up, or has ended, or its time is over. Nobody is asked but who is to
//! answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::shell::access::{Access, AccessError};
use crate::shell::listener::{Answerer, Stranger, Watch, is_sighted};
use crate::shell::loopback::{self, Client, Endpoint};
use crate::shell::probe::with_causes;
use crate::shell::process::Process;
use crate::shell::trust::is_about_certificates;
use steep_core::scenario::Protocol;
use steep_core::trace::Exit;

/// The first pause between two questions; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(5);

/// The longest pause: it is how much later than it was the service is seen to be ready.
const POLL_MAX: Duration = Duration::from_millis(200);

/// How long one question may take, so that a service which hangs on its first connection is asked again.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// So often a connection may be taken though nobody is seen to listen: a listener may come between the look and the
/// connection.
const UNSEEN_MAX: u32 = 3;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Where.
    pub endpoint: Endpoint,
    /// A GET of this path says less than 400; none: a TCP connection is taken.
    pub path: Option<String>,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "GET {}{path}", self.endpoint),
            None => write!(f, "connecting to {}", self.endpoint),
        }
    }
}

/// How it is asked.
#[derive(Debug)]
pub struct Asking<'a> {
    /// What.
    pub question: &'a Question,
    /// For how long at most.
    pub limit: Duration,
    /// Who is to answer.
    pub watch: Watch,
    /// Whether a process outside of what steep started may answer: of a dependency, whose memory is not judged.
    pub may_be_elsewhere: bool,
    /// What lets steep in.
    pub access: &'a Access,
    /// What is spoken.
    pub protocol: Protocol,
}

/// It is ready.
#[derive(Debug)]
pub struct Answered {
    /// Where it was asked: one address, where that is known.
    pub endpoint: Endpoint,
    /// Who answers, where it is not who was to.
    pub elsewhere: Option<Stranger>,
    /// What cannot be known.
    pub unknown: Option<String>,
}

/// Why it is not ready.
#[derive(Debug)]
pub enum NotReady {
    /// It ended before.
    Ended(Exit),
    /// Its certificate, or its TLS, will not do: waiting does not help.
    Refused(String),
    /// Another program has its port.
    Stranger(Stranger),
    /// Something answers there, and nobody listens that can be seen.
    Unseen(SocketAddr),
    /// It cannot be asked.
    Client(AccessError),
    /// Time is over; the last answer in words, such as `said 503`.
    TimedOut(String),
}

/// Asks until the answer is yes.
///
/// # Errors
/// The process ended, another program answers, or time is over.
pub async fn wait_until_ready(process: &mut Process, mut asking: Asking<'_>) -> Result<Answered, NotReady> {
    let deadline = Instant::now() + asking.limit;
    let mut pause = POLL_MIN;
    let mut last_answer = None;
    let mut asked = Asked::default();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NotReady::TimedOut(last_answer.unwrap_or_else(|| "was never asked".to_owned())));
        }
        let answer = tokio::select! {
            // The end comes first: another program may answer on the port that the process did not get.
            biased;
            exit = process.wait() => return Err(NotReady::Ended(exit)),
            answer = timeout(left.min(ASK_TIMEOUT), asking.once(&mut asked)) => answer,
        };
        match answer {
            Ok(Ok(answered)) => return Ok(answered),
            Ok(Err(Answer::Final(not_ready))) => return Err(not_ready),
            Ok(Err(Answer::ForNow(text))) => last_answer = Some(text),
            // A question that the end of the waiting cut short says less than the answer before it.
            Err(_) if left < ASK_TIMEOUT && last_answer.is_some() => {}
            Err(_) => last_answer = Some("did not answer in time".to_owned()),
        }
        tokio::select! {
            biased;
            exit = process.wait() => return Err(NotReady::Ended(exit)),
            () = sleep(pause.min(deadline.saturating_duration_since(Instant::now()))) => {}
        }
        pause = (pause * 2).min(POLL_MAX);
    }
}

/// What is kept from one question to the next.
#[derive(Default)]
struct Asked {
    client: Option<(Endpoint, Client)>,
    unseen: u32,
}

/// What is wrong.
enum Answer {
    /// In words that follow the question; it may be right at the next.
    ForNow(String),
    /// It will not be.
    Final(NotReady),
}

impl Asking<'_> {
    /// Looks who would answer, and asks once if that is who is to.
    async fn once(&mut self, asked: &mut Asked) -> Result<Answered, Answer> {
        let all = &self.question.endpoint;
        let mut answered = Answered { endpoint: all.clone(), elsewhere: None, unknown: None };
        let (answerer, address) = self.watch.settle();
        if let Some(address) = address {
            answered.endpoint = all.at(address);
        }
        match answerer {
            Answerer::Own => {}
            Answerer::Unknown(why) => answered.unknown = Some(why),
            Answerer::Stranger(stranger) if self.may_be_elsewhere => {
                answered.endpoint = all.at(stranger.address);
                answered.elsewhere = Some(stranger);
            }
            Answerer::Stranger(stranger) => return Err(Answer::Final(NotReady::Stranger(stranger))),
            Answerer::Nobody => {
                let address = self.reach().await?;
                asked.unseen += 1;
                if asked.unseen < UNSEEN_MAX {
                    return Err(Answer::ForNow("took a connection last, and nobody was seen to listen".to_owned()));
                }
                if !self.may_be_elsewhere && is_sighted() && !self.watch.lives_elsewhere() {
                    return Err(Answer::Final(NotReady::Unseen(address)));
                }
                answered.endpoint = all.at(address);
                answered.unknown = Some(format!(
                    "which process answers on {address} (nobody is seen to listen there in steep's own network namespace)"
                ));
            }
        }
        self.ask(&answered.endpoint, asked).await?;
        Ok(answered)
    }

    /// The first address that takes a connection, to which nothing is said.
    async fn reach(&self) -> Result<SocketAddr, Answer> {
        let mut failed = String::new();
        for &address in self.question.endpoint.addresses() {
            match loopback::connect(address, None).await {
                Ok(_) => return Ok(address),
                Err(error) => failed = format!("failed last: {error}"),
            }
        }
        Err(Answer::ForNow(failed))
    }

    async fn ask(&self, endpoint: &Endpoint, asked: &mut Asked) -> Result<(), Answer> {
        let Some(path) = &self.question.path else {
            let connected = loopback::connect(endpoint.addresses()[0], None).await;
            return connected.map(drop).map_err(|error| Answer::ForNow(format!("failed last: {error}")));
        };
        if asked.client.as_ref().is_none_or(|(at, _)| at != endpoint) {
            let client = self.access.client(self.protocol, endpoint);
            let client = client.map_err(|error| Answer::Final(NotReady::Client(error)))?;
            asked.client = Some((endpoint.clone(), client));
        }
        let Some((_, client)) = &asked.client else { return Ok(()) };
        match client.get(path).send().await {
            // The body is not read: it may have no end.
            Ok(response) if response.status().as_u16() < 400 => Ok(()),
            Ok(response) => Err(Answer::ForNow(format!("said {} last", response.status().as_u16()))),
            Err(error) => {
                let text = format!("failed last: {}", with_causes(&error));
                let is_final = is_about_certificates(&error);
                Err(if is_final { Answer::Final(NotReady::Refused(text)) } else { Answer::ForNow(text) })
            }
        }
    }
}
