//! Where steep connects to: addresses of this host, and nothing else. Every connection of steep begins here, those of
//! the load and those of questions; `tests/tidy.rs` holds it.
//!
//! A name is looked up once, and whoever is asked later is asked at the addresses found then. So what was seen to be
//! ready is what is loaded and read, and a `localhost` that stands for another host gets neither a question nor a
//! credential.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream as BlockingStream};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{ClientBuilder, Method, RequestBuilder};
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use url::{Host, Url};

/// How long looking up `localhost` may take: it stands in a file, unless this host asks a name server that does not
/// answer.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a listener of this host may take to be reached. A full queue drops what comes, and is a listener all the
/// same.
const REACH_TIMEOUT: Duration = Duration::from_millis(100);

/// An address that steep may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://localhost:8080`, or `localhost:8080` where no HTTP is spoken; without a `/` at its end.
    text: String,
    /// As it stands in the text, without brackets.
    host: String,
    is_https: bool,
    /// What it stands for on this host: never empty.
    addresses: Vec<SocketAddr>,
}

/// Why steep does not connect there.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// No address.
    #[error("`{text}` is not an address of a service: {reason}")]
    Bad {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that nobody knows.
    #[error("`{host}` has no address on this host: {source}")]
    Unknown {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// An address of another host.
    #[error(
        "`{text}` leads to {ip}, which is not a loopback address, and steep asks and loads only its own host; write 127.0.0.1 or [::1], or mend /etc/hosts"
    )]
    Elsewhere {
        /// What was given.
        text: String,
        /// Where it leads.
        ip: IpAddr,
    },
}

impl Endpoint {
    /// Of a URL that begins with `http://` or `https://`, or of `host:port`.
    ///
    /// # Errors
    /// No such thing, a name without an address, or another host.
    pub async fn resolve(text: &str) -> Result<Self, EndpointError> {
        let parsed = Parsed::of(text)?;
        let addresses = match parsed.ip() {
            Some(ip) => vec![SocketAddr::new(ip, parsed.port)],
            None => parsed.look_up().await?,
        };
        parsed.leading_to(text, addresses)
    }

    /// As [`Endpoint::resolve`], of a text in which no name is to be looked up.
    ///
    /// # Errors
    /// As there, and a name.
    pub fn of_number(text: &str) -> Result<Self, EndpointError> {
        let parsed = Parsed::of(text)?;
        let ip = parsed.ip().ok_or_else(|| bad(text, "it must name its host by number"))?;
        let address = SocketAddr::new(ip, parsed.port);
        parsed.leading_to(text, vec![address])
    }

    /// The same, by one of its addresses only.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { addresses: vec![address], ..self.clone() }
    }

    /// Its addresses, as they are to be tried.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// As it was written, without a `/` at its end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether TLS is spoken there.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Its port, which all of its addresses have.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addresses[0].port()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text taken apart.
struct Parsed {
    text: String,
    host: Host<String>,
    port: u16,
    is_https: bool,
}

fn bad(text: &str, reason: &str) -> EndpointError {
    EndpointError::Bad { text: text.to_owned(), reason: reason.to_owned() }
}

impl Parsed {
    fn of(text: &str) -> Result<Self, EndpointError> {
        let is_url = text.contains("://");
        // Without a scheme of its own `host:port` is that of HTTP, whose port may be left out; here it may not.
        let url = if is_url { text.to_owned() } else { format!("tcp://{text}") };
        let url = Url::parse(&url).map_err(|error| bad(text, &error.to_string()))?;
        let is_https = url.scheme() == "https";
        if is_url && !["http", "https"].contains(&url.scheme()) {
            return Err(bad(text, "it must begin with `http://` or `https://`"));
        }
        if text.contains('@') || url.query().is_some() || url.fragment().is_some() {
            return Err(bad(text, "it may have neither a user nor a query"));
        }
        let host = url.host_str().ok_or_else(|| bad(text, "it names no host"))?;
        let host = Host::parse(host).map_err(|error| bad(text, &error.to_string()))?;
        let port = url.port_or_known_default().filter(|&port| port > 0);
        let port = port.ok_or_else(|| bad(text, "it names no port"))?;
        Ok(Self { text: text.trim_end_matches('/').to_owned(), host, port, is_https })
    }

    fn ip(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some((*ip).into()),
            Host::Ipv6(ip) => Some((*ip).into()),
        }
    }

    /// Without brackets.
    fn name(&self) -> String {
        self.ip().map_or_else(|| self.host.to_string(), |ip| ip.to_string())
    }

    async fn look_up(&self) -> Result<Vec<SocketAddr>, EndpointError> {
        let name = self.name();
        let found = timeout(LOOKUP_TIMEOUT, lookup_host((name.as_str(), self.port))).await;
        let found = found.unwrap_or_else(|late| Err(late.into()));
        let mut addresses: Vec<SocketAddr> =
            found.map_err(|source| EndpointError::Unknown { host: name.clone(), source })?.collect();
        let mut seen = Vec::new();
        addresses.retain(|address| {
            !seen.contains(address) && {
                seen.push(*address);
                true
            }
        });
        if addresses.is_empty() {
            let source = io::ErrorKind::AddrNotAvailable.into();
            return Err(EndpointError::Unknown { host: name, source });
        }
        Ok(addresses)
    }

    /// The last guard: whatever a text stands for, one address of another host is one too many.
    fn leading_to(self, text: &str, addresses: Vec<SocketAddr>) -> Result<Endpoint, EndpointError> {
        if let Some(elsewhere) = addresses.iter().find(|address| !is_of_this_host(address.ip())) {
            return Err(EndpointError::Elsewhere { text: text.to_owned(), ip: elsewhere.ip() });
        }
        Ok(Endpoint { host: self.name(), text: self.text, is_https: self.is_https, addresses })
    }
}

fn is_of_this_host(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn guarded(address: SocketAddr) -> io::Result<SocketAddr> {
    if is_of_this_host(address.ip()) {
        return Ok(address);
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{address} is not an address of this host")))
}

/// Connects; with a small buffer for what comes in, where there is one of `receive_buffer_bytes`.
///
/// # Errors
/// Nobody listens, or another host.
pub async fn connect(address: SocketAddr, receive_buffer_bytes: Option<u32>) -> io::Result<TcpStream> {
    let address = guarded(address)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.connect(address).await
}

/// Whether anybody listens: a connection without a word, at most [`REACH_TIMEOUT`].
#[must_use]
pub fn is_reached(address: SocketAddr) -> bool {
    match guarded(address).and_then(|address| BlockingStream::connect_timeout(&address, REACH_TIMEOUT)) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::TimedOut,
    }
}

/// Asks one endpoint and can ask no other: it takes paths, and knows the addresses.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    base: String,
}

impl Client {
    /// A client for `endpoint`, with what `set_up` gives it beside. No proxy of the environment, no redirects.
    ///
    /// # Errors
    /// When it cannot be set up on this system.
    pub fn new(set_up: impl FnOnce(ClientBuilder) -> ClientBuilder, endpoint: &Endpoint) -> reqwest::Result<Self> {
        let inner = set_up(reqwest::Client::builder())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(NoNames))
            .resolve_to_addrs(endpoint.host(), endpoint.addresses())
            .build()?;
        Ok(Self { inner, base: endpoint.text().to_owned() })
    }

    /// The whole address of `path`, for messages.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A GET of `path`, which begins with `/`.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A request of `path`, which begins with `/`: nothing that follows the base could be taken for a host.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let slash = if path.starts_with('/') { "" } else { "/" };
        self.inner.request(method, format!("{}{slash}{path}", self.base))
    }
}

/// Knows no name: those that may be asked for are known to the client beforehand.
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, name: Name) -> Resolving {
        let message = format!("{} is not looked up while a cell runs", name.as_str());
        Box::pin(async move { Err(io::Error::new(io::ErrorKind::PermissionDenied, message).into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_and_a_pair_of_host_and_port_give_addresses() {
        let endpoint = Endpoint::of_number("http://127.0.0.1:8080/api/").expect("an endpoint");
        assert_eq!((endpoint.text(), endpoint.host()), ("http://127.0.0.1:8080/api", "127.0.0.1"));
        assert_eq!(endpoint.addresses(), [SocketAddr::from(([127, 0, 0, 1], 8080))]);
        let endpoint = Endpoint::of_number("https://[::1]").expect("an endpoint");
        assert_eq!((endpoint.port(), endpoint.host(), endpoint.is_https()), (443, "::1", true));
        assert_eq!(Endpoint::of_number("[::1]:5432").expect("an endpoint").port(), 5432);
        assert_eq!(Endpoint::of_number("http://127.0.0.1").expect("an endpoint").port(), 80);
    }

    #[test]
    fn what_is_not_address_of_this_host_is_refused() {
        for text in [
            "",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:165535",
            "http://127.0.0.1:165535",
            "http://127.0.0.1:0",
            "http://u:p@127.0.0.1",
            "http://127.0.0.1/?a=b",
            "ftp://127.0.0.1",
            "http://localhost:80",
        ] {
            assert!(matches!(Endpoint::of_number(text), Err(EndpointError::Bad { .. })), "{text}");
        }
        for text in [
            "http://10.0.0.1",
            "http://0.0.0.0:80",
            "http://[2001:db8::1]:80",
            "192.0.2.1:80",
            "http://[::ffff:10.0.0.1]:80",
        ] {
            assert!(matches!(Endpoint::of_number(text), Err(EndpointError::Elsewhere { .. })), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_is_taken_only_if_all_that_it_stands_for_is_here() {
        let endpoint = Endpoint::resolve("http://localhost:8080").await.expect("every host has one");
        assert!(endpoint.addresses().iter().all(|address| address.ip().is_loopback() && address.port() == 8080));
        let parsed = Parsed::of("http://localhost:80").expect("a URL");
        let addresses = vec![SocketAddr::from(([127, 0, 0, 1], 80)), SocketAddr::from(([192, 0, 2, 1], 80))];
        let error = parsed.leading_to("http://localhost:80", addresses).expect_err("one is elsewhere").to_string();
        assert!(error.contains("leads to 192.0.2.1") && error.contains("/etc/hosts"), "{error}");
    }

    #[tokio::test]
    async fn nothing_connects_to_another_host() {
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 80));
        let refused = connect(elsewhere, None).await.expect_err("it is refused before anything is sent");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(!is_reached(elsewhere));
    }

    #[tokio::test]
    async fn a_client_asks_its_endpoint_by_number_and_looks_up_nothing() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let count = stream.read(&mut [0; 4096]).await.expect("a request");
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("an answer");
            count
        });
        let config = crate::shell::trust::of_nobody().expect("TLS");
        // A name that no resolver would give this address: it was settled before.
        let endpoint = Endpoint {
            text: format!("http://shop.invalid:{}", address.port()),
            host: "shop.invalid".to_owned(),
            is_https: false,
            addresses: vec![address],
        };
        let client = Client::new(|builder| builder.tls_backend_preconfigured(config), &endpoint).expect("a client");
        assert_eq!(client.get("/x").send().await.expect("an answer").status(), 204);
        assert!(answering.await.expect("no panic") > 0);
        let other = Client { base: "http://localhost:1".to_owned(), ..client };
        let error = other.get("/").send().await.expect_err("no name is looked up");
        assert!(crate::shell::probe::with_causes(&error).contains("not looked up"), "{error:?}");
    }
}
