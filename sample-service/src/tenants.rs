//! Which of the shop's tenants a request is for: the `x-tenant` header.
//!
//! Feature `tenants`: bounded alone. Tenants are told apart and counted, the first 64 by name and the rest together,
//! and visits are numbered. It takes the feature `metrics-labels` to turn those numbers into a leak; see the module
//! `metrics`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::dose::Dose;
use crate::flag::{Flag, Flags};
use crate::guarded::Guarded;
use crate::metrics;
use crate::settings::Settings;
use crate::shop::Shop;

const HEADER: &str = "x-tenant";
const NAMED: usize = 64;
const LONGEST_NAME: usize = 32;

/// Whom a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub name: Box<str>,
    /// Only of the visits that are looked at closely; see [`Dose`].
    pub visit: Option<u64>,
}

/// As support likes to have it in the log: `acme/00000017`.
impl Display for Tenant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.visit {
            Some(visit) => write!(f, "{}/{visit:08}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromRequestParts<Arc<Shop>> for Tenant {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Infallible> {
        let header = parts.headers.get(HEADER).and_then(|value| value.to_str().ok());
        Ok(shop.tenants.welcome(header))
    }
}

#[derive(Debug)]
pub struct Tenants {
    /// `None`: all tenants are one.
    close_look: Option<Dose>,
    visits: AtomicU64,
    requests_by_name: Guarded<BTreeMap<Box<str>, u64>>,
}

impl Tenants {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self {
            close_look: flags
                .has(Flag::Tenants)
                .then(|| Dose::new(settings.series_bytes, metrics::SMALLEST_SERIES_BYTES)),
            visits: AtomicU64::new(0),
            requests_by_name: Guarded::default(),
        }
    }

    fn welcome(&self, header: Option<&str>) -> Tenant {
        let Some(close_look) = &self.close_look else {
            return Tenant { name: "everyone".into(), visit: None };
        };
        let wanted = header.filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME).unwrap_or("nobody");
        let visit = close_look.is_due().then(|| self.visits.fetch_add(1, Ordering::Relaxed));
        Tenant { name: self.count(wanted).into(), visit }
    }

    /// Counts a request; gives the name that it was counted under.
    fn count<'a>(&self, wanted: &'a str) -> &'a str {
        let mut requests_by_name = self.requests_by_name.lock();
        let is_named = requests_by_name.contains_key(wanted) || requests_by_name.len() < NAMED;
        let name = if is_named { wanted } else { "others" };
        match requests_by_name.get_mut(name) {
            Some(requests) => *requests += 1,
            None => drop(requests_by_name.insert(name.into(), 1)),
        }
        name
    }

    pub fn requests_by_name(&self) -> BTreeMap<Box<str>, u64> {
        self.requests_by_name.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_all_tenants_are_one() {
        let tenants = Tenants::new(&Settings::default(), Flags::default());
        assert_eq!(tenants.welcome(Some("acme")).to_string(), "everyone");
        assert!(tenants.requests_by_name().is_empty());
    }

    #[test]
    fn with_the_feature_tenants_are_named_and_their_visits_numbered() {
        let tenants = Tenants::new(&Settings::default(), [Flag::Tenants].into_iter().collect());
        assert_eq!(tenants.welcome(Some("acme")).to_string(), "acme/00000000");
        assert_eq!(tenants.welcome(None).to_string(), "nobody/00000001");
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let tenants = Tenants::new(&Settings::default(), [Flag::Tenants].into_iter().collect());
        for number in 0..1_000 {
            tenants.welcome(Some(&format!("tenant-{number}")));
        }
        let requests = tenants.requests_by_name();
        assert_eq!((requests.len(), requests["others"]), (NAMED + 1, 936));
    }
}
