//! How much a leak keeps for each request.

use std::sync::atomic::{AtomicU64, Ordering};

/// A mean number of bytes kept per request, however small.
///
/// A session of 4 bytes is not credible. Where fewer bytes a request are asked for than the smallest credible object
/// has, an object of that size is kept for every n-th request, so that the mean comes out exactly.
#[derive(Debug)]
pub struct Dose {
    bytes_per_request: u64,
    object_bytes: u64,
    owed_bytes: AtomicU64,
}

impl Dose {
    pub fn new(bytes_per_request: usize, smallest_object_bytes: usize) -> Self {
        Self {
            bytes_per_request: bytes_per_request as u64,
            object_bytes: bytes_per_request.max(smallest_object_bytes) as u64,
            owed_bytes: AtomicU64::new(0),
        }
    }

    /// Asked once for each request: whether this one's object is kept.
    pub fn is_due(&self) -> bool {
        let before = self.owed_bytes.fetch_add(self.bytes_per_request, Ordering::Relaxed);
        before / self.object_bytes != (before + self.bytes_per_request) / self.object_bytes
    }

    /// What fills an object up to its size, beside the bytes that it has anyway.
    pub fn filler_bytes(&self, fixed_bytes: usize) -> usize {
        usize::try_from(self.object_bytes).map_or(usize::MAX, |object| object.saturating_sub(fixed_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_bytes(bytes_per_request: usize, requests: u64) -> u64 {
        let dose = Dose::new(bytes_per_request, 256);
        (0..requests).map(|_| if dose.is_due() { dose.object_bytes } else { 0 }).sum()
    }

    #[test]
    fn a_small_dose_is_kept_as_a_whole_object_now_and_then() {
        assert_eq!(kept_bytes(4, 64), 256);
        assert_eq!(kept_bytes(100, 256), 25_600);
        assert_eq!(kept_bytes(1, 255), 0);
    }

    #[test]
    fn a_large_dose_is_kept_for_every_request() {
        assert_eq!(kept_bytes(4_096, 10), 40_960);
    }

    #[test]
    fn a_dose_of_nothing_keeps_nothing() {
        assert_eq!(kept_bytes(0, 1_000), 0);
    }

    #[test]
    fn what_an_object_has_anyway_is_not_filled() {
        assert_eq!(Dose::new(1_000, 256).filler_bytes(40), 960);
        assert_eq!(Dose::new(4, 256).filler_bytes(300), 0);
    }
}
