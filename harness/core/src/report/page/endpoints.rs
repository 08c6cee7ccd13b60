//! Which requests keep what grows: intervals, and their table; and which ask for what each line keeps, by the births of
//! what is alive.

use maud::{Markup, html};

use super::intervals::{Row, intervals};
use super::prose::prose;
use super::tabular::{Head, folded, table, text};
use crate::kept::{AskedBy, Cause};
use crate::outcome::{ByRequest, Outcome};
use steep_judge::units::BytesPerRequest;

/// Nothing where it is not known.
pub(super) fn endpoints(id: &str, outcome: &Outcome) -> Markup {
    let asked: Vec<(String, String)> = outcome.kept_by.iter().filter_map(asked_for).collect();
    if outcome.by_request.is_none() && asked.is_empty() {
        return html! {};
    }
    html! {
        section.part {
            h4 { "Growth by request" }
            @if let Some(found) = &outcome.by_request { (by_growth(id, found)) }
            @if !asked.is_empty() { (by_births(&asked)) }
        }
    }
}

/// A line, and who asks for what it keeps.
fn asked_for(cause: &Cause) -> Option<(String, String)> {
    Some((cause.frame.place(), cause.asked_by.as_ref().and_then(AskedBy::in_words)?))
}

fn by_births(asked: &[(String, String)]) -> Markup {
    let row = |(place, who): &(String, String)| {
        vec![html! { code { (place) } }, prose(who.strip_prefix("asked for by ").unwrap_or(who))]
    };
    let rows: Vec<Vec<Markup>> = asked.iter().map(row).collect();
    table(
        "Who asks for what each line keeps, by when it was born",
        &[Head::Words("kept by"), Head::Words("asked for by")],
        &rows,
    )
}

fn by_growth(id: &str, found: &ByRequest) -> Markup {
    let ByRequest { requests, every_request, connections, bytes_per_hour, time_is_sure } = found;
    let beside = every_request.iter().map(|part| ("each request, whichever it is", part));
    let beside = beside.chain(connections.iter().map(|part| ("each new connection", part)));
    let parts = requests.iter().map(|part| (part.name.as_str(), part)).chain(beside);
    let row = |(name, part): (&str, &crate::outcome::RequestPart)| Row {
        name: name.to_owned(),
        estimate: Some(part.bytes_per_request.map(BytesPerRequest::get)),
        is_sure: part.is_sure,
        said: part.bytes_per_request.compact(),
    };
    let rows: Vec<Row> = parts.map(row).collect();
    let heads = [Head::Words("request"), Head::figures("keeps for each"), Head::Words("sure")];
    let mut lines: Vec<Vec<Markup>> = rows
        .iter()
        .map(|row| vec![text(&row.name), text(&row.said), text(if row.is_sure { "yes" } else { "no" })])
        .collect();
    lines.push(vec![
        text("time alone, per hour"),
        text(bytes_per_hour.compact()),
        text(if *time_is_sure { "yes" } else { "no" }),
    ]);
    html! {
        @if let Some(note) = found.note() { p { (prose(&note)) "." } }
        (intervals(&format!("{id}-requests"), "What each request keeps", &rows))
        (folded("Growth by request as a table", &table("What each request keeps", &heads, &lines)))
    }
}
