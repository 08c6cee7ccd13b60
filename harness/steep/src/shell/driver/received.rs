//! What of an answer may be looked at: its headers and trailers, and what was kept of its body.

use bytes::Bytes;
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use memchr::memmem;

use steep_core::scenario::GrpcForm;
use steep_core::traffic::excerpt::MAX_EXPECTED_BYTES;
use steep_core::traffic::grpc::{CallEnd, Frames};

const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";

/// What of an answer may be looked at.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    /// Behind a pointer: most answers have none.
    trailers: Option<Box<HeaderMap>>,
    body: Body,
}

/// What was kept of a body.
#[derive(Debug)]
enum Body {
    /// Nothing.
    Passed,
    /// All of it, as far as there is room.
    Kept { bytes: Vec<u8>, is_too_long: bool },
    /// How its frames are cut, and what is in them if that was wanted.
    Frames(GrpcForm, Box<Frames>),
}

impl Received {
    /// An answer that begins with these headers; its body is kept if it is to be looked at.
    pub(super) fn begin(headers: HeaderMap, keep: bool) -> Self {
        let form = headers.get(CONTENT_TYPE).and_then(|value| GrpcForm::of_content_type(value.as_bytes()));
        let body = match (form, keep) {
            (Some(form), _) => Body::Frames(form, Box::new(Frames::new(form, keep))),
            (None, true) => Body::Kept { bytes: Vec::new(), is_too_long: false },
            (None, false) => Body::Passed,
        };
        Self { headers, trailers: None, body }
    }

    /// Takes the next part of the answer, and gives how many bytes of its body that is.
    pub(super) fn take(&mut self, frame: Frame<Bytes>) -> u64 {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                self.trailers = frame.into_trailers().ok().map(Box::new);
                return 0;
            }
        };
        match &mut self.body {
            Body::Passed => {}
            Body::Kept { bytes, is_too_long } => {
                *is_too_long |= bytes.len() + data.len() > MAX_EXPECTED_BYTES;
                if !*is_too_long {
                    bytes.extend_from_slice(&data);
                }
            }
            Body::Frames(_, frames) => frames.add(&data),
        }
        data.len() as u64
    }

    /// What was kept of the body, or of the messages in it; none if it is longer than what is looked at.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Passed => Some(&[]),
            Body::Kept { bytes, is_too_long } => (!is_too_long).then_some(bytes),
            Body::Frames(_, frames) => frames.payload(),
        }
    }

    /// Whether a message in the body is compressed, and how.
    pub(super) fn compression(&self) -> Option<String> {
        let Body::Frames(_, frames) = &self.body else { return None };
        let encoding = self.headers.get("grpc-encoding").and_then(|encoding| encoding.to_str().ok());
        frames.is_compressed().then(|| encoding.unwrap_or("unknown").escape_debug().to_string())
    }

    /// Whether it is one of gRPC.
    pub(super) fn is_of_grpc(&self) -> bool {
        matches!(self.body, Body::Frames(..))
    }

    /// How its call ended.
    pub(super) fn call_end(&self) -> CallEnd<'_> {
        let (form, frames) = match &self.body {
            Body::Frames(form, frames) => (Some(*form), Some(&**frames)),
            Body::Passed | Body::Kept { .. } => (None, None),
        };
        let content_type = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let (status, message) = (self.trailer(STATUS).next(), self.trailer(MESSAGE).next());
        CallEnd { content_type, form, status, message, frames }
    }

    /// Whether its headers say how its call ended: then it has no message.
    pub(super) fn ends_with_its_head(&self) -> bool {
        self.is_of_grpc() && self.headers.contains_key(STATUS)
    }

    pub(super) fn has_header(&self, name: &str, wanted: &str) -> bool {
        self.headers.get_all(name).iter().any(|value| contains(value.as_bytes(), wanted))
    }

    pub(super) fn has_trailer(&self, name: &str, wanted: &str) -> bool {
        self.trailer(name).any(|value| contains(value, wanted))
    }

    /// The values of a trailer: behind the body, at the end of it (gRPC-Web), or, where an answer of gRPC has neither,
    /// in the headers.
    fn trailer(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let in_body = match &self.body {
            Body::Frames(_, frames) => Some(frames.trailers()),
            Body::Passed | Body::Kept { .. } => None,
        };
        let in_body = in_body.into_iter().flatten();
        let in_body = in_body.filter(move |(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
        let is_all_head = self.trailers.is_none() && self.ends_with_its_head();
        let fields = if is_all_head { Some(&self.headers) } else { self.trailers.as_deref() };
        let behind = fields.into_iter().flat_map(move |fields| fields.get_all(name)).map(HeaderValue::as_bytes);
        behind.chain(in_body.map(|(_, value)| value))
    }
}

fn contains(value: &[u8], wanted: &str) -> bool {
    memmem::find(value, wanted.as_bytes()).is_some()
}
