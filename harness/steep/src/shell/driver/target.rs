//! The service's address: an endpoint into the host header, the prefix of all paths, and connections.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::shell::access::Access;
use crate::shell::loopback::{self, Endpoint};
use steep_core::scenario::Protocol;

use super::DriverError;
use super::meter::{Meter, Metered};
use super::slow::{RECEIVE_BUFFER_BYTES, Rates, Slow};
use super::stream::Stream;

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
    /// That of `endpoint`, whose host was looked up before: connections opened later go to the same place.
    pub(super) fn new(endpoint: &Endpoint, protocol: Protocol, access: &Access) -> Result<Self, DriverError> {
        let url = endpoint.text();
        let bad = |reason: &str| DriverError::BadUrl { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|error| bad(&format!("{error}")))?;
        let authority = uri.authority().filter(|_| uri.scheme().is_some());
        let authority = authority.ok_or_else(|| bad("it must begin with `http://` or `https://`"))?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| bad(&error.to_string()))?;
        let base_path = match protocol {
            Protocol::Http1 => uri.path().trim_end_matches('/').to_owned(),
            Protocol::Http2 => url.trim_end_matches('/').to_owned(),
        };
        let tls = if endpoint.is_https() {
            let trust = access.trust.as_ref().ok_or_else(|| bad("nothing says which certificate is trusted"))?;
            let server = trust.name_at(endpoint.host()).ok_or_else(|| bad("no certificate is for such a host"))?;
            Some((TlsConnector::from(trust.config()), server))
        } else {
            None
        };
        Ok(Self { host, base_path, protocol, addresses: endpoint.addresses().to_vec(), tls, meter: Rc::default() })
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
        let socket = loopback::connect(self.address(), rates.read.map(|_| RECEIVE_BUFFER_BYTES)).await?;
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

    #[test]
    fn an_endpoint_gives_host_prefix_and_address() {
        let target = |url| {
            let endpoint = Endpoint::of_number(url).expect("an endpoint");
            Target::new(&endpoint, Protocol::Http1, &Access::default())
        };
        let api = target("http://127.0.0.1:8080/api/").expect("a target");
        assert_eq!((api.host.as_bytes(), api.base_path.as_str()), (&b"127.0.0.1:8080"[..], "/api"));
        assert_eq!(api.address(), SocketAddr::from(([127, 0, 0, 1], 8080)));
        let bare = target("http://[::1]").expect("a target");
        assert_eq!((bare.address().port(), bare.base_path.as_str()), (80, ""));
        for url in ["127.0.0.1:80", "https://127.0.0.1"] {
            assert!(matches!(target(url), Err(DriverError::BadUrl { .. })), "{url}");
        }
    }

    #[test]
    fn tls_needs_trust_and_has_its_own_port() {
        let tls = steep_core::scenario::Tls { insecure: true, ..Default::default() };
        let trust = crate::shell::trust::Trust::new(&tls, Protocol::Http2, std::path::Path::new("")).expect("trust");
        let endpoint = Endpoint::of_number("https://127.0.0.1/api/").expect("an endpoint");
        let target = Target::new(&endpoint, Protocol::Http2, &Access::trusting(trust)).expect("a target");
        assert_eq!((target.address().port(), target.base_path.as_str()), (443, "https://127.0.0.1/api"));
    }
}
