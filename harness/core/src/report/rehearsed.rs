//! What simulated searches take, for people.

use super::table::columns;
use steep_judge::bisect::{Rehearsal, Tally};
use steep_judge::units::{counted, duration_text};

/// A line for each case, and what was assumed. A case that the constraints leave no flags for has no line.
#[must_use]
pub fn rehearsed(rehearsal: &Rehearsal, tallies: &[(&str, Tally)]) -> String {
    let head = ["leaking", "searches", "exact", "sure", "sure, wrong", "hours", "longest", "cells"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, tally) in tallies.iter().filter(|(_, tally)| tally.trials > 0) {
        let percent = |count: usize| format!("{:.0} %", 100.0 * count as f64 / tally.trials as f64);
        let [exact, sure, wrong] = [tally.exact, tally.sure, tally.wrong].map(percent);
        let (mean, longest) = (format!("{:.2}", tally.mean_hours()), format!("{:.2}", tally.longest_hours));
        let cells = format!("{:.1}", tally.cells as f64 / tally.trials as f64);
        rows.push(vec![(*name).to_owned(), tally.trials.to_string(), exact, sure, wrong, mean, longest, cells]);
    }
    let rules = &rehearsal.rules;
    let length = rules.fixed_length.map_or_else(|| "as long as each needs".to_owned(), duration_text);
    format!(
        "{}\n{}, cells {length}, at most {}. Simulated: leaks of four and two times the {} worth finding,\nan error of {} in half an hour, and more in less. Of a noisier service a search takes longer.\n",
        columns(&rows),
        counted(rehearsal.flags.len(), "flag"),
        duration_text(rehearsal.budget),
        rules.told(rules.worth_finding),
        rules.told(rules.error_of_half_hour),
    )
}
