//! With listeners of this process, which is its own stranger.

use super::*;

fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

#[test]
fn who_listens_is_known_by_its_parent() {
    let (listener, address) = listening();
    let parent = process_tree::stat_of(std::process::id()).expect("it runs").parent;
    let mut watch = Watch::new(&[address], vec![parent], Vec::new());
    assert_eq!(watch.look(), Answerer::Own);
    assert_eq!(watch.settle(), (Answerer::Own, Some(address)));
    // The second look is by what the first has found.
    assert_eq!(watch.known.len(), 1);
    assert_eq!(watch.look(), Answerer::Own);
    drop(listener);
    assert_eq!(watch.look(), Answerer::Nobody);
    assert!(watch.known.is_empty());
}

#[test]
fn this_host_shows_whose_sockets_are() {
    assert!(is_sighted());
}

#[test]
fn who_is_not_below_is_a_stranger_and_may_be_kin() {
    let (_listener, address) = listening();
    let own = std::process::id();
    let parent = process_tree::stat_of(own).expect("it runs").parent;
    let nobody = u32::MAX;
    let Answerer::Stranger(stranger) = Watch::new(&[address], vec![nobody], Vec::new()).look() else {
        panic!("a stranger")
    };
    assert_eq!(stranger.process.as_ref().map(|process| process.pid), Some(own));
    assert_eq!((stranger.address, stranger.is_shared, stranger.kin), (address, false, None));
    let kin = vec![("dependency `db`".to_owned(), parent)];
    let Answerer::Stranger(stranger) = Watch::new(&[address], vec![nobody], kin).look() else { panic!("a stranger") };
    assert!(stranger.to_string().contains("which is dependency `db`"), "{stranger}");
    // It descends from nobody but itself, and a parent may hand its socket down.
    assert_eq!(taken(&[address], Vec::new(), Vec::new()), None);
}

#[test]
fn of_several_addresses_one_stranger_counts() {
    let (_own, own) = listening();
    let (elsewhere, free) = listening();
    drop(elsewhere);
    let parent = process_tree::stat_of(std::process::id()).expect("it runs").parent;
    assert_eq!(Watch::new(&[free, own], vec![parent], Vec::new()).look(), Answerer::Own);
    assert_eq!(Watch::new(&[free, own], vec![parent], Vec::new()).settle(), (Answerer::Own, Some(own)));
    assert!(matches!(Watch::new(&[free, own], vec![u32::MAX], Vec::new()).look(), Answerer::Stranger(_)));
}

#[test]
fn a_stranger_is_reported_in_one_sentence_with_what_to_do() {
    let process = |command: &str| Some(Named { pid: 4711, command: command.to_owned() });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let stranger = |process, kin: Option<&str>, is_shared| Stranger {
        address,
        process,
        user: 33,
        is_shared,
        kin: kin.map(str::to_owned),
    };
    insta::assert_snapshot!(stranger(process("python3 -m http.server"), None, false), @"another program answers on the port: 127.0.0.1:8080 is in use by process 4711 (`python3 -m http.server`), which is not one that steep started here; end that program, or give the service another port: {{port}} in its arguments and in service.url is one that steep picks and holds; a proxy in front of it is one of [[dependencies]], whose port service.url names");
    insta::assert_snapshot!(stranger(None, None, true), @"another program answers on the port: 127.0.0.1:8080 is in use by a process of user 33 that cannot be seen from here, which is not one that steep started here, and shares it with the service (SO_REUSEPORT); end that program, or give the service another port: {{port}} in its arguments and in service.url is one that steep picks and holds; a proxy in front of it is one of [[dependencies]], whose port service.url names");
    insta::assert_snapshot!(stranger(process("/usr/bin/docker-proxy -proto tcp"), None, false), @"another program answers on the port: 127.0.0.1:8080 is in use by process 4711 (`/usr/bin/docker-proxy -proto tcp`), which is not one that steep started here; what runs in a container is not a child of the command that asks for it, and its memory would not be seen: start the program itself");
    insta::assert_snapshot!(stranger(process("nginx: master process"), Some("dependency `front`"), false), @r#"another program answers on the port: 127.0.0.1:8080 is in use by process 4711 (`nginx: master process`), which is dependency `front`; where it stands in front of the service, name its port in service.url: "http://127.0.0.1:{{<dependency>.port}}""#);
}

#[test]
fn a_command_line_is_shown_as_far_as_it_is_not_a_secret() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::holders::in_one_line;

    let mut child = Command::new("sh")
        .args(["-c", "echo; read line", "PASSWORD=hush", "\u{1b}]52;c;x\u{7}", "--more"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    // From its first byte on it is the shell.
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("a line");
    let name = name_of(child.id());
    drop(child.stdin.take());
    child.wait().expect("it ends");
    assert_eq!(name, "sh -c echo; read line");
    assert_eq!(in_one_line("a\u{1b}]52;c;x\u{7}`b`\n".chars()), "a?]52;c;x??b??");
}
