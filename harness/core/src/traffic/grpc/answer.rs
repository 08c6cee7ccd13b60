//! How a call ended, and whether that is as expected. Pure.

use percent_encoding::percent_decode;

use crate::scenario::{Expect, GrpcForm, GrpcStatus, Request};
use crate::traffic::draw::Values;
use crate::traffic::excerpt::shown;

use super::frames::Frames;

/// What an answer says of how its call ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallEnd<'a> {
    /// The header `content-type`.
    pub content_type: Option<&'a [u8]>,
    /// What form of gRPC that is.
    pub form: Option<GrpcForm>,
    /// `grpc-status`.
    pub status: Option<&'a [u8]>,
    /// `grpc-message`, percent-encoded.
    pub message: Option<&'a [u8]>,
    /// What came before it.
    pub frames: Option<&'a Frames>,
}

/// How calls must end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallExpectation {
    /// One of these; empty: OK.
    statuses: Vec<GrpcStatus>,
    /// Whether the request is a call, or demands a status: an answer that is not gRPC will not do then.
    is_demanded: bool,
    /// Whether it has one message.
    is_unary: bool,
}

impl CallExpectation {
    /// That of `request`.
    pub(in crate::traffic) fn of(request: &Request) -> Self {
        let Expect { grpc_status, .. } = &request.expect;
        let is_unary = request.grpc.is_some();
        let is_demanded = is_unary || !grpc_status.is_empty() || request.grpc_form().is_some();
        Self { statuses: grpc_status.clone(), is_demanded, is_unary }
    }

    /// Whether the answer must be one of gRPC.
    #[must_use]
    pub fn is_demanded(&self) -> bool {
        self.is_demanded
    }

    /// The status of a call that ended as expected.
    ///
    /// # Errors
    /// It did not; in words. `values` are those of the request.
    pub fn met(&self, end: &CallEnd<'_>, values: &Values) -> Result<GrpcStatus, String> {
        let Some(status) = end.status else { return Err(without_status(end, values)) };
        let message = percent_decode(end.message.unwrap_or_default()).decode_utf8_lossy();
        let said = if message.is_empty() { String::new() } else { format!(": {}", shown(&message, values)) };
        let text = String::from_utf8_lossy(status);
        let Some(status) = text.parse().ok().and_then(GrpcStatus::of_number) else {
            return Err(format!("grpc-status {}, which gRPC does not define{said}", shown(&text, values)));
        };
        let is_expected =
            if self.statuses.is_empty() { status == GrpcStatus::Ok } else { self.statuses.contains(&status) };
        if !is_expected {
            let wanted: Vec<&str> = self.statuses.iter().map(|status| status.name()).collect();
            let wanted = if wanted.is_empty() { String::new() } else { format!(" and not {}", wanted.join(" or ")) };
            return Err(format!("grpc-status {} {}{wanted}{said}", status as u8, status.name()));
        }
        if status == GrpcStatus::Ok {
            self.whole(end)?;
        }
        Ok(status)
    }

    /// That a call that went well has its message.
    fn whole(&self, end: &CallEnd<'_>) -> Result<(), String> {
        let Some(frames) = end.frames else { return Ok(()) };
        if !frames.are_whole() {
            return Err("grpc-status 0 OK, behind a message that is cut off or has no frame".to_owned());
        }
        match frames.messages() {
            1 => Ok(()),
            count if self.is_unary => {
                Err(format!("grpc-status 0 OK with {count} messages, where the answer to a unary call has one"))
            }
            _ => Ok(()),
        }
    }
}

fn without_status(end: &CallEnd<'_>, values: &Values) -> String {
    match (end.form, end.content_type) {
        (Some(_), _) => "no grpc-status, neither in trailers nor in headers".to_owned(),
        (None, Some(other)) => {
            let other = String::from_utf8_lossy(other);
            format!("the answer is not gRPC: its content-type is {}", shown(&other, values))
        }
        (None, None) => "the answer is not gRPC: it has no content-type".to_owned(),
    }
}
