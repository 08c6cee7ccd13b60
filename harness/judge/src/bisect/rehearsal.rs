//! Searches over cells that are simulated, with the noise of docs/isolation.md: what a search will cost, and how often
//! it is right.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, StandardNormal};
use serde::Serialize;

use super::simulated::SampledService;
use super::truth::{CREEP, Truth};
use super::{Bisect, Next, Rules, SearchState, Soaked};
use crate::ids::FlagSet;
use crate::isolation::model::Causes;
use crate::isolation::posterior::Posterior;
use crate::units::{BytesPerRequest, SECONDS_PER_HOUR};

/// Culprits, which had 16 and 8 B/request where 4 are worth finding: places of flags, and times what is worth finding.
type Culprits = &'static [(&'static [usize], f64)];
/// See [`Culprits`].
const CASES: [(&str, Culprits); 4] = [
    ("nothing", &[]),
    ("one flag", &[(&[0], 4.0)]),
    ("two flags", &[(&[0], 4.0), (&[1], 2.0)]),
    ("two, together only", &[(&[0, 1], 4.0)]),
];

/// Searches that are simulated.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The flags.
    pub flags: Vec<String>,
    /// What the search goes by.
    pub rules: Rules,
    /// The time that a search may take; what is likeliest then is its answer.
    pub budget: Duration,
}

/// What searches came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tally {
    /// How many.
    pub trials: usize,
    /// Of these, how many named exactly the culprits.
    pub exact: usize,
    /// How many were sure before the time was over.
    pub sure: usize,
    /// How many were sure of something that is not so.
    pub wrong: usize,
    /// How many cells were soaked.
    pub cells: usize,
    /// How long the cells were, all together.
    pub hours: f64,
    /// The longest search.
    pub longest_hours: f64,
}

impl Tally {
    /// Time that a search took, on average, in hours.
    #[must_use]
    pub fn mean_hours(&self) -> f64 {
        self.hours / self.trials.max(1) as f64
    }
}

/// A simulated service: what each flag adds, and the noise of its cells.
struct Service<'t> {
    truth: &'t Truth,
    creep: BTreeMap<&'t str, f64>,
    scale: f64,
    random: ChaCha8Rng,
}

impl<'t> Service<'t> {
    fn new(flags: &'t [String], truth: &'t Truth, rules: &Rules, seed: u64) -> Self {
        let scale = CREEP * rules.worth_finding.get();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let creep = flags.iter().map(|flag| (flag.as_str(), scale * normal(&mut random))).collect();
        Self { truth, creep, scale, random }
    }

    fn soak(&mut self, flags: &FlagSet, error: BytesPerRequest) -> Soaked {
        let creep: f64 = flags.iter().filter_map(|flag| self.creep.get(flag)).sum();
        let noise = error.get() * normal(&mut self.random) + self.scale * normal(&mut self.random);
        let growth = BytesPerRequest::new(self.truth.at(flags) + creep + noise);
        Soaked { flags: flags.clone(), growth, error, stacks: Vec::new() }
    }
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

impl Rehearsal {
    /// Searches for `truth` once, and adds to `tally` what came of it. The same seed gives the same.
    pub fn search(&self, truth: &Truth, seed: u64, is_feasible: impl Fn(&FlagSet) -> bool, tally: &mut Tally) {
        let rules = Rules { seed, ..self.rules };
        let look = |bisect: &Bisect, left: Duration| bisect.look(&is_feasible, left);
        let (look, left) = if let Some(sampled) = self.rules.sampled {
            let mut service = SampledService::new(&self.flags, truth, rules, sampled, seed);
            self.soak(tally, |left, soaked| {
                if let Some((flags, length)) = soaked {
                    service.soak(flags, length);
                }
                look(&service.bisect(), left)
            })
        } else {
            let mut service = Service::new(&self.flags, truth, &self.rules, seed);
            let mut bisect = Bisect::new(self.flags.iter().cloned(), rules);
            self.soak(tally, |left, soaked| {
                if let Some((flags, length)) = soaked {
                    bisect.add(service.soak(flags, self.rules.error(length)));
                }
                look(&bisect, left)
            })
        };
        let hours = self.budget.saturating_sub(left).as_secs_f64() / SECONDS_PER_HOUR;
        let named = look.explanations.first().map(|best| sorted(best.culprits.clone())).unwrap_or_default();
        let is_exact = named == sorted(truth.culprits.iter().map(|(flags, _)| flags.clone()).collect());
        let is_sure = look.next == Next::Sure;
        tally.trials += 1;
        tally.exact += usize::from(is_exact);
        tally.sure += usize::from(is_sure);
        tally.wrong += usize::from(is_sure && !is_exact);
        tally.hours += hours;
        tally.longest_hours = tally.longest_hours.max(hours);
    }

    /// Soaks what `look` asks for, until the search is over or the time is. It is called with the time that is left and
    /// the cell before.
    fn soak(
        &self,
        tally: &mut Tally,
        mut look: impl FnMut(Duration, Option<(&FlagSet, Duration)>) -> SearchState,
    ) -> (SearchState, Duration) {
        let mut left = self.budget;
        let mut state = look(left, None);
        while let Next::Soak(cell) = state.next {
            left = left.saturating_sub(cell.length);
            tally.cells += 1;
            state = look(left, Some((&cell.flags, cell.length)));
        }
        (state, left)
    }

    /// Searches `trials` times for each of the usual cases, among what is feasible: nothing leaks, one flag does, two
    /// do, and two do only together. In every trial other flags are the culprits, as far as those of a case can be on
    /// together.
    pub fn usual_cases(&self, trials: u32, is_feasible: impl Fn(&FlagSet) -> bool) -> Vec<(&'static str, Tally)> {
        CASES
            .iter()
            .map(|(name, culprits)| {
                let mut tally = Tally::default();
                for trial in 0..u64::from(trials) {
                    let Some(truth) = self.truth(culprits, trial, &is_feasible) else { continue };
                    self.search(&truth, self.rules.seed.wrapping_add(trial), &is_feasible, &mut tally);
                }
                (*name, tally)
            })
            .collect()
    }

    /// None if these culprits cannot be on together: with the next ones.
    fn truth(&self, culprits: &[(&[usize], f64)], trial: u64, is_feasible: impl Fn(&FlagSet) -> bool) -> Option<Truth> {
        let count = self.flags.len();
        let flag = |place: &usize| self.flags[(place + trial as usize) % count].as_str();
        let worth = self.rules.worth_finding.get();
        let named = |(places, times): &(&[usize], f64)| {
            (places.iter().map(flag).collect(), BytesPerRequest::new(times * worth))
        };
        let has_flags = culprits.iter().flat_map(|(places, _)| *places).all(|place| *place < count);
        let culprits: Vec<(FlagSet, BytesPerRequest)> = culprits.iter().map(named).collect();
        let together = |(flags, _): &(FlagSet, BytesPerRequest)| flags.iter().count() == 1 || is_feasible(flags);
        (has_flags && culprits.iter().all(together)).then_some(Truth { culprits })
    }

    /// Soaks all of `plan` once, each cell for this long: how likely it then is of each flag that it leaks.
    #[must_use]
    pub fn soak_all(&self, truth: &Truth, plan: &[FlagSet], length: Duration, seed: u64) -> BTreeMap<String, f64> {
        let mut service = Service::new(&self.flags, truth, &self.rules, seed);
        let mut bisect = Bisect::new(self.flags.iter().cloned(), self.rules);
        let error = self.rules.error(length);
        for flags in plan {
            bisect.add(service.soak(flags, error));
        }
        // With all causes that a report weighs, and not only those that a search looks for.
        let readings = bisect.readings();
        let causes = Causes::shown(&readings, |_| true, |_, _| true);
        bisect.by_flag(&Posterior::of(&readings, &causes))
    }
}

fn sorted(mut culprits: Vec<FlagSet>) -> Vec<FlagSet> {
    culprits.sort();
    culprits
}
