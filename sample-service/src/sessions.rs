//! `POST /login` and `GET /me`: who is signed in, by the token that the login gives, sent as a bearer or in a cookie.
//!
//! Feature `sessions`: a leak. Customers who stay signed in were exempted from expiry, and nothing else ever ends their
//! sessions. The fix: let them expire too, only later, as everything does without the feature.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::dose::Dose;
use crate::error::ShopError;
use crate::flag::{Flag, Flags};
use crate::guarded::Guarded;
use crate::prose;
use crate::settings::Settings;
use crate::shop::Shop;

/// Sessions that may expire: the oldest goes when one more is opened. A real shop has thousands; few, so that a soak
/// fills them in seconds.
const CAPACITY: usize = 256;
const PREFERENCES_BYTES: usize = 64;
const SMALLEST_BYTES: usize = 256;
const LONGEST_USER: usize = 64;
const COOKIE_NAME: &str = "session";

pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/login", post(login)).route("/me", get(me))
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
}

#[derive(Serialize)]
struct Welcome {
    token: String,
}

async fn login(
    State(shop): State<Arc<Shop>>,
    credentials: Result<Json<Credentials>, JsonRejection>,
) -> Result<impl IntoResponse, ShopError> {
    let Json(Credentials { user }) = credentials?;
    ShopError::check_length("user", &user, LONGEST_USER)?;
    let token = shop.sessions.open(&user);
    let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly");
    Ok(([(SET_COOKIE, cookie)], Json(Welcome { token })))
}

async fn me(SignedIn { user, preferences }: SignedIn) -> Json<SignedIn> {
    Json(SignedIn { user, preferences })
}

/// The customer whose token the request carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedIn {
    user: Box<str>,
    preferences: Box<str>,
}

impl FromRequestParts<Arc<Shop>> for SignedIn {
    type Rejection = ShopError;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, ShopError> {
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let mut cookies = header(COOKIE).into_iter().flat_map(|value| value.split("; "));
        bearer
            .or_else(|| cookies.find_map(|cookie| cookie.strip_prefix(COOKIE_NAME)?.strip_prefix('=')))
            .and_then(|token| shop.sessions.find(token))
            .ok_or(ShopError::NotSignedIn)
    }
}

#[derive(Debug)]
pub struct Sessions {
    book: Guarded<Book>,
    remembered: Option<Dose>,
}

#[derive(Debug, Default)]
struct Book {
    opened: u64,
    by_number: BTreeMap<u64, Box<Session>>,
    expiring: VecDeque<u64>,
}

/// A token is the number that a session is found by, and a secret that is never looked up, only compared.
#[derive(Debug)]
struct Session {
    secret: u64,
    customer: SignedIn,
}

impl Sessions {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self {
            book: Guarded::default(),
            remembered: flags.has(Flag::Sessions).then(|| Dose::new(settings.session_bytes, SMALLEST_BYTES)),
        }
    }

    /// Opens a session and gives its token.
    fn open(&self, user: &str) -> String {
        let remembered = self.remembered.as_ref().filter(|dose| dose.is_due());
        let preferences_bytes =
            remembered.map_or(PREFERENCES_BYTES, |dose| dose.filler_bytes(size_of::<Session>() + user.len()));
        let secret = fastrand::u64(..);
        let preferences = prose::of_length(preferences_bytes, secret).into_boxed_str();
        let session = Box::new(Session { secret, customer: SignedIn { user: user.into(), preferences } });

        let mut book = self.book.lock();
        let number = book.opened;
        book.opened += 1;
        book.by_number.insert(number, session);
        if remembered.is_none() {
            book.expiring.push_back(number);
            book.expire();
        }
        format!("{number:x}.{secret:016x}")
    }

    fn find(&self, token: &str) -> Option<SignedIn> {
        let (number, secret) = token.split_once('.')?;
        let (number, secret) = (u64::from_str_radix(number, 16).ok()?, u64::from_str_radix(secret, 16).ok()?);
        let book = self.book.lock();
        book.by_number.get(&number).filter(|session| session.secret == secret).map(|session| session.customer.clone())
    }

    pub fn count(&self) -> usize {
        self.book.lock().by_number.len()
    }
}

impl Book {
    fn expire(&mut self) {
        while self.expiring.len() > CAPACITY {
            if let Some(oldest) = self.expiring.pop_front() {
                self.by_number.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(session_bytes: usize, flags: Flags) -> Sessions {
        Sessions::new(&Settings { session_bytes, ..Settings::default() }, flags)
    }

    #[test]
    fn a_token_finds_its_session_and_no_other() {
        let sessions = sessions(1_024, Flags::default());
        let token = sessions.open("ada");
        sessions.open("bob");
        assert_eq!(sessions.find(&token).map(|customer| customer.user), Some("ada".into()));
        assert_eq!(sessions.find("0.0123456789abcdef"), None);
        assert_eq!(sessions.find("nonsense"), None);
    }

    #[test]
    fn sound_sessions_expire_when_there_are_too_many() {
        let sessions = sessions(1_024, Flags::default());
        let first = sessions.open("ada");
        for _ in 0..2_000 {
            sessions.open("bob");
        }
        assert_eq!(sessions.count(), CAPACITY);
        assert_eq!(sessions.find(&first), None);
    }

    #[test]
    fn flawed_sessions_are_kept_for_good() {
        let sessions = sessions(1_024, [Flag::Sessions].into_iter().collect());
        for _ in 0..2_000 {
            sessions.open("ada");
        }
        assert_eq!(sessions.count(), 2_000);
    }

    #[test]
    fn of_a_small_leak_only_every_nth_session_is_kept_for_good() {
        let sessions = sessions(4, [Flag::Sessions].into_iter().collect());
        for _ in 0..6_400 {
            sessions.open("ada");
        }
        assert_eq!(sessions.count(), 100 + CAPACITY);
    }
}
