//! Asks a running service about itself: its live bytes, its counters; and sends what switches it. Answers are bounded
//! in time and size.

use std::time::Duration;

use reqwest::{ClientBuilder, Method, Response, StatusCode};
use serde::Deserialize;
use thiserror::Error;

use crate::shell::loopback::Client;
use crate::shell::trust::refusal;
use steep_core::exposition;
use steep_core::scenario::{Counter, SwitchRequest};
use steep_core::trace::Live;
use steep_judge::units::Bytes;

/// How long an answer may take, from connecting to its last byte. A sample must not wait for a service that hangs.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers larger than this are not read to the end.
const ANSWER_MAX: Bytes = Bytes::mib(1);

/// The form of the probe's answer that is understood.
const PROBE_SCHEMA: u64 = 1;

/// How much of an answer is shown in a message.
const SHOWN_MAX_CHARS: usize = 200;

/// The question could not be answered.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// No answer, or not in time.
    #[error("GET {url}: {reason}")]
    NoAnswer {
        /// What was asked.
        url: String,
        /// Why, with its causes.
        reason: String,
    },
    /// Another status than 200.
    #[error("GET {url} said {status}: {body}")]
    Status {
        /// What was asked.
        url: String,
        /// What was said.
        status: StatusCode,
        /// The beginning of the answer.
        body: String,
    },
    /// An answer without end.
    #[error("GET {url} answers with more than {ANSWER_MAX}")]
    TooLarge {
        /// What was asked.
        url: String,
    },
    /// No such counter.
    #[error("GET {url} shows no counter {metric} with the labels of load.counter; it said: {body}")]
    NoCounter {
        /// What was asked.
        url: String,
        /// The counter.
        metric: String,
        /// The beginning of the answer.
        body: String,
    },
    /// Something else than the probe's JSON.
    #[error(
        "GET {url} gives no probe data of schema {PROBE_SCHEMA} ({reason}); does `service.probe` name the path of steep-probe? It said: {body}"
    )]
    NotAProbe {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        reason: String,
        /// The beginning of the answer.
        body: String,
    },
}

/// A request that was to switch something failed.
#[derive(Debug, Error)]
#[error("{method} {path} failed: {reason}")]
pub struct SwitchError {
    method: String,
    path: String,
    reason: String,
}

/// Makes a client one that asks beside the load: one idle connection at most.
pub fn beside_the_load(builder: ClientBuilder) -> ClientBuilder {
    builder.pool_max_idle_per_host(1).timeout(ANSWER_TIMEOUT)
}

/// Live bytes of the service, which `path` answers with; none where its allocator does not count them (`null`).
///
/// # Errors
/// No answer in time, or something else than the probe's data.
pub async fn live_bytes(client: &Client, path: &str) -> Result<Option<Live>, ProbeError> {
    parse_live(&ask(client, path).await?).map_err(|(reason, body)| ProbeError::NotAProbe {
        url: client.url(path),
        reason,
        body: beginning(&body),
    })
}

/// Sends a request that switches something.
///
/// # Errors
/// No answer in time, a status from 400 up, an answer without end, a request that cannot be written.
pub async fn switch(client: &Client, request: &SwitchRequest) -> Result<(), SwitchError> {
    let SwitchRequest { method, path, headers, body } = request;
    let failed = |reason: String| SwitchError { method: method.clone(), path: path.clone(), reason };
    let name = Method::from_bytes(method.as_bytes()).map_err(|error| failed(error.to_string()))?;
    let mut sent = client.request(name, path);
    for (name, value) in headers {
        sent = sent.header(name, value);
    }
    let sent = sent.body(body.clone().unwrap_or_default());
    let answer = sent.send().await.map_err(|error| failed(with_causes(&error)))?;
    let status = answer.status();
    if status.as_u16() < 400 {
        return Ok(());
    }
    Err(failed(match body_of(answer).await {
        Ok(Some(body)) => format!("the service said {status}: {}", beginning(&body)),
        Ok(None) | Err(_) => format!("the service said {status}"),
    }))
}

/// The sum of the series of `counter`, in whole requests.
///
/// # Errors
/// No answer in time, another status than 200, an answer without end, no such counter.
pub async fn counter(client: &Client, counter: &Counter) -> Result<u64, ProbeError> {
    let body = ask(client, &counter.path).await?;
    let count = exposition::sum(&body, &counter.metric, &counter.labels);
    count.map(|count| count as u64).ok_or_else(|| ProbeError::NoCounter {
        url: client.url(&counter.path),
        metric: counter.metric.clone(),
        body: beginning(&body),
    })
}

/// What the probe crate answers with; more than this is not read here.
#[derive(Debug, Deserialize)]
struct Answer {
    schema: u64,
    live_bytes: Option<u64>,
    live_objects: Option<u64>,
}

fn parse_live(body: &str) -> Result<Option<Live>, (String, String)> {
    let refuse = |reason: String| (reason, body.to_owned());
    let answer: Answer = serde_json::from_str(body).map_err(|error| refuse(error.to_string()))?;
    if answer.schema != PROBE_SCHEMA {
        return Err(refuse(format!("its schema is {}", answer.schema)));
    }
    let live = answer.live_bytes.map(|bytes| Live {
        live_bytes: Bytes::new(bytes),
        live_objects: answer.live_objects.unwrap_or(0),
        ..Live::default()
    });
    Ok(live)
}

/// The body of the answer to a GET of `path`, with status 200.
///
/// # Errors
/// No answer in time, another status, an answer without end.
pub async fn ask(client: &Client, path: &str) -> Result<String, ProbeError> {
    let url = || client.url(path);
    let no_answer = |error: reqwest::Error| ProbeError::NoAnswer { url: url(), reason: with_causes(&error) };
    let response = client.get(path).send().await.map_err(no_answer)?;
    let status = response.status();
    let body = body_of(response).await.map_err(no_answer)?;
    let body = body.ok_or_else(|| ProbeError::TooLarge { url: url() })?;
    if status == StatusCode::OK {
        Ok(body)
    } else {
        Err(ProbeError::Status { url: url(), status, body: beginning(&body) })
    }
}

/// The body of an answer; none where it is larger than [`ANSWER_MAX`].
async fn body_of(mut response: Response) -> Result<Option<String>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > ANSWER_MAX.get() {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&body).into_owned()))
}

fn beginning(body: &str) -> String {
    body.chars().take(SHOWN_MAX_CHARS).collect()
}

/// What went wrong in words: the innermost cause says it (`Connection refused`), the outer ones repeat the address.
#[must_use]
pub fn with_causes(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    if let Some(reason) = refusal(error) {
        return reason;
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_bytes_are_read_and_unknown_ones_are_none() {
        let known = r#"{"schema":1,"pid":7,"allocator":"jemalloc","live_bytes":4096,"live_objects":3,"native":{}}"#;
        let live = Live { live_bytes: Bytes::new(4096), live_objects: 3, ..Live::default() };
        assert_eq!(parse_live(known), Ok(Some(live)));
        assert_eq!(parse_live(r#"{"schema":1,"live_bytes":null,"live_objects":null}"#), Ok(None));
    }

    #[test]
    fn what_is_not_a_probe_is_refused_with_its_reason() {
        assert!(parse_live("<html>").is_err());
        let newer = parse_live(r#"{"schema":2,"live_bytes":1}"#);
        assert_eq!(newer.map_err(|(reason, _)| reason), Err("its schema is 2".to_owned()));
    }
}
