//! The answer of a run: one sentence, and the seven questions that it answers.

use maud::{Markup, html};

use super::flags::in_words;
use super::order::worst_first;
use super::prose::prose;
use super::scale::seconds_text;
use crate::kept::Frame;
use crate::outcome::{Outcome, RequestPart};
use crate::report::Report;
use crate::report::terminal::{blindest, percent};
use steep_judge::growth::Growth;
use steep_judge::isolation::{Effect, Finding};
use steep_judge::units::{BytesPerHour, BytesPerRequest, Estimate, counted};
use steep_judge::verdict::Verdict;

/// What the page says first.
pub(super) struct Answer {
    /// Whether it is a finding, open, or clean: by this it is coloured.
    pub(super) class: &'static str,
    pub(super) sentence: Markup,
    /// The seven questions, in their order.
    facts: Vec<(&'static str, Markup)>,
}

/// Of a flag or value that makes memory grow.
struct Cause<'r> {
    name: String,
    finding: &'r Finding,
}

/// The causes, what adds most first.
fn causes(report: &Report) -> Vec<Cause<'_>> {
    let flags = report.flags.iter().map(|flag| (flag.flag.clone(), &flag.finding));
    let axes = report.axes.iter().map(|axis| (axis.name(), &axis.finding));
    let mut causes: Vec<Cause<'_>> = flags
        .chain(axes)
        .filter(|(_, finding)| finding.guilt.is_named())
        .map(|(name, finding)| Cause { name, finding })
        .collect();
    let adds = |cause: &Cause<'_>| cause.finding.effect.as_ref().map_or(0.0, |effect| effect.per_hour.value.get());
    causes.sort_by(|one, other| adds(other).total_cmp(&adds(one)));
    causes
}

impl Answer {
    pub(super) fn of(report: &Report) -> Self {
        let cells = worst_first(&report.cells);
        let Some(worst) = cells.first() else {
            let sentence = html! { "Nothing is known: no cell was soaked." };
            return Self { class: "open", sentence, facts: Vec::new() };
        };
        let is_open = !report.missing.is_empty() || cells.iter().any(|cell| !cell.verdict().is_decided());
        match worst.verdict() {
            Verdict::Leak | Verdict::Step => Self::leaking(report, worst),
            Verdict::Crashed => Self::crashed(report, worst),
            Verdict::Retention => Self::retaining(report, worst),
            _ if is_open => Self::open(report, &cells),
            _ => Self::clean(report, &cells),
        }
    }

    fn leaking(report: &Report, worst: &Outcome) -> Self {
        let causes = causes(report);
        let first = causes.first();
        // The cell on which the eye can follow it.
        let shown = first
            .and_then(|cause| cause.finding.effect.as_ref()?.with.as_ref())
            .and_then(|id| report.cells.iter().find(|cell| cell.cell == *id))
            .filter(|cell| matches!(cell.verdict(), Verdict::Leak | Verdict::Step))
            .unwrap_or(worst);
        let speed = first
            .and_then(|cause| cause.finding.effect.as_ref())
            .map(Effect::amount)
            .or_else(|| shown.growth().map(Growth::amount))
            .unwrap_or_else(|| "by an unknown amount".to_owned());
        let which = first.map(|cause| html! { " with " code { (cause.name) } });
        let requests = requests(shown);
        let line = line(first, shown);
        let until = until(shown);
        let sure = sureness(first, shown);
        let others = causes.len().saturating_sub(1);
        let sentence = html! {
            strong { "Memory leaks" } (which.unwrap_or_else(|| html! { " in " code { (shown.cell) } }))
            ": it grows by " strong { (speed) }
            @if let Some((name, _)) = requests.first() { ", for each " code { (name) } }
            @if let Some((place, _)) = &line { ", kept at " code { (place) } }
            "; " (until_words(shown)) "; " (sure) "."
            @if others > 0 { " " (counted(others, "more cause")) " below." }
        };
        let places = line.map_or_else(
            || html! { "not known: no stack of it was sampled" },
            |(place, share)| html! { code { (place) } @if let Some(share) = share { " (" (share) " of what grows)" } },
        );
        let facts = vec![
            ("Does it leak?", html! { strong.bad { "Yes" } ": " (worst.verdict().meaning()) }),
            (
                "How fast?",
                html! {
                    (speed)
                    @if let Some(growth) = shown.growth() { ", in all " (growth.per_hour.compact()) " per hour" }
                },
            ),
            ("Which flag?", which_flags(&causes, report)),
            ("Which endpoint?", endpoint(shown)),
            ("Which line?", places),
            ("Until when does it last?", html! { (until) " in " code { (shown.cell) } }),
            (
                "How sure?",
                html! {
                    (sure)
                    @if let Some(growth) = shown.growth() {
                        "; evidence " (format!("{:.1}", growth.evidence))
                        ", the logarithm of how much likelier this growth is than none"
                    }
                },
            ),
        ];
        Self { class: "finding", sentence, facts }
    }

    fn crashed(report: &Report, worst: &Outcome) -> Self {
        let reason = first_line(&worst.judgement.reason);
        let sentence = html! { strong { "The service crashed" } " in " code { (worst.cell) } ": " (reason) "." };
        let facts = vec![
            ("Does it leak?", html! { "Not decided in " code { (worst.cell) } ": the service ended by itself" }),
            ("How fast?", html! { (worst.growth().map_or_else(|| "not known".to_owned(), Growth::amount)) }),
            ("Which flag?", which_flags(&causes(report), report)),
            ("Which endpoint?", endpoint(worst)),
            (
                "Which line?",
                html! { @match line(None, worst) { Some((place, _)) => code { (place) }, None => "not known" } },
            ),
            (
                "Until when does it last?",
                html! { "it ended " (worst.cut_short.as_deref().unwrap_or("before its time")) },
            ),
            ("How sure?", html! { (reason) }),
        ];
        Self { class: "finding", sentence, facts }
    }

    fn retaining(report: &Report, worst: &Outcome) -> Self {
        let speed = worst.growth().map_or_else(|| "an unknown amount".to_owned(), Growth::amount);
        let sentence = html! {
            strong { "No leak, but resident memory keeps growing" } " in " code { (worst.cell) }
            ": the program gives back what it takes, and its allocator holds it. "
            (prose(first_line(&worst.judgement.reason))) "."
        };
        let facts = vec![
            ("Does it leak?", html! { "No: " (worst.verdict().meaning()) }),
            ("How fast?", html! { (speed) }),
            ("Which flag?", which_flags(&causes(report), report)),
            ("Which endpoint?", html! { "none: what requests allocate is freed" }),
            (
                "Which line?",
                html! { @match &worst.retained { Some(held) => (held.note()), None => "none: the allocator" } },
            ),
            ("Until when does it last?", html! { (until(worst)) }),
            ("How sure?", html! { (sureness(None, worst)) }),
        ];
        Self { class: "finding", sentence, facts }
    }

    fn open(report: &Report, cells: &[&Outcome]) -> Self {
        let undecided: Vec<&&Outcome> = cells.iter().filter(|cell| !cell.verdict().is_decided()).collect();
        let first = undecided.first();
        let sentence = html! {
            strong { "Not decided" }
            @if let Some(cell) = first {
                ": " code { (cell.cell) } " is " (cell.verdict()) ", " (prose(first_line(&cell.judgement.reason)))
            }
            @if undecided.len() > 1 {
                "; so " @if undecided.len() == 2 { "is " } @else { "are " } (counted(undecided.len() - 1, "more cell"))
            }
            @if !report.missing.is_empty() { "; " (counted(report.missing.len(), "cell")) " of the plan not soaked" }
            "."
            @if let Some(advice) = first.and_then(|cell| cell.judgement.advice.as_ref()) {
                " To decide it: " (prose(advice)) "."
            }
        };
        let facts = vec![
            ("Does it leak?", html! { "Not decided; no cell is sure to leak" }),
            (
                "How fast?",
                html! { (first.and_then(|cell| cell.growth()).map_or_else(|| "not known".to_owned(), Growth::amount)) },
            ),
            ("Which flag?", which_flags(&causes(report), report)),
            ("Which endpoint?", html! { "not known" }),
            ("Which line?", html! { "not known" }),
            ("Until when does it last?", html! { "not known" }),
            ("How sure?", html! { (sure_of_none(report)) }),
        ];
        Self { class: "open", sentence, facts }
    }

    fn clean(report: &Report, cells: &[&Outcome]) -> Self {
        let ceiling = cells
            .iter()
            .filter_map(|cell| cell.growth())
            .max_by(|one, other| one.ceiling.get().total_cmp(&other.ceiling.get()));
        let most = ceiling.map_or_else(|| "an unknown amount".to_owned(), |growth| of_hour(growth, growth.ceiling));
        let worth = ceiling.map_or_else(|| "none is known".to_owned(), |growth| of_hour(growth, growth.worth_finding));
        let longest = cells.iter().filter_map(|cell| cell.growth()).map(|growth| growth.seconds).fold(0.0, f64::max);
        let sentence = html! {
            strong { "No leak" } " of " (worth) " or more was active in " (counted(cells.len(), "cell"))
            ": growth is at most " strong { (most) } ". " (broken(report))
        };
        let flags = report.flags.iter().map(|flag| flag.flag.clone()).collect::<Vec<_>>().join(", ");
        let facts = vec![
            ("Does it leak?", html! { strong.calm { "No" } ": nothing that is worth finding was active" }),
            ("How fast?", html! { "at most " (most) }),
            ("Which flag?", html! { @if flags.is_empty() { "none was varied" } @else { "none of " (flags) } }),
            ("Which endpoint?", html! { "none" }),
            ("Which line?", html! { "none" }),
            (
                "Until when does it last?",
                html! { "it says so of " (seconds_text(longest)) " under this load, and of nothing beyond it" },
            ),
            ("How sure?", html! { (sure_of_none(report)) }),
        ];
        let class = if report.exit_status == 0 { "clean" } else { "finding" };
        Self { class, sentence, facts }
    }

    /// The sentence, and what it answers.
    pub(super) fn drawn(&self) -> Markup {
        html! {
            p.sentence.(self.class) { (self.sentence) }
            @if !self.facts.is_empty() {
                dl.facts {
                    @for (question, answer) in &self.facts { div { dt { (question) } dd { (answer) } } }
                }
            }
        }
    }
}

/// What else makes the run a finding.
fn broken(report: &Report) -> Markup {
    let thresholds = report.cells.iter().flat_map(|cell| &cell.thresholds).filter(|kept| kept.broken).count();
    let close = report.cells.iter().filter(|cell| cell.headroom_exceeded).count();
    html! {
        @if thresholds > 0 { strong.bad { (counted(thresholds, "broken threshold")) } ". " }
        @if close > 0 { strong.bad { "The memory limit was all but reached in " (counted(close, "cell")) } ". " }
    }
}

/// Growth over time, as it is for each request where requests are known.
fn of_hour(growth: &Growth, per_hour: BytesPerHour) -> String {
    let rate = growth.rate.get();
    if rate > 0.0 { BytesPerRequest::new(per_hour.get_per_second() / rate).to_string() } else { per_hour.to_string() }
}

fn sure_requests(outcome: &Outcome) -> impl Iterator<Item = &RequestPart> {
    outcome.by_request.iter().flat_map(|found| &found.requests).filter(|part| part.is_sure)
}

/// The requests that it grows by for sure, each with how much: by growth itself, or else by the births of what is kept.
fn requests(outcome: &Outcome) -> Vec<(&str, String)> {
    let sure =
        sure_requests(outcome).map(|part| (part.name.as_str(), format!("{} each", part.bytes_per_request.compact())));
    let mut requests: Vec<(&str, String)> = sure.collect();
    if requests.is_empty() {
        for cause in &outcome.kept_by {
            for asker in cause.asked_by.iter().flat_map(|asked| &asked.requests) {
                let how = format!("{} each, at {}", asker.bytes_per_request.compact(), cause.frame.place());
                requests.push((asker.name.as_str(), how));
            }
        }
    }
    requests
}

fn endpoint(outcome: &Outcome) -> Markup {
    let requests = requests(outcome);
    html! {
        @if let Some(found) = outcome.by_request.as_ref().filter(|_| requests.is_empty()) {
            @match found.note() { Some(note) => (prose(&note)), None => "not sure: none stands out" }
        } @else if requests.is_empty() {
            "not known: it takes live bytes, and several requests"
        } @else {
            @for (place, (name, how)) in requests.iter().enumerate() {
                @if place > 0 { ", " }
                code { (name) } " (" (how) ")"
            }
        }
    }
}

/// The line that keeps what grows, and its share.
fn line(cause: Option<&Cause<'_>>, outcome: &Outcome) -> Option<(String, Option<String>)> {
    let of_flag = cause.and_then(|cause| cause.finding.kept_by.first()?.places.first().cloned());
    let of_cell = outcome.kept_by.first();
    let is_same = |place: &String| of_cell.is_some_and(|kept| kept.frame.place() == *place);
    match of_flag {
        Some(place) => {
            let share = of_cell.filter(|_| is_same(&place)).map(|kept| percent(kept.share));
            Some((place, share))
        }
        None => of_cell.map(|kept| (Frame::place(&kept.frame), Some(percent(kept.share)))),
    }
}

fn rounded(seconds: &Estimate<f64>) -> [String; 3] {
    [seconds.value, seconds.low, seconds.high].map(|seconds| seconds_text(seconds.round()))
}

fn until(outcome: &Outcome) -> String {
    match (&outcome.seconds_to_limit, outcome.memory_limit_bytes) {
        (Some(until), Some(limit)) => {
            let [value, low, high] = rounded(until);
            format!("{value} after the soak ({low} to {high}) it reaches the limit of {limit}, at this load")
        }
        (None, Some(limit)) => format!("the limit of {limit} is not reached for sure"),
        _ => "not known: the scenario has no memory_limit".to_owned(),
    }
}

fn until_words(outcome: &Outcome) -> String {
    match (&outcome.seconds_to_limit, outcome.memory_limit_bytes) {
        (Some(until), Some(limit)) => {
            let [value, low, high] = rounded(until);
            format!("the limit of {limit} lasts for {value} ({low} to {high}) more")
        }
        _ => "how long memory lasts is not known, for there is no limit".to_owned(),
    }
}

fn sureness(cause: Option<&Cause<'_>>, outcome: &Outcome) -> String {
    match (cause.and_then(|cause| cause.finding.posterior), outcome.growth()) {
        (Some(posterior), _) if posterior > 0.9995 => "sure to more than 99.9 %".to_owned(),
        (Some(posterior), _) => format!("sure to {:.1} %", 100.0 * posterior),
        (None, Some(growth)) => format!("evidence {:.1}", growth.evidence),
        (None, None) => "how sure is not known".to_owned(),
    }
}

/// The causes; or else what is said of flags in all.
fn which_flags(causes: &[Cause<'_>], report: &Report) -> Markup {
    html! {
        @if causes.is_empty() {
            @if report.flags.is_empty() && report.axes.is_empty() { "none was varied" }
            @else if let Some(suspects) = &report.suspects { "one of " (suspects.names.join(", ")) }
            @else if report.program.as_ref().is_some_and(|program| program.posterior > 0.5) {
                "none: it grows whatever is on"
            }
            @else { "not known" }
        }
        @for (place, cause) in causes.iter().enumerate() {
            @if place > 0 { ", " }
            code { (cause.name) } " " (in_words(cause.finding))
        }
    }
}

/// The smallest leak that every decided cell would have shown, per request where these are known.
pub(super) fn seen(report: &Report) -> String {
    blindest(&report.cells)
        .map_or_else(|| "nothing was decided".to_owned(), |growth| of_hour(growth, growth.seen_at_least))
}

fn sure_of_none(report: &Report) -> String {
    match blindest(&report.cells) {
        Some(_) => format!("a leak of {} or more that went on all the time would have been seen", seen(report)),
        None => "nothing was decided".to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches('.')
}
