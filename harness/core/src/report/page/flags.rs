//! What each flag and each value of an axis adds: a forest plot, and its table.

use maud::{Markup, html};

use super::intervals::{Row, intervals};
use super::prose::prose;
use super::tabular::{Head, table, text};
use crate::report::Report;
use crate::report::settling::settled_by;
use crate::report::terminal::{guilt, known_note};
use steep_judge::isolation::{Finding, Guilt};
use steep_judge::units::{BytesPerHour, BytesPerRequest};

/// Empty where nothing is varied.
pub(super) fn flags(report: &Report) -> Markup {
    let of_flags = report.flags.iter().map(|flag| (flag.flag.clone(), &flag.finding));
    let findings: Vec<(String, &Finding)> =
        of_flags.chain(report.axes.iter().map(|axis| (axis.name(), &axis.finding))).collect();
    if findings.is_empty() {
        return html! {};
    }
    let effects = || findings.iter().filter_map(|(_, finding)| finding.effect.as_ref());
    let by_request = effects().all(|effect| effect.per_request.is_some());
    let title =
        if by_request { "What each adds per request, by all cells together" } else { "What each adds per hour" };
    let row = |(name, finding): &(String, &Finding)| {
        let effect = finding.effect.as_ref();
        let estimate = if by_request {
            effect.and_then(|effect| effect.per_request).map(|each| each.map(BytesPerRequest::get))
        } else {
            effect.map(|effect| effect.per_hour.map(BytesPerHour::get))
        };
        let said = estimate.map_or_else(|| "not known".to_owned(), |each| each.compact_bytes());
        Row { name: format!("{name} {}", guilt(finding)), estimate, is_sure: finding.guilt.is_named(), said }
    };
    let rows: Vec<Row> = findings.iter().map(row).collect();
    html! {
        section #flags aria-labelledby="flags-head" {
            h2 #flags-head { "Flags" }
            @if !report.sentence.is_empty() { p { (prose(&report.sentence)) "." } }
            @for known in &report.known { p { "Known: " (prose(&known_note(known))) } }
            (intervals("flags-plot", title, &rows))
            (listed(&findings))
        }
    }
}

/// What is said of it, with those that it leaks with or without.
pub(super) fn in_words(finding: &Finding) -> String {
    match &finding.guilt {
        Guilt::LeaksWith(others) => format!("leaks with {others}"),
        Guilt::LeaksWithout(others) => format!("leaks without {others}"),
        Guilt::LeaksOff => "leaks while it is off".to_owned(),
        _ => guilt(finding).to_lowercase(),
    }
}

/// The class that colours it: what is undecided does not look like what is innocent.
fn class(finding: &Finding) -> &'static str {
    match &finding.guilt {
        Guilt::Innocent => "calm",
        guilt if guilt.is_named() => "bad",
        _ => "open",
    }
}

fn listed(findings: &[(String, &Finding)]) -> Markup {
    let heads = [
        Head::Words("flag"),
        Head::Words("what is said"),
        Head::figures("posterior"),
        Head::figures("adds per request"),
        Head::figures("adds per hour"),
        Head::Words("kept by, and why"),
    ];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let row = |(name, finding): &(String, &Finding)| {
        let effect = finding.effect.as_ref();
        let kept: Vec<String> = finding.kept_by.iter().filter_map(|kept| kept.places.first().cloned()).collect();
        let why = html! {
            @for place in &kept { code { (place) } " " }
            (finding.reason)
            @if let Some(how) = settled_by(finding) { "; to settle it: " code { (how) } }
        };
        vec![
            html! { code { (name) } },
            html! { span class=(class(finding)) { (in_words(finding)) } },
            text(or_dash(finding.posterior.map(|posterior| format!("{posterior:.3}")))),
            text(or_dash(effect.and_then(|effect| effect.per_request).map(|each| each.compact()))),
            text(or_dash(effect.map(|effect| effect.per_hour.compact()))),
            why,
        ]
    };
    let rows: Vec<Vec<Markup>> = findings.iter().map(row).collect();
    table("What is said of each flag and value", &heads, &rows)
}
