//! Closed loads, exact pacing, and pauses without connections.

use super::*;
use steep_core::scenario::{Model, Pacing, Phase, Shape, ThinkTime};
use steep_core::traffic::testing::{pause, phase};

/// Four users for 0.4 s.
fn closed(think_time: ThinkTime) -> TestLoad {
    let mut load = plain();
    load.phases = vec![phase(Shape::Users { users: None }, 0.4)];
    load.load.model = Model::Closed { vus: 4, think_time };
    load
}

async fn run(load: &TestLoad, manners: Manners, request_timeout: Duration) -> (DriverEnd, Counts) {
    let service = Service::start(manners).await;
    let mut spec = spec(&service.url, load);
    spec.http.request_timeout = request_timeout;
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    (end, total)
}

#[tokio::test]
async fn users_who_do_not_think_send_on_when_they_are_answered() {
    let load = closed(ThinkTime::default());
    let (end, total) = run(&load, Manners::Answers(HELLO), Duration::from_secs(5)).await;
    assert!(total.ok > 4 && total.ok == total.due, "{total:?}");
    assert_eq!((end.traffic.connections.opened, end.traffic.connections.closed), (4, 0));
}

#[tokio::test]
async fn users_who_think_are_woken_when_they_have() {
    // So long that the pacer, which sleeps a second at a time, must be woken by the answers.
    let load = closed(ThinkTime::Constant { time: Duration::from_millis(50) });
    let (_, total) = run(&load, Manners::Answers(HELLO), Duration::from_secs(5)).await;
    // At 0, 50, 100 … 350 ms, or a little later.
    assert!((8..=32).contains(&total.ok) && total.ok == total.due, "{total:?}");
}

#[tokio::test]
async fn users_of_a_service_that_hangs_have_one_request_each_in_flight() {
    let load = closed(ThinkTime::default());
    let (end, total) = run(&load, Manners::Hangs, Duration::from_millis(150)).await;
    assert!(end.traffic.in_flight_peak <= 4, "{}", end.traffic.in_flight_peak);
    // Each waits for its time-out before it sends again.
    assert!((4..=12).contains(&total.due) && total.failed_timeout == total.due, "{total:?}");
}

#[tokio::test]
async fn users_of_a_service_that_closes_every_connection_do_not_spin() {
    let load = closed(ThinkTime::default());
    let (_, total) = run(&load, Manners::ClosesAfter(0), Duration::from_secs(5)).await;
    // A connection that carried no answer is opened again after 10, 20, 40 … ms.
    assert!(total.failed() == total.due && total.due <= 60, "{total:?}");
}

#[tokio::test]
async fn users_of_a_service_that_was_killed_wait_for_the_connect_timeout() {
    let load = closed(ThinkTime::default());
    let service = Service::start(Manners::Answers(HELLO)).await;
    let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    service.task.abort();
    let _ = service.task.await;
    let (end, total, _) = soak(driver, Instant::now()).await;
    // Once on the way when the connections broke, and then every 150 ms of 400 ms.
    assert!((4..=16).contains(&total.due) && total.failed() == total.due, "{total:?}");
    assert!(end.traffic.in_flight_peak <= 4 && end.traffic.connections.refused > 0, "{end:?}");
}

#[tokio::test]
async fn exact_pacing_sends_all_that_is_due() {
    let mut load = plain();
    load.load.pacing = Pacing::Exact;
    let (_, total) = run(&load, Manners::Answers(HELLO), Duration::from_secs(5)).await;
    assert_eq!((total.due, total.ok), (60, 60));
}

#[tokio::test]
async fn in_a_pause_connections_are_closed_and_come_back() {
    let mut load = plain();
    let recess = Phase { close_connections: true, ..pause(0.3) };
    load.phases = vec![constant(200.0, 0.1), recess, constant(200.0, 0.1)];
    let (end, total) = run(&load, Manners::Answers(HELLO), Duration::from_secs(5)).await;
    assert_eq!((total.due, total.ok), (40, 40));
    let connections = end.traffic.connections;
    assert_eq!((connections.opened, connections.closed, connections.refused), (8, 4, 0));
}

#[tokio::test]
async fn after_a_last_pause_connections_do_not_come_back() {
    let mut load = plain();
    load.phases.push(Phase { close_connections: true, ..pause(0.2) });
    let (end, total) = run(&load, Manners::Answers(HELLO), Duration::from_secs(5)).await;
    assert_eq!(total.ok, 60);
    assert_eq!((end.traffic.connections.opened, end.traffic.connections.closed), (4, 4));
}
