//! A fingerprint of the traffic, so that two cells, or two nights, can be seen to have had the same. Pure.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::request::Body;
use super::stream::GENERATOR;
use super::{Schedule, ScheduleError, Workload};

/// How many due requests are hashed: enough to see any difference of the generator, few enough to cost nothing.
const HASHED_REQUESTS: usize = 4096;

/// SHA-256, in hexadecimal, of the generator's version, the workload, and its first
/// requests with their due times. What differs from cell to cell, such as the port, is left out.
///
/// # Errors
/// The workload gives no schedule.
pub fn schedule_hash(workload: Workload<'_>) -> Result<String, ScheduleError> {
    let part = serde_json::to_string(&workload).unwrap_or_else(|error| error.to_string());
    let mut hash = Sha256::new().chain_update(GENERATOR).chain_update(part);

    // A cell's own values stand for themselves: the same in every cell.
    let schedule = Schedule::new(workload, |name| Some(format!("{{{{{name}}}}}")))?;
    let texts = schedule.texts().clone();
    let mut line = String::new();
    for due in schedule.take(HASHED_REQUESTS) {
        line.clear();
        let text = &texts[due.request];
        let written = write!(line, "{} {} ", due.at.elapsed().as_nanos(), due.request);
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        text.path().write(&due.values, &mut line);
        // Other bodies are files, which are part of the workload.
        if let Some(Body::Text(body)) = text.body() {
            line.push(' ');
            body.write(&due.values, &mut line);
        }
        line.push('\n');
        hash.update(line.as_bytes());
    }
    Ok(hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let written = write!(hex, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        hex
    }))
}
