//! Programs that start services as steep does, and are killed, or change what all their children inherit: nothing that
//! could be done within the program of the tests. The second argument is a folder for what they write.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use steep::shell::cgroups::{is_of_a_supervisor, memory_folder};
use steep::shell::{process_tree, supervisor};
use steep_core::scenario::ReadyCheck;
use steep_core::trace::Exit;

use super::support::cells::{Folders, script, stop, template};
use super::support::{FAMILY, all_gone, family_below, start};

fn folder() -> PathBuf {
    std::env::args_os().nth(2).expect("a folder").into()
}

fn run(this: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(this);
}

/// Starts a family, prints the number of its supervisor, and waits to be killed.
pub(super) fn start_family() {
    run(async {
        let process = start(&folder(), FAMILY).await;
        println!("supervisor {}", process.supervisor_pid());
        std::future::pending::<()>().await;
    });
}

/// Kills the supervisor of a family as a subreaper, and looks at what is left.
pub(super) fn kill_supervisor() {
    supervisor::become_subreaper().expect("Linux");
    run(async {
        let folder = folder();
        let mut bystander = start(&folder, "sleep 300").await;
        let mut process = start(&folder, FAMILY).await;
        let family = family_below(process.supervisor_pid()).await;
        let cgroup = fs::read_to_string(format!("/proc/{}/cgroup", process.pid())).expect("it runs");
        let cgroup = memory_folder(&cgroup).filter(|folder| is_of_a_supervisor(folder));
        let mut own_child = Command::new("sleep").arg("300").spawn().expect("sleep");
        process_tree::send(process.supervisor_pid(), Signal::KILL).expect("a child of this process");
        let exit = process.wait_until_gone().await;
        assert!(cgroup.is_none_or(|folder| !folder.exists()), "its cgroup is removed by whoever comes after it");
        assert_eq!(exit, Exit { code: None, signal: None, oom_kill: false });
        assert!(all_gone(&family));
        assert!(own_child.try_wait().expect("a child").is_none(), "what steep started by itself lives on");
        own_child.kill().expect("a child");
        own_child.wait().expect("a child");
        let is_alive = process_tree::stat_of(bystander.pid()).is_some_and(|process| !process.ended);
        assert!(is_alive, "another service lives on");
        bystander.stop(&stop()).await;
    });
}

/// Opens a listener that all its children inherit, and starts a service at its address.
pub(super) fn hand_down() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).expect("it is handed down");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut service = script("sleep 300");
        let address = template(url.trim_start_matches("http://"));
        service.ready.as_mut().expect("asked for").check = ReadyCheck::Tcp(address);
        service.url = Some(template(&url));
        let other = Command::new("sleep").arg("300").spawn();
        let running = Folders::at(folder()).start(&service, &[]).await;
        other.expect("a process").kill().expect("a child");
        let mut running = running.expect("the service has the listener");
        let unknown = &running.unknown;
        assert!(unknown.iter().any(|unknown| unknown.contains("has the listening socket as well")), "{unknown:?}");
        running.stop().await;
    });
}
