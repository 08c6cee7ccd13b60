//! Requests as hyper sends them: all that is the same in each of a kind is built once, and only the rest anew.

use std::borrow::Cow;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Method, StatusCode, Uri};

use crate::shell::access::{Access, shown};
use steep_core::scenario::{Abort, Conduct, GrpcStatus, Protocol, Request};
use steep_core::traffic::Due;
use steep_core::traffic::capture::Captures;
use steep_core::traffic::conduct::Aborts;
use steep_core::traffic::dispatch::Outcome;
use steep_core::traffic::draw::Values;
use steep_core::traffic::expect::Expectation;
use steep_core::traffic::grpc::{Encoder, Reader};
use steep_core::traffic::jar::Jar;
use steep_core::traffic::request::{Body, RequestText};
use steep_core::traffic::text::Text;
use steep_judge::units::Seed;

use super::DriverError;
use super::answer::Answer;
use super::received::Received;
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
    body: Option<Payload>,
    expect: Expectation,
    captures: Captures,
    /// Makes JSON of an answer's message.
    reader: Option<Reader>,
    access: Access,
    conduct: Option<Conduct>,
    aborts: Option<Aborts>,
}

/// The body of a request.
#[derive(Debug)]
enum Payload {
    Plain(Part<Bytes>),
    /// A message that is made of JSON.
    Call(Text, Encoder),
}

impl Payload {
    /// The bytes with `values`; or, in words, why these make no message.
    fn get(&self, values: &Values, scratch: &mut String) -> Result<Bytes, String> {
        match self {
            Self::Plain(body) => Ok(body.get("", values, scratch, body_bytes)),
            Self::Call(text, encoder) => {
                scratch.clear();
                text.write(values, scratch);
                encoder.frame(scratch).map_err(|error| {
                    let error = values.redacted(&error);
                    format!("not sent, because its body does not fit {}: {error}", encoder.type_name())
                })
            }
        }
    }
}

/// A part of a request: built before the load, or written anew for each.
#[derive(Debug)]
enum Part<T> {
    Fixed(T),
    /// With one that was built from some values.
    Written(Text, T),
}

impl<T: Clone> Part<T> {
    /// Builds it from `text`, for good where no value stands in it.
    fn new(text: &Text, prefix: &str, build: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        match text.fixed() {
            Some(fixed) => build(&format!("{prefix}{fixed}")).map(Self::Fixed),
            None => build(&format!("{prefix}{}", text.sample())).map(|sample| Self::Written(text.clone(), sample)),
        }
    }

    fn get(&self, prefix: &str, values: &Values, scratch: &mut String, build: impl Fn(&str) -> Result<T, String>) -> T {
        match self {
            Self::Fixed(part) => part.clone(),
            Self::Written(text, sample) => {
                scratch.clear();
                scratch.push_str(prefix);
                text.write(values, scratch);
                // `RequestText::compile` saw that every value can stand here: values are escaped in paths, and of one
                // line in headers. Were one left, its request goes out with another value: that is better than no
                // driver.
                build(scratch).unwrap_or_else(|_| sample.clone())
            }
        }
    }
}

fn uri(path: &str) -> Result<Uri, String> {
    Uri::from_maybe_shared(Bytes::copy_from_slice(path.as_bytes())).map_err(|error| format!("path `{path}`: {error}"))
}

fn header_value(access: &Access, value: &str) -> Result<HeaderValue, String> {
    // What is shown names a secret and does not have it.
    access.header_value(value).ok_or_else(|| format!("`{}` cannot stand in a header", shown(value).escape_debug()))
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
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| format!("`{}` is not a method", request.method))?;
        let mut headers = Vec::new();
        if target.protocol == Protocol::Http1 {
            // HTTP/2 has it in the address.
            headers.push((HOST, Part::Fixed(target.host.clone())));
        }
        headers.extend(access.authorization.clone().map(|value| (AUTHORIZATION, Part::Fixed(value))));
        for (name, value) in text.headers() {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header's name"))?;
            if name == CONTENT_LENGTH {
                return Err("`content-length` follows from the body and cannot be set".to_owned());
            }
            headers.push((name, Part::new(value, "", |value| header_value(access, value))?));
        }
        let body = match text.body() {
            Some(Body::Text(body)) => Some(Payload::Plain(Part::new(body, "", body_bytes)?)),
            Some(Body::Raw(bytes)) => Some(Payload::Plain(Part::Fixed(bytes.clone()))),
            Some(Body::Call(text, encoder)) => Some(Payload::Call(text.clone(), encoder.clone())),
            None => None,
        };
        let expect = text.expect().clone();
        let captures = text.captures().clone();
        let reader = text.reader().cloned();
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
            expect,
            captures,
            reader,
            access: access.clone(),
            conduct: request.conduct.clone(),
            aborts: Aborts::of(request, seed),
        })
    }

    /// The request with `values`, in the headers' memory of an answer before it. `scratch` holds texts meanwhile.
    ///
    /// # Errors
    /// The values fit no message of its type; in words.
    pub(super) fn build(
        &self,
        values: &Values,
        mut headers: HeaderMap,
        scratch: &mut String,
    ) -> Result<HttpRequest, String> {
        headers.clear();
        for (name, value) in &self.headers {
            // What the scenario says comes later and replaces ours.
            headers.insert(name.clone(), value.get("", values, scratch, |value| header_value(&self.access, value)));
        }
        let body = self.body.as_ref().map(|body| body.get(values, scratch)).transpose()?;
        if let Some(body) = &body {
            // Of an empty body hyper would not say that it is empty.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let mut request = HttpRequest::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.get(&self.base_path, values, scratch, uri);
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// How it is treated, where it takes a connection of its own for that.
    pub(super) fn aside(&self) -> Option<&Conduct> {
        self.conduct.as_ref().filter(|conduct| conduct.is_aside())
    }

    /// How the `nth` of all due requests is left before its answer; none if that is waited for.
    pub(super) fn abort(&self, nth: u64) -> Option<Abort> {
        self.aborts.as_ref()?.of_nth(nth)
    }

    /// Whether the body of an answer is to be kept, to be looked at.
    pub(super) fn needs_body(&self) -> bool {
        self.expect.needs_body() || self.captures.need_body()
    }

    /// Whether an answer with this head can be as expected.
    pub(super) fn expects(&self, values: &Values, status: StatusCode, look: &Received) -> bool {
        self.allows(status)
            && self.unmet_by_head(values, look).is_none()
            && (!look.ends_with_its_head() || self.expect.call().met(&look.call_end(), values).is_ok())
    }

    /// How the request `due` ended, and what of its answer is not as expected though the status is, in words. Its
    /// session takes out of the answer what it needs later.
    pub(super) fn outcome(&self, due: &mut Due, answer: Answer, look: Option<&Received>) -> (Outcome, Option<String>) {
        let (met, status) = match answer {
            Answer::Whole(status, _) if !self.allows(status) => return (Outcome::FailedStatus, None),
            Answer::Whole(status, _) => (Outcome::Ok, Some(status)),
            Answer::Left(_) => (Outcome::Aborted, None),
            Answer::TooLate(_) => return (Outcome::FailedTimeout, None),
            Answer::Broken(_) => return (Outcome::FailedBody, None),
            Answer::NotConnected => return (Outcome::FailedConnect, None),
        };
        let mut is_refused = status.is_some_and(|status| status.is_client_error() || status.is_server_error());
        let Some(look) = look else { return (if is_refused { Outcome::Refused } else { met }, None) };
        // What was left before its end does not say how the call ended.
        if status.is_some() && (look.is_of_grpc() || self.expect.call().is_demanded()) {
            match self.expect.call().met(&look.call_end(), &due.values) {
                Ok(status) => is_refused |= status != GrpcStatus::Ok,
                Err(failed) => return (Outcome::FailedGrpc, Some(failed)),
            }
        }
        match self.look_at(due, look) {
            Err(unmet) => (Outcome::FailedExpect, Some(unmet)),
            Ok(()) => (if is_refused { Outcome::Refused } else { met }, None),
        }
    }

    /// That an answer is what is expected beside its status; what later steps need is taken out of it. Or says what is
    /// not.
    fn look_at(&self, due: &mut Due, look: &Received) -> Result<(), String> {
        if let Some(unmet) = self
            .unmet_by_head(&due.values, look)
            .or_else(|| self.expect.unmet_by_trailers(&due.values, |name, wanted| look.has_trailer(name, wanted)))
        {
            return Err(unmet);
        }
        if !self.needs_body() {
            return self.take_out(due, look, None);
        }
        let body = self.readable(look)?;
        match self.expect.unmet_by_body(&due.values, body.as_deref()) {
            Some(unmet) => Err(unmet),
            None => self.take_out(due, look, body.as_deref()),
        }
    }

    /// The body as it is looked at: of a call whose types are known, the JSON of its message. None where it is too
    /// long.
    fn readable<'l>(&self, look: &'l Received) -> Result<Option<Cow<'l, [u8]>>, String> {
        if let Some(encoding) = look.compression() {
            return Err(format!(
                "the message is compressed (grpc-encoding {encoding}), and steep reads plain ones only"
            ));
        }
        match (look.kept(), &self.reader) {
            (Some(message), Some(reader)) => reader.json(message).map(|json| Some(Cow::Owned(json))),
            (kept, _) => Ok(kept.map(Cow::Borrowed)),
        }
    }

    /// Takes cookies and captured values out of an answer; or says which value is not there.
    fn take_out(&self, due: &mut Due, look: &Received, body: Option<&[u8]>) -> Result<(), String> {
        if let Some(jar) = due.session.as_mut().and_then(|session| session.jar_mut()) {
            let set = look.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
            set.for_each(|cookie| jar.take_in(cookie));
        }
        if self.captures.is_empty() {
            return Ok(());
        }
        let header = |name: &str| look.headers.get(name).map(HeaderValue::as_bytes);
        for (variable, value) in self.captures.find(header, body)? {
            due.values.capture(variable, value);
        }
        Ok(())
    }

    fn allows(&self, status: StatusCode) -> bool {
        self.expect.allows(status.as_u16())
    }

    fn unmet_by_head(&self, values: &Values, look: &Received) -> Option<String> {
        self.expect.unmet_by_head(values, |name, wanted| look.has_header(name, wanted))
    }
}

/// Adds the cookies of `jar`, unless the scenario says itself what it sends.
pub(super) fn add_cookies(jar: &Jar, request: &mut HttpRequest, scratch: &mut String) {
    if request.headers().contains_key(COOKIE) {
        return;
    }
    scratch.clear();
    jar.write(request.uri().path(), scratch);
    // They came in headers, and can stand in one.
    if let (false, Ok(cookies)) = (scratch.is_empty(), HeaderValue::from_str(scratch)) {
        request.headers_mut().insert(COOKIE, cookies);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shell::loopback::Endpoint;
    use steep_core::scenario::{Arrival, Capture, CapturePlace, Param};
    use steep_core::template::Template;
    use steep_core::traffic::testing::constant;
    use steep_core::traffic::testing::{request, shop};

    /// A request of one step with `{{token}}` everywhere, after an answer that gave it `value`.
    fn built_with(value: &str) -> HttpRequest {
        let mut load = shop(vec![constant(1.0, 1.0)], Arrival::Constant);
        load.params.clear();
        load.requests = vec![request("r", 1.0, "POST", "/a/{{token}}", Some(r#"{"v":"{{token}}"}"#))];
        let text = Template::parse("application/json").expect("a template");
        load.requests[0].headers.insert("content-type".to_owned(), text);
        load.requests[0]
            .capture
            .insert("token".to_owned(), Capture { place: CapturePlace::Header("x".to_owned()), regex: None });
        let schedule = load.schedule();
        let endpoint = Endpoint::of_number("http://127.0.0.1:1").expect("an endpoint");
        let target = Target::new(&endpoint, Protocol::Http1, &Access::default()).expect("a target");
        let message = Message::new(&load.requests[0], &schedule.texts()[0], &target, &Access::default(), Seed(1));
        let mut values = Values::default().with_captured(vec![String::new()]);
        values.capture(0, value.to_owned());
        let message = message.expect("a message");
        message.build(&values, HeaderMap::new(), &mut String::new()).expect("a request")
    }

    fn path_and_json(built: HttpRequest) -> (String, serde_json::Value) {
        let path = percent_encoding::percent_decode_str(&built.uri().path()[3..]).decode_utf8().map(String::from);
        let mut body = built.into_body();
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let frame = match hyper::body::Body::poll_frame(std::pin::Pin::new(&mut body), &mut cx) {
            std::task::Poll::Ready(Some(Ok(frame))) => frame.into_data().expect("data"),
            other => panic!("{other:?}"),
        };
        (path.expect("text"), serde_json::from_slice(&frame).expect("JSON"))
    }

    #[test]
    fn a_captured_value_is_not_a_template() {
        let (path, json) = path_and_json(built_with("{{token}}{{user}}"));
        assert_eq!((path.as_str(), json["v"].as_str()), ("{{token}}{{user}}", Some("{{token}}{{user}}")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_captured_value_arrives_in_path_and_body(value in any::<String>()) {
            let (path, json) = path_and_json(built_with(&value));
            prop_assert_eq!((path, json["v"].as_str()), (value.clone(), Some(value.as_str())));
        }

        #[test]
        fn any_value_that_is_let_through_arrives_in_path_header_and_body(value in any::<String>()) {
            let mut load = shop(vec![constant(1.0, 1.0)], Arrival::Constant);
            load.params = [("v".to_owned(), Param::Choice { values: vec![value.clone()], weights: Vec::new() })].into();
            load.requests = vec![request("r", 1.0, "POST", "/a/{{v}}?b={{v}}", Some(r#"{"v":"{{v}}"}"#))];
            for (name, text) in [("content-type", "application/json"), ("x-value", "<{{v}}>")] {
                let text = Template::parse(text).expect("a template");
                load.requests[0].headers.insert(name.to_owned(), text);
            }
            let Ok(mut schedule) = steep_core::traffic::Schedule::new(load.workload(), |_| None) else {
                prop_assert!(value.chars().any(|c| c.is_ascii_control()));
                return Ok(());
            };
            let endpoint = Endpoint::of_number("http://127.0.0.1:1").expect("an endpoint");
            let target = Target::new(&endpoint, Protocol::Http1, &Access::default()).expect("a target");
            let message = Message::new(&load.requests[0], &schedule.texts()[0], &target, &Access::default(), Seed(1))
                .expect("a message");
            let due = schedule.next().expect("a request");
            let built = message.build(&due.values, HeaderMap::new(), &mut String::new()).expect("a request");
            let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().map(String::from).ok();
            prop_assert_eq!(decoded(&built.uri().path()[3..]), Some(value.clone()));
            prop_assert_eq!(decoded(&built.uri().query().expect("a query")[2..]), Some(value.clone()));
            let header = format!("<{value}>");
            prop_assert_eq!(built.headers()["x-value"].as_bytes(), header.as_bytes());
            let body = message.body.expect("a body").get(&due.values, &mut String::new()).expect("bytes");
            let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            prop_assert_eq!(json["v"].as_str(), Some(value.as_str()));
        }
    }
}
