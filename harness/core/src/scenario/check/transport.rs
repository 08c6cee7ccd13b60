//! How the client speaks and behaves: trust where there is TLS, secrets where they do not show, conduct that is
//! possible.

use std::time::Duration;

use super::super::{Request, Scenario};
use super::Check;
use steep_judge::units::Bytes;

impl Check<'_> {
    pub(super) fn http(&mut self, scenario: &Scenario) {
        let http = &scenario.http;
        let is_https = scenario.service.url.as_ref().is_some_and(|url| url.to_string().starts_with("https://"));
        match &http.tls {
            None if is_https => {
                let help = "name the authority of its certificate: [http.tls] ca = \"ca.pem\"; none of the public ones vouches for a loopback address";
                self.error("service.url", "nothing says which certificate is trusted", help);
            }
            Some(_) if !is_https => {
                self.error(
                    "http.tls",
                    "[http.tls] has no meaning without TLS",
                    "service.url begins with https:// where there is TLS",
                );
            }
            Some(tls) if tls.insecure && tls.ca.is_some() => {
                self.error(
                    "http.tls.insecure",
                    "\"insecure\" and \"ca\" exclude each other",
                    "insecure = true takes any certificate",
                );
            }
            Some(tls) if !tls.insecure && tls.ca.is_none() => {
                let help =
                    "ca = \"ca.pem\" names the authority of the service's certificate; insecure = true takes any";
                self.error("http.tls", "[http.tls] names no authority", help);
            }
            Some(tls) if tls.insecure => {
                self.warning(
                    "http.tls.insecure",
                    "the certificate of the service is not checked",
                    "ca = \"…\" would check it",
                );
            }
            _ => {}
        }
        if let Some(auth) = &http.auth {
            self.environment("http.auth", [auth.variable().to_owned()].iter());
        }
    }

    pub(super) fn conduct(&mut self, index: usize, request: &Request, request_timeout: Duration) {
        let at = |key: &str| format!("requests[{index}].{key}");
        let Some(conduct) = &request.conduct else { return };
        if conduct.abort.is_some_and(|abort| abort.share > 1.0) {
            self.error(&at("abort_share"), "\"abort_share\" is above 1", "it is a share: 0.1 for one in ten");
        }
        if conduct.abort.is_some_and(|abort| abort.after >= request_timeout) && !request_timeout.is_zero() {
            let help = "a request that is given up then has failed: go away sooner, or raise http.request_timeout";
            self.error(&at("abort_after"), "\"abort_after\" is not below http.request_timeout", help);
        }
        if conduct.abort.is_some() && conduct.hold.is_some() {
            self.error(&at("hold"), "\"hold\" and \"abort_after\" exclude each other", "one waits, the other does not");
        }
        if conduct.hold.is_some() && !request.expect.json.is_empty() {
            let help = "what is left before its end is not JSON: expect a text with body_contains";
            self.error(&at("expect.json"), "\"hold\" and \"expect.json\" exclude each other", help);
        }
        for (key, rate) in [("read_rate", conduct.read_bytes_per_second), ("send_rate", conduct.send_bytes_per_second)]
        {
            if rate == Some(Bytes::ZERO) {
                self.error(&at(key), format!("\"{key}\" is 0"), "bytes per second: \"1KiB\"");
            }
        }
    }
}
