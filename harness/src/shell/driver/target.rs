//! The service's address: a URL into the host header, the prefix of all paths, and the socket address.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use tokio::net::TcpStream;

use super::DriverError;

/// The port of `http` where a URL names none.
const HTTP_PORT: u16 = 80;

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Host and port, as a browser would send it.
    pub(super) host: HeaderValue,
    /// Put before each path; empty, or `/` and something, without a `/` at its end.
    pub(super) base_path: String,
    addresses: Vec<SocketAddr>,
}

impl Target {
    /// Reads `url` and looks up its host, once: connections opened later go to the same place.
    pub(super) fn resolve(url: &str) -> Result<Self, DriverError> {
        let bad = |reason: &str| DriverError::BadUrl { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|error| bad(&format!("{error}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(bad("it must begin with `http://`"));
        }
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(bad("it may have neither a user nor a query"));
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| bad(&error.to_string()))?;
        let base_path = uri.path().trim_end_matches('/').to_owned();
        // An IPv6 address is in brackets in a URL, and bare where it is looked up.
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let failed = |source| DriverError::Resolve { host: authority.to_string(), source };
        let addresses: Vec<SocketAddr> =
            (name, authority.port_u16().unwrap_or(HTTP_PORT)).to_socket_addrs().map_err(failed)?.collect();
        // The last guard: whatever a name stands for, load goes to this host only.
        if addresses.iter().any(|address| !address.ip().is_loopback()) {
            return Err(bad("it must be an address of this host"));
        }
        if addresses.is_empty() {
            return Err(failed(io::Error::from(io::ErrorKind::AddrNotAvailable)));
        }
        Ok(Self { host, base_path, addresses })
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

    /// Opens a connection.
    pub(super) async fn dial(&self, within: Duration) -> io::Result<TcpStream> {
        let stream = tokio::time::timeout(within, TcpStream::connect(self.address())).await??;
        // A request is one write: nothing is gained by holding it back.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_host_prefix_and_address() {
        let target = Target::resolve("http://127.0.0.1:8080/api/").expect("a target");
        assert_eq!((target.host.as_bytes(), target.base_path.as_str()), (&b"127.0.0.1:8080"[..], "/api"));
        assert_eq!(target.address(), SocketAddr::from(([127, 0, 0, 1], 8080)));
        let target = Target::resolve("http://[::1]").expect("a target");
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
        ] {
            assert!(matches!(Target::resolve(url), Err(DriverError::BadUrl { .. })), "{url}");
        }
    }
}
