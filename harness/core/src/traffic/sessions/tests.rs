//! Sessions against services of any speed, that fail in any way.

use std::time::Duration;

use proptest::prelude::*;

use super::super::dispatch::{Dispatch, Ended, Fate, Outcome};
use super::*;
use crate::scenario::{Arrival, Capture, CapturePlace, JsonPath, Model, Param, Pick};
use crate::trace::Counts;
use crate::traffic::testing::{TestLoad, constant, pause, phase, request, shop};

const ANSWERED: Ended = Ended { outcome: Outcome::Ok, body_bytes_sent: 0, body_bytes_received: 0 };

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn flow(name: &str, weight: f64, steps: &[&str], mean_ms: u64) -> Flow {
    Flow {
        name: name.to_owned(),
        weight,
        steps: steps.iter().map(|step| (*step).to_owned()).collect(),
        think_time: ThinkTime::Exponential { mean: ms(mean_ms) },
        cookies: true,
    }
}

/// Log in, browse and buy; or browse alone, as a flow and as a single request.
fn buying(phases: Vec<Phase>) -> TestLoad {
    let mut load = shop(phases, Arrival::Poisson);
    let json = Capture { place: CapturePlace::Json(JsonPath::new("token")), regex: None };
    load.requests = vec![
        request("single", 1.0, "GET", "/items/{{item}}", None),
        request("login", 0.0, "POST", "/login", Some("{{user}}")),
        request("browse", 0.0, "GET", "/items/{{item}}?for={{token}}", None),
        request("buy", 0.0, "POST", "/orders", Some("{{user}} {{item}} {{token}}")),
    ];
    load.requests[1].capture.insert("token".to_owned(), json);
    load.flows = vec![flow("buy all", 2.0, &["login", "browse", "buy"], 50), flow("look", 1.0, &["login"], 50)];
    load
}

fn written(due: &Due, texts: &[RequestText]) -> String {
    let mut out = String::new();
    texts[due.request].path().write(&due.values, &mut out);
    if let Some(super::super::request::Body::Text(body)) = texts[due.request].body() {
        body.write(&due.values, &mut out);
    }
    out
}

/// Drives `load` with a service that answers after these times in turn, and fails each so-manieth request; gives what
/// came due with its text, and what became of the sessions.
fn drive(load: &TestLoad, answers_ms: &[u64], fails: usize, max: usize) -> (Vec<(Due, String)>, Vec<FlowCounts>) {
    let schedule = load.schedule();
    let (texts, load_end) = (schedule.texts().clone(), schedule.load_end());
    let mut dispatch = Dispatch::new(schedule, max);
    let mut in_flight: Vec<(SinceStart, Due)> = Vec::new();
    let mut came = Vec::new();
    let (mut answers, mut now) = (answers_ms.iter().cycle(), SinceStart::ZERO);
    let mut sent = 0;
    while now < load_end + ms(3_000) {
        for (_, mut due) in in_flight.extract_if(.., |(at, _)| *at <= now) {
            sent += 1;
            let outcome = if sent % fails == 0 { Outcome::FailedStatus } else { Outcome::Ok };
            let token = format!("token {}", due.nth & ((1 << STEP_BITS) - 1));
            texts[due.request].captures().variables().for_each(|v| due.values.capture(v, token.clone()));
            dispatch.ended(now, due, Ended { outcome, ..ANSWERED });
        }
        dispatch.wake(now);
        while let Some((due, fate)) = dispatch.take() {
            came.push((due.clone(), written(&due, &texts)));
            assert!(due.session.is_none() || fate == Fate::Send, "a session goes no further");
            if fate == Fate::Send {
                in_flight.push((now + ms(*answers.next().expect("a cycle")), due));
            }
        }
        now = now + ms(1);
    }
    assert!(in_flight.is_empty() && dispatch.next_due_at().is_none());
    for counts in dispatch.counts() {
        assert!(counts.balance() && counts.sent == counts.ok + counts.failed(), "{counts:?}");
    }
    (came, dispatch.flows().map(|(_, counts)| counts).collect())
}

fn total(flows: &[FlowCounts]) -> FlowCounts {
    flows.iter().fold(FlowCounts::default(), |sum, counts| FlowCounts {
        started: sum.started + counts.started,
        completed: sum.completed + counts.completed,
        ended_early: sum.ended_early + counts.ended_early,
        left: sum.left + counts.left,
    })
}

/// The texts of each session's steps, by the number of the session and of the step.
fn by_session(came: &[(Due, String)]) -> BTreeMap<(u64, u64), String> {
    came.iter().map(|(due, text)| ((due.nth & ((1 << STEP_BITS) - 1), due.nth >> STEP_BITS), text.clone())).collect()
}

#[test]
fn a_session_is_the_same_however_fast_its_answers_come() {
    for model in [Model::Open, Model::Closed { vus: 20, think_time: ThinkTime::default() }] {
        let phases = match model {
            Model::Open | Model::None => vec![constant(100.0, 5.0)],
            Model::Closed { .. } => vec![phase(Shape::Users { users: None }, 5.0)],
        };
        let mut load = buying(phases);
        load.load.model = model;
        let (fast, slow) = (drive(&load, &[1], usize::MAX, 4096), drive(&load, &[700, 3, 90], usize::MAX, 4096));
        let (fast, slow) = (by_session(&fast.0), by_session(&slow.0));
        let both: Vec<_> = fast.iter().filter(|(step, _)| slow.contains_key(step)).collect();
        assert!(both.len() > 200 && both.iter().any(|((_, step), _)| *step == 2), "{}", both.len());
        for (step, text) in both {
            assert_eq!(slow[step], *text, "{model:?}: {step:?}");
        }
    }
}

#[test]
fn a_parameter_has_one_value_in_all_steps_and_steps_have_what_was_captured() {
    let (came, flows) = drive(&buying(vec![constant(100.0, 5.0)]), &[1], usize::MAX, 512);
    let texts = by_session(&came);
    let mut bought = 0;
    for ((session, _), text) in texts.iter().filter(|((_, step), _)| *step == 2) {
        let (login, browse) = (&texts[&(*session, 0)], &texts[&(*session, 1)]);
        let user = login.strip_prefix("/login").expect("a user");
        let item = browse.strip_prefix("/items/").and_then(|rest| rest.split_once('?')).expect("an item").0;
        assert!(browse.ends_with(&format!("?for=token%20{session}")), "{browse}");
        assert_eq!(*text, format!("/orders{user} {item} token {session}"));
        bought += 1;
    }
    assert_eq!(bought, flows[0].completed, "each was answered");
    assert!(flows[0].completed > 200 && flows[1].completed > 80, "{flows:?}");
    assert_eq!(total(&flows).ended_early, 0);
    assert_eq!(flows[1].left, 0, "it has one step");
}

#[test]
fn think_times_have_the_mean_that_was_asked_for() {
    let (came, _) = drive(&buying(vec![constant(100.0, 20.0)]), &[1], usize::MAX, 512);
    let due: BTreeMap<u64, SinceStart> = came.iter().map(|(due, _)| (due.nth, due.at)).collect();
    let is_later = |nth: &u64| (1..3).contains(&(nth >> STEP_BITS));
    let thought: Vec<f64> = due
        .iter()
        .filter(|(nth, _)| is_later(nth))
        .map(|(nth, at)| at.since(due[&(nth - (1 << STEP_BITS))]).as_secs_f64())
        .collect();
    let mean = thought.iter().sum::<f64>() / thought.len() as f64;
    // 50 ms, an answer of 1 ms, and up to a tick of 1 ms at both ends; about 2,000 of them: standard error 1.1 ms.
    assert!(thought.len() > 1_500 && (0.046..0.058).contains(&mean), "{} of {mean}", thought.len());
}

#[test]
fn a_pause_ends_the_sessions_that_would_go_on_in_it() {
    let mut load = buying(vec![constant(100.0, 2.0), pause(2.0), constant(100.0, 2.0)]);
    load.flows[0].think_time = ThinkTime::Constant { time: ms(500) };
    let (came, flows) = drive(&load, &[1], usize::MAX, 512);
    let in_pause = |due: &Due| (2.0..4.0).contains(&due.at.as_secs_f64());
    assert!(came.iter().all(|(due, _)| !in_pause(due)));
    assert!(flows[0].left > 50, "{flows:?}");
    assert_eq!(flows[0].started, flows[0].completed + flows[0].left);
}

#[test]
fn users_of_a_closed_load_go_through_their_flow_before_they_begin_another() {
    let mut load = buying(vec![phase(Shape::Users { users: None }, 10.0)]);
    load.load.model = Model::Closed { vus: 1, think_time: ThinkTime::Constant { time: ms(100) } };
    load.requests[0].weight = 0.0;
    load.flows.truncate(1);
    let (came, flows) = drive(&load, &[5], usize::MAX, 1);
    let names: Vec<usize> = came.iter().map(|(due, _)| due.request).collect();
    assert!(names.chunks(3).all(|steps| [1, 2, 3].starts_with(steps)), "{names:?}");
    assert!(flows[0].completed > 30 && flows[0].started - flows[0].completed <= 1, "{flows:?}");
}

#[test]
fn a_session_for_which_a_queue_has_no_row_is_not_begun() {
    let mut load = buying(vec![constant(100.0, 2.0)]);
    load.params.insert("user".to_owned(), Param::Csv { path: "u".to_owned(), column: None, pick: Pick::Queue });
    load.requests[1].body = None;
    load.requests[3].body = Some(crate::template::Template::parse("{{user.name}}").expect("a template"));
    load.supplies.insert("u".to_owned(), "name\nann\nbob\n");
    load.flows.truncate(1);
    let (came, flows) = drive(&load, &[1], usize::MAX, 512);
    assert_eq!((flows[0].started, flows[0].completed), (2, 2));
    assert!(came.iter().any(|(due, _)| due.is_dry && due.request == 1), "its first step is what is counted");
}

#[test]
fn beyond_the_most_sessions_whoever_comes_is_turned_away() {
    let mut load = buying(vec![constant(100_000.0, 120.0)]);
    load.requests[0].weight = 0.0;
    load.flows.truncate(1);
    load.flows[0].think_time = ThinkTime::Constant { time: Duration::from_mins(1) };
    let mut dispatch = Dispatch::new(load.schedule(), 512);
    while let Some(due) = dispatch.next_due_at().filter(|due| due.as_secs_f64() < 1.0) {
        dispatch.wake(due);
        while let Some((due, fate)) = dispatch.take() {
            if fate == Fate::Send {
                dispatch.ended(due.at, due, ANSWERED);
            }
        }
    }
    let counts = dispatch.counts()[1];
    assert_eq!((counts.sent, counts.due), (MAX_SESSIONS as u64, counts.sent + counts.dropped));
    assert!(counts.dropped > 30_000, "{counts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn sessions_are_accounted_for_whatever_fails(
        answers_ms in prop::collection::vec(prop_oneof![9 => 0_u64..10, 1 => 50_u64..1_000], 1..30),
        fails in 2_usize..50,
        max_in_flight in 1_usize..50,
    ) {
        let (came, flows) = drive(&buying(vec![constant(100.0, 2.0)]), &answers_ms, fails, max_in_flight);
        let total = total(&flows);
        prop_assert_eq!(total.started, total.completed + total.ended_early + total.left);
        let arrivals = came.iter().filter(|(due, _)| due.nth >> STEP_BITS == 0).count();
        prop_assert_eq!(arrivals, buying(vec![constant(100.0, 2.0)]).schedule().count());
    }

    #[test]
    fn sessions_are_accounted_for_when_the_driver_is_starved_or_stopped(
        wakes_ms in prop::collection::vec(prop_oneof![9 => 1_u64..5, 1 => 50_u64..500], 1..50),
        stops_at_ms in 100_u64..3_000,
    ) {
        let load = buying(vec![constant(200.0, 2.0)]);
        let mut dispatch = Dispatch::new(load.schedule(), 64);
        let mut in_flight: Vec<Due> = Vec::new();
        let mut now = SinceStart::ZERO;
        for wake in wakes_ms.iter().cycle() {
            in_flight.drain(..).for_each(|due| dispatch.ended(now, due, ANSWERED));
            dispatch.wake(now);
            while let Some((due, fate)) = dispatch.take() {
                in_flight.extend((fate == Fate::Send).then_some(due));
            }
            let mut total = Counts::default();
            dispatch.counts().iter().for_each(|counts| total.add(counts));
            prop_assert_eq!(total.due, total.sent + total.missed + total.dropped);
            if now >= SinceStart::ZERO + ms(stops_at_ms) {
                dispatch.stop();
                if in_flight.is_empty() {
                    break;
                }
            }
            now = now + ms(*wake);
        }
        let flows: Vec<_> = dispatch.flows().map(|(_, counts)| counts).collect();
        let total = total(&flows);
        prop_assert_eq!(total.started, total.completed + total.ended_early + total.left);
    }
}
