//! Keys of the plan.

use crate::scenario::schema::Kind::{Choice, Integer, Table, Tables, Text, Texts};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, key, only};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("plan", Table, Default("{}"), "Which flag sets become cells."),
    key("plan.strategy", Choice(&["off", "all", "default", "each", "leave-one-out", "pairwise", "screening", "full", "auto"], &[]), Default("\"auto\""), "`off`: none on; `each`: none, and each alone (with what it requires); `leave-one-out`: all, and all but each; `pairwise`: every combination of any two flags stands in some cell; `screening`: a balanced design (Plackett–Burman) in which every cell informs about every flag; `full`: every combination; `auto`: by the number n of flags that are free to vary: n ≤ 3 `full`, 4 and 5 half of `full`, 6 to 8 `screening` with `foldover = \"always\"`, 9 to 23 `screening`, beyond that `pairwise`, and `pairwise` from 4 on where a constraint or a third value does not allow the others. All but `off`, `all` and `default` have the flags of production as a cell in each replicate."),
    only(key("plan.strength", Integer(2, 3), Default("2"), "How many flags at once are covered: every combination of any two, or of any three."), "strategy", &["pairwise"]),
    only(key("plan.foldover", Choice(&["never", "if-ambiguous", "always"], &[]), Default("\"if-ambiguous\""), "Whether the opposite of each row is soaked, too: twice the cells, and pairs of flags are distinguished from single ones. `if-ambiguous`: after the others, if something leaks and they do not tell what; `steep plan` says how many more cells that would be, and they count for `max_cells` and `--max-hours`. `auto` does the same from 9 flags on."), "strategy", &["screening"]),
    key("plan.replicates", Integer(1, 1_000), Default("1"), "How often each flag set is soaked. All of it once is a block, shuffled by itself, and blocks follow each other."),
    key("plan.max_cells", Integer(1, 10_000), Default("64"), "More cells than this are an error, never cut."),
    key("plan.retries", Integer(0, 3), Default("1"), "How often a cell is soaked once more, by itself after all others, if it came out `invalid` because its load was not delivered (requests missed, dropped for too many in flight, or sent too late). The first soak then does not count; it is kept in `attempts` of the cell's folder. A crash, a wrong answer, a broken threshold and what was never ready are not repeated, and nothing more is once a cell was short again for the last time. No planned duration, and no `--max-hours`, counts it (docs/undelivered.md). 0: never."),
    key("plan.include", Tables, Default("[]"), "Flag sets added; beside `flags`, values of axes by their name."),
    key("plan.include[].flags", Texts, Required, "Exactly these flags are on, beside those that are pinned or implied."),
    key("plan.include[].*", Text, Optional, "Value of the axis of this name; an axis that is not named means each of its values."),
    key("plan.exclude", Tables, Default("[]"), "Flag sets taken out, written like `include`."),
    key("plan.exclude[].flags", Texts, Required, "Exactly these flags are on, beside those that are pinned or implied."),
    key("plan.exclude[].*", Text, Optional, "Value of the axis of this name."),
];
