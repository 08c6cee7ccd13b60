//! Free ports, held from picking until their process starts, and claimed among all steeps of this host until the cell
//! is over.
//!
//! Two things take a port between its picking and its use. Another steep that picks at the same time: so each picked
//! port is claimed by a socket of that name, which lives as long as the port is wanted and ends with the process,
//! however it ends. And a connection that any program opens, which gets some port for its own end: so ports are picked
//! from where the kernel takes none for that. Until its process starts the port is bound besides, without being
//! listened on: nobody is answered there. What is left is a program with a fixed port of its own that starts in the
//! very moment; then the service says "address in use", and is started once more with another port.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, ipproto, socket_with, sockopt};

/// Below lie ports that people give to their programs; from 30000 on a node of Kubernetes sends elsewhere what comes to
/// it.
const PORTS: RangeInclusive<u16> = 10_240..=29_999;

/// With fewer ports than this outside of the kernel's own the kernel picks.
const FEWEST: u16 = 1024;

/// So many ports are tried.
const TRIES: u16 = 512;

/// A port that is free, and stays so.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Holds it until its process starts.
    hold: Option<OwnedFd>,
    /// Keeps other steeps from picking it.
    _claim: Claim,
}

impl Port {
    /// Picks a port that is free on all addresses of this host.
    ///
    /// # Errors
    /// When none is available.
    pub fn pick() -> io::Result<Self> {
        let range = outside(own_range());
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        let random = RandomState::new();
        for turn in 0..TRIES {
            let wanted = range.as_ref().map_or(0, |range| {
                let count = u64::from(range.end() - range.start()) + 1;
                // Less than 65536.
                range.start() + u16::try_from(random.hash_one(turn) % count).unwrap_or(0)
            });
            match Self::take(wanted) {
                Ok(port) => return Ok(port),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Takes this port; 0: one that the kernel picks.
    fn take(wanted: u16) -> io::Result<Self> {
        // A port that another steep has claimed is not even touched: its service may be about to listen.
        if wanted > 0 {
            let claim = Claim::of(wanted)?;
            let (number, hold) = hold(wanted)?;
            return Ok(Self { number, hold: Some(hold), _claim: claim });
        }
        let (number, hold) = hold(0)?;
        Ok(Self { number, hold: Some(hold), _claim: Claim::of(number)? })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Lets it go for the process that it is for; the claim among steeps stays.
    pub fn release(&mut self) {
        self.hold = None;
    }
}

/// Binds a socket to `port` of all addresses, IPv6 and IPv4, so that it is free wherever the service wants to listen.
fn hold(port: u16) -> io::Result<(u16, OwnedFd)> {
    let of_both = || -> io::Result<OwnedFd> {
        let socket = tcp(AddressFamily::INET6)?;
        sockopt::set_ipv6_v6only(&socket, false)?;
        bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))?;
        Ok(socket)
    };
    let held = match of_both() {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            // A host without IPv6.
            let socket = tcp(AddressFamily::INET)?;
            bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
            socket
        }
        held => held?,
    };
    let address = SocketAddr::try_from(getsockname(&held)?)?;
    Ok((address.port(), held))
}

fn tcp(family: AddressFamily) -> io::Result<OwnedFd> {
    // No SO_REUSEADDR: two such sockets could have one port.
    Ok(socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?)
}

/// A name among the sockets of this network namespace; the kernel takes it back when its owner ends.
#[derive(Debug)]
struct Claim {
    #[cfg(target_os = "linux")]
    _socket: std::os::unix::net::UnixDatagram,
}

impl Claim {
    #[cfg(target_os = "linux")]
    fn of(port: u16) -> io::Result<Self> {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let name = SocketAddr::from_abstract_name(format!("steep-port-{port}"))?;
        Ok(Self { _socket: UnixDatagram::bind_addr(&name)? })
    }

    /// Other systems have no such names: there a service that comes too late is started once more.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, reason = "as on Linux")]
    fn of(_: u16) -> io::Result<Self> {
        Ok(Self {})
    }
}

/// From where the kernel takes ports for connections that programs open; none where it does not say so.
fn own_range() -> Option<RangeInclusive<u16>> {
    range_in(&std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
}

fn range_in(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_ascii_whitespace().map(|number| number.parse().ok());
    Some(numbers.next()??..=numbers.next()??)
}

/// The larger part of [`PORTS`] that is not the kernel's; none where that is too small, or what is the kernel's is not
/// known.
fn outside(own: Option<RangeInclusive<u16>>) -> Option<RangeInclusive<u16>> {
    let own = own?;
    let below = *PORTS.start()..=(*PORTS.end()).min(own.start().saturating_sub(1));
    let above = (*PORTS.start()).max(own.end().saturating_add(1))..=*PORTS.end();
    let size = |range: &RangeInclusive<u16>| (range.end() + 1).saturating_sub(*range.start());
    let larger = if size(&below) >= size(&above) { below } else { above };
    (size(&larger) >= FEWEST).then_some(larger)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_picked_port_is_held_and_answers_nobody_until_it_is_released() {
        let mut port = Port::pick().expect("a port");
        for address in ["127.0.0.1", "0.0.0.0", "[::1]"] {
            let address = format!("{address}:{}", port.number());
            // Taken, or a host without IPv6.
            assert!(TcpListener::bind(&address).is_err(), "{address}");
        }
        assert!(TcpStream::connect(("127.0.0.1", port.number())).is_err());
        port.release();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).expect("it is free");
        assert!(Port::take(port.number()).is_err());
        drop(listener);
    }

    #[test]
    fn a_released_port_is_not_picked_again_while_it_is_wanted() {
        let mut port = Port::pick().expect("a port");
        port.release();
        let number = port.number();
        assert!(cfg!(not(target_os = "linux")) || Port::take(number).is_err());
        drop(port);
        assert_eq!(Port::take(number).expect("nobody wants it any more").number(), number);
    }

    #[test]
    fn pickers_at_the_same_time_get_different_ports() {
        let picker = || {
            let ports: Vec<Port> =
                std::iter::repeat_with(Port::pick).take(100).collect::<Result<_, _>>().expect("ports");
            ports
                .into_iter()
                .map(|mut port| {
                    port.release();
                    port
                })
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(picker)).collect();
        // All stay claimed until the last has picked.
        let ports: Vec<Port> = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
        let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert!(cfg!(not(target_os = "linux")) || numbers.len() == 800, "{} of 800", numbers.len());
    }

    #[test]
    fn ports_are_picked_where_the_kernel_takes_none_for_connections() {
        assert_eq!(outside(range_in("32768\t60999\n")), Some(PORTS));
        assert_eq!(outside(range_in("20000 60999")), Some(10_240..=19_999));
        assert_eq!(outside(range_in("1024 15000")), Some(15_001..=29_999));
        assert_eq!(outside(range_in("1024 65535")), None);
        assert_eq!(outside(range_in("10300 29000")), None);
        assert_eq!(outside(range_in("nonsense")), None);
        assert_eq!(outside(None), None);
    }
}
