//! Keys of parameters.

use crate::scenario::schema::Kind::{Choice, Integer, Number, Numbers, Scalars, TableMap, Text};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, LARGEST, key, only};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("params", TableMap, Default("{}"), "Where values of `{{name}}` in requests come from; drawn anew for each due request, and once for a session of a flow."),
    key("params.*.dist", Choice(&["uniform", "zipf", "sequential", "unique", "choice", "csv", "jsonl"], &[]), Required, "`uniform` in `min..=max`; `zipf`, the same with the small numbers more often; `sequential` from `min` to `max` and again; `unique`, 16 hexadecimal digits that never come twice in a cell; `choice` of `values`; `csv` and `jsonl`, from a row or line of a file: all that a request names of one parameter is from the same row."),
    only(key("params.*.min", Integer(0, LARGEST), Default("1"), "Smallest value; with `zipf` also the most frequent."), "dist", &["uniform", "zipf", "sequential"]),
    only(key("params.*.max", Integer(0, LARGEST), Required, "Largest value."), "dist", &["uniform", "zipf", "sequential"]),
    only(key("params.*.exponent", Number, Default("1.0"), "How steep: the k-th value comes as often as 1/k to this power."), "dist", &["zipf"]),
    only(key("params.*.values", Scalars, Required, "Texts, numbers or booleans. They are not templates, and `{{` is refused in them."), "dist", &["choice"]),
    only(key("params.*.weights", Numbers, Default("[]"), "How often each of `values`, relative to the others; none: equally often."), "dist", &["choice"]),
    only(key("params.*.path", Text, Required, "The file, UTF-8. CSV begins with a row of column names; JSON Lines have a JSON value on each line. All files of a scenario together may have 64 MiB."), "dist", &["csv", "jsonl"]),
    only(key("params.*.column", Text, Optional, "The column that `{{name}}` is; none: templates say it, as in `{{name.column}}`."), "dist", &["csv"]),
    only(key("params.*.field", Text, Optional, "The place in each value that `{{name}}` is, like `user.id` (or `/user/id`), where a text, number or boolean stands; none: templates say it, as in `{{name.user.id}}`."), "dist", &["jsonl"]),
    only(key("params.*.pick", Choice(&["queue", "circular", "random", "shuffle"], &[]), Default("\"circular\""), "Which row is next: `circular`, in order and again; `random`; `shuffle`, all in a random order and again in another; `queue`, in order and once: requests that come due after the last row are counted as dropped, and as `dry`; a user of a closed load who finds none sends no more."), "dist", &["csv", "jsonl"]),
];
