//! How the client treats a request, as real clients do: its types, keys, decoding and checks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Request;
use crate::problem::Problem;
use crate::scenario::check::Check;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, LONGEST, Presence, key};
use steep_judge::units::{Bytes, seconds};

/// How the client treats a kind of request, where it does not simply send it and take the answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conduct {
    /// It goes away before the answer is there.
    pub abort: Option<Abort>,
    /// It takes no more than this many bytes a second.
    pub read_bytes_per_second: Option<Bytes>,
    /// It sends no more than this many bytes a second.
    pub send_bytes_per_second: Option<Bytes>,
    /// It keeps the answer open.
    pub hold: Option<Hold>,
}

impl Conduct {
    /// Whether there is nothing special about it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.abort.is_none() && !self.is_aside()
    }

    /// Whether it takes a connection of its own, so that others do not wait behind it.
    #[must_use]
    pub fn is_aside(&self) -> bool {
        self.read_bytes_per_second.is_some() || self.send_bytes_per_second.is_some() || self.hold.is_some()
    }
}

/// Going away before the answer is there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Abort {
    /// So long after sending, unless the answer was faster.
    #[serde(rename = "after_s", with = "seconds")]
    pub after: Duration,
    /// Share of the requests, chosen by the seed.
    pub share: f64,
    /// How.
    pub with: Farewell,
}

/// How a connection is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// Thrown away: RST.
    #[default]
    Reset,
    /// Closed: FIN.
    Close,
}

/// Keeping an answer open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// So long after its head came.
    #[serde(rename = "time_s", with = "seconds")]
    pub time: Duration,
    /// Whether the client ends stream and connection in due form then, or throws them away.
    pub goodbye: bool,
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("requests[].abort_after", Kind::Duration(1, LONGEST), Presence::Optional, "The client goes away this long after sending, unless the answer was faster. Counted as `aborted`, which is not a failure."),
    key("requests[].abort_share", Kind::Number, Presence::Default("1"), "Share of these requests that it goes away from, 0 to 1, chosen by the seed."),
    key("requests[].abort_with", Kind::Choice(&["reset", "close"], &[]), Presence::Default("\"reset\""), "How the connection is left: RST or FIN. With `http2` the stream is reset in any case, and the connection stays."),
    key("requests[].read_rate", Kind::Size, Presence::Optional, "The client takes no more than this many bytes a second, through a small receive buffer. What is not read by `request_timeout` is left and counted as `aborted`."),
    key("requests[].send_rate", Kind::Size, Presence::Optional, "The client sends no more than this many bytes a second, headers included; `request_timeout` begins when all is sent."),
    key("requests[].hold", Kind::Duration(1, LONGEST), Presence::Optional, "The client keeps the answer open for this long, such as a stream of events, and then goes away. Counted as `aborted`, which is not a failure. What `expect.body_contains` wants must have come by then."),
    key("requests[].goodbye", Kind::Boolean, Presence::Default("true"), "Whether stream and connection are ended in due form after `hold`, or thrown away (RST)."),
];

pub(super) fn conduct(reader: &mut Reader, section: &Section<'_>) -> Conduct {
    let after = reader.duration(section, "abort_after");
    let share = reader.number(section, "abort_share").unwrap_or(1.0);
    let with = reader.choice(section, "abort_with").unwrap_or_default();
    let hold = reader.duration(section, "hold");
    let goodbye = reader.boolean(section, "goodbye").unwrap_or(true);
    belongs_to(reader, section, "abort_share", "abort_after");
    belongs_to(reader, section, "abort_with", "abort_after");
    belongs_to(reader, section, "goodbye", "hold");
    Conduct {
        abort: after.map(|after| Abort { after, share, with }),
        read_bytes_per_second: reader.size(section, "read_rate"),
        send_bytes_per_second: reader.size(section, "send_rate"),
        hold: hold.map(|time| Hold { time, goodbye }),
    }
}

/// That `name` is not given without the key that it says more about.
fn belongs_to(reader: &mut Reader, section: &Section<'_>, name: &str, other: &str) {
    if Reader::has(section, name) && !Reader::has(section, other) {
        let span = reader.spans.of(&format!("{}.{name}", section.path));
        let problem = Problem::error(format!("\"{name}\" has no meaning without \"{other}\""), span);
        reader.problems.push(problem.help(format!("add {other} = \"…\", or take it out")));
    }
}

impl Check<'_> {
    pub(super) fn conduct(&mut self, index: usize, request: &Request, request_timeout: Duration) {
        let at = |key: &str| format!("requests[{index}].{key}");
        let Some(conduct) = &request.conduct else { return };
        if conduct.abort.is_some_and(|abort| abort.share > 1.0) {
            self.error(&at("abort_share"), "\"abort_share\" is above 1", "it is a share: 0.1 for one in ten");
        }
        if conduct.abort.is_some_and(|abort| abort.after >= request_timeout) && !request_timeout.is_zero() {
            let help = "a request that is given up then has failed: go away sooner, or raise http.request_timeout";
            self.error(&at("abort_after"), "\"abort_after\" is not below http.request_timeout", help);
        }
        if conduct.abort.is_some() && conduct.hold.is_some() {
            self.error(&at("hold"), "\"hold\" and \"abort_after\" exclude each other", "one waits, the other does not");
        }
        if conduct.hold.is_some() && !request.expect.json.is_empty() {
            let help = "what is left before its end is not JSON: expect a text with body_contains";
            self.error(&at("expect.json"), "\"hold\" and \"expect.json\" exclude each other", help);
        }
        for (key, rate) in [("read_rate", conduct.read_bytes_per_second), ("send_rate", conduct.send_bytes_per_second)]
        {
            if rate == Some(Bytes::ZERO) {
                self.error(&at(key), format!("\"{key}\" is 0"), "bytes per second: \"1KiB\"");
            }
        }
    }
}
