//! What to do about a cell that was not judged, or not decided: a command, or a key of the scenario. Each such cell
//! ends with it.

use crate::trace::{Counts, EndReason, Trace};
use steep_judge::ids::CellId;
use steep_judge::verdict::{Judgement, Verdict};

/// What would decide the cell of `trace`, of which `judgement` is said; none where it is decided.
pub(super) fn advice(trace: &Trace, judgement: &Judgement, requests: &Counts, is_short: bool) -> Option<String> {
    let cell = &trace.header.cell;
    match judgement.verdict {
        // The reason says who was short of what, and what to change.
        Verdict::Invalid if is_short => Some(format!("change what the reason says; then {}", again(cell))),
        Verdict::Invalid => Some(of_invalid(trace, judgement, requests)),
        Verdict::Inconclusive => Some(judgement.advice.clone().unwrap_or_else(|| again(cell))),
        Verdict::Crashed | Verdict::Leak | Verdict::Step | Verdict::Retention | Verdict::Plateau | Verdict::Stable => {
            None
        }
    }
}

fn of_invalid(trace: &Trace, judgement: &Judgement, requests: &Counts) -> String {
    let again = again(&trace.header.cell);
    match trace.end.as_ref().map(|end| end.reason) {
        Some(EndReason::BuildFailed) => {
            format!("mend the build (service.package, or flags[].feature if the flag is none of its), then {again}")
        }
        Some(EndReason::NotReady) => {
            format!(
                "let the service start as service.args and service.ready say, it tells why not in service.log; then {again}"
            )
        }
        Some(EndReason::NotVerified) => {
            format!("mend what switches the flag or the allocator, or its `verify` (flags[].verify); then {again}")
        }
        Some(EndReason::Failed) => format!("take away what failed, then {again}"),
        Some(
            EndReason::Completed
            | EndReason::StoppedEarly
            | EndReason::ThresholdBroken
            | EndReason::LoadEnded
            | EndReason::Interrupted
            | EndReason::Crashed,
        )
        | None => of_load(trace, requests)
            .or(judgement.advice.as_deref())
            .map_or(again, |advice| format!("{advice}; then steep run FILE")),
    }
}

/// What to change where the load was not that of the scenario; none where it was.
fn of_load(trace: &Trace, requests: &Counts) -> Option<&'static str> {
    let Counts { due, sent, ok, ok_refused, missed, dropped, dry, crowded, .. } = *requests;
    let tolerate = &trace.header.tolerate;
    let is_more = |part: u64, whole: u64, share: f64| part as f64 > share * whole as f64;
    if trace.header.external.is_some() {
        return Some("let load.command send until it is ended, and load.counter or load.requests_from count all of it");
    }
    if trace.header.without_load {
        return None;
    }
    if due == 0 {
        return Some("give a steady phase a rate (phases[].rate), or say load.model = \"none\"");
    }
    if sent > 0 && requests.failed() == sent || is_more(requests.failed(), sent, tolerate.failed) {
        return Some(
            "mend the requests; or say what is right in requests[].expect, or what may fail in load.tolerate.failed",
        );
    }
    if is_more(missed.saturating_add(dropped), due, tolerate.undelivered) {
        return Some(match (dry > 0, crowded > 0) {
            (true, _) => "give the file more rows, or let params.*.pick begin again: \"circular\"",
            (false, true) => "lower phases[].rate, or shorten the think time of the flows (flows[].think_time)",
            (false, false) => "lower phases[].rate, or raise http.connections and load.max_in_flight",
        });
    }
    (ok > 0 && ok_refused == ok)
        .then_some("send requests that the service does its work for (requests[].expect.status)")
}

/// To soak the cell once more in its run.
fn again(cell: &CellId) -> String {
    format!("steep run FILE --resume RUN --cell '{cell}'")
}

#[cfg(test)]
mod tests;
