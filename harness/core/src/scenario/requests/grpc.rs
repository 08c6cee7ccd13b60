//! gRPC as a scenario speaks of it: calls, the statuses they end with, and the content types they are known by.

pub(in crate::scenario) mod check;
pub(super) mod decode;

use serde::{Deserialize, Serialize};

/// A unary call. Path, content type and frame follow from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grpc {
    /// `package.Service/Method`.
    pub method: String,
    /// The file with the types of its messages; none: bodies are encoded already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<String>,
}

impl Grpc {
    /// Its path, if the method is written as it should be.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let (service, method) = self.names()?;
        Some(format!("/{service}/{method}"))
    }

    /// Service and method.
    #[must_use]
    pub fn names(&self) -> Option<(&str, &str)> {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let (service, method) = self.method.trim_start_matches('/').split_once('/')?;
        let is_name = |text: &str| !text.is_empty() && text.chars().all(name);
        (is_name(service) && is_name(method)).then_some((service, method))
    }
}

/// How gRPC travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrpcForm {
    /// Over HTTP/2, with the status in the trailers.
    Native,
    /// gRPC-Web: over any HTTP, with the trailers in the body.
    Web,
    /// The same with the body in Base64.
    WebText,
}

impl GrpcForm {
    /// The form that `content_type` names; none: it is not gRPC.
    #[must_use]
    pub fn of_content_type(content_type: &[u8]) -> Option<Self> {
        const PREFIX: &[u8] = b"application/grpc";
        let (before, rest) = content_type.split_at_checked(PREFIX.len())?;
        if !before.eq_ignore_ascii_case(PREFIX) {
            return None;
        }
        // Behind it stand how messages are written (`+proto`) and parameters.
        let end = rest.iter().position(|byte| matches!(byte, b'+' | b';' | b' ' | b'\t')).unwrap_or(rest.len());
        match rest[..end].to_ascii_lowercase().as_slice() {
            b"" => Some(Self::Native),
            b"-web" => Some(Self::Web),
            b"-web-text" => Some(Self::WebText),
            _ => None,
        }
    }
}

/// How a call ended (gRPC's `statuscodes.md`), in the order of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "gRPC says what they mean")]
pub enum GrpcStatus {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl GrpcStatus {
    /// All, by their numbers.
    const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// Their names, by their numbers.
    pub const NAMES: [&'static str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];

    /// The one of this number.
    #[must_use]
    pub fn of_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_tell_the_form() {
        let form = |text: &str| GrpcForm::of_content_type(text.as_bytes());
        for native in
            ["application/grpc", "application/grpc+proto", "Application/GRPC;charset=x", "application/grpc ; a"]
        {
            assert_eq!(form(native), Some(GrpcForm::Native), "{native}");
        }
        assert_eq!(form("application/grpc-web+proto"), Some(GrpcForm::Web));
        assert_eq!(form("application/grpc-web"), Some(GrpcForm::Web));
        assert_eq!(form("application/grpc-web-text+proto"), Some(GrpcForm::WebText));
        for other in ["", "application/json", "application/grpcx", "application/grp", "text/html"] {
            assert_eq!(form(other), None, "{other}");
        }
    }

    #[test]
    fn names_and_numbers_agree() {
        for (number, name) in GrpcStatus::NAMES.into_iter().enumerate() {
            let status = GrpcStatus::of_number(number as u64).expect("a status");
            assert_eq!((status.name(), serde_json::to_value(status).expect("JSON")), (name, name.into()));
        }
        assert_eq!((GrpcStatus::of_number(13), GrpcStatus::of_number(17)), (Some(GrpcStatus::Internal), None));
    }

    #[test]
    fn a_method_has_a_service() {
        let path = |method: &str| Grpc { method: method.to_owned(), descriptors: None }.path();
        assert_eq!(path("a.B/C").as_deref(), Some("/a.B/C"));
        assert_eq!(path("/a.B/C").as_deref(), Some("/a.B/C"));
        for bad in ["", "a.B", "a.B/", "/C", "a.B/C/D", "a.B/{{x}}", "a b/C"] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
