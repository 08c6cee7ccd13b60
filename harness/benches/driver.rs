//! CPU per request of the driver with all its accounts, beside a bare hyper loop with a 1 ms tick, interleaved in one run
//! because the machine may be shared. The service is another process, so that only the client is counted.
//!
//! `cargo bench -p steep --bench driver`            CPU at 2,000 and 5,000 requests/s
//! `cargo bench -p steep --bench driver -- memory 120`      own memory over so many seconds at 2,000 requests/s

#![expect(clippy::print_stdout, reason = "what a bench finds is printed")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use rustix::time::{ClockId, clock_gettime};
use steep::scenario::{Arrival, Expect, Http, Load, Model, Pacing, Phase, Request, Role, Shape, Supplies};
use steep::shell::driver::{Driver, DriverEvent, DriverSpec};
use steep::template::Template;
use steep::traffic::{Schedule, Workload};
use steep::units::{Rps, Seed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CONNECTIONS: usize = 50;
const ROUNDS: usize = 5;
const SECONDS: u64 = 6;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse().ok()).expect("a number");
    match args.first().map(String::as_str) {
        Some("service") => runtime().block_on(serve()),
        Some("reference") => runtime().block_on(bare_loop(number(1), number(2), number(3))),
        Some("driver") => runtime().block_on(drive(number(1), number(2), number(3), false)),
        Some("memory") => {
            let (mut service, port) = start_service();
            runtime().block_on(drive(port.into(), 2000, args.get(1).map_or(600, |_| number(1)), true));
            service.kill().expect("the service runs");
        }
        _ => compare(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Runs driver and bare loop by turns and prints the medians.
fn compare() {
    let (mut service, port) = start_service();
    println!(
        "{CONNECTIONS} connections, plain GET, {ROUNDS} rounds of {SECONDS} s, user and system time of the client process"
    );
    for rate in [2000, 5000] {
        let mut cost = BTreeMap::from([("driver", Vec::new()), ("reference", Vec::new())]);
        for _ in 0..ROUNDS {
            for (client, costs) in &mut cost {
                let arguments =
                    [*client, &port.to_string(), &rate.to_string(), &SECONDS.to_string()].map(str::to_owned);
                let output = this_program().args(arguments).output().expect("this program runs");
                let text = String::from_utf8_lossy(&output.stdout);
                let cpu_us = text.split_whitespace().next().and_then(|cost| cost.parse::<f64>().ok());
                costs.push(cpu_us.unwrap_or_else(|| panic!("{client} printed: {text}")));
                println!("  {rate}/s {client}: {}", text.trim());
            }
        }
        let median = |client: &str| {
            let mut sorted = cost[client].clone();
            sorted.sort_by(f64::total_cmp);
            (sorted[ROUNDS / 2], sorted[0], sorted[ROUNDS - 1])
        };
        let (driver, reference) = (median("driver"), median("reference"));
        println!(
            "{rate}/s: driver {:.1} µs/request ({:.1} to {:.1}), bare hyper loop {:.1} ({:.1} to {:.1}), ratio {:.2}",
            driver.0,
            driver.1,
            driver.2,
            reference.0,
            reference.1,
            reference.2,
            driver.0 / reference.0,
        );
    }
    service.kill().expect("the service runs");
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().expect("a path"))
}

fn start_service() -> (Child, u16) {
    let mut service = this_program().arg("service").stdout(Stdio::piped()).spawn().expect("this program runs");
    let mut line = String::new();
    BufReader::new(service.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    (service, line.trim().parse().expect("a port"))
}

/// Answers every read with the same 13 bytes: the clients here never split or join requests.
async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: text/plain\r\n\r\nHello, world!";
                if stream.write_all(answer).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("CPU time is positive")
}

fn print_cost(since: Duration, requests: u64, rest: &str) {
    let cpu = cpu_time().saturating_sub(since);
    println!("{:.2} µs/request over {requests} requests {rest}", cpu.as_secs_f64() * 1e6 / requests as f64);
}

/// What any driver on hyper must spend: a task for each connection that sleeps, sends and drains, and no accounts.
async fn bare_loop(port: u64, rate: u64, seconds: u64) {
    let tasks = tokio::task::LocalSet::new();
    let start = tokio::time::Instant::now() + Duration::from_millis(100);
    let before = cpu_time();
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
                    let mut sent = 0;
                    for nth in (worker..rate * seconds).step_by(CONNECTIONS) {
                        tokio::time::sleep_until(start + Duration::from_secs(1) * nth as u32 / rate as u32).await;
                        let mut request = hyper::Request::new(Full::<Bytes>::default());
                        *request.uri_mut() = hyper::Uri::from_static("/hello");
                        request.headers_mut().insert(hyper::header::HOST, host.clone());
                        sender.ready().await.expect("an open connection");
                        let mut answer = sender.send_request(request).await.expect("an answer");
                        while let Some(frame) = answer.frame().await {
                            frame.expect("a body");
                        }
                        sent += 1;
                    }
                    sent
                }));
            }
            let mut sent = 0;
            for worker in workers {
                sent += worker.await.expect("no panic");
            }
            print_cost(before, sent, "");
        })
        .await;
}

async fn drive(port: u64, rate: u64, seconds: u64, memory: bool) {
    let rate = Rps::new(rate as f64);
    let phases = vec![Phase::new("steady", Role::Steady, Shape::Constant { rate }, Duration::from_secs(seconds))];
    let requests = vec![Request {
        name: "hello".to_owned(),
        weight: 1.0,
        method: "GET".to_owned(),
        path: Template::parse("/hello").expect("a template"),
        headers: BTreeMap::new(),
        body: None,
        body_file: None,
        expect: Expect::default(),
    }];
    let params = BTreeMap::new();
    let load = Load {
        model: Model::Open,
        arrival: Arrival::Constant,
        pacing: Pacing::Tick,
        max_in_flight: 512,
        cpus: Vec::new(),
    };
    let supplies = Supplies::default();
    let workload = Workload {
        seed: Seed(1),
        load: &load,
        phases: &phases,
        requests: &requests,
        params: &params,
        supplies: &supplies,
    };
    let schedule = Schedule::new(workload, |_| None).expect("a schedule");
    let timeout = Duration::from_secs(2);
    let http = Http {
        connections: CONNECTIONS,
        max_requests_per_connection: 0,
        connect_timeout: timeout,
        request_timeout: timeout,
    };
    let url = format!("http://127.0.0.1:{port}");
    let before = cpu_time();
    let mut driver = Driver::connect(
        DriverSpec {
            url,
            http,
            load: load.clone(),
            phases: phases.clone(),
            requests: requests.clone(),
            limits: Vec::new(),
        },
        schedule,
    )
    .await
    .expect("a driver");
    driver.begin(Instant::now());
    while let Some(event) = driver.next_event().await {
        match event {
            DriverEvent::Traffic(traffic) if memory && traffic.t_s.elapsed().as_secs().is_multiple_of(10) => {
                println!("{}: {} KiB anonymous", traffic.t_s, anonymous_kib());
            }
            DriverEvent::Traffic(_) | DriverEvent::Interval(_) => {}
            DriverEvent::Starved(starved) => println!("  starved: {starved:?}"),
            DriverEvent::Finished(end) => {
                let counts = end.traffic.requests["hello"];
                let rest = format!("{counts:?}, lateness {:?}, latency {:?}", end.lateness, end.latency["hello"]);
                print_cost(before, counts.sent, &rest);
            }
        }
    }
    driver.join().expect("no panic");
}

fn anonymous_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("?").trim().replace(" kB", "")
}
