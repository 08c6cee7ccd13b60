//! A series that is still being read: kept in bounded memory however long it goes on, to be fitted at any moment.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::{Growth, Layer, Materiality, MemorySource, Series, Sources, fit};

/// Most readings that are kept: four hours at one a second, which a fit takes less than 20 ms of (METHOD.md, early
/// stop). An even number.
const MAX_READINGS: usize = 14_400;

/// Most moments that are kept of disturbances and of replaced processes each. With more than eight of them a run is
/// noisy, or they are its way to work (`environment.rs`).
const MAX_MOMENTS: usize = 1024;

/// Seconds that disturbances are apart at the least once there are too many to keep, at first.
const APART: f64 = 1.0;

/// Which readings are kept is drawn from this.
const SEED: u64 = 0;

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// See [`Series::t_s`].
    pub t_s: f64,
    /// See [`Series::memory_bytes`].
    pub memory_bytes: f64,
    /// See [`Series::live_bytes`].
    pub live_bytes: f64,
    /// See [`Series::requests`].
    pub requests: f64,
}

/// A series under way. Up to [`MAX_READINGS`] it holds all readings, and is the series itself. Beyond that it holds
/// one of every two, then one of every four, and so on. Which of them is drawn by chance: blocks keep their quantiles,
/// and what comes back every few seconds is not turned into a slow wave, as it is by every fourth reading.
#[derive(Debug, Clone)]
pub struct RunningSeries {
    readings: Vec<Reading>,
    /// How many readings each of the kept ones stands for: a power of two.
    group: u64,
    /// Readings of the group that is being read, and which of them is kept.
    seen: u64,
    /// See `seen`.
    drawn: u64,
    disturbances: Moments,
    replaced: Moments,
    sources: Sources,
    chance: ChaCha8Rng,
}

impl Default for RunningSeries {
    fn default() -> Self {
        Self {
            readings: Vec::new(),
            group: 1,
            seen: 0,
            drawn: 0,
            disturbances: Moments::default(),
            replaced: Moments::default(),
            sources: Sources::default(),
            chance: ChaCha8Rng::seed_from_u64(SEED),
        }
    }
}

impl RunningSeries {
    /// Adds a reading. Cost: constant on average.
    pub fn push(&mut self, reading: Reading) {
        if self.seen == 0 {
            if self.readings.len() >= MAX_READINGS {
                self.halve();
            }
            self.drawn = self.chance.next_u64() % self.group;
        }
        if self.seen == self.drawn {
            self.readings.push(reading);
        }
        self.seen = (self.seen + 1) % self.group;
    }

    /// At this moment the run was disturbed: see [`Series::disturbances_s`].
    pub fn disturbed(&mut self, t_s: f64) {
        self.disturbances.add(t_s);
    }

    /// From this moment on another process holds the memory: see [`Series::replaced_s`].
    pub fn replaced(&mut self, t_s: f64) {
        self.replaced.add(t_s);
    }

    /// The memory of its layer is read from `source`.
    pub fn read_from(&mut self, source: MemorySource) {
        self.sources = self.sources.with(source);
    }

    /// The growth so far, of live bytes where the readings carry them; none if it cannot be fitted yet. Cost: that of a
    /// fit of [`MAX_READINGS`] at most.
    #[must_use]
    pub fn growth(&self, materiality: &Materiality) -> Option<Growth> {
        let series = self.series();
        let layer = if series.has_live_bytes() { Layer::Live } else { Layer::Resident };
        fit(&series, layer, materiality).ok()
    }

    fn series(&self) -> Series {
        let column = |of: fn(&Reading) -> f64| self.readings.iter().map(of).collect::<Vec<f64>>();
        let live_bytes = column(|reading| reading.live_bytes);
        Series {
            t_s: column(|reading| reading.t_s),
            memory_bytes: column(|reading| reading.memory_bytes),
            live_bytes: if live_bytes.iter().all(|live| live.is_nan()) { Vec::new() } else { live_bytes },
            requests: column(|reading| reading.requests),
            disturbances_s: Some(self.disturbances.moments.clone()),
            replaced_s: self.replaced.moments.clone(),
            sources: self.sources,
        }
    }

    /// Keeps one reading of each two neighbours, either with the same chance.
    fn halve(&mut self) {
        let (mut index, mut keeps_first) = (0, true);
        let Self { readings, chance, .. } = self;
        readings.retain(|_| {
            let is_first = index % 2 == 0;
            if is_first {
                keeps_first = chance.next_u64().is_multiple_of(2);
            }
            index += 1;
            is_first == keeps_first
        });
        self.group *= 2;
    }
}

/// Moments in the order in which they were reported; of close ones the first, once there are many.
#[derive(Debug, Clone, Default)]
struct Moments {
    moments: Vec<f64>,
    /// Seconds that they are apart at the least.
    apart: f64,
}

impl Moments {
    fn add(&mut self, t_s: f64) {
        while self.moments.len() >= MAX_MOMENTS {
            self.apart = APART.max(2.0 * self.apart);
            let (mut last, apart) = (f64::NEG_INFINITY, self.apart);
            self.moments.retain(|moment| {
                let is_apart = moment - last >= apart;
                if is_apart {
                    last = *moment;
                }
                is_apart
            });
        }
        let is_apart = self.apart <= 0.0 || self.moments.last().is_none_or(|last| t_s - last >= self.apart);
        if is_apart {
            self.moments.push(t_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{Family, Recipe, simulate};

    fn running(series: &Series) -> RunningSeries {
        let mut running = RunningSeries::default();
        for index in 0..series.t_s.len() {
            running.push(Reading {
                t_s: series.t_s[index],
                memory_bytes: series.memory_bytes[index],
                live_bytes: series.live_bytes.get(index).copied().unwrap_or(f64::NAN),
                requests: series.requests[index],
            });
        }
        series.disturbances_s.iter().flatten().for_each(|moment| running.disturbed(*moment));
        series.replaced_s.iter().for_each(|moment| running.replaced(*moment));
        running
    }

    fn simulated(family: Family, seconds: usize, leak: f64, index: u64) -> Series {
        simulate(&Recipe { family, seconds, leak, rps: Some(500.0), known: true, seed: 3, index }).series
    }

    #[test]
    fn a_series_of_four_hours_is_kept_as_it_is() {
        let series = simulated(Family::LeakSpikes, MAX_READINGS, 4.0, 0);
        assert_eq!(running(&series).series(), series);
    }

    /// What is kept of a day stands for all of it: the same growth within a tenth, and the other way round no growth.
    #[test]
    fn what_is_kept_of_a_day_grows_as_the_day_does() {
        for index in 0..3 {
            for (family, leak) in [(Family::LeakLinear, 4.0), (Family::ShortMemory, 0.0)] {
                let series = simulated(family, 86_400, leak, index);
                let kept = running(&series);
                assert!((MAX_READINGS / 2..=MAX_READINGS).contains(&kept.readings.len()), "{}", kept.readings.len());
                let of_kept = kept.growth(&Materiality::default()).expect("growth");
                let of_all = fit(&series, Layer::Resident, &Materiality::default()).expect("growth");
                let [one, other] = [&of_kept, &of_all].map(|growth| growth.per_hour.value.get());
                assert!((one - other).abs() <= 0.1 * other.abs().max(of_all.worth_finding.get()), "{one} and {other}");
                assert_eq!([&of_kept, &of_all].map(|growth| growth.evidence > 4.6), [leak > 0.0; 2]);
            }
        }
    }

    /// A pulse every eight readings and a bit, of which every eighth alone would see a wave of hours.
    #[test]
    fn what_comes_back_every_few_seconds_is_not_a_slow_wave() {
        let mut running = RunningSeries::default();
        for second in 0..86_400 {
            let t_s = f64::from(second);
            let phase = t_s % 8.001 / 8.001;
            running.push(Reading {
                t_s,
                memory_bytes: 100e6 + 20e6 * phase,
                live_bytes: f64::NAN,
                requests: 100.0 * t_s,
            });
        }
        assert_eq!(running.group, 8);
        let growth = running.growth(&Materiality::default()).expect("growth");
        assert!(growth.evidence < 3.0 && growth.per_hour.value.get().abs() < 1e6, "{growth:?}");
    }

    #[test]
    fn moments_without_end_are_bounded_and_span_all_of_them() {
        let mut moments = Moments::default();
        (0..100_000).for_each(|second| moments.add(f64::from(second)));
        assert!((MAX_MOMENTS / 2..=MAX_MOMENTS).contains(&moments.moments.len()), "{}", moments.moments.len());
        assert!(moments.moments[0] <= 0.0 && moments.moments.last().is_some_and(|last| *last > 99_000.0));
        // Moments that are all one leave one.
        (0..5000).for_each(|_| moments.add(100_000.0));
        assert!(moments.moments.len() <= MAX_MOMENTS);
    }
}
