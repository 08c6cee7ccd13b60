//! Clients by turns against one service, and the table of what a request costs each.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use rustix::thread::{CpuSet, sched_setaffinity};
use steep::shell::host::usable_cpus;

use super::CONNECTIONS;
use super::service::{Service, this_program};

/// How long each client runs in a round.
const SECONDS: u64 = 5;

/// A client, and the bar for the driver's CPU per request beside it.
type Entry = (Client, Option<f64>);

/// Loads, each with the clients that can make it and the bar for the driver's CPU per request beside theirs, where
/// there is one. Bars are of this project's issue on traffic. At rate 0 every connection sends as soon as it is
/// answered.
const LOADS: [(u64, &[Entry]); 3] = [
    (0, &[(STEEP, None), (BARE, None), (WRK, Some(1.35)), (OHA, Some(0.95)), (AB, None), (HEY, None)]),
    (2000, &[(STEEP, None), (EXACT, None), (BARE, None), (OHA, Some(0.80)), (OHA_CORRECTED, None), (HEY, None)]),
    (5000, &[(STEEP, None), (EXACT, None), (BARE, None), (OHA, Some(0.88)), (OHA_CORRECTED, None), (HEY, None)]),
];

const STEEP: Client =
    Client { name: "steep", program: None, arguments: |port, rate| format!("steep {port} {rate} {SECONDS}") };
const EXACT: Client = Client {
    name: "steep, exact pacing",
    program: None,
    arguments: |port, rate| format!("exact {port} {rate} {SECONDS}"),
};
const BARE: Client =
    Client { name: "bare hyper loop", program: None, arguments: |port, rate| format!("bare {port} {rate} {SECONDS}") };
const WRK: Client = Client {
    name: "wrk",
    program: Some("wrk"),
    arguments: |port, _| format!("-t1 -c{CONNECTIONS} -d{SECONDS}s --latency http://127.0.0.1:{port}/hello"),
};
const AB: Client = Client {
    name: "ab",
    program: Some("ab"),
    arguments: |port, _| format!("-k -q -c {CONNECTIONS} -t {SECONDS} -n 20000000 http://127.0.0.1:{port}/hello"),
};
const OHA: Client = Client { name: "oha", program: Some("oha"), arguments: |port, rate| oha(port, rate, "") };
const OHA_CORRECTED: Client = Client {
    name: "oha, corrected",
    program: Some("oha"),
    arguments: |port, rate| oha(port, rate, "--latency-correction "),
};
const HEY: Client = Client {
    name: "hey",
    program: Some("hey"),
    arguments: |port, rate| {
        let rate = if rate == 0 { String::new() } else { format!("-q {} ", rate / CONNECTIONS as u64) };
        format!("-z {SECONDS}s -c {CONNECTIONS} {rate}http://127.0.0.1:{port}/hello")
    },
};

fn oha(port: u16, rate: u64, options: &str) -> String {
    let rate = if rate == 0 { String::new() } else { format!("-q {rate} ") };
    format!("-z {SECONDS}s -c {CONNECTIONS} {rate}{options}--no-tui --output-format json http://127.0.0.1:{port}/hello")
}

/// A program that makes load.
#[derive(Clone, Copy)]
struct Client {
    name: &'static str,
    /// Where it is; none: in this program.
    program: Option<&'static str>,
    /// Its arguments for a port and a rate, with blanks between.
    arguments: fn(u16, u64) -> String,
}

/// What a client's run came to.
struct Cost {
    cpu_us: f64,
    requests: u64,
    /// What the clients of this program say of themselves.
    described: Option<String>,
}

/// Runs all loads in `rounds` rounds and prints a table for each.
pub(crate) fn run(rounds: usize) {
    let cpus = usable_cpus().unwrap_or_default();
    let [first, second, ..] = cpus.as_slice() else {
        return println!("service and client need a core each, and this process may use {cpus:?}");
    };
    pin_to(*first);
    let service = Service::start();
    // All clients inherit it.
    pin_to(*second);
    println!(
        "{CONNECTIONS} connections, plain GET, {rounds} rounds of {SECONDS} s by turns; service on CPU {first}, client on CPU {second}.\n\
         CPU: user and system time of the whole client process for each request that the service answered."
    );
    let sleeper = this_program().args(["sleeper", &SECONDS.to_string()]).output().expect("this program runs");
    println!("A thread that only sleeps, 1 ms at a time, wakes {}", String::from_utf8_lossy(&sleeper.stdout).trim());
    for (rate, clients) in LOADS {
        let (found, missing): (Vec<_>, Vec<_>) = clients.iter().partition(|(client, _)| client.is_installed());
        let mut costs: Vec<Vec<Cost>> = found.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for ((client, _), costs) in found.iter().zip(&mut costs) {
                costs.push(client.run(&service, rate));
            }
        }
        print_table(rate, &found, &costs);
        for ((client, _), costs) in found.iter().zip(&costs) {
            let described =
                costs.iter().filter_map(|cost| cost.described.as_deref()).filter(|described| !described.is_empty());
            described.for_each(|described| println!("  {}: {described}", client.name));
        }
        for (client, _) in missing {
            println!("  {}: not installed", client.name);
        }
    }
}

fn pin_to(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).expect("a CPU that this process may use");
}

impl Client {
    fn is_installed(&self) -> bool {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        self.program.is_none_or(|program| std::env::split_paths(&paths).any(|folder| folder.join(program).is_file()))
    }

    /// Runs it to its end and takes its CPU time from the kernel's account of children.
    fn run(&self, service: &Service, rate: u64) -> Cost {
        let (answers, cpu) = (service.answers(), cpu_of_children());
        let arguments = (self.arguments)(service.port(), rate);
        let mut command = self.program.map_or_else(this_program, Command::new);
        let output = command.args(arguments.split(' ')).stderr(Stdio::piped()).output().expect("a program that runs");
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        let requests = service.answers() - answers;
        let cpu_us = cpu_of_children().saturating_sub(cpu).as_secs_f64() * 1e6 / requests.max(1) as f64;
        let described = self.program.is_none().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Cost { cpu_us, requests, described }
    }
}

/// CPU time of all processes that this one has waited for. The service is none of them yet.
fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("an account");
    let micros = [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Duration::from_micros(micros.iter().sum::<i64>() as u64)
}

/// Median, smallest and largest.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

fn print_table(rate: u64, clients: &[Entry], costs: &[Vec<Cost>]) {
    let load = if rate == 0 { "closed loop".to_owned() } else { format!("open loop, {rate}/s") };
    println!("\n{load:<20}{:<24}{:<24}{:<12}requests/s", "CPU, µs/request", "steep beside it", "bar");
    for ((client, bar), of_client) in clients.iter().zip(costs) {
        let (cpu, least, most) = spread(of_client.iter().map(|cost| cost.cpu_us).collect());
        let cpu = format!("{cpu:.1} ({least:.1} to {most:.1})");
        // Each round by itself: what disturbed one client of it disturbed the others, too.
        let ratios = costs[0].iter().zip(of_client).map(|(steep, other)| steep.cpu_us / other.cpu_us).collect();
        let (ratio, least, most) = spread(ratios);
        let (beside, bar) = match bar {
            _ if client.name == STEEP.name => (String::new(), String::new()),
            Some(bar) => {
                let kept = if ratio <= *bar { "kept" } else { "missed" };
                (format!("{ratio:.2} ({least:.2} to {most:.2})"), format!("{bar:.2} {kept}"))
            }
            None => (format!("{ratio:.2} ({least:.2} to {most:.2})"), String::new()),
        };
        let (requests, ..) = spread(of_client.iter().map(|cost| cost.requests as f64 / SECONDS as f64).collect());
        println!("{:<20}{cpu:<24}{beside:<24}{bar:<12}{requests:.0}", client.name);
    }
}
