//! Listening sockets in the texts of `/proc/net/tcp` and `/proc/net/tcp6`, and which of them the kernel gives a
//! connection to. Pure.
//!
//! The lines are those of the kernel's `Documentation/networking/proc_net_tcp.rst`. The kernel looks for a listener of
//! the very address first, then for one of all addresses, and of the latter takes one of IPv4 before one of IPv6 that
//! hears both (`__inet_lookup_listener` and `compute_score` of `net/ipv4/inet_hashtables.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A socket that takes connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// What it is bound to; an IPv4 address in the clothes of IPv6 is given as that of IPv4.
    pub address: SocketAddr,
    /// The user who made it.
    pub user: u32,
    /// Names it among the open files of processes: `socket:[17]`.
    pub inode: u64,
}

/// A line of one of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A socket that takes connections.
    Listening(Listener),
    /// The first line; a connection that is not made yet, which older kernels list between listeners.
    Passed,
    /// A connection: no listener follows.
    Connection,
}

/// The listeners that a connection to one address may come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    /// There is none.
    Nobody,
    /// One of these; several share the port (`SO_REUSEPORT`).
    These(Vec<Listener>),
    /// One of these if they hear IPv4 as well, which the files do not say; otherwise nobody.
    IfDual(Vec<Listener>),
}

/// State 10, `TCP_LISTEN`.
const LISTEN: &str = "0A";
/// State 3, `TCP_SYN_RECV`.
const SYN_RECEIVED: &str = "03";

/// Reads one line.
#[must_use]
pub fn line(text: &str) -> Line {
    let mut fields = text.split_ascii_whitespace();
    let (Some(local), Some(state)) = (fields.nth(1), fields.nth(1)) else { return Line::Passed };
    match state {
        LISTEN => listener(local, &mut fields).map_or(Line::Passed, Line::Listening),
        SYN_RECEIVED | "st" => Line::Passed,
        _ => Line::Connection,
    }
}

/// What follows the state: queues, timer, retransmissions, user, timeout, inode.
fn listener<'t>(local: &str, fields: &mut impl Iterator<Item = &'t str>) -> Option<Listener> {
    let address = address(local)?;
    let user = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Listener { address, user, inode })
}

/// `0100007F:1F90`: words of 32 bits, each as this machine reads the bytes that go over the wire.
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for word in words.as_bytes().chunks(8) {
        let word = std::str::from_utf8(word).ok().filter(|word| word.len() == 8)?;
        bytes.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

/// Those of `all` that a connection to `address` may come to.
#[must_use]
pub fn candidates(all: &[Listener], address: SocketAddr) -> Candidates {
    let at = |ip: IpAddr| -> Vec<Listener> {
        all.iter().filter(|listener| listener.address == SocketAddr::new(ip, address.port())).copied().collect()
    };
    let exact = at(address.ip());
    if !exact.is_empty() {
        return Candidates::These(exact);
    }
    let everywhere = at(Ipv6Addr::UNSPECIFIED.into());
    let of_own_kind = if address.is_ipv4() { at(Ipv4Addr::UNSPECIFIED.into()) } else { everywhere.clone() };
    match (of_own_kind.is_empty(), everywhere.is_empty()) {
        (false, _) => Candidates::These(of_own_kind),
        (true, false) => Candidates::IfDual(everywhere),
        (true, true) => Candidates::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(address: &str, inode: u64) -> Listener {
        Listener { address: address.parse().expect("an address"), user: 0, inode }
    }

    fn to(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    /// As this machine writes it.
    fn hex(address: SocketAddr) -> String {
        let bytes = match address.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let words: String = bytes
            .chunks(4)
            .map(|word| format!("{:08X}", u32::from_ne_bytes(word.try_into().expect("four bytes"))))
            .collect();
        format!("{words}:{:04X}", address.port())
    }

    #[test]
    fn lines_of_both_files_are_read() {
        let rest = "00:00000000 00000000  1000        0 60059 1 00000000ca50c3ca 100 0 0 10 0";
        for text in ["127.0.0.1:28790", "0.0.0.0:80", "[::1]:443", "[::]:8080", "127.0.0.2:65535"] {
            let local = hex(to(text));
            let read = line(&format!("   0: {local} 00000000:0000 0A 00000000:00000000 {rest}"));
            assert_eq!(read, Line::Listening(Listener { address: to(text), user: 1000, inode: 60059 }), "{text}");
            let connected = line(&format!("   1: {local} 0100007F:BD92 01 00000000:00000000 {rest}"));
            assert_eq!(connected, Line::Connection);
            let opening = line(&format!("   1: {local} 0100007F:BD92 03 00000000:00000000 {rest}"));
            assert_eq!(opening, Line::Passed);
        }
        let mapped = hex(to("[::ffff:127.0.0.1]:80"));
        let read = line(&format!("   0: {mapped} 00000000:0000 0A 00000000:00000000 {rest}"));
        assert!(matches!(read, Line::Listening(listener) if listener.address == to("127.0.0.1:80")), "{read:?}");
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(line(head), Line::Passed);
        assert_eq!((line(""), line("0: 0100007F:1 0 0A")), (Line::Passed, Line::Passed));
    }

    #[test]
    fn the_very_address_comes_before_all_addresses() {
        let all = [listening("0.0.0.0:80", 1), listening("127.0.0.1:80", 2), listening("[::]:80", 3)];
        assert_eq!(candidates(&all, to("127.0.0.1:80")), Candidates::These(vec![all[1]]));
        assert_eq!(candidates(&all, to("127.0.0.2:80")), Candidates::These(vec![all[0]]));
        assert_eq!(candidates(&all, to("[::1]:80")), Candidates::These(vec![all[2]]));
        assert_eq!(candidates(&all, to("127.0.0.1:81")), Candidates::Nobody);
    }

    #[test]
    fn several_may_share_a_port_and_ipv6_may_hear_ipv4() {
        let shared = [listening("127.0.0.1:80", 1), listening("127.0.0.1:80", 2), listening("[::1]:80", 3)];
        assert_eq!(candidates(&shared, to("127.0.0.1:80")), Candidates::These(shared[..2].to_vec()));
        let dual = [listening("[::]:80", 4), listening("[::1]:80", 3)];
        assert_eq!(candidates(&dual, to("127.0.0.1:80")), Candidates::IfDual(dual[..1].to_vec()));
        assert_eq!(candidates(&[listening("0.0.0.0:80", 1)], to("[::1]:80")), Candidates::Nobody);
    }
}
