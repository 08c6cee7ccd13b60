//! Requests as hyper sends them: all that is the same in each of a kind is built once, and only the rest anew.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri};

use crate::scenario::{Abort, Conduct, Protocol, Request};
use crate::shell::access::Access;
use crate::traffic::conduct::Aborts;
use crate::traffic::draw::Values;
use crate::traffic::text::{RequestText, Text};
use crate::units::Seed;

use super::DriverError;
use super::target::Target;

/// What hyper sends.
pub(super) type HttpRequest = hyper::Request<Full<Bytes>>;

/// A kind of request.
#[derive(Debug)]
pub(super) struct Message {
    method: Method,
    base_path: String,
    uri: Part<Uri>,
    headers: Vec<(HeaderName, Part<HeaderValue>)>,
    body: Option<Part<Bytes>>,
    expect_status: Vec<u16>,
    access: Access,
    conduct: Option<Conduct>,
    aborts: Option<Aborts>,
}

/// A part of a request: built before the load, or written anew for each.
#[derive(Debug)]
enum Part<T> {
    Fixed(T),
    Written(Text),
}

impl<T: Clone> Part<T> {
    /// Builds it from `text`, for good where no value stands in it.
    fn new(text: &Text, prefix: &str, build: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        match text.fixed() {
            Some(fixed) => build(&format!("{prefix}{fixed}")).map(Self::Fixed),
            // Values are digits: what can be built with some can be built with all.
            None => build(&format!("{prefix}{}", text.sample())).map(|_| Self::Written(text.clone())),
        }
    }

    fn get(&self, prefix: &str, values: &Values, scratch: &mut String, build: impl Fn(&str) -> Result<T, String>) -> T {
        match self {
            Self::Fixed(part) => part.clone(),
            Self::Written(text) => {
                scratch.clear();
                scratch.push_str(prefix);
                text.write(values, scratch);
                build(scratch).expect("`new` built it from other digits")
            }
        }
    }
}

fn uri(path: &str) -> Result<Uri, String> {
    Uri::from_maybe_shared(Bytes::copy_from_slice(path.as_bytes())).map_err(|error| format!("path `{path}`: {error}"))
}

fn header_value(access: &Access, value: &str) -> Result<HeaderValue, String> {
    // What is shown names a secret and does not have it.
    access.header_value(value).ok_or_else(|| format!("`{}` cannot stand in a header", value.escape_debug()))
}

// Of the form that `Part` asks for.
#[expect(clippy::unnecessary_wraps, reason = "any text is a body")]
fn body_bytes(text: &str) -> Result<Bytes, String> {
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}

impl Message {
    /// Builds what does not change.
    pub(super) fn new(
        request: &Request,
        text: &RequestText,
        target: &Target,
        access: &Access,
        seed: Seed,
    ) -> Result<Self, DriverError> {
        Self::build_fixed(request, text, target, access, seed)
            .map_err(|reason| DriverError::BadRequest { request: request.name.clone(), reason })
    }

    fn build_fixed(
        request: &Request,
        text: &RequestText,
        target: &Target,
        access: &Access,
        seed: Seed,
    ) -> Result<Self, String> {
        let method =
            Method::from_bytes(request.method.as_bytes()).map_err(|_| format!("`{}` is no method", request.method))?;
        let mut headers = Vec::new();
        if target.protocol == Protocol::Http1 {
            // HTTP/2 has it in the address.
            headers.push((HOST, Part::Fixed(target.host.clone())));
        }
        headers.extend(access.authorization.clone().map(|value| (AUTHORIZATION, Part::Fixed(value))));
        for (name, value) in text.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header's name"))?;
            if name == CONTENT_LENGTH {
                return Err("`content-length` follows from the body and cannot be set".to_owned());
            }
            headers.push((name, Part::new(value, "", |value| header_value(access, value))?));
        }
        let body = text.body().map(|body| Part::new(body, "", body_bytes)).transpose()?;
        let base_path = target.base_path.clone();
        let path = text.path().sample();
        if !path.starts_with('/') {
            return Err(format!("the path `{path}` does not begin with `/`"));
        }
        let uri = Part::new(text.path(), &base_path, uri)?;
        Ok(Self {
            method,
            base_path,
            uri,
            headers,
            body,
            expect_status: request.expect_status.clone(),
            access: access.clone(),
            conduct: request.conduct.clone(),
            aborts: Aborts::of(request, seed),
        })
    }

    /// The request with `values`, in the headers' memory of an answer before it. `scratch` holds texts meanwhile.
    pub(super) fn build(&self, values: &Values, mut headers: HeaderMap, scratch: &mut String) -> HttpRequest {
        headers.clear();
        for (name, value) in &self.headers {
            // What the scenario says comes later and replaces ours.
            headers.insert(name.clone(), value.get("", values, scratch, |value| header_value(&self.access, value)));
        }
        let body = self.body.as_ref().map(|body| body.get("", values, scratch, body_bytes));
        if let Some(body) = &body {
            // Of an empty body hyper would not say that it is empty.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let mut request = HttpRequest::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.get(&self.base_path, values, scratch, uri);
        *request.headers_mut() = headers;
        request
    }

    /// How it is treated, where it takes a connection of its own for that.
    pub(super) fn aside(&self) -> Option<&Conduct> {
        self.conduct.as_ref().filter(|conduct| conduct.is_aside())
    }

    /// How the `nth` of all due requests is left before its answer; none if that is waited for.
    pub(super) fn abort(&self, nth: u64) -> Option<Abort> {
        self.aborts.as_ref()?.of_nth(nth)
    }

    /// Whether an answer with this status is as expected.
    pub(super) fn expects(&self, status: StatusCode) -> bool {
        match self.expect_status.as_slice() {
            [] => (200..400).contains(&status.as_u16()),
            expected => expected.contains(&status.as_u16()),
        }
    }
}
