//! Sizes and rates from `SHOP_…` variables, read once at start.

use std::ffi::OsString;
use std::ops::RangeInclusive;

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

/// What can be set from outside. `…_bytes` of a leak are the mean bytes that it keeps for each of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `SHOP_ITEMS`: items in the catalogue.
    pub items: usize,
    /// `SHOP_PAGE_BYTES`: the rendered page of an item.
    pub page_bytes: usize,
    /// `SHOP_SESSION_BYTES`: kept per `POST /login` (feature `sessions`).
    pub session_bytes: usize,
    /// `SHOP_ORDER_BYTES`: kept per `POST /orders` (feature `orders`).
    pub order_bytes: usize,
    /// `SHOP_LABEL_BYTES`: kept per `GET /items/{id}` (feature `labels`).
    pub label_bytes: usize,
    /// `SHOP_JOB_BYTES`: kept per `POST /orders` (feature `jobs`).
    pub job_bytes: usize,
    /// `SHOP_AUDIT_BYTES`: kept per request of any kind (feature `audit`).
    pub audit_bytes: usize,
    /// `SHOP_SERIES_BYTES`: kept per request of any kind (features `metrics-labels` and `tenants`).
    pub series_bytes: usize,
    /// `SHOP_CACHE_ENTRIES`: pages in the cache (feature `cache`).
    pub cache_entries: usize,
    /// `SHOP_RENDER_CLONES`: paragraphs of a page, each with a clone of everything known about it (feature `render`).
    pub render_clones: usize,
    /// `SHOP_FRAGMENT_BYTES`: budget of the recently viewed pieces (feature `fragment`).
    pub fragment_bytes: usize,
    /// `SHOP_BATCH_BYTES`: taken by each run of the batch job (feature `batch`).
    pub batch_bytes: usize,
    /// `SHOP_BATCH_EVERY_MS`: from start to start of the batch job.
    pub batch_every_ms: usize,
    /// `SHOP_BATCH_HOLD_MS`: how long a run of the batch job keeps its memory.
    pub batch_hold_ms: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            items: 100_000,
            page_bytes: 4 * KIB,
            session_bytes: KIB,
            order_bytes: KIB,
            label_bytes: 256,
            job_bytes: 512,
            audit_bytes: 256,
            series_bytes: 512,
            cache_entries: 1_500,
            render_clones: 20,
            fragment_bytes: 8 * MIB,
            batch_bytes: 32 * MIB,
            batch_every_ms: 30_000,
            batch_hold_ms: 2_000,
        }
    }
}

/// Everything that is wrong with the `SHOP_…` variables, at once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct SettingsError(Vec<String>);

impl Settings {
    /// Takes the `SHOP_…` variables out of an environment and leaves the rest alone.
    ///
    /// # Errors
    /// When one is unknown, not a number, or out of range: a soak with a misspelt setting would be hours of the wrong
    /// thing.
    pub fn from_environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let mut problems: Vec<String> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with("SHOP_"))
            .filter_map(|(name, value)| settings.set(&name, &value.to_string_lossy()).err())
            .collect();
        problems.sort();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError(problems)) }
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let (place, range) = self.place(name).ok_or_else(|| format!("{name} is not a setting of the shop"))?;
        let value = if name.ends_with("_BYTES") { bytes(text) } else { text.parse().ok() };
        match value {
            Some(value) if range.contains(&value) => *place = value,
            Some(_) => {
                return Err(format!("{name}={text} is out of range: {} to {}", range.start(), range.end()));
            }
            None if name.ends_with("_BYTES") => {
                return Err(format!("{name}={text} is not a size such as 256, 4KiB or 32MiB"));
            }
            None => return Err(format!("{name}={text} is not a whole number")),
        }
        Ok(())
    }

    /// Where a setting is kept, and what it may be.
    fn place(&mut self, name: &str) -> Option<(&mut usize, RangeInclusive<usize>)> {
        Some(match name {
            "SHOP_ITEMS" => (&mut self.items, 1..=10_000_000),
            "SHOP_PAGE_BYTES" => (&mut self.page_bytes, 256..=MIB),
            "SHOP_SESSION_BYTES" => (&mut self.session_bytes, 0..=MIB),
            "SHOP_ORDER_BYTES" => (&mut self.order_bytes, 0..=MIB),
            "SHOP_LABEL_BYTES" => (&mut self.label_bytes, 0..=MIB),
            "SHOP_JOB_BYTES" => (&mut self.job_bytes, 0..=MIB),
            "SHOP_AUDIT_BYTES" => (&mut self.audit_bytes, 0..=MIB),
            "SHOP_SERIES_BYTES" => (&mut self.series_bytes, 0..=MIB),
            "SHOP_CACHE_ENTRIES" => (&mut self.cache_entries, 0..=10_000_000),
            "SHOP_RENDER_CLONES" => (&mut self.render_clones, 1..=10_000),
            "SHOP_FRAGMENT_BYTES" => (&mut self.fragment_bytes, 64 * KIB..=1_024 * MIB),
            "SHOP_BATCH_BYTES" => (&mut self.batch_bytes, KIB..=1_024 * MIB),
            "SHOP_BATCH_EVERY_MS" => (&mut self.batch_every_ms, 10..=86_400_000),
            "SHOP_BATCH_HOLD_MS" => (&mut self.batch_hold_ms, 0..=86_400_000),
            _ => return None,
        })
    }
}

/// `256`, `256B`, `4KiB` or `32MiB`.
fn bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => KIB,
        "MiB" => MIB,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_environment(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn settings_are_numbers_and_sizes() {
        let settings = read(&[
            ("SHOP_SESSION_BYTES", "4"),
            ("SHOP_ORDER_BYTES", "4KiB"),
            ("SHOP_CACHE_ENTRIES", "7"),
            ("HOME", "/"),
        ]);
        let expected = Settings { session_bytes: 4, order_bytes: 4_096, cache_entries: 7, ..Settings::default() };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn every_bad_value_is_named_at_once() {
        let error = read(&[
            ("SHOP_SESSION_BYTES", "4KB"),
            ("SHOP_ITEMS", "0"),
            ("SHOP_CACHE_ENTRIES", "4KiB"),
            ("SHOP_SESION_BYTES", "4"),
        ])
        .expect_err("all four are wrong")
        .to_string();
        assert_eq!(
            error,
            "SHOP_CACHE_ENTRIES=4KiB is not a whole number; SHOP_ITEMS=0 is out of range: 1 to 10000000; SHOP_SESION_BYTES is not a \
             setting of the shop; SHOP_SESSION_BYTES=4KB is not a size such as 256, 4KiB or 32MiB"
        );
    }
}
