//! What flags and values of axes cost by being on, beside growth.

use maud::{Markup, html};

use super::prose::prose;
use super::tabular::{Head, table, text};
use crate::levels::FactorLevels;
use crate::outcome::Measure;
use crate::report::Report;
use crate::report::terminal::{described_levels, level_figure, level_label, level_notes, shown_measures};

/// Nothing where nothing is varied, or nothing is known of it.
pub(super) fn levels(report: &Report) -> Markup {
    let measures = shown_measures(&report.levels);
    if measures.is_empty() {
        return html! {};
    }
    let said = described_levels(&report.levels, &report.flags, &report.axes);
    let heads: Vec<Head> = std::iter::once(Head::Words("flag or value"))
        .chain(measures.iter().map(|measure| Head::figures(level_label(*measure))))
        .collect();
    let row = |factor: &FactorLevels| {
        let figure = |measure: &Measure| {
            let figure = level_figure(factor, *measure);
            if figure.starts_with('*') {
                html! { strong { (figure) } }
            } else {
                text(figure)
            }
        };
        std::iter::once(html! { code { (factor.name()) } }).chain(measures.iter().map(figure)).collect()
    };
    let rows: Vec<Vec<Markup>> = report.levels.factors.iter().map(row).collect();
    html! {
        section #levels aria-labelledby="levels-head" {
            h2 #levels-head { "What flags cost" }
            @if !said.trim().is_empty() { p { (prose(said.trim())) } }
            (table("What each adds by being on, beside its growth", &heads, &rows))
            @for note in level_notes(&report.levels) { p.note { (prose(&note)) } }
        }
    }
}
