//! Keys of connections, trust and identity.

use crate::scenario::schema::Kind::{Boolean, Choice, Duration, Integer, Table, Text};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, LARGEST, LONGEST, key};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("http", Table, Default("{}"), "Connections and their limits."),
    key("http.protocol", Choice(&["http1", "http2"], &[]), Default("\"http1\""), "The protocol spoken. `http2`: at once (prior knowledge), or by ALPN where `service.url` begins with `https://`."),
    key("http.connections", Integer(1, 10_000), Default("64"), "How many, opened before the load; never more, because the service's memory follows it."),
    key("http.max_concurrent_streams", Integer(1, 10_000), Default("100"), "Most requests at a time on one connection, with `http2`; fewer where the server says so."),
    key("http.aside_connections", Integer(1, 10_000), Default("64"), "Most connections beside the others: requests with `read_rate`, `send_rate` or `hold` have each one of its own, and wait beyond this many."),
    key("http.max_requests_per_connection", Integer(0, LARGEST), Default("0"), "A connection is closed and opened anew after this many; 0: never."),
    key("http.max_idle", Duration(1, LONGEST), Optional, "A connection unused for this long is closed and opened anew, as clients do that stay below the server's own limit; none: never."),
    key("http.connect_timeout", Duration(1, LONGEST), Default("\"2s\""), "How long opening a connection may take."),
    key("http.request_timeout", Duration(1, LONGEST), Default("\"10s\""), "How long an answer may take, to the end of its body."),
    key("http.tls", Table, Optional, "Trust, where `service.url` begins with `https://`: `ca`, or `insecure = true`."),
    key("http.tls.ca", Text, Optional, "PEM file with the certificates of the authorities that are trusted; no others are."),
    key("http.tls.client_certificate", Text, Optional, "PEM file with the certificate that the client shows, and those between it and its authority."),
    key("http.tls.client_key", Text, Optional, "PEM file with its private key."),
    key("http.tls.insecure", Boolean, Default("false"), "Whether any certificate is taken; the report says so."),
    key("http.tls.server_name", Text, Optional, "The name that the certificate must be for, and that load connections ask for (SNI); none: the host of `service.url`."),
    key("http.auth", Table, Optional, "`Authorization` of every request, also of those for readiness, flags and the probe: `basic` or `bearer_env`. A request with an `authorization` header of its own keeps it."),
    key("http.auth.basic", Table, Optional, "A user and a password."),
    key("http.auth.basic.user", Text, Required, "The user."),
    key("http.auth.basic.password_env", Text, Required, "The variable of steep's environment that holds the password. It is shown and written nowhere."),
    key("http.auth.bearer_env", Text, Optional, "The variable of steep's environment that holds the token. It is shown and written nowhere."),
];
