//! How often a soak that lasts as long as an undecided one was advised to is decided: the same series, further on.

use std::collections::BTreeMap;

use steep_judge::growth::Materiality;
use steep_judge::simulator::{CALM, EXTRA_CALM, EXTRA_LEAKING, Family, LEAKING, Recipe, simulate};
use steep_judge::verdict::{Judgement, Verdict, judge};

use crate::pairs::Asked;
use crate::percent;

/// A series is this many times as long as what is looked at first: what is advised beyond that is not measured.
const LONGER: usize = 16;

/// Times what is advised at which is looked.
const TIMES: [f64; 5] = [1.0, 0.4, 0.6, 0.8, 1.25];

#[derive(Default)]
struct Tally {
    undecided: usize,
    beyond: usize,
    looks: [(usize, usize); TIMES.len()],
    factors: Vec<f64>,
}

impl Tally {
    fn count(&mut self, factor: f64, looks: [Option<bool>; TIMES.len()]) {
        self.undecided += 1;
        self.factors.push(factor);
        self.beyond += usize::from(looks[0].is_none());
        for (look, (decided, all)) in looks.iter().zip(&mut self.looks) {
            *all += usize::from(look.is_some());
            *decided += usize::from(*look == Some(true));
        }
    }

    fn row(&self) -> String {
        let decided =
            self.looks.iter().map(|(decided, all)| format!("{} ({all})", percent(*decided, (*all).max(1) as u64)));
        let decided: Vec<String> = decided.collect();
        let mut factors = self.factors.clone();
        factors.sort_by(f64::total_cmp);
        let middle = factors.get(factors.len() / 2).copied().unwrap_or(f64::NAN);
        format!("{}|{}|{middle:.1}|{}", self.undecided, self.beyond, decided.join("|"))
    }
}

/// Prints the tables.
pub fn advice(asked: &Asked) {
    // Of a run with a pause the longest stretch is fitted, which begins elsewhere in a longer one.
    let is_steady = |family: &Family| !matches!(family, Family::IdleMiddle | Family::LeakIdleMiddle);
    let families = || CALM.into_iter().chain(EXTRA_CALM).chain(LEAKING).chain(EXTRA_LEAKING).filter(is_steady);
    let mut by_family: BTreeMap<Family, Tally> = BTreeMap::new();
    println!(
        "|minutes|why|undecided|advised beyond {LONGER} times|times, middle|decided then %|at 0.4 times|0.6|0.8|1.25|"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for &minutes in &asked.minutes {
        let mut by_reason: BTreeMap<&str, Tally> = BTreeMap::new();
        for (family, index) in families().flat_map(|family| (0..asked.trials).map(move |index| (family, index))) {
            let seconds = 60 * minutes;
            let leak = if family.is_leaking() { [1.0, 4.0, 16.0, 64.0][index as usize % 4] } else { 0.0 };
            let rps = family.is_leaking().then_some(2000.0);
            let recipe = Recipe { family, seconds: LONGER * seconds, leak, rps, known: true, seed: asked.seed, index };
            let simulated = simulate(&recipe);
            let at = |seconds: f64| judge(&simulated.clone().look(seconds).series, &Materiality::default());
            let first = at(seconds as f64 + 1.0);
            if first.verdict != Verdict::Inconclusive {
                continue;
            }
            let Some(need) = first.need.map(|need| need.as_secs_f64()) else { continue };
            let looks = TIMES.map(|times| {
                let then = times * need;
                (then <= (LONGER * seconds) as f64).then(|| at(then + 1.0).verdict != Verdict::Inconclusive)
            });
            let factor = need / seconds as f64;
            by_reason.entry(why(&first)).or_default().count(factor, looks);
            by_reason.entry("all").or_default().count(factor, looks);
            by_family.entry(family).or_default().count(factor, looks);
        }
        for (reason, tally) in by_reason {
            println!("|{minutes}|{reason}|{}|", tally.row());
        }
    }
    println!(
        "\n|family|undecided|beyond|times|decided then %|0.4|0.6|0.8|1.25|\n|---|---|---|---|---|---|---|---|---|"
    );
    for (family, tally) in by_family {
        println!("|{family}|{}|", tally.row());
    }
}

/// The kind of reason.
fn why(judgement: &Judgement) -> &'static str {
    const KINDS: [&str; 9] = [
        "too uncertain",
        "a run this short needs",
        "a run this short could hide",
        "of memory only",
        "ever more slowly",
        "a load peak",
        "late jumps",
        "whether another follows",
        "one long tooth",
    ];
    KINDS.into_iter().find(|kind| judgement.reason.contains(kind)).unwrap_or("other")
}
