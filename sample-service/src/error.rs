//! What can be wrong with a request, and how the shop says so: a status and `{"error": "…"}`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    #[error("there is no item {0}")]
    NoSuchItem(u32),
    #[error("sign in first, with POST /login, and send the token as `authorization: Bearer …`")]
    NotSignedIn,
    #[error("`{field}` must have 1 to {most} characters")]
    BadLength { field: &'static str, most: usize },
    #[error(transparent)]
    Body(#[from] JsonRejection),
    #[error(transparent)]
    Path(#[from] PathRejection),
    #[error(transparent)]
    Query(#[from] QueryRejection),
}

impl ShopError {
    /// Lengths are limited wherever a customer's text is kept: a limit on entries bounds memory only if they are
    /// bounded too.
    pub fn check_length(field: &'static str, text: &str, most: usize) -> Result<(), Self> {
        if text.is_empty() || text.len() > most { Err(Self::BadLength { field, most }) } else { Ok(()) }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchItem(_) => StatusCode::NOT_FOUND,
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::BadLength { .. } => StatusCode::BAD_REQUEST,
            Self::Body(rejection) => rejection.status(),
            Self::Path(rejection) => rejection.status(),
            Self::Query(rejection) => rejection.status(),
        }
    }
}

impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({ "error": self.to_string() }))).into_response()
    }
}
