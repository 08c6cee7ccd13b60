//! Measures on simulated cells how often the culprit is named exactly, what that takes, and how often somebody innocent
//! is accused: the tables of docs/isolation.md.
//!
//! `which_flag search|stacks|plans [--seed N] [--trials N] [--flags N,N…] [--leaking CASE] [--budget HOURS]`; `stacks`
//! also with `[--every BYTES] [--fills SECONDS]`: between two samples, and the time constant of caches
//! `which_flag pairs|calm|advice [--seed N] [--trials N] [--minutes N,N…] [--list yes]`: series through all of the
//! pipeline
#![allow(clippy::print_stdout, reason = "an example's output is what it is for")]
#![expect(clippy::disallowed_methods, reason = "a decision has a time that is measured here")]
mod advice;
mod cells;
mod pairs;

use std::error::Error;
use std::time::{Duration, Instant};

use steep_judge::bisect::{Rehearsal, Rules, Sampled, Tally, Truth};
use steep_judge::ids::FlagSet;
use steep_judge::isolation::NAMED;
use steep_judge::units::BytesPerRequest;

use crate::cells::Cells;
use crate::pairs::Asked;

struct Options {
    seed: u64,
    trials: u64,
    flags: Vec<usize>,
    /// Only the case whose name begins so.
    leaking: String,
    budget: Option<f64>,
    minutes: Vec<usize>,
    list: bool,
    sampled: Sampled,
}

impl Options {
    fn asked(&self) -> Asked {
        Asked { seed: self.seed, trials: self.trials, minutes: self.minutes.clone(), list: self.list }
    }

    fn cases(&self) -> impl Iterator<Item = Case> {
        self.of(&CASES)
    }

    fn of(&self, cases: &'static [Case]) -> impl Iterator<Item = Case> {
        cases.iter().copied().filter(|(name, _)| name.starts_with(&self.leaking))
    }
}

/// Flags that must be on, and what they then add in bytes per request.
type Culprit = (&'static [usize], f64);

/// What leaks, with a name.
type Case = (&'static str, &'static [Culprit]);

/// What leaks.
const CASES: [Case; 4] = [
    ("nothing", &[]),
    ("one, 16 B/request", &[(&[0], 16.0)]),
    ("two, 16 and 8", &[(&[0], 16.0), (&[3], 8.0)]),
    ("a pair, 16 together", &[(&[0, 3], 16.0)]),
];

/// What leaks beside those where stacks are sampled.
const OF_STACKS: [Case; 6] = [
    CASES[0],
    CASES[1],
    CASES[2],
    CASES[3],
    ("three, 16, 8 and 8", &[(&[0], 16.0), (&[3], 8.0), (&[5], 8.0)]),
    ("four, a pair of them", &[(&[0], 16.0), (&[3], 8.0), (&[5], 8.0), (&[1, 6], 16.0)]),
];

/// How stacks are sampled in these searches unless the command line says otherwise: each 16 KiB at 500 requests/s, as
/// `steep bisect` does in cells of at most ten minutes. Caches have filled to 5 % when the warm-up is over.
const SAMPLED: Sampled = Sampled { every: 16_384.0, rate: 500.0, fills: Duration::from_secs(40) };

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        seed: 9001,
        trials: 200,
        flags: vec![8, 16, 32],
        leaking: String::new(),
        budget: None,
        minutes: vec![2, 5, 10, 30],
        list: false,
        sampled: SAMPLED,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--seed" => options.seed = value.parse()?,
            "--trials" => options.trials = value.parse()?,
            "--flags" => options.flags = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--minutes" => options.minutes = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--list" => options.list = value == "yes",
            "--leaking" => options.leaking = value,
            "--every" => options.sampled.every = value.parse()?,
            "--fills" => options.sampled.fills = Duration::from_secs(value.parse()?),
            "--budget" => options.budget = Some(value.parse()?),
            _ => return Err(format!("no option {name}").into()),
        }
    }
    Ok(options)
}

/// The bars of the search: this many hours for this many flags.
fn bar(flags: usize, has_stacks: bool) -> f64 {
    if has_stacks {
        return match flags {
            0..=8 => 1.0,
            9..=16 => 1.2,
            _ => 1.5,
        };
    }
    match flags {
        0..=8 => 2.0,
        9..=16 => 2.5,
        _ => 3.0,
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|flag| format!("flag{flag:02}")).collect()
}

/// In every trial other flags are the culprits.
fn truth(culprits: &[Culprit], names: &[String], trial: u64) -> Truth {
    let named =
        |flags: &[usize]| flags.iter().map(|flag| names[(flag + trial as usize) % names.len()].as_str()).collect();
    let culprits = culprits.iter().map(|(flags, growth)| (named(flags), BytesPerRequest::new(*growth))).collect();
    Truth { culprits }
}

fn percent(part: usize, whole: u64) -> String {
    format!("{:.1}", 100.0 * part as f64 / whole as f64)
}

fn search(options: &Options, cases: &'static [Case], sampled: Option<Sampled>) {
    println!(
        "|flags|leaking|searches|exact %|sure %|sure and wrong %|hours, mean|longest|cells, mean|a decision, mean|"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for &count in &options.flags {
        let hours = options.budget.unwrap_or_else(|| bar(count, sampled.is_some()));
        let budget = Duration::from_secs_f64(3600.0 * hours);
        let rehearsal = Rehearsal { flags: names(count), rules: Rules { sampled, ..Rules::default() }, budget };
        for (name, culprits) in options.of(cases) {
            let mut tally = Tally::default();
            let started = Instant::now();
            for trial in 0..options.trials {
                let truth = truth(culprits, &rehearsal.flags, trial);
                rehearsal.search(&truth, options.seed.wrapping_add(trial), |_| true, &mut tally);
            }
            let milliseconds = 1000.0 * started.elapsed().as_secs_f64() / (tally.cells + tally.trials) as f64;
            let trials = options.trials;
            let [exact, sure, wrong] = [tally.exact, tally.sure, tally.wrong].map(|count| percent(count, trials));
            let (mean, longest) = (tally.mean_hours(), tally.longest_hours);
            let cells = tally.cells as f64 / trials as f64;
            println!(
                "|{count}|{name}|{trials}|{exact}|{sure}|{wrong}|{mean:.2}|{longest:.2}|{cells:.1}|{milliseconds:.0} ms|"
            );
        }
    }
}

/// The plans that a run may have: each alone with all and none, and all but each with all and none.
fn plans(names: &[String]) -> [(&'static str, Vec<FlagSet>); 2] {
    let all: FlagSet = names.iter().map(String::as_str).collect();
    let ends = [all.clone(), FlagSet::default()];
    let with = |sets: Vec<FlagSet>| ends.iter().cloned().chain(sets).collect();
    let each = names.iter().map(|flag| FlagSet::default().with(flag)).collect();
    let one_out = names.iter().map(|flag| all.without(flag)).collect();
    [("each, all, none", with(each)), ("all but each, all, none", with(one_out))]
}

fn isolate(options: &Options) {
    println!("|flags|plan|minutes|leaking|runs|an innocent flag named %|every culprit named %|");
    println!("|---|---|---|---|---|---|---|");
    for &count in &options.flags {
        let rehearsal = Rehearsal { flags: names(count), rules: Rules::default(), budget: Duration::ZERO };
        for (plan, cells) in plans(&rehearsal.flags) {
            for (minutes, (name, culprits)) in
                [10, 20].into_iter().flat_map(|minutes| options.cases().map(move |case| (minutes, case)))
            {
                let (mut accused, mut found) = (0, 0);
                for trial in 0..options.trials {
                    let truth = truth(culprits, &rehearsal.flags, trial);
                    let guilty = |flag: &str| truth.culprits.iter().any(|(flags, _)| flags.contains(flag));
                    let seed = options.seed.wrapping_add(trial);
                    let length = Duration::from_secs(60 * minutes);
                    let said = rehearsal.soak_all(&truth, &cells, length, seed);
                    accused += usize::from(said.iter().any(|(flag, posterior)| *posterior >= NAMED && !guilty(flag)));
                    found += usize::from(said.iter().all(|(flag, posterior)| *posterior >= NAMED || !guilty(flag)));
                }
                let [accused, found] = [accused, found].map(|count| percent(count, options.trials));
                println!("|{count}|{plan}|{minutes}|{name}|{}|{accused}|{found}|", options.trials);
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next();
    let options = options(arguments)?;
    match what.as_deref() {
        Some("search") => search(&options, &CASES, None),
        Some("stacks") => search(&options, &OF_STACKS, Some(options.sampled)),
        Some("plans") => isolate(&options),
        Some("pairs") => pairs::pairs(&options.asked(), &Cells::new()?),
        Some("advice") => advice::advice(&options.asked()),
        Some("calm") => pairs::calm(&options.asked(), &Cells::new()?),
        _ => return Err("which: search, stacks, plans, pairs, calm or advice?".into()),
    }
    Ok(())
}
