//! The service's address: a URL into the host header, the prefix of all paths, and the socket address.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::rc::Rc;
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::scenario::Protocol;
use crate::shell::access::Access;

use super::DriverError;
use super::meter::{Meter, Metered};
use super::slow::{RECEIVE_BUFFER_BYTES, Rates, Slow};
use super::stream::Stream;

/// The ports of `http` and `https` where a URL names none.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Where requests go.
#[derive(Clone)]
pub(super) struct Target {
    /// Host and port, as a browser would send it.
    pub(super) host: HeaderValue,
    /// Put before each path; empty, or `/` and something, without a `/` at its end. HTTP/2 wants the whole address.
    pub(super) base_path: String,
    pub(super) protocol: Protocol,
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Counts the bytes of all its connections.
    pub(super) meter: Rc<Meter>,
}

impl Target {
    /// Reads `url` and looks up its host, once: connections opened later go to the same place.
    pub(super) fn resolve(url: &str, protocol: Protocol, access: &Access) -> Result<Self, DriverError> {
        let bad = |reason: &str| DriverError::BadUrl { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|error| bad(&format!("{error}")))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("it must begin with `http://` or `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(bad("it may have neither a user nor a query"));
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| bad(&error.to_string()))?;
        let base_path = match protocol {
            Protocol::Http1 => uri.path().trim_end_matches('/').to_owned(),
            Protocol::Http2 => url.trim_end_matches('/').to_owned(),
        };
        // An IPv6 address is in brackets in a URL, and bare where it is looked up.
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let failed = |source| DriverError::Resolve { host: authority.to_string(), source };
        let default_port = if is_https { HTTPS_PORT } else { HTTP_PORT };
        let addresses: Vec<SocketAddr> =
            (name, authority.port_u16().unwrap_or(default_port)).to_socket_addrs().map_err(failed)?.collect();
        // The last guard: whatever a name stands for, load goes to this host only.
        if addresses.iter().any(|address| !address.ip().is_loopback()) {
            return Err(bad("it must be an address of this host"));
        }
        if addresses.is_empty() {
            return Err(failed(io::Error::from(io::ErrorKind::AddrNotAvailable)));
        }
        let tls = if is_https {
            let trust = access.trust.as_ref().ok_or_else(|| bad("nothing says which certificate is trusted"))?;
            let server = trust.name_at(name).ok_or_else(|| bad("no certificate is for such a host"))?;
            Some((TlsConnector::from(trust.config()), server))
        } else {
            None
        };
        Ok(Self { host, base_path, protocol, addresses, tls, meter: Rc::default() })
    }

    /// Where the next connection goes.
    pub(super) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Goes on to another address of the host; false if there is none.
    pub(super) fn try_another_address(&mut self) -> bool {
        if self.addresses.len() > 1 {
            self.addresses.remove(0);
            return true;
        }
        false
    }

    /// Opens a connection whose bytes pass at these rates.
    pub(super) async fn dial(&self, within: Duration, rates: Rates) -> io::Result<Stream> {
        tokio::time::timeout(within, self.connect(rates)).await?
    }

    async fn connect(&self, rates: Rates) -> io::Result<Stream> {
        let socket = match rates.read {
            Some(_) => {
                let socket = if self.address().is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
                socket.connect(self.address()).await?
            }
            None => TcpStream::connect(self.address()).await?,
        };
        // A request is one write: nothing is gained by holding it back.
        socket.set_nodelay(true)?;
        let socket = Metered::new(socket, Rc::clone(&self.meter));
        let is_slow = rates.read.is_some() || rates.send.is_some();
        Ok(match &self.tls {
            None if is_slow => {
                let mut slow = Slow::new(socket);
                slow.slow_down(rates);
                Stream::Other(Box::new(slow))
            }
            None => Stream::Plain(socket),
            Some((tls, server)) if is_slow => {
                let mut stream = tls.connect(server.clone(), Slow::new(socket)).await?;
                self.check_alpn(stream.get_ref().1.alpn_protocol())?;
                stream.get_mut().0.slow_down(rates);
                Stream::Other(Box::new(stream))
            }
            Some((tls, server)) => {
                let stream = tls.connect(server.clone(), socket).await?;
                self.check_alpn(stream.get_ref().1.alpn_protocol())?;
                Stream::Other(Box::new(stream))
            }
        })
    }

    /// That the service has agreed to HTTP/2, where it is to be spoken. HTTP/1.1 is what is spoken without agreement.
    fn check_alpn(&self, agreed: Option<&[u8]>) -> io::Result<()> {
        if self.protocol == Protocol::Http2 && agreed != Some(b"h2") {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the service did not agree to HTTP/2 (ALPN)"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(url: &str) -> Result<Target, DriverError> {
        Target::resolve(url, Protocol::Http1, &Access::default())
    }

    #[test]
    fn a_url_gives_host_prefix_and_address() {
        let target = resolve("http://127.0.0.1:8080/api/").expect("a target");
        assert_eq!((target.host.as_bytes(), target.base_path.as_str()), (&b"127.0.0.1:8080"[..], "/api"));
        assert_eq!(target.address(), SocketAddr::from(([127, 0, 0, 1], 8080)));
        let target = resolve("http://[::1]").expect("a target");
        assert_eq!((target.address().port(), target.base_path.as_str()), (80, ""));
    }

    #[test]
    fn what_is_no_url_of_a_service_is_told() {
        for url in [
            "",
            "127.0.0.1:80",
            "https://127.0.0.1",
            "http://u:p@127.0.0.1",
            "http://127.0.0.1/?a=b",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
        ] {
            assert!(matches!(resolve(url), Err(DriverError::BadUrl { .. })), "{url}");
        }
    }

    #[test]
    fn tls_leads_to_this_host_only_as_well() {
        let tls = crate::scenario::Tls { insecure: true, ..Default::default() };
        let trust = crate::shell::trust::Trust::new(&tls, Protocol::Http2, std::path::Path::new("")).expect("trust");
        let access = Access::trusting(trust);
        let resolve = |url| Target::resolve(url, Protocol::Http2, &access);
        let target = resolve("https://127.0.0.1/api/").expect("a target");
        assert_eq!((target.address().port(), target.base_path.as_str()), (443, "https://127.0.0.1/api"));
        assert!(matches!(resolve("https://10.0.0.1"), Err(DriverError::BadUrl { .. })));
    }
}
