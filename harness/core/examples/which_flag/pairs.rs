//! How often the culprit is named where its leak is visible in its cell: simulated series through growth, verdict,
//! outcome and isolation.

use std::collections::BTreeMap;

use steep_core::outcome::{Outcome, judged_cells};
use steep_judge::ids::FlagSet;
use steep_judge::isolation::{Guilt, Isolation, NAMED, isolate};
use steep_judge::simulator::{CALM, EXTRA_CALM, EXTRA_LEAKING, Family, LEAKING, Recipe, simulate};
use steep_judge::verdict::Verdict;

use crate::cells::Cells;
use crate::percent;

/// What is soaked, and what leaks: the flags of each culprit leak together.
struct Design {
    name: &'static str,
    cells: &'static [&'static [&'static str]],
    culprits: &'static [&'static [&'static str]],
}

const FLAGS: [&str; 5] = ["a", "b", "x", "y", "z"];

const DESIGNS: [Design; 8] = [
    Design { name: "without, with", cells: &[&[], &["a"]], culprits: &[&["a"]] },
    Design {
        name: "none, all, all but it",
        cells: &[&[], &["a", "x", "y", "z"], &["x", "y", "z"]],
        culprits: &[&["a"]],
    },
    Design {
        name: "none, each, all",
        cells: &[&[], &["a"], &["x"], &["y"], &["z"], &["a", "x", "y", "z"]],
        culprits: &[&["a"]],
    },
    Design {
        name: "all, all but each",
        cells: &[&["a", "x", "y", "z"], &["x", "y", "z"], &["a", "y", "z"], &["a", "x", "z"], &["a", "x", "y"]],
        culprits: &[&["a"]],
    },
    Design {
        name: "a pair: none, each, both, all, rest",
        cells: &[&[], &["a"], &["b"], &["a", "b"], &["a", "b", "x", "y"], &["x", "y"]],
        culprits: &[&["a", "b"]],
    },
    Design {
        name: "two: none, each, all, rest",
        cells: &[&[], &["a"], &["b"], &["a", "b", "x", "y"], &["x", "y"]],
        culprits: &[&["a"], &["b"]],
    },
    Design { name: "the program: without, with", cells: &[&[], &["a"]], culprits: &[&[]] },
    Design {
        name: "the program: none, each, all",
        cells: &[&[], &["a"], &["x"], &["y"], &["z"], &["a", "x", "y", "z"]],
        culprits: &[&[]],
    },
];

/// Least and most growth of a leak, in bytes a request, where 4 are worth finding.
const LEAKS: (f64, f64) = (4.0, 1024.0);
/// Slowest and fastest load, in requests a second.
const RATES: (f64, f64) = (500.0, 5000.0);

/// How surely the leak is seen in its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// Each cell of a culprit is `leak` or `step`.
    Named,
    /// As that, and at least one is `step`.
    Step,
    /// As either, and a cell without it could have hidden as much growth.
    Blind,
    /// At least one is inconclusive although growth is sure, because it was too short for that much.
    Short,
    /// At least one is not even that.
    No,
}

impl Seen {
    const fn name(self) -> &'static str {
        match self {
            Self::Named => "leak",
            Self::Step => "step",
            Self::Blind => "leak or step, and one without blind",
            Self::Short => "inconclusive, too short",
            Self::No => "not seen",
        }
    }
}

#[derive(Default)]
struct Tally {
    trials: u64,
    named: usize,
    accused: usize,
    cleared: usize,
}

impl Tally {
    fn count(&mut self, said: &Isolation, culprits: &[&[&str]]) {
        let is_guilty = |flag: &str| culprits.iter().any(|flags| flags.contains(&flag));
        let named = |posterior: Option<f64>| posterior.is_some_and(|posterior| posterior >= NAMED);
        let accuses = |guilt: &Guilt| {
            matches!(guilt, Guilt::Leaks | Guilt::LeaksWith(_) | Guilt::LeaksWithout(_) | Guilt::LeaksOff)
        };
        let mut guilty = said.flags.iter().filter(|flag| is_guilty(&flag.flag));
        let mut innocent = said.flags.iter().filter(|flag| !is_guilty(&flag.flag));
        self.trials += 1;
        self.named += usize::from(guilty.clone().all(|flag| named(flag.finding.posterior)));
        self.accused += usize::from(innocent.any(|flag| accuses(&flag.finding.guilt)));
        self.cleared += usize::from(guilty.any(|flag| flag.finding.guilt == Guilt::Innocent));
    }

    fn row(&self) -> String {
        let Self { trials, named, accused, cleared } = *self;
        let [named, accused, cleared] = [named, accused, cleared].map(|count| percent(count, trials.max(1)));
        format!("{trials}|{named}|{accused}|{cleared}")
    }
}

/// What to simulate.
pub struct Asked {
    pub seed: u64,
    pub trials: u64,
    pub minutes: Vec<usize>,
    /// Whether each trial that went wrong is printed.
    pub list: bool,
}

/// Prints the tables.
pub fn pairs(asked: &Asked, cells: &Cells) {
    let mut by_family: BTreeMap<(Family, Seen), Tally> = BTreeMap::new();
    println!(
        "|cells|minutes|the culprit's are|trials|every culprit named %|an innocent flag named %|a culprit cleared %|"
    );
    println!("|---|---|---|---|---|---|---|");
    for (place, design) in DESIGNS.iter().enumerate() {
        for &minutes in &asked.minutes {
            let mut tallies: BTreeMap<Seen, Tally> = BTreeMap::new();
            for trial in 0..asked.trials {
                for family in LEAKING.into_iter().chain(EXTRA_LEAKING) {
                    let service = Service::draw(asked.seed, place, trial, family, 60 * minutes);
                    let outcomes = service.soak(design, cells);
                    let said = isolate(&flags(design), &judged_cells(&outcomes));
                    let seen = seen(design, &outcomes);
                    let before = tallies.get(&seen).map_or((0, 0), |tally| (tally.named, tally.accused));
                    let tally = tallies.entry(seen).or_default();
                    tally.count(&said, design.culprits);
                    let wrong =
                        tally.named == before.0 && matches!(seen, Seen::Named | Seen::Step) || tally.accused > before.1;
                    if asked.list && wrong {
                        list(design, minutes, family, trial, &outcomes, &said);
                    }
                    if place < 2 {
                        by_family.entry((family, seen)).or_default().count(&said, design.culprits);
                    }
                }
            }
            for (seen, tally) in tallies {
                println!("|{}|{minutes}|{}|{}|", design.name, seen.name(), tally.row());
            }
        }
    }
    println!(
        "\n|family, first two|the culprit's are|trials|named %|an innocent named %|cleared %|\n|---|---|---|---|---|---|"
    );
    for ((family, seen), tally) in by_family {
        println!("|{family}|{}|{}|", seen.name(), tally.row());
    }
}

/// Prints how often somebody is accused where nothing leaks: a flag that brings a calm family, beside cells without it.
pub fn calm(asked: &Asked, cells: &Cells) {
    println!("\n|nothing leaks; the flag brings|minutes|trials|accused %|cleared %|\n|---|---|---|---|---|");
    for &minutes in &asked.minutes {
        let mut all = Tally::default();
        for family in CALM.into_iter().chain(EXTRA_CALM) {
            let mut tally = Tally::default();
            for trial in 0..asked.trials {
                for (place, design) in DESIGNS.iter().enumerate().take(4) {
                    let service = Service::draw(asked.seed, 10 + place, trial, family, 60 * minutes);
                    let outcomes = service.soak(design, cells);
                    let said = isolate(&flags(design), &judged_cells(&outcomes));
                    for tally in [&mut tally, &mut all] {
                        let (accused, cleared) = (tally.accused, tally.cleared);
                        tally.count(&said, &[]);
                        tally.cleared =
                            cleared + usize::from(said.flags.iter().all(|flag| flag.finding.guilt == Guilt::Innocent));
                        if asked.list && tally.accused > accused {
                            list(design, minutes, family, trial, &outcomes, &said);
                        }
                    }
                }
            }
            println!(
                "|{family}|{minutes}|{}|{}|{}|",
                tally.trials,
                percent(tally.accused, tally.trials),
                percent(tally.cleared, tally.trials)
            );
        }
        println!(
            "|all|{minutes}|{}|{}|{}|",
            all.trials,
            percent(all.accused, all.trials),
            percent(all.cleared, all.trials)
        );
    }
}

/// One service: each of its cells is another soak of it.
struct Service {
    recipe: Recipe,
    sizes: [f64; 2],
}

impl Service {
    fn draw(seed: u64, design: usize, trial: u64, family: Family, seconds: usize) -> Self {
        // A number between 0 and 1 for each purpose: mixed as in SplitMix64.
        let share = |purpose: u64| {
            let mut z = seed.wrapping_add(trial.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(
                ((family as u64) << 32) + ((design as u64) << 16) + purpose + seconds as u64 * 0x0001_0001_0001,
            );
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let between = |(from, to): (f64, f64), purpose| from * (to / from).powf(share(purpose));
        let sizes = [between(LEAKS, 0), between(LEAKS, 1)];
        let index = (trial * 64 + design as u64) * 64;
        let recipe = Recipe { family, seconds, leak: 0.0, rps: Some(between(RATES, 2)), known: true, seed, index };
        Self { recipe, sizes }
    }

    fn soak(&self, design: &Design, cells: &Cells) -> Vec<Outcome> {
        let soak = |(place, on): (usize, &&[&str])| {
            let at_work =
                design.culprits.iter().zip(self.sizes).filter(|(flags, _)| flags.iter().all(|flag| on.contains(flag)));
            let leak = at_work.map(|(_, size)| size).sum();
            let recipe = Recipe { leak, index: self.recipe.index + place as u64, ..self.recipe };
            // A flag brings its family with it; all else is noise.
            let recipe = if self.recipe.family.is_leaking() || on.contains(&"a") {
                recipe
            } else {
                Recipe { family: Family::ShortMemory, ..recipe }
            };
            cells.outcome(&on.iter().copied().collect::<FlagSet>(), &simulate(&recipe).series)
        };
        design.cells.iter().enumerate().map(soak).collect()
    }
}

/// The flags that some cell has on.
fn flags(design: &Design) -> Vec<String> {
    FLAGS.iter().filter(|flag| design.cells.iter().any(|on| on.contains(flag))).map(ToString::to_string).collect()
}

fn seen(design: &Design, outcomes: &[Outcome]) -> Seen {
    let is_guilty = |on: &&[&str]| design.culprits.iter().any(|flags| flags.iter().all(|flag| on.contains(flag)));
    let of = |outcome: &Outcome| match outcome.verdict() {
        Verdict::Leak => Seen::Named,
        Verdict::Step => Seen::Step,
        Verdict::Inconclusive if is_short(outcome) => Seen::Short,
        _ => Seen::No,
    };
    let cells = || design.cells.iter().zip(outcomes);
    let worst = cells().filter(|(on, _)| is_guilty(on)).map(|(_, outcome)| of(outcome)).max().unwrap_or(Seen::No);
    let grown =
        cells().filter(|(on, _)| is_guilty(on)).map(|(_, outcome)| grown(outcome)).fold(f64::INFINITY, f64::min);
    let hides = |outcome: &Outcome| {
        let ceiling =
            outcome.growth().map_or(f64::INFINITY, |growth| growth.ceiling.get().max(growth.per_hour.high.get()));
        outcome.verdict() == Verdict::Inconclusive && 1.5 * ceiling >= grown
    };
    let is_blind = cells().any(|(on, outcome)| !is_guilty(on) && hides(outcome));
    if is_blind && worst <= Seen::Step { Seen::Blind } else { worst }
}

/// What a cell grew by an hour: a line, or its jumps.
fn grown(outcome: &Outcome) -> f64 {
    outcome.growth().map_or(0.0, |growth| {
        let jumped = 3600.0 * growth.jumps.total.as_f64() / growth.seconds;
        if outcome.verdict() == Verdict::Step { jumped } else { growth.per_hour.value.get() }
    })
}

/// Whether growth is sure and only too little of it was there.
fn is_short(outcome: &Outcome) -> bool {
    outcome.growth().is_some_and(|growth| {
        growth.evidence > 3.0
            && growth.floor.get() > 0.0
            && growth.over_run() < growth.least_growth.as_f64()
            && !growth.jumps.dominant
    })
}

fn list(design: &Design, minutes: usize, family: Family, trial: u64, outcomes: &[Outcome], said: &Isolation) {
    println!("  {} {minutes} min, {family} #{trial}: {}", design.name, said.sentence);
    for outcome in outcomes {
        let growth = outcome.growth().and_then(|growth| growth.per_request);
        println!(
            "    {}: {} {} ({})",
            outcome.cell,
            outcome.verdict(),
            growth.map_or_else(String::new, |growth| growth.compact()),
            outcome.judgement.reason
        );
    }
    for flag in &said.flags {
        println!(
            "    {} {:?} {:.3}: {}",
            flag.flag,
            flag.finding.guilt,
            flag.finding.posterior.unwrap_or(f64::NAN),
            flag.finding.reason
        );
    }
}
