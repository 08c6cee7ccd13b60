//! What is said of live bytes after minutes: families of their own, ten readings a second.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use steep_judge::growth::Materiality;
use steep_judge::simulator::{LiveFamily, LiveRecipe, Truth, live};
use steep_judge::units::BytesPerRequest;
use steep_judge::verdict::{Judgement, Verdict, judge};

use crate::tally::Share;

/// Readings a second, unless the command line says others.
pub const HZ: f64 = 10.0;

/// What has filled by this share of a run can be seen to stand still for as long again.
const EARLY: f64 = 0.45;

/// What is worth finding, in bytes a request.
const WORTH: [f64; 2] = [4.0, 16.0];

/// One series and what was said of it.
pub struct Live {
    recipe: LiveRecipe,
    worth: f64,
    truth: Truth,
    judgement: Judgement,
}

/// What is said of one recipe, for each δ that its leak is at least as large as.
pub fn said(recipe: &LiveRecipe) -> Vec<Live> {
    let simulated = live(recipe);
    let worthwhile = WORTH.into_iter().filter(|worth| recipe.leak <= 0.0 || recipe.leak >= *worth);
    let judged = worthwhile.map(|worth| {
        let materiality = Materiality { per_request: BytesPerRequest::new(worth), ..Materiality::default() };
        let judgement = judge(&simulated.series, &materiality);
        Live { recipe: *recipe, worth, truth: simulated.truth, judgement }
    });
    judged.collect()
}

impl Live {
    fn is_named(&self) -> bool {
        matches!(self.judgement.verdict, Verdict::Leak | Verdict::Step)
    }

    fn is_clear(&self) -> bool {
        self.judgement.verdict.is_clear()
    }

    fn has_filled_by(&self, share: f64) -> bool {
        self.truth.settled <= share * self.recipe.seconds
    }

    fn is_wrong(&self) -> bool {
        if self.recipe.family.is_leaking() { self.is_clear() } else { self.is_named() && self.has_filled_by(0.8) }
    }
}

/// Counts of one family, size and δ.
#[derive(Default, Clone, Copy)]
struct Row {
    /// `leak` or `step`: of a leak that is visible, of a calm service that has filled by 0.8 T.
    named: Share,
    /// Of leaks, and of calm services that have filled by 0.45 T.
    cleared: Share,
    /// Of leaks that were called so and have a slope: whether it is in the interval.
    covered: Share,
}

impl Row {
    fn count(&mut self, live: &Live) {
        let Live { recipe, truth, judgement, .. } = live;
        if !recipe.family.is_leaking() {
            if live.has_filled_by(0.8) {
                self.named.count(live.is_named());
            }
            if live.has_filled_by(EARLY) {
                self.cleared.count(live.is_clear());
            }
            return;
        }
        self.cleared.count(live.is_clear());
        if !truth.is_visible(recipe.seconds) {
            return;
        }
        self.named.count(live.is_named());
        let is_line = judgement.verdict == Verdict::Leak && !recipe.family.has_steps();
        if let Some(growth) = judgement.growth.as_ref().filter(|_| is_line) {
            // Requests arrive by chance: the mean rate of the run is not quite that of the recipe.
            let truth = truth.bytes_per_request;
            let interval = growth.per_request.map(|growth| (growth.low.get(), growth.high.get()));
            self.covered.count(interval.is_some_and(|(low, high)| low <= 1.005 * truth && 0.995 * truth <= high));
        }
    }
}

/// All that was said, in Markdown.
pub fn table(said: &[Live], list: bool) -> String {
    let mut rows: BTreeMap<(bool, u64, u64, Option<LiveFamily>), Row> = BTreeMap::new();
    for live in said {
        let LiveRecipe { family, leak, .. } = live.recipe;
        for row in [None, Some(family)] {
            let key = (family.is_leaking(), live.worth.to_bits(), leak.to_bits(), row);
            rows.entry(key).or_default().count(live);
        }
        if list && live.is_wrong() {
            let Judgement { verdict, rule, reason, .. } = &live.judgement;
            println!("{family} {leak} B, δ {}, #{}: {verdict} {} ({reason})", live.worth, live.recipe.index, rule.name);
        }
    }
    let mut text = "|family|δ|B/request|named|cleared|in the interval|\n|---|---|---|---|---|---|\n".to_owned();
    for ((_, worth, leak, family), Row { named, cleared, covered }) in rows {
        let family = family.map_or_else(|| "all".to_owned(), |family| family.to_string());
        let (worth, leak) = (f64::from_bits(worth), f64::from_bits(leak));
        let _ = writeln!(text, "|{family}|{worth}|{leak}|{named}|{cleared}|{covered}|");
    }
    text
}
