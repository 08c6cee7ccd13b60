//! How the client speaks: its connections, the protocol, whom it trusts, and who it is.

mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use steep_judge::units::seconds;

/// Connections and their limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// What is spoken.
    #[serde(default)]
    pub protocol: Protocol,
    /// How many, opened before the load; a hard cap.
    pub connections: usize,
    /// Most requests at a time on one connection, with HTTP/2; fewer where the server wants it so.
    #[serde(default)]
    pub max_concurrent_streams: usize,
    /// Most connections beside the others, each for one slow or held request.
    #[serde(default)]
    pub aside_connections: usize,
    /// A connection is closed and opened anew after this many; 0: never.
    pub max_requests_per_connection: u64,
    /// A connection unused for this long is closed and opened anew; none: never.
    #[serde(rename = "max_idle_s", default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<Duration>,
    /// How long opening one may take.
    #[serde(rename = "connect_timeout_s", with = "seconds")]
    pub connect_timeout: Duration,
    /// How long an answer may take, from sending to the end of its body.
    #[serde(rename = "request_timeout_s", with = "seconds")]
    pub request_timeout: Duration,
    /// Whom it trusts, where there is TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// What is said to be let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}

/// The protocol spoken over the connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1: a connection carries one request at a time.
    #[default]
    Http1,
    /// HTTP/2: with prior knowledge, or by ALPN where there is TLS. A connection carries many requests at a time.
    Http2,
}

/// Whom the client trusts, and who it is, where the address begins with `https://`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Certificates of the authorities that are trusted, in PEM.
    pub ca: Option<PathBuf>,
    /// The client's own certificate and its key, both in PEM.
    pub client: Option<ClientCertificate>,
    /// Whether any certificate is taken.
    pub insecure: bool,
    /// The name that the certificate must be for; none: the host of the address.
    pub server_name: Option<String>,
}

/// The client's certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What the client says to be let in. Names variables of the environment and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `Authorization: Basic`.
    Basic {
        /// Who.
        user: String,
        /// The variable that holds the password.
        password_env: String,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The variable that holds the token.
        token_env: String,
    },
}

impl Auth {
    /// The variable that holds its secret.
    #[must_use]
    pub fn variable(&self) -> &str {
        match self {
            Self::Basic { password_env, .. } => password_env,
            Self::Bearer { token_env } => token_env,
        }
    }
}

/// The variable that `{{env.NAME}}` names; none for other names.
#[must_use]
pub fn variable_of(name: &str) -> Option<&str> {
    name.strip_prefix("env.")
}
