//! Trust where there is TLS, and secrets where they do not show.

use crate::scenario::Scenario;
use crate::scenario::check::Check;

impl Check<'_> {
    pub(in crate::scenario) fn http(&mut self, scenario: &Scenario) {
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
}
