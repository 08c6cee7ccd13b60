//! Whose port it is: a stranger's answers are not judged as the service's, and an address in use is not a crash.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use steep::shell::ports::Port;

use super::{Place, Ran, begun};
use crate::support::not_run;

/// A port that nobody else picks.
fn port() -> Port {
    let mut port = Port::pick().unwrap();
    port.release();
    port
}

/// The reason of a run that could not be done.
fn not_done(ran: &Ran) -> &str {
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"), "{}", ran.stderr);
    ran.reason()
}

#[test]
fn a_service_that_never_listens_is_not_cleared_by_another_program_on_its_port() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (place, more) = (Place::new("fine", 2, ""), "\"sleep\", \"300\"]");
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap().replace("{{port}}", &port.to_string());
    let lines = scenario
        .lines()
        .map(|line| if line.starts_with("command = ") { format!("command = [{more}") } else { line.to_owned() });
    fs::write(place.path("soak.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    let answering = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        // Whoever asks is answered well. Ends with the first that asks nothing.
        let mut asked = 0;
        for mut stream in listener.incoming().flatten() {
            if stream.read(&mut [0; 4096]).unwrap_or(0) == 0 {
                break;
            }
            asked += 1;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
        asked
    });
    let ran = place.run();
    let reason = not_done(&ran);
    assert!(reason.starts_with("another program answers on the port"), "{reason}");
    assert!(reason.contains(&format!("process {}", std::process::id())), "{reason}");
    drop(std::net::TcpStream::connect(("127.0.0.1", port)).unwrap());
    assert_eq!(answering.join().unwrap(), 0, "a stranger is asked nothing");
}

#[test]
fn a_stranger_that_takes_the_port_under_load_ends_the_cell() {
    let port = port();
    let place = Place::new("gives-way", 600, "");
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap();
    fs::write(place.path("soak.toml"), scenario.replace("{{port}}", &port.number().to_string())).unwrap();
    let (mut steep, _stderr) = begun(&place);
    let _listener = loop {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port.number())) {
            break listener;
        }
        assert!(steep.try_wait().unwrap().is_none(), "steep ended before the service gave way");
        std::thread::yield_now();
    };
    let output = steep.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stdout}");
    let words = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("another program answers on the port"), "{stdout}");
    assert!(place.nothing_is_left());
}

#[test]
fn a_service_that_ends_because_an_address_is_in_use_did_not_crash() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new("binds-late", 20, "");
    let other = format!("env = {{ OTHER = \"{}\", MOOD = ", taken.local_addr().unwrap().port());
    place.change("env = { MOOD = ", &other);
    let ran = place.run();
    let reason = not_done(&ran);
    assert!(reason.contains("exit status 1") && reason.contains("not a crash of its own"), "{reason}");
    assert!(reason.contains("bind the metrics"), "its last words: {reason}");
    assert!(ran.requests("ok") >= 50 && place.nothing_is_left());
}

#[test]
fn a_port_that_is_none_is_a_problem_and_nothing_is_started() {
    for (from, to) in
        [("127.0.0.1:{{port}}\"\nready", "127.0.0.1:1{{port}}\"\nready"), ("{{port}}\"\nready", "65536\"\nready")]
    {
        let place = Place::new("fine", 2, "");
        place.change(from, to);
        for command in ["check", "run"] {
            let ran = Ran::of(place.steep(&[command, "soak.toml"]).output().unwrap());
            assert_eq!(ran.status, 2, "{}", ran.stderr);
            assert!(ran.stderr.contains("url"), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_localhost_of_another_host_gets_neither_a_question_nor_a_credential() {
    let is_possible = |script: &str| {
        Command::new("unshare")
            .args(["-r", "-n", "-m", "sh", "-c", script])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let place = Place::new("fine", 2, "");
    fs::write(place.path("hosts"), "192.0.2.1 localhost\n").unwrap();
    let mount = format!("mount --bind '{}' /etc/hosts", place.path("hosts").display());
    // Only where this user may have a table of hosts of its own can `localhost` lead elsewhere.
    if !is_possible(&mount) {
        return not_run("this user may not have a table of hosts of its own (unshare, mount)");
    }
    place.change("http://127.0.0.1:", "http://localhost:");
    let steep = format!("{mount}; exec '{}' run soak.toml --out out --format json", super::STEEP);
    let output = Command::new("unshare")
        .args(["-r", "-n", "-m", "sh", "-c", &steep])
        .current_dir(place.folder.path())
        .output()
        .unwrap();
    let ran = Ran::of(output);
    let reason = not_done(&ran);
    assert!(reason.contains("leads to 192.0.2.1"), "{reason}");
    assert!(!place.path("out/baseline/service.log").exists(), "nothing was started");
}

#[test]
fn runs_at_the_same_time_do_not_get_in_each_others_way() {
    let places: Vec<Place> = (0..4).map(|_| Place::new("fine", 600, "")).collect();
    let mut running = Vec::new();
    for place in &places {
        running.push(begun(place).0);
    }
    let ports: std::collections::BTreeSet<String> = places
        .iter()
        .map(|place| {
            let environment = fs::read(format!("/proc/{}/environ", place.processes()[0])).unwrap_or_default();
            let port = environment.split(|&byte| byte == 0).find(|variable| variable.starts_with(b"PORT="));
            String::from_utf8(port.unwrap_or_default().to_vec()).unwrap()
        })
        .collect();
    assert_eq!(ports.len(), places.len(), "{ports:?}");
    for steep in running {
        kill_process(Pid::from_raw(i32::try_from(steep.id()).unwrap()).unwrap(), Signal::INT).unwrap();
        assert_eq!(steep.wait_with_output().unwrap().status.code(), Some(4));
    }
}
