//! How the client speaks: the protocol, whom it trusts, who it is, and the ways in which it behaves as real clients do.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use steep_judge::units::{Bytes, seconds};

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

/// How the client treats a kind of request, where it does not simply send it and take the answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conduct {
    /// It goes away before the answer is there.
    pub abort: Option<Abort>,
    /// It takes no more than this many bytes a second.
    pub read_bytes_per_second: Option<Bytes>,
    /// It sends no more than this many bytes a second.
    pub send_bytes_per_second: Option<Bytes>,
    /// It keeps the answer open.
    pub hold: Option<Hold>,
}

impl Conduct {
    /// Whether there is nothing special about it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.abort.is_none() && !self.is_aside()
    }

    /// Whether it takes a connection of its own, so that others do not wait behind it.
    #[must_use]
    pub fn is_aside(&self) -> bool {
        self.read_bytes_per_second.is_some() || self.send_bytes_per_second.is_some() || self.hold.is_some()
    }
}

/// Going away before the answer is there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Abort {
    /// So long after sending, unless the answer was faster.
    #[serde(rename = "after_s", with = "seconds")]
    pub after: Duration,
    /// Share of the requests, chosen by the seed.
    pub share: f64,
    /// How.
    pub with: Farewell,
}

/// How a connection is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// Thrown away: RST.
    #[default]
    Reset,
    /// Closed: FIN.
    Close,
}

/// Keeping an answer open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// So long after its head came.
    #[serde(rename = "time_s", with = "seconds")]
    pub time: Duration,
    /// Whether the client ends stream and connection in due form then, or throws them away.
    pub goodbye: bool,
}

/// Connections opened beside the load, again and again, and closed without a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// How many at once.
    pub connections: usize,
    /// How often.
    #[serde(rename = "every_s", with = "seconds")]
    pub every: Duration,
}
