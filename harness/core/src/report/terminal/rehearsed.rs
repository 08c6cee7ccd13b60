//! What simulated searches take, for people.

use super::super::Layout;
use super::prose::wrapped;
use super::table::{Column, table};
use steep_judge::bisect::{Rehearsal, Tally};
use steep_judge::units::{Bytes, counted, duration_text};

/// A line for each case, and what was assumed. A case that the constraints leave no flags for has no line.
#[must_use]
pub fn rehearsed(rehearsal: &Rehearsal, tallies: &[(&str, Tally)], layout: Layout) -> String {
    let shown: Vec<&(&str, Tally)> = tallies.iter().filter(|(_, tally)| tally.trials > 0).collect();
    let figures = |head, of: &dyn Fn(&Tally) -> String| Column::figures(head, shown.iter().map(|(_, tally)| of(tally)));
    let percent = |count: usize, of: &Tally| format!("{:.0} %", 100.0 * count as f64 / of.trials as f64);
    let columns = [
        Column::words("leaking", shown.iter().map(|(name, _)| (*name).to_owned())),
        figures("searches", &|tally| tally.trials.to_string()),
        figures("exact", &|tally| percent(tally.exact, tally)),
        figures("sure", &|tally| percent(tally.sure, tally)),
        figures("sure, wrong", &|tally| percent(tally.wrong, tally)),
        figures("hours", &|tally| format!("{:.2}", tally.mean_hours())),
        figures("longest", &|tally| format!("{:.2}", tally.longest_hours)),
        figures("cells", &|tally| format!("{:.1}", tally.cells as f64 / tally.trials as f64)),
    ];
    let rules = &rehearsal.rules;
    let length = rules.fixed_length.map_or_else(|| "as long as each needs".to_owned(), duration_text);
    let noise = match &rules.sampled {
        Some(sampled) => format!(
            "live bytes and a stack for each {} by the library, where the program takes it, and caches that fill",
            Bytes::new(sampled.every as u64)
        ),
        None => {
            format!("an error of {} in half an hour, and more in less", rules.described(rules.error_of_half_hour))
        }
    };
    let note = format!(
        "{}, cells {length}, at most {}. Simulated: leaks of four and two times the {} worth finding, {noise}. Of a noisier service a search takes longer.",
        counted(rehearsal.flags.len(), "flag"),
        duration_text(rehearsal.budget),
        rules.described(rules.worth_finding),
    );
    format!("{}\n{}", table(&columns, layout), wrapped(&note, layout))
}
