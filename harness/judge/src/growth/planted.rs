//! Series with planted growth, for tests: a seeded random stream, no clock.

use super::Series;

/// A recipe for a series sampled once a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planted {
    pub(crate) seconds: u32,
    pub(crate) rps: f64,
    pub(crate) base: f64,
    /// Bytes kept per request.
    pub(crate) leak: f64,
    /// Standard deviation of the noise in bytes, and its correlation from one second to the next.
    pub(crate) noise: f64,
    pub(crate) correlation: f64,
    pub(crate) seed: u64,
}

impl Planted {
    /// 20 MB, 300 requests a second, 20 KiB of noise with some memory, no leak.
    pub(crate) const CALM: Self =
        Self { seconds: 60, rps: 300.0, base: 20e6, leak: 0.0, noise: 20_480.0, correlation: 0.6, seed: 1 };

    /// The series, `extra(t, requests)` bytes added at every moment.
    pub(crate) fn with(self, extra: impl Fn(f64, f64) -> f64) -> Series {
        let mut stream = self.seed;
        let innovation = self.noise * (1.0 - self.correlation.powi(2)).sqrt();
        let mut noise = self.noise * normal(&mut stream);
        let mut series = Series { disturbances_s: Some(Vec::new()), ..Series::default() };
        for second in 0..=self.seconds {
            let t = f64::from(second);
            let requests = (self.rps * t).floor();
            noise = self.correlation * noise + innovation * normal(&mut stream);
            series.t_s.push(t);
            series.requests.push(requests);
            series.memory_bytes.push(self.base + self.leak * requests + noise + extra(t, requests));
        }
        series
    }

    pub(crate) fn series(self) -> Series {
        self.with(|_, _| 0.0)
    }
}

/// Rounds memory up to chunks, as the kernel and allocators do.
pub(crate) fn in_chunks(mut series: Series, chunk: f64) -> Series {
    series.memory_bytes.iter_mut().for_each(|bytes| *bytes = (*bytes / chunk).ceil() * chunk);
    series
}

/// A normal variable by the sum of twelve uniform ones of a splitmix64 stream.
fn normal(stream: &mut u64) -> f64 {
    let mut uniform = || {
        *stream = stream.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *stream;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(|_| uniform()).sum::<f64>() - 6.0
}
