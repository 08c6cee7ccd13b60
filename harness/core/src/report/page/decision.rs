//! How a verdict came to be: the rule that decided, and what it looked at.

use maud::{Markup, html};

use super::prose::prose;
use super::tabular::{Head, table, text};
use crate::outcome::{Outcome, PhaseJudgement};
use steep_judge::growth::Growth;

/// Folded away: who doubts it opens it.
pub(super) fn decision(outcome: &Outcome) -> Markup {
    let rule = outcome.judgement.rule;
    html! {
        details.part {
            summary { h4 { "How this was decided" } }
            p {
                "Rule " code { (rule.name) } " decided: " (prose(rule.when))
                ". The rules are asked in their order, and the first that applies decides (METHOD.md)."
            }
            @if let Some(growth) = outcome.growth() {
                (table("What it looked at", &[Head::Words("figure"), Head::Words("value")], &figures(growth)))
            } @else { p { "Nothing could be fitted." } }
            @if !outcome.phases.is_empty() { (phases(&outcome.phases)) }
        }
    }
}

fn figures(growth: &Growth) -> Vec<Vec<Markup>> {
    let mut rows = vec![
        ("memory that was fitted", growth.source.in_words().to_owned()),
        ("growth per hour, with the 95 % interval", growth.per_hour.compact()),
    ];
    rows.extend(growth.per_request.map(|each| ("growth per request, with the 95 % interval", each.compact())));
    rows.extend([
        ("growth is above, by which a leak is called", growth.floor.to_string()),
        ("growth is below, by which a run is cleared", growth.ceiling.to_string()),
        ("worth finding", growth.worth_finding.to_string()),
        ("would have been seen", growth.seen_at_least.to_string()),
        ("evidence of a leak: logarithm of the likelihood ratio", format!("{:.1}", growth.evidence)),
        ("best leaking model", format!("{:?}", growth.leak_model)),
        ("best calm model", format!("{:?}", growth.calm_model)),
        ("it follows", format!("{:?}", growth.follows).to_lowercase()),
        ("growth over the second half", growth.second_half.to_string()),
        ("growth over the last quarter", growth.last_quarter.to_string()),
        ("typical memory", growth.typical.to_string()),
        ("readings, in blocks, over", format!("{} in {} over {:.0} s", growth.samples, growth.blocks, growth.seconds)),
        ("disturbances", growth.disturbances.to_string()),
    ]);
    rows.into_iter().map(|(name, value)| vec![text(name), text(value)]).collect()
}

fn phases(phases: &[PhaseJudgement]) -> Markup {
    let heads = [
        Head::Words("phases"),
        Head::Words("verdict"),
        Head::figures("at the beginning"),
        Head::figures("at the end"),
        Head::Words("why"),
    ];
    let row = |phase: &PhaseJudgement| {
        vec![
            text(phase.phases.join(", ")),
            text(phase.judgement.verdict.to_string()),
            text(phase.start_bytes.to_string()),
            text(phase.end_bytes.to_string()),
            text(&phase.judgement.reason),
        ]
    };
    let rows: Vec<Vec<Markup>> = phases.iter().map(row).collect();
    table("Stretches of phases, each judged by itself", &heads, &rows)
}
