//! Waits until a process that was started is up, or has ended, or its time is over.

use std::fmt;
use std::time::Duration;

use reqwest::Client;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::shell::probe::with_causes;
use crate::shell::process::Process;
use crate::shell::trust::is_about_certificates;
use crate::trace::Exit;

/// The first pause between two questions; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(5);

/// The longest pause: it is how much later than it was the service is seen to be ready.
const POLL_MAX: Duration = Duration::from_millis(200);

/// How long one question may take, so that a service which hangs on its first connection is asked again.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A GET of this address says less than 400.
    Http(String),
    /// This address takes a TCP connection.
    Tcp(String),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => write!(f, "GET {url}"),
            Self::Tcp(address) => write!(f, "connecting to {address}"),
        }
    }
}

/// Why it is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// It ended before.
    Ended(Exit),
    /// Its certificate, or its TLS, will not do: waiting does not help.
    Refused(String),
    /// Time is over; the last answer in words, such as `said 503`.
    TimedOut(String),
}

/// Asks until the answer is yes, at most for `limit`.
///
/// # Errors
/// The process ended, or time is over.
pub async fn wait_until_ready(
    process: &mut Process,
    client: &Client,
    question: &Question,
    limit: Duration,
) -> Result<(), NotReady> {
    let deadline = Instant::now() + limit;
    let mut pause = POLL_MIN;
    let mut last_answer = "was never asked".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NotReady::TimedOut(last_answer));
        }
        let answer = tokio::select! {
            // The end comes first: another program may answer on the port that the process did not get.
            biased;
            exit = process.wait() => return Err(NotReady::Ended(exit)),
            answer = timeout(left.min(ASK_TIMEOUT), ask(client, question)) => answer,
        };
        match answer {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Answer { text, is_final: true })) => return Err(NotReady::Refused(text)),
            Ok(Err(Answer { text, .. })) => last_answer = text,
            Err(_) => "did not answer in time".clone_into(&mut last_answer),
        }
        tokio::select! {
            biased;
            exit = process.wait() => return Err(NotReady::Ended(exit)),
            () = sleep(pause.min(deadline.saturating_duration_since(Instant::now()))) => {}
        }
        pause = (pause * 2).min(POLL_MAX);
    }
}

/// What is wrong, in words that follow the question.
struct Answer {
    text: String,
    is_final: bool,
}

impl Answer {
    fn for_now(text: String) -> Self {
        Self { text, is_final: false }
    }
}

/// Asks once.
async fn ask(client: &Client, question: &Question) -> Result<(), Answer> {
    match question {
        Question::Http(url) => match client.get(url).send().await {
            // The body is not read: it may have no end.
            Ok(response) if response.status().as_u16() < 400 => Ok(()),
            Ok(response) => Err(Answer::for_now(format!("said {} last", response.status().as_u16()))),
            Err(error) => {
                let reason = with_causes(&error);
                Err(Answer { text: format!("failed last: {reason}"), is_final: is_about_certificates(&error) })
            }
        },
        Question::Tcp(address) => match TcpStream::connect(address).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Answer::for_now(format!("failed last: {error}"))),
        },
    }
}
