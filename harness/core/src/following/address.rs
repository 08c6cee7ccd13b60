//! Where the live view of a run is shown: an address of this host that no other host reaches.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::fmt;
use std::str::FromStr;

/// A loopback address; port 0 stands for any that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAddress(SocketAddr);

impl LiveAddress {
    /// What stands for an address where none is given.
    pub const DEFAULT: &str = "127.0.0.1";

    /// The address.
    #[must_use]
    pub const fn socket(self) -> SocketAddr {
        self.0
    }

    /// Whether `word` is meant as an address, right or wrong, and not as the name of a file.
    #[must_use]
    pub fn is_meant(word: &str) -> bool {
        let ends_in_a_port =
            word.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()));
        let is_number = !word.is_empty() && word.bytes().all(|c| c.is_ascii_digit());
        ends_in_a_port || is_number || word == "localhost" || ip(word).is_some()
    }
}

fn ip(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    bare.unwrap_or(text).parse().ok()
}

impl FromStr for LiveAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLES: &str = "write 127.0.0.1:8090, [::1]:8090, localhost:8090 or a port alone";
        let port_of = |port: &str| {
            port.parse().map_err(|_| format!("`{port}` is not a port, which is a number up to 65535; {EXAMPLES}"))
        };
        let named = |host: &str| if host == "localhost" { Some(IpAddr::from(Ipv4Addr::LOCALHOST)) } else { ip(host) };
        let (host, port) = if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
            (Some(IpAddr::from(Ipv4Addr::LOCALHOST)), port_of(text)?)
        } else if let Some(host) = named(text) {
            (Some(host), 0)
        } else {
            let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("this is not an address; {EXAMPLES}"))?;
            // Colons of an IPv6 address without brackets may be anything.
            (named(host).filter(|ip| ip.is_ipv4() || host.starts_with('[')), port_of(port)?)
        };
        match host {
            Some(host) if host.is_loopback() => Ok(Self(SocketAddr::new(host, port))),
            Some(host) => Err(format!(
                "{host} is not a loopback address, and others must not look into a run; {EXAMPLES}, and look from \
                 elsewhere through a tunnel, such as ssh -L 8090:127.0.0.1:8090"
            )),
            None => Err(format!("names are not looked up; {EXAMPLES}")),
        }
    }
}

impl fmt::Display for LiveAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_host_are_read_in_all_their_forms() {
        for (text, is) in [
            ("127.0.0.1", "127.0.0.1:0"),
            ("localhost", "127.0.0.1:0"),
            ("8090", "127.0.0.1:8090"),
            ("127.0.0.1:8090", "127.0.0.1:8090"),
            ("localhost:8090", "127.0.0.1:8090"),
            ("127.9.9.9:1", "127.9.9.9:1"),
            ("::1", "[::1]:0"),
            ("[::1]", "[::1]:0"),
            ("[::1]:8090", "[::1]:8090"),
        ] {
            assert!(LiveAddress::is_meant(text), "{text}");
            assert_eq!(text.parse::<LiveAddress>().map(|address| address.to_string()), Ok(is.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_others_could_reach_is_refused_with_a_sentence() {
        for (text, why) in [
            ("0.0.0.0:80", "0.0.0.0 is not a loopback address"),
            ("[::]:80", ":: is not a loopback address"),
            ("192.168.1.7", "192.168.1.7 is not a loopback address"),
            ("example.com:80", "names are not looked up"),
            ("::1:80", "::1:80 is not a loopback address"),
            ("127.0.0.1:99999", "`99999` is not a port"),
            ("70000", "`70000` is not a port"),
            ("127.0.0.1:x", "`x` is not a port"),
            ("", "this is not an address"),
        ] {
            let refused = text.parse::<LiveAddress>().expect_err(text);
            assert!(refused.contains(why) && refused.contains("127.0.0.1:8090"), "{text}: {refused}");
        }
    }

    #[test]
    fn the_name_of_a_scenario_is_not_an_address() {
        for word in ["soak.toml", "scenarios/quickstart.toml", "soak", "C:/soak.toml", "", "--cell"] {
            assert!(!LiveAddress::is_meant(word), "{word}");
        }
    }
}
