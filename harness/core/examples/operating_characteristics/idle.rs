//! What is said of cells whose load was calm, and of which nothing is asked any more: by the whole of what `steep run`
//! says of a cell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use steep_core::outcome::Outcome;
use steep_core::scenario::decode::decode;
use steep_core::sim::{SimService, soak};
use steep_core::trace::Trace;
use steep_judge::simulator::{IdleFamily, idle};
use steep_judge::units::Bytes;
use steep_judge::verdict::Verdict;

use crate::tally::Share;

/// How long the load lasts before, in seconds.
const LOADED: usize = 600;

/// The least growth worth finding, in bytes an hour: the default of `min_growth_per_hour`.
const WORTH: f64 = 1_048_576.0;

/// One cell.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    pub family: IdleFamily,
    pub seconds: usize,
    /// In a leaking family, growth in units of what is worth finding.
    pub times: f64,
    pub seed: u64,
    pub index: u64,
}

/// A calm cell at 10 requests/s with `seconds` of nothing after it.
pub fn template(seconds: usize) -> Option<Trace> {
    let text = format!(
        r#"
name = "idle"
service = {{ command = ["shop"], url = "http://127.0.0.1:{{{{port}}}}" }}
requests = [{{ name = "get", path = "/" }}]
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 10
duration = "{LOADED}s"
[[phases]]
name = "after"
role = "idle"
shape = "pause"
duration = "{seconds}s"
"#
    );
    soak(&decode(&text).scenario?, &SimService::default(), &[]).ok()
}

/// What is said of a cell.
pub fn said(cell: &Idle, template: &Trace) -> (Idle, Outcome) {
    let memory = idle(cell.family, cell.seconds + 1, cell.times * WORTH, cell.seed, cell.index);
    let mut trace = template.clone();
    for sample in &mut trace.samples {
        let second = sample.t_s.as_secs_f64() as usize;
        sample.memory.anon_bytes = Bytes::new(memory[second.saturating_sub(LOADED).min(cell.seconds)] as u64);
    }
    (*cell, Outcome::of(&trace))
}

/// All that was said, in Markdown.
pub fn table(said: &[(Idle, Outcome)], list: bool) -> String {
    let mut rows: BTreeMap<(usize, bool, u64, Option<IdleFamily>), [Share; 5]> = BTreeMap::new();
    for (cell, outcome) in said {
        for family in [None, Some(cell.family)] {
            let key = (cell.seconds, cell.family.is_leaking(), cell.times.to_bits(), family);
            let [found, open, clean, covered, blind] = rows.entry(key).or_default();
            let is_found = matches!(outcome.verdict(), Verdict::Leak | Verdict::Step | Verdict::Retention);
            found.count(is_found);
            open.count(outcome.verdict() == Verdict::Inconclusive);
            clean.count(outcome.verdict().is_clear());
            let hides = outcome.phases.iter().any(|phase| phase.hidden().is_some());
            blind.count(outcome.verdict().is_clear() && !hides);
            if let Some(growth) = outcome.growth().filter(|_| outcome.verdict() == Verdict::Leak) {
                let truth = cell.times * WORTH;
                covered.count((growth.per_hour.low.get()..=growth.per_hour.high.get()).contains(&truth));
            }
        }
        let is_wrong = cell.family.is_leaking() == outcome.verdict().is_clear();
        if list && is_wrong {
            println!("{cell:?}: {} ({})", outcome.verdict(), outcome.judgement.reason);
        }
    }
    let mut text = "|after the load|family|times δ|n|finding|inconclusive|clear|of it without a word of the phase|in the interval|\n|---|---|---|---|---|---|---|---|---|\n".to_owned();
    for ((seconds, _, times, family), [found, open, clean, covered, blind]) in rows {
        let family = family.map_or_else(|| "all".to_owned(), |family| family.to_string());
        let times = f64::from_bits(times);
        let _ = writeln!(text, "|{seconds} s|{family}|{times}|{}|{found}|{open}|{clean}|{blind}|{covered}|", found.all);
    }
    text
}
