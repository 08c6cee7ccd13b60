//! Schedules as a whole.

use super::hash::schedule_hash;
use super::testing::{TestLoad, constant, pause, ramp, request, shop};
use super::*;
use crate::scenario::{Arrival, Pick};
use crate::template::Template;

/// A single request that was sent.
pub(crate) fn due(request: usize) -> Due {
    let (at, values) = (SinceStart::ZERO, Values::default());
    Due { at, request, nth: 0, values, is_dry: false, is_crowded: false, session: None }
}

/// `template` with a number for each name.
pub(crate) fn text_of(template: &Template) -> text::Text {
    let params = template.names().map(|name| (name.to_owned(), Param::Uniform { min: 1, max: 99 })).collect();
    let mut request = request("r", 1.0, "GET", "/", None);
    request.body = Some(template.clone());
    let (lists, _) = Lists::new(&params, std::iter::empty(), &Supplies::default());
    let variables = Variables::default();
    let names = Names { params: &params, lists: &lists, variables: &variables, cell_value: |_: &str| None };
    match RequestText::compile(&request, None, None, &names).expect("a request").body() {
        Some(request::Body::Text(text)) => text.clone(),
        body => panic!("{body:?}"),
    }
}

fn written(schedule: &Schedule, due: &Due) -> (String, String) {
    let (mut path, mut body) = (String::new(), String::new());
    let text = &schedule.texts()[due.request];
    text.path().write(&due.values, &mut path);
    if let Some(request::Body::Text(text)) = text.body() {
        text.write(&due.values, &mut body);
    }
    (path, body)
}

#[test]
fn a_parameter_named_twice_in_a_request_has_one_value_there() {
    let schedule = shop(vec![constant(10.0, 1.0)], Arrival::Constant).schedule();
    for due in schedule.clone() {
        let (path, body) = written(&schedule, &due);
        if due.request == 0 {
            let (item, again) = path[7..].split_once("?page=").expect("a page");
            assert!(again.ends_with(&format!("&again={item}")), "{path}");
        } else {
            assert!(body.starts_with(r#"{"user":""#) && body.ends_with(r#","at":8080}"#), "{body}");
            assert_eq!(body.find(r#"","item""#), Some(9 + 16), "a unique value has 16 digits: {body}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_traffic_and_another_gives_other_traffic() {
    let load = shop(vec![ramp(0.0, 100.0, 5.0), pause(5.0), constant(100.0, 5.0)], Arrival::Poisson);
    let dues: Vec<Due> = load.schedule().collect();
    assert!(dues.iter().enumerate().all(|(nth, due)| due.nth == nth as u64));
    assert!(load.schedule().eq(dues.iter().cloned()));
    let other = TestLoad { seed: 43, ..load };
    assert!(!other.schedule().eq(dues));
}

#[test]
fn a_parameter_more_leaves_arrivals_picks_and_other_values_alone() {
    let load = shop(vec![constant(100.0, 5.0)], Arrival::Poisson);
    let mut more = load.clone();
    more.params.insert("aaa".to_owned(), Param::Unique);
    let (one, two) = (load.schedule(), more.schedule());
    for (left, right) in load.schedule().zip(more.schedule()) {
        assert_eq!((left.at, left.request), (right.at, right.request));
        assert_eq!(written(&one, &left), written(&two, &right));
    }
}

#[test]
fn the_hash_knows_the_traffic_and_not_the_port() {
    let load = shop(vec![constant(100.0, 5.0)], Arrival::Poisson);
    let hash = schedule_hash(load.workload()).expect("a hash");
    assert_eq!(hash.len(), 64);
    assert_eq!(schedule_hash(load.workload()).as_ref(), Ok(&hash));
    let mut other = load;
    other.params.insert("item".to_owned(), Param::Uniform { min: 1, max: 1001 });
    assert_ne!(schedule_hash(other.workload()), Ok(hash));
}

/// The shop with users from a file: each has a name and a token.
pub(crate) fn users(pick: Pick, csv: &str) -> TestLoad {
    let mut load = shop(vec![constant(100.0, 5.0)], Arrival::Poisson);
    load.params.insert("user".to_owned(), Param::Csv { path: "users.csv".to_owned(), column: None, pick });
    load.supplies.insert("users.csv".to_owned(), csv.to_owned());
    let mut order = request("order", 1.0, "POST", "/u/{{user.name}}", Some(r#"{"token":"{{user.token}}"}"#));
    order.headers.insert("content-type".to_owned(), Template::parse("application/json").expect("a template"));
    load.requests = vec![load.requests[0].clone(), order];
    load
}

#[test]
fn columns_of_one_parameter_come_from_one_row_and_are_escaped() {
    let load = users(Pick::Circular, "name,token\nann,\"\"\"1\\\"\nb c/ö,2\n");
    let schedule = load.schedule();
    let orders = schedule.clone().filter(|due| due.request == 1).map(|due| written(&schedule, &due));
    let expected = [("/u/ann", r#"{"token":"\"1\\"}"#), ("/u/b%20c%2F%C3%B6", r#"{"token":"2"}"#)];
    let expected = expected.map(|(path, body)| (path.to_owned(), body.to_owned()));
    assert!(orders.clone().count() > 10);
    assert!(orders.eq(expected.into_iter().cycle().take(orders_in(&schedule))));
}

fn orders_in(schedule: &Schedule) -> usize {
    schedule.clone().filter(|due| due.request == 1).count()
}

#[test]
fn a_queue_runs_dry_for_the_requests_that_need_it_alone() {
    let load = users(Pick::Queue, "name,token\nann,1\nbob,2\n");
    let dues: Vec<Due> = load.schedule().collect();
    let dry = dues.iter().filter(|due| due.is_dry).count();
    assert!(dues.iter().all(|due| !due.is_dry || due.request == 1));
    assert_eq!(dry, orders_in(&load.schedule()) - 2);
}

#[test]
fn a_file_that_changed_changes_the_hash_and_one_that_is_bad_gives_no_schedule() {
    let load = users(Pick::Shuffle, "name,token\nann,1\nbob,2\n");
    let hash = schedule_hash(load.workload()).expect("a hash");
    let mut other = load.clone();
    other.supplies.insert("users.csv".to_owned(), "name,token\nann,1\nbob,3\n");
    assert_ne!(schedule_hash(other.workload()), Ok(hash));
    other.supplies.insert("users.csv".to_owned(), "name,id\nann,1\n");
    let flaw = schedule_hash(other.workload()).expect_err("a flaw").to_string();
    assert_eq!(flaw, "params.user.path: users.csv has no column \"token\"");
}

#[test]
fn a_value_of_two_lines_cannot_stand_in_a_header() {
    let mut load = users(Pick::Random, "name,token\nann,1\nbob,\"2\n3\"\n");
    let token = Template::parse("Bearer {{user.token}}").expect("a template");
    load.requests[1].headers.insert("authorization".to_owned(), token);
    let refused = Schedule::new(load.workload(), |_| Some(String::new())).expect_err("refused").to_string();
    assert_eq!(
        refused,
        "request `order`, headers: {{user.token}} has a line break or control character in row 2, and stands in header \"authorization\""
    );
}

#[test]
fn bodies_from_files_are_templates_if_they_are_text() {
    let mut load = users(Pick::Circular, "name,token\nann,1\n");
    load.requests[1].body = None;
    load.requests[1].body_file = Some("order".to_owned());
    load.supplies.insert("order".to_owned(), r#"{"name":"{{user.name}}"}"#);
    let schedule = load.schedule();
    let due = schedule.clone().find(|due| due.request == 1).expect("an order");
    assert_eq!(written(&schedule, &due).1, r#"{"name":"ann"}"#);
    load.supplies.insert("order".to_owned(), b"\xff{{".to_vec());
    let raw = request::Body::Raw(b"\xff{{".to_vec().into());
    assert_eq!(load.schedule().texts()[1].body(), Some(&raw));
}

#[test]
fn what_cannot_be_scheduled_is_reported() {
    let mut load = shop(vec![constant(1.0, 1.0)], Arrival::Constant);
    let unknown = ScheduleError::UnknownName { request: "order".to_owned(), name: "port".to_owned() };
    assert_eq!(Schedule::new(load.workload(), |_| None).err(), Some(unknown));
    load.requests.iter_mut().for_each(|request| request.weight = 0.0);
    assert_eq!(schedule_hash(load.workload()), Err(ScheduleError::NothingToPick));
}
