//! Keys of what counts as a finding.

use crate::scenario::schema::Kind::{Choice, Choices, Size, Table};
use crate::scenario::schema::Presence::Default;
use crate::scenario::schema::{Key, key};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("judge", Table, Default("{}"), "What counts as a finding."),
    key("judge.min_growth_per_request", Size, Default("\"4B\""), "The smallest growth per request worth finding; the report says what could have been seen."),
    key("judge.min_growth_per_hour", Size, Default("\"1MiB\""), "The smallest growth per hour worth finding; the larger of the two counts."),
    key("judge.strictness", Choice(&["normal", "strict"], &[]), Default("\"normal\""), "Evidence that a leak needs: a log-likelihood ratio above 3, or above 5."),
    key("judge.stop_early", Choice(&["never", "leak"], &[]), Default("\"never\""), "`leak`: a cell ends once two looks in a row (at 7, 10, 15, 20, 30, 45 minutes and so on) show a leak with strong evidence and only steady phases would follow. Never because it looks calm."),
    key("judge.confirm", Choice(&["nothing", "retention"], &[]), Default("\"nothing\""), "`retention`: once all is soaked, the cell whose allocator holds most is soaked once more with variables that are likely to give it back (`MALLOC_ARENA_MAX=2`, for example), and the report says what that changed. Nothing is compared with that soak but its own cell. Of `steep run` without `--until`."),
    key("judge.rerun", Choice(&["leaks", "nothing"], &[]), Default("\"leaks\""), "`leaks`: once all is soaked, a leaking cell without stacks, whose allocator the library does not see, is soaked once more with the system's allocator and finely sampled stacks, unless the plan has that cell, and the report says which line keeps what grows there. At most two such soaks, for the largest leaks, and none where `--max-hours` left cells out. The cell keeps its verdict. Of `steep run` without `--until`."),
    key("judge.fail_on", Choices(&["leak", "step", "retention", "crashed", "headroom"]), Default("[\"leak\", \"step\", \"crashed\", \"headroom\"]"), "What makes the run a finding, exit status 1."),
];
