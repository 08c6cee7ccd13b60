//! Keys of phases and of their shapes.

use crate::scenario::schema::Kind::{Boolean, Choice, Duration, Integer, Number, Table, Tables, Text};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, LONGEST, SECOND, key, only};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("phases", Tables, Required, "What the load does, in order."),
    key("phases[].name", Text, Required, "Its name in traces and reports."),
    key("phases[].role", Choice(&["warmup", "steady", "idle", "cooldown"], &[]), Required, "`warmup` and `steady` are fitted, with the warm-up modelled; `idle` and `cooldown` are left out of the fit and judged by themselves, per hour where nothing is asked."),
    key("phases[].shape", Choice(&["constant", "ramp", "stages", "step", "spike", "square", "sine", "from_file", "users", "pause", "external"], &[]), Required, "The rate over its time; `users` in a closed load, `pause` in both, `external` as `load.command` makes it."),
    key("phases[].duration", Duration(SECOND, LONGEST), Optional, "How long it lasts. Needed, but for `stages` and `step`, where it follows."),
    only(key("phases[].rate", Number, Required, "Requests per second; of `spike`, between its peaks."), "shape", &["constant", "spike"]),
    only(key("phases[].start_rate", Number, Default("0"), "Requests per second at its beginning."), "shape", &["ramp", "stages", "step"]),
    only(key("phases[].target_rate", Number, Required, "Requests per second at its end."), "shape", &["ramp"]),
    key("phases[].storm", Table, Optional, "Connections opened beside the load and closed without a request, again and again."),
    key("phases[].storm.connections", Integer(1, 10_000), Required, "How many at once, beyond `http.connections`."),
    key("phases[].storm.every", Duration(100, LONGEST), Required, "How often, from the beginning of the phase. One that takes longer delays the next."),
    only(key("phases[].stages", Tables, Required, "Ramps, one after the other."), "shape", &["stages"]),
    key("phases[].stages[].target_rate", Number, Required, "Requests per second at the end of the ramp."),
    key("phases[].stages[].duration", Duration(1, LONGEST), Required, "How long the ramp lasts."),
    only(key("phases[].increment", Number, Required, "What each level is above the one before, in requests per second."), "shape", &["step"]),
    only(key("phases[].levels", Integer(1, 10_000), Required, "How many levels there are."), "shape", &["step"]),
    only(key("phases[].level_duration", Duration(1, LONGEST), Required, "How long each level lasts."), "shape", &["step"]),
    only(key("phases[].peak_rate", Number, Required, "Requests per second in a peak."), "shape", &["spike"]),
    only(key("phases[].every", Duration(1, LONGEST), Required, "Time from one peak to the next; a peak ends each such stretch."), "shape", &["spike"]),
    only(key("phases[].width", Duration(1, LONGEST), Required, "How long a peak lasts."), "shape", &["spike"]),
    only(key("phases[].low", Number, Required, "Requests per second in every second half."), "shape", &["square"]),
    only(key("phases[].high", Number, Required, "Requests per second in the other halves, of which the first is one."), "shape", &["square"]),
    only(key("phases[].halves", Integer(2, 10_000), Default("8"), "How many halves there are in all. Eight tell best whether growth follows requests or time."), "shape", &["square"]),
    only(key("phases[].mean", Number, Required, "Requests per second that the wave swings around."), "shape", &["sine"]),
    only(key("phases[].amplitude", Number, Required, "How far it swings; no more than `mean`."), "shape", &["sine"]),
    only(key("phases[].period", Duration(SECOND, LONGEST), Required, "Time of one swing."), "shape", &["sine"]),
    only(key("phases[].start_at", Choice(&["mean", "peak", "trough"], &[]), Default("\"mean\""), "Where in the swing it begins; `mean` is on the way up."), "shape", &["sine"]),
    only(key("phases[].users", Integer(1, 10_000), Optional, "Users that are active; none: all of `load.vus`."), "shape", &["users"]),
    only(key("phases[].close_connections", Boolean, Default("false"), "Whether all connections are closed while it lasts: what does the service keep when nobody is there?"), "shape", &["pause"]),
    key("phases[].weights", Table, Default("{}"), "Weights of requests and flows in this phase, by their names, in place of their own."),
    key("phases[].weights.*", Number, Optional, "Weight of the request or flow of this name."),
    only(key("phases[].path", Text, Required, "A CSV file with columns `time` (seconds since the beginning of the phase, or moments like `2026-03-01T06:00:00Z`, of which the first is the beginning) and `rate` (requests per second); straight lines between."), "shape", &["from_file"]),
    only(key("phases[].loop", Boolean, Default("false"), "Whether a file that is shorter than the phase begins anew; else its last rate holds."), "shape", &["from_file"]),
];
