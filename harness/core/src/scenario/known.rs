//! Growth that is filed already.

mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use steep_judge::units::{BytesPerHour, BytesPerRequest};

/// Growth of a flag, or of flags together, that somebody knows of: it is reported and does not fail, until it worsens
/// or expires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// The flag, or those that leak only together.
    pub flags: Vec<String>,
    /// Where it is filed.
    pub issue: String,
    /// The most that it grows by with the work done.
    pub max_growth_bytes_per_request: Option<BytesPerRequest>,
    /// The most that it grows by over time.
    pub max_growth_bytes_per_hour: Option<BytesPerHour>,
    /// The first day on which it fails again.
    pub expires: Date,
}

/// A day of the calendar, `2027-03-01`. Its text has the order of the days.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Date(String);

impl Default for Date {
    /// The first day of 1970.
    fn default() -> Self {
        Self("1970-01-01".to_owned())
    }
}

/// Characters of a date.
const LENGTH: usize = "2027-03-01".len();

impl Date {
    /// The day that `text` is; none if there is no such day.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_day = text.len() == LENGTH && humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).is_ok();
        is_day.then(|| Self(text.to_owned()))
    }

    /// The day of a `moment` in RFC 3339, in its own zone; none if it is not a moment.
    #[must_use]
    pub fn of(moment: &str) -> Option<Self> {
        moment.get(..LENGTH).and_then(Self::parse)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_there_are_and_days_that_there_are_not() {
        for day in ["2027-03-01", "2028-02-29", "2000-02-29"] {
            assert_eq!(Date::parse(day).map(|day| day.to_string()), Some(day.to_owned()));
        }
        for text in ["2027-02-29", "2027-13-01", "2027-3-1", "2027-03-01T00:00:00Z", "", "01.03.2027", "20270-3-01"] {
            assert_eq!(Date::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_moment_has_a_day_and_days_have_an_order() {
        assert_eq!(Date::of("2027-03-01T23:59:59Z"), Date::parse("2027-03-01"));
        assert_eq!(Date::of("soon"), None);
        assert!(Date::parse("2027-03-01") < Date::parse("2027-10-01"));
    }
}
