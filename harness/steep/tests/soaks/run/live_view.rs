//! `--live`: what a browser sees of a run under way, and who else sees nothing.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Place, Ran};

/// Nothing in these tests takes as long.
const LONG: Duration = Duration::from_mins(2);

/// A run that shows itself.
struct Seen {
    steep: Child,
    stderr: BufReader<ChildStderr>,
    /// `127.0.0.1:12345`
    address: String,
}

impl Seen {
    fn begin(place: &Place, live: &[&str]) -> Self {
        let args = [&["run", "soak.toml", "--out", "out", "--format", "json"], live].concat();
        let mut command = place.steep(&args);
        let mut steep = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(steep.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let before = said.len();
            assert!(stderr.read_line(&mut said).unwrap() > 0, "no address: {said}");
            if let Some((_, url)) = said[before..].split_once("live view until the run ends: http://") {
                break url.trim().trim_end_matches('/').to_owned();
            }
        };
        Self { steep, stderr, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// The head and the body of the answer.
    fn ask(&self, method: &str, path: &str, host: &str) -> (String, String) {
        let mut stream = self.connect();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn page(&self) -> String {
        let (head, body) = self.ask("GET", "/", &self.address);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{body}");
        body
    }

    /// The cells of the page as soon as they are `so`: it may have been drawn some seconds ago.
    fn cells_once(&self, events: &mut Events, so: impl Fn(&[(String, u64)]) -> bool) -> Vec<(String, u64)> {
        loop {
            let cells = cells(&self.page());
            if so(&cells) {
                return cells;
            }
            events.next("status", |_| true).expect("a run under way");
        }
    }

    fn events(&self) -> Events {
        let mut stream = self.connect();
        write!(stream, "GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        Events { head, lines, past: VecDeque::new() }
    }

    fn end(mut self) -> Ran {
        // What it says must not fill the pipe.
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        Ran::of(self.steep.wait_with_output().unwrap())
    }
}

impl Place {
    /// Two cells of moody services, each soaked for `seconds`.
    fn of_two_cells(seconds: u32) -> Self {
        let flag = "[[flags]]\nname = \"loud\"\nkind = \"env\"\nvar = \"LOUD\"\non = \"1\"\n[plan]\nstrategy = \"each\"\n\
                    retries = 0\n";
        Self::new("fine", seconds, flag)
    }
}

/// The events of a run, as a browser hears them.
struct Events {
    head: String,
    lines: BufReader<TcpStream>,
    past: VecDeque<String>,
}

impl Events {
    /// The data of the next event of this kind that `is` the one; none where they end before.
    fn next(&mut self, kind: &str, is: impl Fn(&str) -> bool) -> Option<String> {
        let mut named = false;
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_owned();
            if let Some(name) = line.strip_prefix("event: ") {
                named = name == kind;
            } else if let Some(data) = line.strip_prefix("data: ").filter(|data| named && is(data)) {
                return Some(data.to_owned());
            }
            self.past.push_back(line);
        }
    }

    /// Waits until this cell is soaked, and its load is on the way.
    fn loaded(&mut self, cell: &str) -> Value {
        let is = |data: &str| {
            serde_json::from_str::<Value>(data).is_ok_and(|status| {
                status["cell"] == cell && status["place"].as_str().is_some_and(|place| place.contains("requests/s"))
            })
        };
        let data = self.next("status", is).unwrap_or_else(|| panic!("{cell} was never loaded: {:?}", self.past));
        serde_json::from_str(&data).unwrap()
    }
}

/// Names of the cells of a page, and how many rows of samples each has.
fn cells(page: &str) -> Vec<(String, u64)> {
    let sections = page.split("<details class=\"cell\"").skip(1);
    let of = |section: &str| {
        let name = section.split_once("<h3>").unwrap().1.split_once("</h3>").unwrap().0.to_owned();
        let head = section.split_once("data-head=").map(|(_, rest)| rest.split_once('>').unwrap().1);
        let head: Option<Value> =
            head.map(|head| serde_json::from_str(head.split_once("</script>").unwrap().0).unwrap());
        (name, head.and_then(|head| head["samples"]["rows"].as_u64()).unwrap_or(0))
    };
    sections.map(of).collect()
}

#[test]
fn a_run_is_seen_from_its_beginning_through_a_change_of_cells_until_it_ends() {
    // The view is drawn with what processors other tests leave over.
    let place = Place::of_two_cells(60);
    let seen = Seen::begin(&place, &["--live"]);
    assert!(seen.address.starts_with("127.0.0.1:"), "{}", seen.address);
    let mut events = seen.events();
    assert!(events.head.contains("text/event-stream"), "{}", events.head);
    // Their order is drawn from the seed.
    let begun = events.next("status", |data| data.contains("\"cell\":\"")).expect("a cell");
    let (first, second) = if begun.contains("\"cell\":\"loud\"") { ("loud", "baseline") } else { ("baseline", "loud") };
    events.loaded(first);
    seen.cells_once(&mut events, |cells| cells.iter().any(|(cell, _)| cell == first));
    events.loaded(second);
    let mut late = seen.events();
    let status = late.loaded(second);
    assert!(status["label"].as_str().is_some_and(|label| label == format!("cell 2/2 {second}")), "{status}");
    // Whoever comes late has all of it.
    let both = seen.cells_once(&mut late, |cells| cells.len() == 2);
    let rows_of = |name: &str| both.iter().find(|(cell, _)| cell == name).map(|(_, rows)| *rows);
    let trace = fs::read_to_string(place.path("out").join(first).join("trace.jsonl")).unwrap();
    let samples = trace.lines().filter(|line| line.contains("\"anon_bytes\"")).count() as u64;
    assert!(samples >= 20, "{samples}");
    assert_eq!(rows_of(first), Some(samples), "{both:?}");
    assert!(rows_of(second).is_some(), "{both:?}");

    let end = events.next("end", |_| true).expect("an end");
    assert_eq!(end, "The report is in out.");
    // What is fetched then is the report, for as long as it takes to print it.
    assert_eq!(seen.page(), fs::read_to_string(place.path("out/report.html")).unwrap());
    assert_eq!(events.next("status", |_| true), None, "the events end");
    let address = seen.address.clone();
    let ran = seen.end();
    assert_eq!(ran.report["cells"].as_array().map(Vec::len), Some(2), "{}", ran.stderr);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    assert!(place.nothing_is_left());
}

#[test]
fn nobody_sees_a_run_but_browsers_of_this_host() {
    let place = Place::new("fine", 600, "");
    let mut seen = Seen::begin(&place, &["--live", "[::1]:0", "--quiet"]);
    assert!(seen.address.starts_with("[::1]:"), "{}", seen.address);
    let status = |method: &str, path: &str, host: &str| {
        let (head, body) = seen.ask(method, path, host);
        let code: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        (code, head.to_lowercase(), body)
    };
    for host in ["evil.example", "127.0.0.1.evil.example:80", "192.168.0.7", ""] {
        for path in ["/", "/events"] {
            let (code, _, body) = status("GET", path, host);
            assert_eq!(code, 403, "{host}");
            assert!(body.contains("answers to 127.0.0.1, [::1] and localhost only"), "{body}");
        }
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(status(method, "/", "localhost").0, 405, "{method}");
    }
    assert_eq!(status("GET", "/../soak.toml", "localhost").0, 404);
    let (code, head, page) = status("GET", "/", "localhost");
    assert_eq!(code, 200, "{page}");
    for guard in [
        "content-security-policy: default-src 'none'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(head.contains(guard), "{guard}: {head}");
    }
    assert!(page.contains("id=\"live-now\""));

    // A bounded number hears the events, and one that reads nothing takes no place from the others.
    let mut listening: Vec<Events> = (0..16).map(|_| seen.events()).collect();
    let (code, _, body) = status("GET", "/events", "localhost");
    assert_eq!(code, 503);
    assert!(body.contains("16 pages look at this run already"), "{body}");
    listening[0].loaded("baseline");

    // However steep ends, so does its view.
    kill_process(Pid::from_child(&seen.steep), Signal::KILL).unwrap();
    seen.steep.wait().unwrap();
    for events in &mut listening {
        assert_eq!(events.next("end", |_| true), None, "a run that was killed has not ended");
    }
}

#[test]
fn the_scenario_may_follow_the_option_and_ctrl_c_ends_both() {
    let place = Place::new("fine", 600, "");
    let mut command = place.steep(&["bisect", "--live", "soak.toml"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the scenario has no flags to search among"), "{said}");

    let seen = Seen::begin(&place, &["--live"]);
    let mut events = seen.events();
    events.loaded("baseline");
    kill_process(Pid::from_child(&seen.steep), Signal::INT).unwrap();
    events.next("end", |_| true).expect("an end");
    let ran = seen.end();
    assert_eq!(ran.status, 4, "{}", ran.report);
    assert!(place.nothing_is_left());
}

#[test]
fn what_cannot_be_listened_on_is_a_sentence_and_nothing_is_begun() {
    let place = Place::new("fine", 2, "");
    let refused = |live: &str| {
        let output = place.steep(&["run", "soak.toml", "--out", "out", "--live", live]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{live}");
        assert!(!place.path("out").exists(), "{live}");
        String::from_utf8(output.stderr).unwrap()
    };
    for live in ["0.0.0.0:8090", "192.168.1.7:8090", "[::]:8090"] {
        assert!(refused(live).contains("is not a loopback address"), "{live}: {}", refused(live));
    }
    assert!(refused("shop.example:8090").contains("names are not looked up"));
    assert!(refused("127.0.0.1:99999").contains("is not a port"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&address);
    assert!(said.contains(&format!("--live: {address} is taken by another program")), "{said}");
    let port = address.rsplit_once(':').unwrap().1;
    place.change("url = \"http://127.0.0.1:{{port}}\"", &format!("url = \"http://127.0.0.1:{port}\""));
    drop(taken);
    let said = refused(port);
    assert!(said.contains(&format!("port {port} is that of service.url")), "{said}");
}

#[test]
fn the_line_that_grows_most_is_named_while_it_grows() {
    let place = Place::new("keeps", 600, "");
    place.change("[service]\n", "[service]\nlive = \"preload\"\n");
    place.change("rate = 100\n", "rate = 20\n");
    let seen = Seen::begin(&place, &["--live"]);
    let mut events = seen.events();
    let named = events.next("status", |data| data.contains("kept at")).expect("a line");
    assert!(named.contains("keep_for_ever") || named.contains("moody.rs:"), "{named}");
    // What was seen is drawn too, and would be left behind by a run that is killed.
    assert!(place.path("out/baseline/stacks.json").exists());
    while !seen.page().contains("Growth by stack") {
        events.next("drawn", |_| true).expect("a drawing");
    }
    kill_process(Pid::from_child(&seen.steep), Signal::INT).unwrap();
    seen.end();
    assert!(place.nothing_is_left());
}
