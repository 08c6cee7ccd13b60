//! Keys of how arrivals are made.

use crate::scenario::schema::Kind::{Boolean, Choice, Duration, Integer, Integers, Table};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, LONGEST, key, only};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("load", Table, Default("{}"), "How arrivals are made."),
    key("load.model", Choice(&["open", "closed", "none"], &[]), Default("\"open\""), "`open`: a request is sent when it is due, however slow the answers are. `closed`: users send, wait for the answer and think, so that a slow service is asked less. `none`: nothing is sent in any phase, and growth is judged per hour; `[[requests]]`, `service.url` and `service.ready` may be left out then."),
    key("load.arrival", Choice(&["poisson", "constant"], &[]), Default("\"poisson\""), "Independent arrivals, or evenly spaced ones."),
    key("load.pacing", Choice(&["tick", "exact"], &[]), Default("\"tick\""), "`tick`: requests are sent on a tick of 1 ms, which is cheap. `exact`: each at its moment, by a timer of its own (Linux)."),
    key("load.max_in_flight", Integer(1, 1_000_000), Default("512"), "Sent or waiting for a connection; beyond it a due request is dropped and counted."),
    key("load.cpus", Integers(0, 4095), Default("[]"), "CPUs that the driver is pinned to; none: all."),
    key("load.coded", Boolean, Default("false"), "Weights of requests and flows swing after a code while phases are steady, so that what grows can be laid on one of them in minutes: in each block of 5 to 60 s a request comes 1.8 times as often as its weight says, or 0.2 times, and one block in eight sends nothing. The rate of all together stays as it is in the others."),
    key("load.vus", Integer(1, 10_000), Optional, "Users of a closed load, who have a connection each at most."),
    key("load.think_time", Table, Optional, "How long a user of a closed load waits between an answer and the next request. Without it: not at all."),
    key("load.think_time.dist", Choice(&["constant", "uniform", "exponential"], &[]), Required, "How the times are spread."),
    only(key("load.think_time.time", Duration(0, LONGEST), Required, "The time."), "dist", &["constant"]),
    only(key("load.think_time.min", Duration(0, LONGEST), Required, "The shortest time."), "dist", &["uniform"]),
    only(key("load.think_time.max", Duration(0, LONGEST), Required, "The longest time."), "dist", &["uniform"]),
    only(key("load.think_time.mean", Duration(0, LONGEST), Required, "The mean time."), "dist", &["exponential"]),
];
