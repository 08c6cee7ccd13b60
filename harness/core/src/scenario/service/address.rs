//! Where load and questions may go: to this host, by HTTP with or without TLS, and nowhere else.

use http::Uri;
use url::{Host, ParseError, Url};

use crate::template::{Part, Template};

/// What is wrong with an address, and what to write instead.
pub(super) struct BadAddress {
    pub(super) message: String,
    pub(super) help: String,
}

impl BadAddress {
    fn new(message: impl Into<String>, help: &str) -> Self {
        Self { message: message.into(), help: help.to_owned() }
    }
}

const EXAMPLES: &str = "the service runs on this machine: \"http://127.0.0.1:{{port}}\", \"http://localhost:8080\" or \"http://[::1]:{{port}}\"";

/// That `url` is the base of HTTP on a loopback address, and nothing else: no user, path, query or fragment. steep
/// starts the service itself, and a slip of the pen must not hit another host.
pub(super) fn check_url(url: &Template) -> Result<(), BadAddress> {
    let text = with_a_port(url);
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(BadAddress::new("\"url\" has blanks in it", EXAMPLES));
    }
    check_names("\"url\"", url)?;
    let parsed = Url::parse(&text).map_err(|error| match error {
        ParseError::InvalidPort => BadAddress::new("\"url\" has a port that is not a number up to 65535", EXAMPLES),
        error => BadAddress::new(format!("\"url\" is not an address: {error}"), EXAMPLES),
    })?;
    if !["http://", "https://"].iter().any(|begin| text.starts_with(begin)) {
        return Err(BadAddress::new("\"url\" must begin with http:// or https://", EXAMPLES));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || text.contains('@') {
        return Err(BadAddress::new(
            "\"url\" must not name a user",
            "say who you are in [http.auth], or in the headers of the requests",
        ));
    }
    if !is_loopback(parsed.host().as_ref()) || parsed.port_or_known_default() == Some(0) {
        return Err(BadAddress::new("\"url\" must name a loopback address and a port", EXAMPLES));
    }
    // What connects reads it more strictly than browsers do, which mend what stands there: `http://127。0。0。1`,
    // `http://127.1`.
    if !is_read_alike(&text, &parsed) {
        return Err(BadAddress::new("\"url\" is not an address as it stands there", EXAMPLES));
    }
    if parsed.path() != "/" || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(BadAddress::new("\"url\" must not have a path", "put it into the \"path\" of each request"));
    }
    Ok(())
}

/// Whether a client of HTTP finds the same host in `text` as `parsed` has.
fn is_read_alike(text: &str, parsed: &Url) -> bool {
    let uri: Option<Uri> = text.parse().ok();
    let Some(host) = uri.as_ref().and_then(Uri::host) else { return false };
    match parsed.host() {
        Some(Host::Ipv6(address)) => host.trim_matches(['[', ']']).parse() == Ok(address),
        Some(read) => read.to_string().eq_ignore_ascii_case(host),
        None => false,
    }
}

/// That `address` is `host:port` on a loopback address.
pub(super) fn check_tcp(address: &Template) -> Result<(), BadAddress> {
    let help = "write host and port of this machine: \"127.0.0.1:{{port}}\"; a port is a number up to 65535";
    check_names(&format!("\"{address}\""), address)?;
    let text = with_a_port(address);
    let parsed = Url::parse(&format!("tcp://{text}")).ok().filter(|url| url.path().is_empty() && !text.contains('@'));
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
    let host = Host::parse(host).ok();
    match parsed.and_then(|url| url.port()) {
        Some(port) if port > 0 && is_loopback(host.as_ref().map(borrowed).as_ref()) => Ok(()),
        _ => Err(BadAddress::new(format!("\"{address}\" is not a loopback address with a port"), help)),
    }
}

fn borrowed(host: &Host<String>) -> Host<&str> {
    match host {
        Host::Domain(name) => Host::Domain(name.as_str()),
        Host::Ipv4(address) => Host::Ipv4(*address),
        Host::Ipv6(address) => Host::Ipv6(*address),
    }
}

fn is_loopback(host: Option<&Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => *name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// That names stand for the whole port and for nothing else: with `1{{port}}` it depends on the port whether that is
/// one at all.
fn check_names(what: &str, address: &Template) -> Result<(), BadAddress> {
    let help = "a name is the whole port, as in \"http://127.0.0.1:{{port}}\" or \"http://127.0.0.1:{{db.port}}\"";
    let parts = address.parts();
    for (place, part) in parts.iter().enumerate() {
        let Part::Name(name) = part else { continue };
        let is_port = name == "port" || name.rsplit_once('.').is_some_and(|(_, last)| last == "port");
        let before = place.checked_sub(1).and_then(|before| parts.get(before));
        let begins = matches!(before, Some(Part::Text(text)) if text.ends_with(':'));
        let ends = match parts.get(place + 1) {
            None => true,
            Some(Part::Text(text)) => text.starts_with('/'),
            Some(Part::Name(_)) => false,
        };
        if !is_port || !begins || !ends {
            return Err(BadAddress::new(format!("{what} has {{{{{name}}}}} where no whole port stands"), help));
        }
    }
    Ok(())
}

/// The text with a port for each name: ports are all that may stand in an address.
fn with_a_port(template: &Template) -> String {
    let piece = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Name(_) => u16::MAX.to_string(),
    };
    template.parts().iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> bool {
        check_url(&Template::parse(text).expect("a template")).is_ok()
    }

    fn tcp(text: &str) -> bool {
        check_tcp(&Template::parse(text).expect("a template")).is_ok()
    }

    #[test]
    fn addresses_of_this_host_are_taken() {
        for text in [
            "http://127.0.0.1:{{port}}",
            "http://localhost:8080",
            "http://[::1]:{{port}}/",
            "http://[0:0:0:0:0:0:0:1]:80",
            "http://LOCALHOST:80",
            "http://127.0.0.2:80",
            "https://localhost",
        ] {
            assert!(url(text), "{text}");
        }
        assert!(tcp("127.0.0.1:{{port}}") && tcp("localhost:5432") && tcp("[::1]:{{db.port}}"));
    }

    #[test]
    fn whatever_might_lead_elsewhere_is_refused() {
        for text in [
            "http://127.0.0.1:80@10.0.0.1:80",
            "http://127.evil.example:80",
            "http://10.0.0.1:80",
            "http://localhost.example:80",
            "http://127.0.0.1:0",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:abc",
            "http://127.0.0.300:80",
            "http:127.0.0.1:80",
            "http:/127.0.0.1:80",
            "http:///127.0.0.1:80",
            "HTTP://127.0.0.1:80",
            "http:\\\\127.0.0.1:80",
            "http://127。0。0。1:80",
            "http://①②⑦.0.0.1:80",
            "http://127.1:80",
            "http://0x7f000001:80",
            "http://2130706433:80",
            "http://%31%32%37.0.0.1:80",
            "http://127.0.0.1:80?x=1",
            "http://127.0.0.1:80#f",
            "http://127.0.0.1:80/api",
            "http://127.0.0.1:65536",
            "http://127.0.0.1:1{{port}}",
            "http://127.0.0.1:{{port}}0",
            "http://127.0.0.1:{{port}}{{db.port}}",
            "http://127.0.0.1:{{dir}}",
            "http://127.0.0.{{port}}:80",
            "http://127.0.0.1{{port}}",
            "http://{{port}}",
            "http://[::1{{port}}]:80",
            " http://127.0.0.1:80",
            "ftp://127.0.0.1:80",
            "https://10.0.0.1:443",
            "https://localhost.example:443",
            "https://127.0.0.1:443@10.0.0.1:443",
            "",
        ] {
            assert!(!url(text), "{text}");
        }
        for text in [
            "nonsense",
            "10.0.0.1:80",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.0.0.1:1{{port}}",
            "127.0.0.1:{{port}}5",
            "a@127.0.0.1:80",
            "",
        ] {
            assert!(!tcp(text), "{text}");
        }
    }
}
