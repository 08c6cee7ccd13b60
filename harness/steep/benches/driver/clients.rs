//! The clients of this program: the driver with all its accounts, and what any driver on hyper must spend.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use steep::shell::access::Access;
use steep::shell::driver::{Driver, DriverEvent, DriverSpec};
use steep::shell::latency_log::LatencyLog;
use steep::shell::loopback::Endpoint;
use steep_core::scenario::{
    Arrival, Expect, Http, Load, Model, Pacing, Phase, Protocol, Request, Role, Shape, Supplies, ThinkTime,
};
use steep_core::template::Template;
use steep_core::traffic::{Schedule, Workload};
use steep_judge::units::{Rps, Seed};

use super::CONNECTIONS;

/// A task for each connection that sends and drains, and no accounts: in a closed loop at rate 0, else when a tick of 1
/// ms finds that its turn has come.
pub(crate) async fn bare_loop(port: u64, rate: u64, seconds: u64) {
    let tasks = tokio::task::LocalSet::new();
    let start = tokio::time::Instant::now() + Duration::from_millis(100);
    let mut workers = Vec::new();
    tasks
        .run_until(async {
            for worker in 0..CONNECTIONS as u64 {
                workers.push(tokio::task::spawn_local(async move {
                    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port as u16)).await.expect("the service");
                    stream.set_nodelay(true).expect("a socket");
                    let (mut sender, connection) =
                        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
                            .await
                            .expect("hyper");
                    tokio::task::spawn_local(connection);
                    let host = hyper::header::HeaderValue::from_static("127.0.0.1");
                    let end = start + Duration::from_secs(seconds);
                    let turns = (0_u64..).map(|turn| worker + turn * CONNECTIONS as u64);
                    for nth in turns.take_while(|nth| rate == 0 || *nth < rate * seconds) {
                        if rate > 0 {
                            tokio::time::sleep_until(start + Duration::from_secs(1) * nth as u32 / rate as u32).await;
                        } else if tokio::time::Instant::now() >= end {
                            break;
                        }
                        let mut request = hyper::Request::new(Full::<Bytes>::default());
                        *request.uri_mut() = hyper::Uri::from_static("/hello");
                        request.headers_mut().insert(hyper::header::HOST, host.clone());
                        sender.ready().await.expect("an open connection");
                        let mut answer = sender.send_request(request).await.expect("an answer");
                        while let Some(frame) = answer.frame().await {
                            frame.expect("a body");
                        }
                    }
                }));
            }
            for worker in workers {
                worker.await.expect("no panic");
            }
        })
        .await;
}

/// Sleeps until moments 1 ms apart and tells how late it woke: what the host does to whoever waits, and no driver can
/// do better.
pub(crate) fn sleeper(seconds: u64) {
    let start = Instant::now();
    let mut late_us: Vec<u128> = (1..=seconds * 1000)
        .map(|tick| {
            let due = start + Duration::from_millis(tick);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due.elapsed().as_micros()
        })
        .collect();
    late_us.sort_unstable();
    println!("late p50 {} µs, p99 {} µs", late_us[late_us.len() / 2], late_us[late_us.len() * 99 / 100]);
}

/// How the driver is run.
pub(crate) struct Drive {
    pub(crate) port: u64,
    /// Requests a second; 0 is a closed loop of as many users as connections.
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) pacing: Pacing,
    /// Whether to print its own memory every ten seconds.
    pub(crate) memory: bool,
}

/// The driver with all that a soak keeps of its traffic: accounts a second, histograms and the interval log.
pub(crate) async fn drive(run: Drive) {
    let Drive { port, rate, seconds, pacing, memory } = run;
    let supplies = Supplies::default();
    let (spec, params) = (spec(port, rate, seconds, pacing), BTreeMap::new());
    let workload = Workload {
        seed: spec.seed,
        load: &spec.load,
        phases: &spec.phases,
        requests: &spec.requests,
        flows: &[],
        params: &params,
        supplies: &supplies,
    };
    let schedule = Schedule::new(workload, |_| None).expect("a schedule");
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = LatencyLog::begin(folder.path(), &["hello".to_owned()], SystemTime::now()).expect("a log");
    let mut driver = Driver::connect(spec, schedule).await.expect("a driver");
    driver.begin(Instant::now());
    while let Some(event) = driver.next_event().await {
        match event {
            DriverEvent::Traffic(traffic) if memory && traffic.t_s.elapsed().as_secs().is_multiple_of(10) => {
                println!("{}: {} KiB anonymous", traffic.t_s, anonymous_kib());
            }
            DriverEvent::Traffic(_) => {}
            DriverEvent::Interval(interval) => log.push(*interval),
            DriverEvent::Starved(starved) => println!("starved for {:.3} s", starved.seconds),
            DriverEvent::Finished(end) => {
                let counts = end.traffic.requests["hello"];
                let (due, late) = (counts.due, end.lateness);
                println!(
                    "due {due}, sent {}, missed {}, ok {}; late p50 {} µs, p99 {} µs",
                    counts.sent, counts.missed, counts.ok, late.p50_us, late.p99_us
                );
            }
        }
    }
    driver.join().expect("no panic");
    assert_eq!(log.finish(), None, "the log is whole");
}

fn spec(port: u64, rate: u64, seconds: u64, pacing: Pacing) -> DriverSpec {
    let shape = if rate == 0 { Shape::Users { users: None } } else { Shape::Constant { rate: Rps::new(rate as f64) } };
    let users = Model::Closed { vus: CONNECTIONS as u32, think_time: ThinkTime::Constant { time: Duration::ZERO } };
    let timeout = Duration::from_secs(2);
    DriverSpec {
        endpoint: Endpoint::of_number(&format!("http://127.0.0.1:{port}")).expect("an address of this host"),
        http: Http {
            protocol: Protocol::Http1,
            connections: CONNECTIONS,
            max_concurrent_streams: 100,
            aside_connections: 64,
            max_requests_per_connection: 0,
            max_idle: None,
            connect_timeout: timeout,
            request_timeout: timeout,
            tls: None,
            auth: None,
        },
        load: Load {
            coded: false,
            model: if rate == 0 { users } else { Model::Open },
            arrival: Arrival::Constant,
            pacing,
            max_in_flight: 512,
            cpus: Vec::new(),
        },
        phases: vec![Phase::new("steady", Role::Steady, shape, Duration::from_secs(seconds))],
        requests: vec![Request {
            name: "hello".to_owned(),
            weight: 1.0,
            method: "GET".to_owned(),
            grpc: None,
            path: Template::parse("/hello").expect("a template"),
            headers: BTreeMap::new(),
            body: None,
            body_file: None,
            expect: Expect::default(),
            capture: BTreeMap::new(),
            conduct: None,
        }],
        limits: Vec::new(),
        access: Access::default(),
        seed: Seed(1),
    }
}

fn anonymous_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("?").trim().replace(" kB", "")
}
