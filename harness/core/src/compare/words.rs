//! A comparison in sentences.

use super::pair::Pair;
use super::{Becomes, Comparison};
use crate::exit::Status;
use crate::history::Figure;
use steep_judge::units::{Estimate, counted};

/// What became of growth.
pub(super) fn growth(
    figure: Figure,
    pair: &Pair<'_>,
    (was, is): (&Estimate<f64>, &Estimate<f64>),
    difference: &Estimate<f64>,
    becomes: Becomes,
    matters_from: f64,
) -> String {
    let (base, run) = (pair.base.verdict(), pair.run.verdict());
    let at_most = |growth: &Estimate<f64>| format!("at most {}", figure.plain(growth.high.max(0.0)));
    let amount = |growth: &Estimate<f64>| figure.shown(growth);
    match becomes {
        Becomes::Worse if base.grows() => {
            format!("grows by {}, was {}: {}", amount(is), amount(was), more(figure, difference))
        }
        Becomes::Worse if base.is_clear() => format!("new: grows by {}, was {}", amount(is), at_most(was)),
        Becomes::Worse => format!("grows by {}, and was {base} before with {}", amount(is), amount(was)),
        Becomes::Better if run.is_clear() => format!("fixed: {}, was {}", at_most(is), amount(was)),
        Becomes::Better => format!("grows by {}, was {}: {}", amount(is), amount(was), more(figure, difference)),
        Becomes::Same if run.grows() => {
            format!(
                "still grows by {}, was {}: the same within {}",
                amount(is),
                amount(was),
                figure.plain(matters_from)
            )
        }
        Becomes::Same => format!("does not grow: {}, was {}", at_most(is), at_most(was)),
        Becomes::Unknown => {
            let verdicts = if base == run { format!("{run} in both") } else { format!("{run}, was {base}") };
            format!("{verdicts}: {}; from {} on it would matter", more(figure, difference), figure.plain(matters_from))
        }
    }
}

/// What became of a level.
pub(super) fn level(
    figure: Figure,
    was: f64,
    difference: &Estimate<f64>,
    becomes: Becomes,
    matters_from: f64,
) -> String {
    let name = figure.name();
    let was = figure.plain(was);
    match becomes {
        Becomes::Worse | Becomes::Better => format!("{name}: {}, was {was}", more(figure, difference)),
        Becomes::Same => format!("{name}: the same within {}, was {was}", figure.plain(matters_from)),
        Becomes::Unknown => {
            format!(
                "{name}: {}, was {was}; from {} on it would matter",
                more(figure, difference),
                figure.plain(matters_from)
            )
        }
    }
}

/// `412 (398 to 426) B/request more`.
fn more(figure: Figure, difference: &Estimate<f64>) -> String {
    if difference.value < 0.0 {
        format!("{} less", figure.shown(&difference.negated()))
    } else {
        format!("{} more", figure.shown(difference))
    }
}

/// All of it.
pub(super) fn sentence(comparison: &Comparison) -> String {
    let head = match (comparison.status, comparison.becomes) {
        (Status::Finding, _) => "WORSE",
        (Status::NotDone, _) => "NOT COMPARED",
        (_, Becomes::Unknown) => "UNDECIDED",
        (_, Becomes::Better) => "BETTER",
        _ => "SAME",
    };
    let counts: Vec<String> = [Becomes::Worse, Becomes::Better, Becomes::Unknown, Becomes::Same]
        .iter()
        .filter_map(|becomes| {
            let count = comparison.cells.iter().filter(|cell| cell.becomes == *becomes).count();
            (count > 0).then(|| format!("{count} {becomes}"))
        })
        .collect();
    let counts = match (counts.len(), comparison.cells.len()) {
        (0, _) => "the runs have no cell in common".to_owned(),
        (_, cells) => format!("{} of {}", counts.join(", "), counted(cells, "cell")),
    };
    let new: Vec<String> =
        comparison.appeared.iter().filter(|one| one.is_new == Some(true)).map(ToString::to_string).collect();
    let new = if new.is_empty() { String::new() } else { format!(". New: {}", new.join("; ")) };
    format!("{head}: {counts} (exit status {}){new}.", comparison.exit_status)
}
