//! Where events come from that are counted in bins, when it is known how active each possible source was in each bin.
//!
//! Events are Poisson, and their expected number in a bin is the sum over the sources of rate times activity. Rates are
//! not negative: nothing takes an event away. Maximum likelihood by Fisher scoring on the rates that are free; a source
//! is held against chance by the likelihood that is lost without it. Events that come in heaps, several for one
//! activity, are known by how far the counts scatter around what is expected, and all errors are widened by it.

use super::cholesky::{Triangle, dot};

/// What one source adds to the events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// Events for one unit of its activity.
    pub rate: f64,
    /// The standard error of that.
    pub error: f64,
    /// By how many standard deviations it stands out, of a normal distribution if it adds nothing.
    pub surety: f64,
}

/// What all sources add.
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    /// Each, in the order of the activities.
    pub parts: Vec<Source>,
    /// By how many standard deviations the events rise beside what the activities say, from the first bin to the last;
    /// below zero: they fall.
    pub trend: f64,
    /// How much more the events scatter than single ones do; at least 1.
    pub dispersion: f64,
    /// The logarithm of the likelihood, up to a constant, at the best rates.
    pub likelihood: f64,
}

/// Steps of the scoring; of five sources it takes four, and 14 at most of 1,500 times.
const STEPS: usize = 200;

/// The likelihood that another step has to add, as a logarithm: a hundredth of what shifts a surety.
const ENOUGH: f64 = 1e-4;

/// A step is halved no more often than this.
const HALVINGS: usize = 30;

/// Expected events below this are taken for it: no activity, no event.
const LEAST: f64 = 1e-12;

/// The sources of `events`, by how active each was in each bin; none where there are too few bins, or a source was
/// never active.
#[must_use]
pub fn sources(events: &[f64], activities: &[Vec<f64>]) -> Option<Sources> {
    let freedom = events.len().checked_sub(activities.len()).filter(|freedom| *freedom > activities.len())?;
    let all: Vec<usize> = (0..activities.len()).collect();
    let best = Fit::of(events, activities, &all)?;
    let scatter = events.iter().zip(&best.expected).map(|(event, expected)| (event - expected).powi(2) / expected);
    let dispersion = (scatter.sum::<f64>() / freedom as f64).max(1.0);
    let part = |place: usize| {
        let others: Vec<usize> = all.iter().copied().filter(|other| *other != place).collect();
        let lost = match Fit::of(events, activities, &others) {
            Some(without) => (best.likelihood - without.likelihood).max(0.0),
            // Without it some events come from nowhere.
            None => f64::INFINITY,
        };
        let error = (best.variance(activities, place)? * dispersion).sqrt();
        Some(Source { rate: best.rates[place], error, surety: (2.0 * lost / dispersion).sqrt() })
    };
    let parts = all.iter().map(|place| part(*place)).collect::<Option<Vec<_>>>()?;
    let trend = best.trend(events, activities)? / dispersion.sqrt();
    Some(Sources { parts, trend, dispersion, likelihood: best.likelihood })
}

/// Rates of some of the sources.
struct Fit {
    rates: Vec<f64>,
    expected: Vec<f64>,
    likelihood: f64,
}

impl Fit {
    /// The best rates of these `places`, the others being zero.
    fn of(events: &[f64], activities: &[Vec<f64>], places: &[usize]) -> Option<Self> {
        let total: f64 = events.iter().sum();
        let sums: Vec<f64> = activities.iter().map(|activity| activity.iter().sum()).collect();
        if total <= 0.0 || places.is_empty() || places.iter().any(|place| sums[*place] <= 0.0) {
            return None;
        }
        let mut rates = vec![0.0; activities.len()];
        for place in places {
            rates[*place] = total / (places.len() as f64 * sums[*place]);
        }
        let mut fit = Self::at(events, activities, rates);
        for _ in 0..STEPS {
            let Some((next, is_whole)) = fit.step(events, activities, places) else { break };
            let gained = next.likelihood - fit.likelihood;
            fit = next;
            if is_whole && gained < ENOUGH {
                break;
            }
        }
        fit.likelihood.is_finite().then_some(fit)
    }

    fn at(events: &[f64], activities: &[Vec<f64>], rates: Vec<f64>) -> Self {
        let mut expected = vec![0.0; events.len()];
        for (activity, rate) in activities.iter().zip(&rates).filter(|(_, rate)| **rate > 0.0) {
            expected.iter_mut().zip(activity).for_each(|(sum, active)| *sum += rate * active);
        }
        let of_bin = |(event, expected): (&f64, &f64)| match (*event > 0.0, *expected > LEAST) {
            (true, true) => event * expected.ln() - expected,
            (true, false) => f64::NEG_INFINITY,
            (false, _) => -expected,
        };
        let likelihood = events.iter().zip(&expected).map(of_bin).sum();
        for expected in &mut expected {
            *expected = expected.max(LEAST);
        }
        Self { rates, expected, likelihood }
    }

    /// The likelihood's slope by the rate of a source.
    fn slope(&self, events: &[f64], activity: &[f64]) -> f64 {
        let of_bin = |((event, expected), active): ((&f64, &f64), &f64)| active * (event / expected - 1.0);
        events.iter().zip(&self.expected).zip(activity).map(of_bin).sum()
    }

    /// What is known of these sources together.
    fn information(&self, activities: &[Vec<f64>], of: &[usize]) -> Option<Triangle> {
        let weighted: Vec<Vec<f64>> = of
            .iter()
            .map(|place| activities[*place].iter().zip(&self.expected).map(|(active, expected)| active / expected))
            .map(Iterator::collect)
            .collect();
        // Sources that say nearly the same: a hair more on the diagonal keeps the step finite.
        let hair = |one: usize, other: usize| if one == other { 1.0 + 1e-9 } else { 1.0 };
        Triangle::factor(of.len(), |one, other| dot(&weighted[one], &activities[of[other]]) * hair(one, other))
    }

    /// Better rates, and whether the step went as far as it wanted; none where there are none. It ends where the first
    /// rate is zero, which is then no longer free.
    fn step(&self, events: &[f64], activities: &[Vec<f64>], places: &[usize]) -> Option<(Self, bool)> {
        let (free, direction) = self.direction(events, activities, places)?;
        let to_zero =
            |at: usize| if direction[at] < 0.0 { self.rates[free[at]] / -direction[at] } else { f64::INFINITY };
        let first = (0..free.len()).min_by(|one, other| to_zero(*one).total_cmp(&to_zero(*other)))?;
        let mut length = to_zero(first).min(1.0);
        let mut blocked = length < 1.0;
        for _ in 0..HALVINGS {
            let mut rates = self.rates.clone();
            free.iter().zip(&direction).for_each(|(place, by)| rates[*place] = (rates[*place] + length * by).max(0.0));
            if blocked {
                rates[free[first]] = 0.0;
            }
            let next = Self::at(events, activities, rates);
            if next.likelihood > self.likelihood {
                return Some((next, !blocked));
            }
            (length, blocked) = (length / 2.0, false);
        }
        None
    }

    /// Which rates may change, and by how much each is to; none where none may.
    fn direction(&self, events: &[f64], activities: &[Vec<f64>], places: &[usize]) -> Option<(Vec<usize>, Vec<f64>)> {
        let slopes: Vec<(usize, f64)> =
            places.iter().map(|place| (*place, self.slope(events, &activities[*place]))).collect();
        let is_free = |(place, slope): &&(usize, f64)| self.rates[*place] > 0.0 || *slope > 0.0;
        let mut free: Vec<(usize, f64)> = slopes.iter().filter(is_free).copied().collect();
        while !free.is_empty() {
            let (of, right): (Vec<usize>, Vec<f64>) = free.iter().copied().unzip();
            let direction = self.information(activities, &of)?.solved(right);
            let is_below_zero = |at: usize| self.rates[of[at]] <= 0.0 && direction[at] < 0.0;
            if !(0..of.len()).any(is_below_zero) {
                return Some((of, direction));
            }
            free = (0..of.len()).filter(|at| !is_below_zero(*at)).map(|at| free[at]).collect();
        }
        None
    }

    /// The square of the standard error of a rate, beside those that are not zero.
    fn variance(&self, activities: &[Vec<f64>], place: usize) -> Option<f64> {
        let others = (0..activities.len()).filter(|other| *other != place && self.rates[*other] > 0.0);
        let of: Vec<usize> = others.chain([place]).collect();
        let information = self.information(activities, &of)?;
        // The last of them: what its row keeps on the diagonal is what the others leave of its information.
        Some(information.row(of.len() - 1)[of.len() - 1].powi(-2))
    }

    /// By how many standard deviations the events rise beside what is expected.
    fn trend(&self, events: &[f64], activities: &[Vec<f64>]) -> Option<f64> {
        let count = events.len() as f64;
        let rise: Vec<f64> = self.expected.iter().enumerate().map(|(at, _)| (at as f64 + 0.5) / count - 0.5).collect();
        let of: Vec<usize> = (0..activities.len()).filter(|place| self.rates[*place] > 0.0).collect();
        let information = self.information(activities, &of)?;
        // What the rates themselves would take of it.
        let mut taken: Vec<f64> = of.iter().map(|place| dot(&activities[*place], &rise)).collect();
        information.solve_rows(&mut taken, 1);
        let squares: f64 = self.expected.iter().zip(&rise).map(|(expected, rise)| expected * rise * rise).sum();
        let rest: f64 = events
            .iter()
            .zip(&self.expected)
            .zip(&rise)
            .map(|((event, expected), rise)| (event - expected) * rise)
            .sum();
        let variance = squares - dot(&taken, &taken);
        (variance > 0.0).then(|| rest / variance.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng as _;
    use rand_distr::{Distribution as _, Poisson};

    use super::*;

    /// Requests of four names in bins of a second, and time.
    fn activities(random: &mut ChaCha8Rng, bins: usize) -> Vec<Vec<f64>> {
        let of = |rate: f64, random: &mut ChaCha8Rng| -> Vec<f64> {
            let requests = Poisson::new(rate).expect("a rate");
            (0..bins).map(|_| requests.sample(random)).collect()
        };
        let mut activities: Vec<Vec<f64>> = [40.0, 8.0, 15.0, 8.0].map(|rate| of(rate, random)).into();
        activities.push(vec![1.0; bins]);
        activities
    }

    fn events(random: &mut ChaCha8Rng, activities: &[Vec<f64>], rates: [f64; 5], heap: f64) -> Vec<f64> {
        let of_bin = |bin: usize, random: &mut ChaCha8Rng| {
            let expected: f64 = activities.iter().zip(rates).map(|(activity, rate)| rate * activity[bin]).sum();
            if expected <= 0.0 { 0.0 } else { heap * Poisson::new(expected / heap).expect("a rate").sample(random) }
        };
        (0..activities[0].len()).map(|bin| of_bin(bin, random)).collect()
    }

    #[test]
    fn events_are_laid_on_their_sources() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let activities = activities(&mut random, 600);
        let events = events(&mut random, &activities, [0.0, 0.5, 0.0, 0.2, 0.0], 1.0);
        let found = sources(&events, &activities).expect("sources");
        for (part, rate) in found.parts.iter().zip([0.0, 0.5, 0.0, 0.2, 0.0]) {
            assert!((part.rate - rate).abs() < 4.0 * part.error, "{found:?}");
            assert!((part.surety > 5.0) == (rate > 0.0), "{found:?}");
        }
        assert!(found.trend.abs() < 3.0 && found.dispersion < 1.2, "{found:?}");
    }

    #[test]
    fn what_adds_nothing_stands_out_no_more_often_than_a_normal_distribution_says() {
        // One source adds events, the others do not. That no rate is negative makes it rarer: another takes its place.
        let (mut beyond, mut trends) = (0, 0);
        for seed in 0..300 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let activities = activities(&mut random, 300);
            let events = events(&mut random, &activities, [0.0, 0.05, 0.0, 0.0, 0.0], 1.0);
            let found = sources(&events, &activities).expect("sources");
            let nothing = found.parts.iter().enumerate().filter(|(place, _)| *place != 1);
            beyond += nothing.filter(|(_, part)| part.surety > 2.33).count();
            trends += usize::from(found.trend.abs() > 2.58);
        }
        assert!(beyond <= 12, "{beyond} of 1,200");
        assert!((1..=10).contains(&trends), "{trends} of 300");
    }

    #[test]
    fn heaps_are_one_event_each() {
        let mut wrong = 0;
        for seed in 0..200 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let activities = activities(&mut random, 300);
            let events = events(&mut random, &activities, [0.0, 0.0, 0.0, 0.0, 2.0], 10.0);
            let found = sources(&events, &activities).expect("sources");
            assert!(found.dispersion > 4.0, "{found:?}");
            wrong += found.parts[..4].iter().filter(|part| part.surety > 3.3).count();
        }
        assert!(wrong <= 3, "{wrong} of 800");
    }

    #[test]
    fn what_fades_and_what_is_young_has_a_trend() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let activities = activities(&mut random, 240);
        let found = |by: fn(f64) -> f64| {
            let mut random = ChaCha8Rng::seed_from_u64(6);
            let of_bin = |bin: usize| activities[1][bin] * 0.5 * by(bin as f64 / 240.0);
            let events: Vec<f64> =
                (0..240).map(|bin| Poisson::new(of_bin(bin).max(1e-9)).expect("a rate").sample(&mut random)).collect();
            sources(&events, &activities).expect("sources").trend
        };
        assert!(found(|share| (-3.0 * share).exp()) < -5.0);
        assert!(found(|share| (3.0 * share - 3.0).exp()) > 5.0);
        assert!(found(|_| 1.0).abs() < 2.58);
    }

    #[test]
    fn too_few_bins_and_no_events_say_nothing() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let activities = activities(&mut random, 300);
        assert_eq!(sources(&[0.0; 300], &activities), None);
        let short: Vec<Vec<f64>> = activities.iter().map(|activity| activity[..9].to_vec()).collect();
        assert_eq!(sources(&[1.0; 9], &short), None);
        let silent = [activities[0].clone(), vec![0.0; 300]];
        assert_eq!(sources(&[1.0; 300], &silent), None);
    }
}
