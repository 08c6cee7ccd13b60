//! The tables of the protocol, of trust and of identity.

use super::{Auth, ClientCertificate, Http, Protocol, Tls};
use crate::problem::Problem;
use crate::scenario::read::{Reader, Section};

pub(in crate::scenario) fn http(reader: &mut Reader, top: &Section<'_>) -> Http {
    let section = &reader.table(top, "http");
    let protocol = reader.choice(section, "protocol").unwrap_or(Protocol::Http1);
    let max_concurrent_streams = reader.whole(section, "max_concurrent_streams");
    if protocol == Protocol::Http1 && Reader::has(section, "max_concurrent_streams") {
        let span = reader.spans.of("http.max_concurrent_streams");
        let problem = Problem::error("\"max_concurrent_streams\" has no meaning with HTTP/1.1", span);
        reader.problems.push(problem.help("protocol = \"http2\" has streams"));
    }
    Http {
        protocol,
        connections: reader.whole(section, "connections"),
        max_concurrent_streams,
        aside_connections: reader.whole(section, "aside_connections"),
        max_requests_per_connection: reader.integer(section, "max_requests_per_connection").unwrap_or_default(),
        max_idle: reader.duration(section, "max_idle"),
        connect_timeout: reader.duration(section, "connect_timeout").unwrap_or_default(),
        request_timeout: reader.duration(section, "request_timeout").unwrap_or_default(),
        tls: reader.section(section, "tls").map(|section| tls(reader, &section)),
        auth: reader.section(section, "auth").and_then(|section| auth(reader, &section)),
    }
}

fn tls(reader: &mut Reader, section: &Section<'_>) -> Tls {
    let certificate = reader.text(section, "client_certificate");
    let key = reader.text(section, "client_key");
    if certificate.is_some() != key.is_some() {
        let (given, lacks) =
            if key.is_some() { ("client_key", "client_certificate") } else { ("client_certificate", "client_key") };
        let span = reader.spans.of(&format!("{}.{given}", section.path));
        let problem = Problem::error(format!("\"{given}\" is given without \"{lacks}\""), span);
        reader.problems.push(problem.help("a client shows a certificate and proves with the key that it is its own"));
    }
    let client = certificate.zip(key);
    Tls {
        ca: reader.text(section, "ca").map(Into::into),
        client: client.map(|(certificate, key)| ClientCertificate { certificate: certificate.into(), key: key.into() }),
        insecure: reader.boolean(section, "insecure").unwrap_or_default(),
        server_name: reader.text(section, "server_name"),
    }
}

fn auth(reader: &mut Reader, section: &Section<'_>) -> Option<Auth> {
    let basic = reader.section(section, "basic").and_then(|basic| {
        let user = reader.text(&basic, "user");
        let password_env = reader.text(&basic, "password_env");
        Some(Auth::Basic { user: user?, password_env: password_env? })
    });
    let bearer = reader.text(section, "bearer_env").map(|token_env| Auth::Bearer { token_env });
    if Reader::has(section, "basic") == Reader::has(section, "bearer_env") {
        let message = if Reader::has(section, "basic") { "says both" } else { "says neither" };
        let span = reader.spans.of(&section.path);
        let problem = Problem::error(format!("[http.auth] {message} \"basic\" and \"bearer_env\""), span);
        reader.problems.push(problem.help("bearer_env = \"TOKEN\", or basic = { user = \"…\", password_env = \"…\" }"));
    }
    basic.or(bearer)
}
