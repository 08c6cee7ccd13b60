//! Quantities with their units: what a number means travels in its type, and its `Display` says the unit.
//!
//! Pure: no files, processes, sockets, clocks or output.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds in an hour: growth is fitted per second and told per hour.
pub const SECONDS_PER_HOUR: f64 = 3600.0;

/// An amount of memory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Bytes(u64);

impl Bytes {
    /// No memory at all.
    pub const ZERO: Self = Self(0);

    /// `count` bytes.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// Whether it is none.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// `count` × 1024 bytes.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// `count` × 1024² bytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes, for statistics.
    #[must_use]
    pub const fn as_f64(self) -> f64 {
        self.0 as f64
    }

    /// `self - other`, or zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        // Only a trace that somebody edited comes near.
        Self(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&binary_prefixed(self.as_f64()))
    }
}

const PREFIXES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// How many steps of 1024 leave at most three digits of `bytes` before the point.
fn prefix_of(bytes: f64) -> usize {
    let mut value = bytes.abs();
    let mut prefix = 0;
    // 999.5 and not 1024: "1010 KiB" needs a fourth digit.
    while value >= 999.5 && prefix + 1 < PREFIXES.len() {
        value /= 1024.0;
        prefix += 1;
    }
    prefix
}

/// Writes a signed number of bytes with three significant digits and a binary prefix: `-1.25 MiB`, `512 B`.
fn binary_prefixed(bytes: f64) -> String {
    let prefix = prefix_of(bytes);
    format!("{} {}", in_prefix(bytes, prefix), PREFIXES[prefix])
}

/// Writes a signed number of bytes in units of a prefix, without the unit.
fn in_prefix(bytes: f64, prefix: usize) -> String {
    let value = bytes / [1.0, 1_024.0, 1_048_576.0, 1_073_741_824.0, 1_099_511_627_776.0][prefix];
    let decimals = match value.abs() {
        v if prefix == 0 && v.fract() == 0.0 => 0,
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    // No "-0 B": a tiny negative number rounds to zero.
    let text = format!("{value:.decimals$}");
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') { "0".to_owned() } else { text }
}

/// Growth of memory over time.
#[derive(Debug, Default, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct BytesPerHour(f64);

impl BytesPerHour {
    /// `rate` bytes in an hour.
    #[must_use]
    pub const fn new(rate: f64) -> Self {
        Self(rate)
    }

    /// `rate` bytes in a second.
    #[must_use]
    pub const fn per_second(rate: f64) -> Self {
        Self(rate * SECONDS_PER_HOUR)
    }

    /// Bytes in an hour.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Bytes in a second.
    #[must_use]
    pub const fn get_per_second(self) -> f64 {
        self.0 / SECONDS_PER_HOUR
    }
}

impl fmt::Display for BytesPerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/h", binary_prefixed(self.0)))
    }
}

/// Growth of memory with the work done.
#[derive(Debug, Default, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct BytesPerRequest(f64);

impl BytesPerRequest {
    /// `rate` bytes for each completed request.
    #[must_use]
    pub const fn new(rate: f64) -> Self {
        Self(rate)
    }

    /// Bytes for each completed request.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The same growth over time, at `rps`.
    #[must_use]
    pub const fn at(self, rps: Rps) -> BytesPerHour {
        BytesPerHour::per_second(self.0 * rps.get())
    }
}

impl fmt::Display for BytesPerRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/request", binary_prefixed(self.0)))
    }
}

/// Requests per second: an offered, a delivered or a completed rate.
#[derive(Debug, Default, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Rps(f64);

impl Rps {
    /// `rate` requests per second.
    #[must_use]
    pub const fn new(rate: f64) -> Self {
        Self(rate)
    }

    /// Requests per second.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Rps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} requests/s", (self.0 * 10.0).round() / 10.0))
    }
}

/// A moment of a cell, on the monotonic clock, counted from the start of its load. Serialised as seconds (`t_s`).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub struct SinceStart(#[schemars(with = "f64")] Duration);

impl SinceStart {
    /// The start of the load.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// `elapsed` after the start of the load.
    #[must_use]
    pub const fn new(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// `seconds` after the start; negative and non-finite numbers are the start itself.
    #[must_use]
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }

    /// How long after the start.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// Seconds after the start.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// The time from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for SinceStart {
    type Output = Self;
    fn add(self, wait: Duration) -> Self {
        Self(self.0 + wait)
    }
}

impl Sub for SinceStart {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for SinceStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&duration_text(self.0))
    }
}

impl Serialize for SinceStart {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(to_microseconds(self.0.as_secs_f64()))
    }
}

impl<'de> Deserialize<'de> for SinceStart {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is read is what would be written of it, whoever wrote it.
        f64::deserialize(deserializer).map(|seconds| Self::from_secs_f64(to_microseconds(seconds)))
    }
}

/// Microseconds suffice for samples a second apart and keep the lines short.
fn to_microseconds(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// Where all randomness of a scenario comes from.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// A number and the interval that it lies in with 95 % confidence. No figure is shown without.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate<T> {
    /// The most plausible value.
    pub value: T,
    /// Lower end of the interval.
    pub low: T,
    /// Upper end of the interval.
    pub high: T,
}

impl<T> Estimate<T> {
    /// The same estimate in another unit; `convert` must be increasing.
    pub fn map<U>(self, mut convert: impl FnMut(T) -> U) -> Estimate<U> {
        Estimate { value: convert(self.value), low: convert(self.low), high: convert(self.high) }
    }
}

/// Half the width of an interval of 95 % of what is normal, in standard errors.
pub const HALF_WIDTH: f64 = 1.96;

impl Estimate<f64> {
    /// That of something normal with this standard error: 95 % lie in the interval.
    #[must_use]
    pub fn normal(value: f64, error: f64) -> Self {
        let half = HALF_WIDTH * error;
        Self { value, low: value - half, high: value + half }
    }

    /// The standard error, of something normal.
    #[must_use]
    pub fn error(&self) -> f64 {
        0.5 * (self.high - self.low) / HALF_WIDTH
    }

    /// The same of the opposite: what is less, as what is more.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { value: -self.value, low: -self.high, high: -self.low }
    }

    /// A number of bytes and its interval in one unit: `4.20 (4.11 to 4.29) MiB`.
    #[must_use]
    pub fn compact_bytes(&self) -> String {
        compact(*self)
    }
}

impl Estimate<BytesPerHour> {
    /// Value and interval in one unit, without "per hour": `4.20 (4.11 to 4.29) GiB`.
    #[must_use]
    pub fn compact(&self) -> String {
        compact(self.map(BytesPerHour::get))
    }
}

impl Estimate<BytesPerRequest> {
    /// Value and interval in one unit, without "per request": `4.20 (4.11 to 4.29) KiB`.
    #[must_use]
    pub fn compact(&self) -> String {
        compact(self.map(BytesPerRequest::get))
    }
}

fn compact(bytes: Estimate<f64>) -> String {
    let prefix = prefix_of(bytes.value.abs().max(bytes.low.abs()).max(bytes.high.abs()));
    let [value, low, high] = [bytes.value, bytes.low, bytes.high].map(|number| in_prefix(number, prefix));
    format!("{value} ({low} to {high}) {}", PREFIXES[prefix])
}

impl<T: fmt::Display> fmt::Display for Estimate<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} ({} to {})", self.value, self.low, self.high))
    }
}

/// A duration as a person would say it, in at most two units: `65s`, `3m 20s`, `2h 30m`, `3.1 days`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    const DAY: u64 = 86_400;
    const TWO_MINUTES: u64 = 120;
    let seconds = duration.as_secs_f64().round() as u64;
    match seconds {
        _ if duration < Duration::from_secs(1) && !duration.is_zero() => format!("{} ms", duration.as_millis()),
        0..TWO_MINUTES => format!("{seconds}s"),
        TWO_MINUTES..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        TWO_MINUTES..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..DAY if seconds % 3600 < 60 => format!("{}h", seconds / 3600),
        3600..DAY => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{:.1} days", duration.as_secs_f64() / DAY as f64),
    }
}

/// `1 cell`, `2 cells`.
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Serialises a [`Duration`] as a number of seconds; the field is to be named `…_s`.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// As seconds.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    /// From seconds.
    ///
    /// # Errors
    /// A number that is negative, not finite, or too large for a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    /// A [`Duration`](super::Duration) that may be missing.
    pub mod optional {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        /// As seconds, or null.
        ///
        /// # Errors
        /// Those of the serializer.
        pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
            match duration {
                Some(duration) => super::serialize(duration, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// From seconds, or null.
        ///
        /// # Errors
        /// A number that is negative, not finite, or too large for a duration.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
            let seconds = Option::<f64>::deserialize(deserializer)?;
            seconds.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_with_three_digits_and_their_unit() {
        let shown = [0, 512, 1000, 1024, 1536, 10 << 20, 1_000_000_000].map(|n| Bytes::new(n).to_string());
        assert_eq!(shown, ["0 B", "512 B", "0.98 KiB", "1.00 KiB", "1.50 KiB", "10.0 MiB", "954 MiB"]);
    }

    #[test]
    fn a_time_is_read_as_it_would_be_written() {
        for (written, wanted) in [("1e-7", "0.0"), ("0.0000014", "1e-6"), ("15.000000123", "15.0"), ("-1", "0.0")] {
            let read: SinceStart = serde_json::from_str(written).expect("a time");
            assert_eq!(serde_json::to_string(&read).expect("JSON"), wanted);
            assert_eq!(serde_json::from_str::<SinceStart>(wanted).expect("a time"), read);
        }
    }

    #[test]
    fn growth_keeps_its_sign_and_never_shows_a_negative_zero() {
        assert_eq!(BytesPerHour::new(-1_310_720.0).to_string(), "-1.25 MiB/h");
        assert_eq!(BytesPerRequest::new(-0.001).to_string(), "0 B/request");
        assert_eq!(BytesPerRequest::new(3.456).to_string(), "3.46 B/request");
    }

    #[test]
    fn growth_per_request_becomes_growth_per_hour_through_the_rate() {
        assert_eq!(BytesPerRequest::new(4.0).at(Rps::new(100.0)), BytesPerHour::new(1_440_000.0));
    }

    #[test]
    fn an_estimate_is_shown_in_one_unit() {
        let growth = Estimate { value: 4200.0, low: -100.0, high: 8000.0 }.map(BytesPerRequest::new);
        assert_eq!(growth.compact(), "4.10 (-0.10 to 7.81) KiB");
    }

    #[test]
    fn durations_are_said_in_at_most_two_units() {
        let said =
            [0.25, 65.0, 120.0, 200.0, 9000.0, 7200.0, 267_840.0].map(|s| duration_text(Duration::from_secs_f64(s)));
        assert_eq!(said, ["250 ms", "65s", "2m", "3m 20s", "2h 30m", "2h", "3.1 days"]);
    }

    #[test]
    fn a_moment_is_written_in_seconds_and_read_back() {
        let moment = SinceStart::from_secs_f64(12.345_678);
        let line = serde_json::to_string(&moment).expect("a number");
        assert_eq!(line, "12.345678");
        assert_eq!(serde_json::from_str::<SinceStart>(&line).expect("the same number"), moment);
    }
}
