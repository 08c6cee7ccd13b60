//! Who may look: browsers of this host that ask by a name of this host, a bounded number of them.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Whether `host`, with or without a port, is this host by number or by `localhost`. A page of the web whose name was
/// made to lead here (DNS rebinding) asks by its own name.
fn is_own(host: &str) -> bool {
    let host = host.trim();
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    if let Some(ip) = without_port.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        return ip.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    }
    without_port.eq_ignore_ascii_case("localhost") || without_port.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// Answers who asks for this host by its name, and nobody else.
pub(super) async fn only_own(request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let is_named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_own),
        _ => false,
    };
    let is_target_own = request.uri().authority().is_none_or(|authority| is_own(authority.as_str()));
    if !is_named || !is_target_own {
        let why = "The live view answers to 127.0.0.1, [::1] and localhost only.\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut response = next.run(request).await;
    guard(response.headers_mut());
    response
}

/// What no other page may do with an answer.
fn guard(headers: &mut HeaderMap) {
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// A page, which may do what `policy` says.
pub(super) fn page(html: impl Into<Body>, policy: &str) -> Response {
    let mut response = Response::new(html.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&format!("{policy}; frame-ancestors 'none'")) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_host_are_its_own() {
        for host in ["127.0.0.1", "127.0.0.1:80", "localhost", "LOCALHOST:8090", "[::1]", "[::1]:8090", "127.0.0.2:1"] {
            assert!(is_own(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8090",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "0.0.0.0:80",
            "192.168.0.1",
            "[::]:80",
            "::1",
            "",
            "localhost:",
            "user@localhost",
        ] {
            assert!(!is_own(host), "{host}");
        }
    }
}
