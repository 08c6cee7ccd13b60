//! Allocators side by side.

use maud::{Markup, html};

use super::tabular::{Head, table, text};
use crate::allocators::{Compared, Comparison, FEWEST_REPLICATES, Measure};
use crate::report::Report;
use steep_judge::units::counted;

/// Nothing where no allocators were compared.
pub(super) fn allocators(report: &Report) -> Markup {
    if report.allocators.is_empty() {
        return html! {};
    }
    html! {
        section #allocators aria-labelledby="allocators-head" {
            h2 #allocators-head { "Allocators" }
            @for comparison in &report.allocators { (compared(comparison)) }
        }
    }
}

fn compared(comparison: &Comparison) -> Markup {
    let flags = comparison.flags.iter().map(ToString::to_string);
    let under: Vec<String> =
        flags.chain(comparison.axes.iter().map(|(axis, value)| format!("{axis}={value}"))).collect();
    let under = if under.is_empty() { "nothing else on".to_owned() } else { under.join(", ") };
    if comparison.replicates < FEWEST_REPLICATES {
        let names: Vec<&str> = comparison.allocators.iter().map(|row| row.allocator.as_str()).collect();
        return html! {
            p {
                (names.join(", ")) " with " (under) " cannot be compared: two replicates of each are the fewest "
                "that show how far chance goes; raise plan.replicates."
            }
        };
    }
    let is_known = |measure: &Measure| comparison.allocators.iter().any(|row| row.figures.contains_key(measure));
    let measures: Vec<Measure> = Measure::ALL.into_iter().filter(is_known).collect();
    let heads: Vec<Head> = std::iter::once(Head::Words("allocator"))
        .chain(measures.iter().map(|measure| Head::figures(measure.name())))
        .collect();
    let row = |compared: &Compared| {
        let figure = |measure: &Measure| match compared.figures.get(measure) {
            None => text("–"),
            Some(figure) if figure.best => html! { strong { "* " (measure.shown(&figure.estimate)) } },
            Some(figure) => text(measure.shown(&figure.estimate)),
        };
        std::iter::once(text(&compared.allocator)).chain(measures.iter().map(figure)).collect()
    };
    let rows: Vec<Vec<Markup>> = comparison.allocators.iter().map(row).collect();
    let caption = format!(
        "Means over {} of each with {under}, with 95 % intervals; * better than every other by more than chance",
        counted(comparison.replicates, "soak")
    );
    table(&caption, &heads, &rows)
}
