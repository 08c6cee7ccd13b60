//! Tests of the page: a small one as it is written, texts of others, and runs of which little is known.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::document::{SCRIPT, STYLE, policy};
use super::*;
use crate::outcome::Outcome;
use crate::report::Results;
use crate::scenario::Finding;
use crate::sim::{SimService, soak};
use crate::testing::{decoded, sound};
use crate::trace::{Disturbance, DisturbanceKind, Exit, FromRecords as _, Percentiles, Record, Trace};
use crate::trace::{WorkerCause, WorkerEnd};
use crate::visible::visible;
use steep_judge::units::SinceStart;

fn at(seconds: u64) -> SinceStart {
    SinceStart::new(Duration::from_secs(seconds))
}

/// A soak of a service that leaks by this for each request.
fn trace(minutes: &str, leak_per_request: f64) -> Trace {
    let scenario = decoded(&sound(minutes, "").replace("[service]", "[service]\nmemory_limit = \"512MiB\""));
    let service = SimService { leak_per_request, probe: true, ..SimService::default() };
    let mut trace = soak(&scenario, &service, &[]).expect("a trace");
    for (second, traffic) in trace.traffic.iter_mut().enumerate() {
        let (count, slow) = (100, 9_000 + 10 * (second as u64 % 50));
        let times = Percentiles { count, p50_us: 1_300, p90_us: 2_000, p99_us: slow, p999_us: slow, max_us: slow };
        traffic.latency = BTreeMap::from([("get".to_owned(), times)]);
    }
    let last = trace.traffic.last().map(|traffic| traffic.latency.clone()).unwrap_or_default();
    trace.end.iter_mut().for_each(|end| end.latency.clone_from(&last));
    trace
}

fn course(trace: &Trace) -> Course {
    let mut course = Course::begin(trace.header.clone()).expect("a header of this version");
    let records = trace.samples.iter().cloned().map(Record::Sample);
    let records = records.chain(trace.traffic.iter().cloned().map(Record::Traffic));
    let records = records.chain(trace.disturbances.iter().cloned().map(Record::Disturbance));
    let records = records.chain(trace.worker_ends.iter().cloned().map(Record::WorkerEnd));
    records.chain(trace.end.clone().map(Record::End)).for_each(|record| course.push(record));
    course
}

fn report(name: &str, outcomes: Vec<Outcome>) -> Report {
    Report::new(Results {
        name: name.to_owned(),
        started: "2026-11-29T02:00:00Z".to_owned(),
        flags: Vec::new(),
        fail_on: vec![Finding::Leak],
        known: Vec::new(),
        axes: Vec::new(),
        missing: Vec::new(),
        not_asked: Vec::new(),
        overnight: None,
        outcomes,
    })
}

fn page(report: &Report, courses: &[Course]) -> String {
    Page { report, folder: "results/shop", scenario_folder: "scenarios", courses, is_live: false }.html()
}

fn page_of(trace: &Trace) -> String {
    page(&report("shop", vec![Outcome::of(trace)]), &[course(trace)])
}

/// An element a line, without what changes with the style and the script.
fn outline(page: &str) -> String {
    let page = page.replace(STYLE, "…").replace(SCRIPT, "…").replace(&policy(false).replace('\'', "&#39;"), "…");
    let page = page.replace(&policy(false), "…").replace(env!("CARGO_PKG_VERSION"), "[version]");
    page.replace("><", ">\n<")
}

#[test]
fn a_small_page() {
    let mut trace = trace("3m", 700.0);
    // A dozen samples say what a page is made of.
    trace.samples = trace.samples.into_iter().step_by(15).collect();
    trace.traffic = trace.traffic.into_iter().step_by(15).collect();
    let outcome = Outcome { cell: trace.header.cell.clone(), ..Outcome::of(&self::trace("3m", 700.0)) };
    insta::assert_snapshot!(outline(&page(&report("shop", vec![outcome]), &[course(&trace)])));
}

#[test]
fn the_first_screen_answers_the_seven_questions_of_a_leak_and_of_a_clean_run() {
    let questions = ["Does it leak?", "How fast?", "Which flag?", "Which endpoint?", "Which line?"];
    let questions = questions.into_iter().chain(["Until when does it last?", "How sure?"]);
    let (leaking, calm) = (page_of(&trace("20m", 700.0)), page_of(&trace("20m", 0.0)));
    for question in questions {
        assert!(leaking.contains(question) && calm.contains(question), "{question}");
    }
    for said in ["Memory leaks", "per request", "the limit of 512 MiB lasts for", "steep run scenarios/reproduce.toml"]
    {
        assert!(leaking.contains(said), "{said}");
    }
    for said in ["No leak", "growth is at most", "would have been seen", "100 % of"] {
        assert!(calm.contains(said), "{said}");
    }
    let order = ["class=\"sentence", "Cells, the worst first", "Load delivered", "<h2>Reproduce", "id=\"cells-head\""];
    let places: Vec<usize> = order.iter().map(|part| leaking.find(part).expect("a part")).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn figures_have_a_text_and_a_table() {
    let page = page_of(&trace("20m", 700.0));
    let images = page.matches("role=\"img\"").count();
    assert!(images >= 5, "{images}");
    assert_eq!(page.matches("<desc").count(), images);
    for table in ["Memory as a table", "Traffic as a table", "Latency by request"] {
        assert!(page.contains(table), "{table}");
    }
    for class in
        ["class=\"fit\"", "class=\"band\"", "class=\"limit\"", "class=\"due\"", "class=\"p99\"", "phase steady"]
    {
        assert!(page.contains(class), "{class}");
    }
    let outline = outline(&page);
    assert!(!outline.contains("NaN") && !outline.contains("inf "), "a number that is none: {outline}");
}

#[test]
fn what_happened_is_marked_and_listed() {
    let mut trace = trace("5m", 0.0);
    let kind = DisturbanceKind::DriverStarved;
    trace.disturbances.push(Disturbance { t_s: at(100), kind, seconds: 12.5 });
    trace.worker_ends.push(WorkerEnd {
        t_s: at(200),
        process: crate::trace::ProcessId { pid: 7, start_ticks: 1 },
        name: "worker".to_owned(),
        lived_s: 199,
        cause: WorkerCause::Exited { code: 3 },
        replaced_by: None,
    });
    let page = page_of(&trace);
    assert!(page.contains("process worker (7) ended: exit status 3") && page.contains("12.5 s"), "{}", outline(&page));
    assert!(page.contains("class=\"mark disturbance\"") && page.contains("class=\"mark worker-end\""));
}

/// How many elements, or what a browser could take for one, a page has.
fn elements(page: &str) -> usize {
    page.matches('<').count()
}

/// A page in which all that others may write is `text`.
fn page_with(text: &str) -> String {
    let mut trace = trace("2m", 700.0);
    trace.header.phases[0].name = text.to_owned();
    for name in [&mut trace.header.begun, &mut trace.header.provenance.git_commit, &mut trace.header.provenance.cpu] {
        text.clone_into(name);
    }
    trace.header.provenance.command = vec![text.to_owned()];
    trace.header.provenance.rustflags = vec![text.to_owned()];
    let process = crate::trace::ProcessId { pid: 7, start_ticks: 1 };
    let cause = WorkerCause::Unknown;
    trace.worker_ends.push(WorkerEnd {
        t_s: at(60),
        process,
        name: text.to_owned(),
        lived_s: 1,
        cause,
        replaced_by: None,
    });
    let mut outcome = Outcome::of(&trace);
    text.clone_into(&mut outcome.message);
    text.clone_into(&mut outcome.judgement.reason);
    outcome.limits = vec![text.to_owned()];
    outcome.failures = Some(text.to_owned());
    outcome.latency = outcome.latency.into_values().map(|times| (text.to_owned(), times)).collect();
    let frame = crate::kept::Frame { function: text.to_owned(), file: text.to_owned(), line: 7, is_own: true };
    let each = steep_judge::units::Estimate::normal(512.0, 10.0).map(steep_judge::units::BytesPerRequest::new);
    outcome.kept_by = vec![crate::kept::Cause {
        frame: frame.clone(),
        per_request: each,
        share: 1.0,
        share_of_function: 1.0,
        chain: vec![frame.clone(), frame],
        kept_in: Some(text.to_owned()),
        age: None,
        asked_by: None,
    }];
    outcome.stacks = Some(steep_judge::isolation::CellStacks {
        chains: vec![steep_judge::isolation::ChainGrowth {
            calls: vec![text.to_owned(), "main".to_owned()],
            place: text.to_owned(),
            growth: each,
            shape: steep_judge::isolation::Shape::Grows,
            halves: None,
        }],
        others: each,
        unseen: steep_judge::units::BytesPerRequest::new(1.0),
    });
    let mut report = report(text, vec![outcome]);
    text.clone_into(&mut report.sentence);
    report.missing.push(crate::report::Missing { cell: trace.header.cell.clone(), reason: text.to_owned() });
    Page { report: &report, folder: text, scenario_folder: text, courses: &[course(&trace)], is_live: false }.html()
}

#[test]
fn texts_of_others_are_texts() {
    let benign = page_with("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let hostile = [
        "</script><script>alert(1)</script><script>aaaaaa",
        "\"><img src=x onerror=alert(1)><svg onload=alert()",
        "' autofocus onfocus=alert(1) x='aaaaaaaaaaaaaaaaaa",
        "</title></style><style>@import '//example.org'</st",
        "<!--<script><![CDATA[aaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "\u{202e}\u{1b}]52;c;aaaa\u{7}javascript:alert(1)aaaaaaaaa",
    ];
    for text in hostile {
        let page = page_with(text);
        assert_eq!(elements(&page), elements(&benign), "{text}");
        assert!(!page.contains("<img") && !page.contains("onload=alert()>"), "{text}");
        assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'), "{text:?} steers");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn no_text_adds_an_element(text in "[<>\"'&=/a-z!`\\-\\[\\]]{20,60}") {
        // Backticks are ours: what they enclose is code.
        let text = text.replace('`', "'");
        let benign: String = text.chars().map(|_| 'a').collect();
        prop_assert_eq!(elements(&page_with(&text)), elements(&page_with(&benign)));
    }
}

#[test]
fn the_policy_names_the_style_and_the_script_that_are_there() {
    let policy = policy(false);
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(page_of(&trace("2m", 0.0)).contains("http-equiv=\"Content-Security-Policy\""));
    // A style or script that `visible` would change would not have the hash that is promised.
    assert_eq!(visible(STYLE), STYLE);
    assert_eq!(visible(SCRIPT), SCRIPT);
    for other in ["http://", "https://", "@import", "url(", "eval(", "innerHTML", "fetch("] {
        let own = SCRIPT.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains(other) && !STYLE.contains(other), "{other}");
    }
}

#[test]
fn a_live_page_is_the_same_with_a_line_and_a_script_and_may_ask_who_served_it() {
    let trace = trace("2m", 700.0);
    let report = report("shop", vec![Outcome::of(&trace)]);
    let html = |is_live| {
        Page { report: &report, folder: "out", scenario_folder: ".", courses: &[course(&trace)], is_live }.html()
    };
    let (still, live) = (html(false), html(true));
    assert!(!still.contains("live-now") && !still.contains("EventSource") && !policy(false).contains("connect-src"));
    assert!(live.contains("id=\"live-now\"") && live.contains("new EventSource(\"/events\")"));
    assert!(policy(true).contains("connect-src 'self'") && policy(true).starts_with("default-src 'none'"));
    let main = |page: &str| {
        page.split_once("<main>").and_then(|(_, rest)| rest.split_once("</main>")).map(|(main, _)| main.to_owned())
    };
    assert_eq!(main(&still), main(&live));
    assert_eq!(visible(live::SCRIPT), live::SCRIPT);
    for other in ["http://", "https://", "eval(", "innerHTML", "import("] {
        assert!(!live::SCRIPT.contains(other), "{other}");
    }
}

#[test]
fn runs_of_which_little_is_known_have_a_page() {
    let whole = trace("5m", 700.0);
    let killed = {
        let mut trace = whole.clone();
        trace.samples.truncate(40);
        trace.traffic.truncate(40);
        trace.end = None;
        trace
    };
    let untold = Trace { samples: Vec::new(), traffic: Vec::new(), end: None, ..whole.clone() };
    let without_traffic = Trace { traffic: Vec::new(), ..whole.clone() };
    let one = Trace { samples: whole.samples[..1].to_vec(), traffic: whole.traffic[..1].to_vec(), ..whole.clone() };
    let crashed = {
        let mut trace = whole.clone();
        if let Some(end) = &mut trace.end {
            end.reason = crate::trace::EndReason::Crashed;
            end.exit = Some(Exit { code: None, signal: Some(11), oom_kill: false });
        }
        trace
    };
    for trace in [killed, untold, without_traffic, one, crashed] {
        let outline = outline(&page_of(&trace));
        assert!(outline.ends_with("</html>") && !outline.contains("NaN"), "{outline}");
    }
    let nothing = page(&report("shop", Vec::new()), &[]);
    assert!(nothing.contains("no cell was soaked"));
    let without_courses = page(&report("shop", vec![Outcome::of(&whole)]), &[]);
    assert!(without_courses.contains("Its trace was not read"));
}
