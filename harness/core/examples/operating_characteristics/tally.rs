//! Counts of what was said, of what is true.

use std::collections::BTreeMap;
use std::fmt;

use steep_judge::growth::Materiality;
use steep_judge::simulator::{Family, Recipe, Truth};
use steep_judge::units::{BytesPerHour, Rps};
use steep_judge::verdict::{Judgement, Verdict};

/// One series: what is true of it, and what was said.
pub struct Case {
    pub recipe: Recipe,
    /// How much of it was looked at.
    seconds: usize,
    truth: Truth,
    judgement: Judgement,
    /// Whether the leak is at least what was worth finding.
    worthwhile: bool,
}

impl Case {
    pub fn new(recipe: Recipe, seconds: usize, truth: Truth, judgement: Judgement, materiality: &Materiality) -> Self {
        let worth = materiality.worth_finding(Rps::new(truth.rps)).get();
        // A size that is named as the smallest worth finding is meant to be: arrivals are a little fewer by chance.
        Self { recipe, seconds, truth, judgement, worthwhile: truth.bytes_per_hour >= 0.98 * worth }
    }

    /// Whether the truth of the family is visible in a run so long.
    fn is_fair(&self) -> bool {
        let seconds = self.seconds as f64;
        if self.recipe.family.is_leaking() { self.truth.is_visible(seconds) } else { self.truth.is_settled(seconds) }
    }

    fn is_named(&self) -> bool {
        matches!(self.judgement.verdict, Verdict::Leak | Verdict::Step)
    }

    /// Whether something wrong was said.
    pub fn is_wrong(&self) -> bool {
        let leaking = self.recipe.family.is_leaking();
        self.is_fair() && if leaking { !self.is_named() && self.worthwhile } else { self.is_named() }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recipe, truth, judgement, .. } = self;
        write!(
            f,
            "{} {} B #{}: {} ({})",
            recipe.family, recipe.leak, recipe.index, judgement.verdict, judgement.reason
        )?;
        let Some(growth) = &judgement.growth else { return Ok(()) };
        let share = |growth: BytesPerHour| growth.get() / truth.bytes_per_hour.max(growth_unit(truth));
        write!(
            f,
            " evidence {:.1} {:?} over {:?} ({:.1}), growth {:.2} [{:.2}, {:.2}], jumps {} {:?}{}{}{} onset {} settled {}",
            growth.evidence,
            growth.leak_model,
            growth.calm_model,
            growth.calm_gain,
            share(growth.per_hour.value),
            share(growth.per_hour.low),
            share(growth.per_hour.high),
            growth.jumps.count,
            growth.jumps.total,
            if growth.jumps.dominant { " dominant" } else { "" },
            if growth.jumps.doubling { " doubling" } else { "" },
            if growth.jumps.spread { " spread" } else { "" },
            truth.onset,
            truth.settled,
        )
    }
}

/// A calm service's growth is shown in units of 4 bytes a request.
fn growth_unit(truth: &Truth) -> f64 {
    4.0 * truth.rps * 3600.0
}

/// Some of many.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    pub some: usize,
    pub all: usize,
}

impl Share {
    pub fn count(&mut self, is_some: bool) {
        self.all += 1;
        self.some += usize::from(is_some);
    }

    pub fn percent(self) -> f64 {
        100.0 * self.some as f64 / self.all.max(1) as f64
    }

    /// Both ends of the 95 % interval, in per cent (Wilson 1927).
    pub fn bounds(self) -> (f64, f64) {
        if self.all == 0 {
            return (0.0, 100.0);
        }
        let (z, n) = (1.96_f64, self.all as f64);
        let p = self.some as f64 / n;
        let centre = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 100.0 / (1.0 + z * z / n);
        (scale * (centre - spread).max(0.0), scale * (centre + spread))
    }

    pub fn add(&mut self, other: Self) {
        self.some += other.some;
        self.all += other.all;
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all == 0 {
            return f.pad("–");
        }
        let (low, high) = self.bounds();
        f.pad(&format!("{:.1} ({low:.1}–{high:.1})", self.percent()))
    }
}

/// What was said of the series of one family and size.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub leak: Share,
    pub step: Share,
    pub cleared: Share,
    /// `leak` or `step`.
    pub named: Share,
    /// Of leaks that are worth finding.
    pub wrongly_cleared: Share,
    /// Of leaks that were called so: whether the truth lies in the interval.
    pub covered: Share,
    /// Named, of leaks of at least what was told to be visible.
    pub seen: Share,
    /// Relative errors of the growth of leaks that were called so.
    pub errors: Vec<f64>,
}

/// Counts for each family and size, the size in bits.
pub struct Tally(pub BTreeMap<(Family, u64), Counts>);

impl Tally {
    pub fn of(cases: &[Case]) -> Self {
        let mut tally: BTreeMap<(Family, u64), Counts> = BTreeMap::new();
        for case in cases.iter().filter(|case| case.is_fair()) {
            tally.entry((case.recipe.family, case.recipe.leak.to_bits())).or_default().count(case);
        }
        Self(tally)
    }

    /// All counts of some families together.
    pub fn together(&self, mut is_in: impl FnMut(Family, f64) -> bool) -> Counts {
        let mut all = Counts::default();
        for ((family, leak), counts) in &self.0 {
            if is_in(*family, f64::from_bits(*leak)) {
                all.add(counts);
            }
        }
        all
    }
}

impl Counts {
    fn count(&mut self, case: &Case) {
        let verdict = case.judgement.verdict;
        // Steps that end are what the family is made of.
        let right_step = case.recipe.family == Family::EarlySteps && verdict == Verdict::Step;
        self.leak.count(verdict == Verdict::Leak);
        self.step.count(verdict == Verdict::Step && !right_step);
        self.cleared.count(verdict.is_clear());
        self.named.count(case.is_named());
        let Some(growth) = &case.judgement.growth else { return };
        let truth = case.truth.bytes_per_hour;
        if truth <= 0.0 {
            return;
        }
        if case.worthwhile {
            self.wrongly_cleared.count(verdict.is_clear());
        }
        if truth >= growth.seen_at_least.get() {
            self.seen.count(case.is_named());
        }
        if verdict == Verdict::Leak && !case.recipe.family.has_steps() {
            let (low, high) = (growth.per_hour.low.get(), growth.per_hour.high.get());
            self.covered.count((low..=high).contains(&truth));
            self.errors.push((growth.per_hour.value.get() / truth - 1.0).abs());
        }
    }

    fn add(&mut self, other: &Self) {
        self.leak.add(other.leak);
        self.step.add(other.step);
        self.cleared.add(other.cleared);
        self.named.add(other.named);
        self.wrongly_cleared.add(other.wrongly_cleared);
        self.covered.add(other.covered);
        self.seen.add(other.seen);
        self.errors.extend(&other.errors);
    }

    /// Median of the relative errors, in per cent.
    pub fn median_error(&self) -> f64 {
        100.0 * steep_judge::stats::order::median(&self.errors)
    }
}
