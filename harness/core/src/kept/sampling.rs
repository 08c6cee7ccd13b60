//! How finely stacks are sampled.

use std::time::Duration;

use crate::scenario::{Phase, Shape};
use steep_judge::units::Bytes;

/// Mean bytes between two samples of a service that is asked little: a leak of 1 MB shows in 16 of them.
const FINEST: u64 = 64 * 1024;

/// And of one that is asked much: then what grows is large as well.
const COARSEST: u64 = 512 * 1024;

/// Requests per second up to which samples are the finest. A stack takes some 10 µs in a service of axum: of the sample
/// shop at 1,000/s counting and a sample each 64 KiB took 14 % more CPU for each request, each 128 KiB 9 to 12 %, each
/// 256 KiB 6 %. At 200/s all of it is less than 1 % of a CPU.
const FEW: f64 = 250.0;

/// Where the rate is not known beforehand.
const UNKNOWN: u64 = 256 * 1024;

/// Mean bytes between two samples of stacks in a soak of `phases`, of a service with this `limit` of memory: twice as
/// many as the rate doubles, so that a second has about as many samples whatever the rate, and as many as is sure to
/// find room for all samples.
#[must_use]
pub fn sample_every(phases: &[Phase], limit: Option<Bytes>) -> u64 {
    by_rate(phases, FINEST, FEW).max(with_room(limit))
}

/// The same in a search for the flags that leak, whose short cells are all there is of them: as finely as a profile, up
/// to twice the rate. A stack of 10 µs for each 16 KiB of a service that allocates 30 KB per request takes 1 % of a CPU
/// at 500/s. Longer cells have enough samples without.
#[must_use]
pub fn sample_every_in_search(phases: &[Phase], limit: Option<Bytes>) -> u64 {
    let lasts: Duration = phases.iter().map(|phase| phase.duration).sum();
    if lasts > SHORT { sample_every(phases, limit) } else { by_rate(phases, FINE, 2.0 * FEW).max(with_room(limit)) }
}

/// Cells of a search that last longer are sampled as those of a run are: in ten minutes at 200/s a leak of 16 B per
/// request is 1.9 MB, 30 samples of 64 KiB.
const SHORT: Duration = Duration::from_mins(10);

/// One in `finest` bytes up to `few` requests per second, and twice as many bytes as the rate doubles.
fn by_rate(phases: &[Phase], finest: u64, few: f64) -> u64 {
    let is_known = |phase: &Phase| !matches!(phase.shape, Shape::Users { .. } | Shape::External);
    if !phases.iter().all(is_known) {
        return UNKNOWN;
    }
    let peak = phases.iter().map(|phase| phase.shape.peak().get()).fold(0.0, f64::max);
    let mut every = finest;
    let mut rate = few;
    while rate < peak && every < COARSEST {
        every *= 2;
        rate *= 2.0;
    }
    every
}

/// Bytes between two samples of a cell that is profiled, where its limit does not ask for more.
const FINE: u64 = 16 << 10;

/// Samples that a service may have alive at its limit: a quarter of what the table of samples holds, beyond which some
/// find no room.
const ALIVE_AT_LIMIT: u64 = 1 << 15;

/// The same of a cell that is profiled: as finely as is sure to find room for all samples of a service with this
/// `limit` of memory.
#[must_use]
pub fn finely(limit: Option<Bytes>) -> u64 {
    FINE.max(with_room(limit))
}

fn with_room(limit: Option<Bytes>) -> u64 {
    limit.map_or(0, Bytes::get) / ALIVE_AT_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decoded, sound};

    #[test]
    fn a_service_with_a_large_limit_is_profiled_more_coarsely() {
        assert_eq!(finely(None), 16 << 10);
        assert_eq!(finely(Some(Bytes::mib(512))), 16 << 10);
        assert_eq!(finely(Some(Bytes::mib(8 << 10))), 256 << 10);
    }

    #[test]
    fn short_cells_of_a_search_are_sampled_as_finely_as_a_profile() {
        let at = |lasts: &str, rate: u32| {
            let text = sound(lasts, "").replace("rate = 100", &format!("rate = {rate}"));
            sample_every_in_search(&decoded(&text).phases, None) / 1024
        };
        assert_eq!([at("1m", 100), at("1m", 500), at("1m", 1_000), at("1m", 50_000)], [16, 16, 32, 512]);
        assert_eq!([at("10m", 500), at("11m", 500)], [16, 128]);
        assert_eq!(sample_every_in_search(&decoded(&sound("1m", "")).phases, Some(Bytes::mib(16 << 10))), 512 << 10);
    }

    #[test]
    fn samples_of_a_second_are_about_as_many_at_each_rate() {
        let at = |rate: u32| {
            let text = sound("1m", "").replace("rate = 100", &format!("rate = {rate}"));
            sample_every(&decoded(&text).phases, None) / 1024
        };
        assert_eq!([at(1), at(200), at(251), at(500), at(1_000), at(2_000)], [64, 64, 128, 128, 256, 512]);
        assert_eq!(at(100_000), 512);
        let phases = decoded(&sound("1m", "")).phases;
        assert_eq!(sample_every(&phases, Some(Bytes::mib(16 << 10))), 512 << 10, "16 GiB have room");
    }
}
