//! What the client needs to be let in by the service: trust, and secrets out of the environment.
//!
//! A secret is read here and goes from here into headers that hyper knows to be sensitive. It has no serialised form,
//! and its debug form shows nothing, so that no trace, log or message can have it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use thiserror::Error;

use super::loopback::{Client, Endpoint};
use super::probe;
use super::trust::{Trust, TrustError, of_nobody};
use steep_core::scenario::{Auth, Protocol, Scenario};

/// What a client needs to be let in.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// For addresses that begin with `https://`.
    pub trust: Option<Trust>,
    /// Said with every request that has no `authorization` of its own.
    pub authorization: Option<HeaderValue>,
    secrets: BTreeMap<String, Secret>,
}

/// Stands before the name of a secret that is to be filled in. Neither headers nor the values in them can have it, so
/// that no row of a file can name a secret.
const MARK: char = '\u{1}';

/// A text that is shown and written nowhere.
#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Why there is no access.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A secret that is not there.
    #[error("the environment has no variable {0}")]
    NoVariable(String),
    /// A secret that cannot stand in a header.
    #[error("the value of {0} cannot stand in a header: it is one line of visible characters")]
    NoHeader(String),
    /// No TLS.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// No client for questions.
    #[error("the HTTP client for questions cannot be set up: {0}")]
    Client(reqwest::Error),
}

impl Access {
    /// What `scenario` wants, with paths relative to `folder`.
    ///
    /// # Errors
    /// A variable that is not set or no header, a file that cannot be used.
    pub fn of(scenario: &Scenario, folder: &Path) -> Result<Self, AccessError> {
        let variables = scenario.secret_variables().into_iter();
        let secrets =
            variables.map(|(_, name)| Ok((name.clone(), read(&name)?))).collect::<Result<_, AccessError>>()?;
        let http = &scenario.http;
        let trust = http.tls.as_ref().map(|tls| Trust::new(tls, http.protocol, folder)).transpose()?;
        let mut access = Self { trust, authorization: None, secrets };
        access.authorization = http.auth.as_ref().map(|auth| access.authorization(auth)).transpose()?;
        Ok(access)
    }

    /// With this trust, and no secrets.
    #[cfg(test)]
    pub(in crate::shell) fn trusting(trust: Trust) -> Self {
        Self { trust: Some(trust), ..Self::default() }
    }

    fn authorization(&self, auth: &Auth) -> Result<HeaderValue, AccessError> {
        let secret = self.secrets.get(auth.variable()).map_or("", |secret| secret.0.as_str());
        let text = match auth {
            Auth::Basic { user, .. } => format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{secret}"))),
            Auth::Bearer { .. } => format!("Bearer {secret}"),
        };
        sensitive(&text).ok_or_else(|| AccessError::NoHeader(auth.variable().to_owned()))
    }

    /// The value of a header in which secrets stand as [`placeholder`] says; none if it cannot stand in a header.
    #[must_use]
    pub fn header_value(&self, text: &str) -> Option<HeaderValue> {
        if self.secrets.is_empty() || !text.contains(MARK) {
            return HeaderValue::from_bytes(text.as_bytes()).ok();
        }
        let fill = |text: String, (name, secret): (&String, &Secret)| text.replace(&placeholder(name), &secret.0);
        sensitive(&self.secrets.iter().fold(text.to_owned(), fill))
    }

    /// A client for questions at `endpoint`, which is let in as the load is.
    ///
    /// # Errors
    /// When the client cannot be set up on this system.
    pub fn client(&self, protocol: Protocol, endpoint: &Endpoint) -> Result<Client, AccessError> {
        let config = match &self.trust {
            Some(trust) => (*trust.config()).clone(),
            None => of_nobody().map_err(|error| TrustError::Unusable(error.to_string()))?,
        };
        let set_up = |builder| {
            let mut builder = probe::beside_the_load(builder).tls_backend_preconfigured(config);
            if protocol == Protocol::Http2 {
                builder = builder.http2_prior_knowledge();
            }
            if let Some(authorization) = &self.authorization {
                builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, authorization.clone())]));
            }
            builder
        };
        Client::new(set_up, endpoint).map_err(AccessError::Client)
    }
}

/// Holds the place of the secret in the variable `name`.
#[must_use]
pub fn placeholder(name: &str) -> String {
    format!("{MARK}{{{{env.{name}}}}}")
}

/// A text with places of secrets, as the scenario has it.
#[must_use]
pub fn shown(text: &str) -> String {
    text.replace(MARK, "")
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    // Not `from_str`: that refuses all but ASCII.
    let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether the environment has a text in the variable `name`.
#[must_use]
pub fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok()
}

fn read(name: &str) -> Result<Secret, AccessError> {
    std::env::var(name).map(Secret).map_err(|_| AccessError::NoVariable(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let secrets = BTreeMap::from([("TOKEN".to_owned(), Secret("hush-hush".to_owned()))]);
        let mut access = Access { secrets, ..Access::default() };
        let bearer = Auth::Bearer { token_env: "TOKEN".to_owned() };
        access.authorization = Some(access.authorization(&bearer).expect("a header"));
        access
    }

    #[test]
    fn secrets_stand_in_headers_and_are_not_shown() {
        let access = access();
        let text = format!("key {}!", placeholder("TOKEN"));
        let value = access.header_value(&text).expect("a header");
        assert_eq!((value.as_bytes(), shown(&text).as_str()), (&b"key hush-hush!"[..], "key {{env.TOKEN}}!"));
        assert_eq!(access.authorization.as_ref().map(HeaderValue::as_bytes), Some(&b"Bearer hush-hush"[..]));
        let shown = format!("{access:?} {value:?}");
        assert!(!shown.contains("hush") && shown.contains("(secret)"), "{shown}");
    }

    #[test]
    fn a_value_that_looks_like_a_secret_is_none() {
        let value = access().header_value("tökn {{env.TOKEN}}").expect("a header");
        assert_eq!(value.as_bytes(), "tökn {{env.TOKEN}}".as_bytes());
    }

    #[test]
    fn basic_is_base64_of_user_and_password() {
        let basic = Auth::Basic { user: "u".to_owned(), password_env: "TOKEN".to_owned() };
        let value = access().authorization(&basic).expect("a header");
        assert_eq!(value.as_bytes(), b"Basic dTpodXNoLWh1c2g=");
    }

    #[test]
    fn a_secret_of_two_lines_is_refused_by_the_name_of_its_variable() {
        let secrets = BTreeMap::from([("TOKEN".to_owned(), Secret("hush\nhush".to_owned()))]);
        let refused =
            Access { secrets, ..Access::default() }.authorization(&Auth::Bearer { token_env: "TOKEN".to_owned() });
        let message = refused.expect_err("two lines").to_string();
        assert!(message.contains("TOKEN") && !message.contains("hush"), "{message}");
    }
}
