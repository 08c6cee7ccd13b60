//! Keys of flows.

use crate::scenario::schema::Kind::{Boolean, Choice, Duration, Number, Table, Tables, Text, Texts};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, LONGEST, key, only};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("flows", Tables, Default("[]"), "Sessions of several steps: login, browse, buy. A rate is one of arrivals (single requests and first steps), so that requests per second are more."),
    key("flows[].name", Text, Required, "Its name in traces and reports, and in `phases[].weights`; not one of a request."),
    key("flows[].weight", Number, Default("1"), "Share of the arrivals, beside the weights of requests."),
    key("flows[].steps", Texts, Required, "Names of requests, in order. Each but the first is due when the one before was answered and `think_time` is over, and its latency is from then; one that fails, is missed or dropped ends the session. A parameter has one value throughout a session."),
    key("flows[].think_time", Table, Optional, "How long its user waits between an answer and the next step. Without it: not at all."),
    key("flows[].think_time.dist", Choice(&["constant", "uniform", "exponential"], &[]), Required, "How the times are spread."),
    only(key("flows[].think_time.time", Duration(0, LONGEST), Required, "The time."), "dist", &["constant"]),
    only(key("flows[].think_time.min", Duration(0, LONGEST), Required, "The shortest time."), "dist", &["uniform"]),
    only(key("flows[].think_time.max", Duration(0, LONGEST), Required, "The longest time."), "dist", &["uniform"]),
    only(key("flows[].think_time.mean", Duration(0, LONGEST), Required, "The mean time."), "dist", &["exponential"]),
    key("flows[].cookies", Boolean, Default("true"), "Whether each session keeps cookies, at most 50 of 4 KiB: sent below their `Path` (without one, everywhere), deleted by `Max-Age=0`. A `cookie` header of a request stands in place of them."),
];
