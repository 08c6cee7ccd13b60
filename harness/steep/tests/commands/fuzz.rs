//! Inputs that nobody would write: mutated and made ones, for everything that steep reads from elsewhere.
//!
//! The same inputs each time: the `nth` input of a target follows from its name and `nth` alone.
//! `STEEP_FUZZ_INPUTS=100000` tries this many of each target in place of the few that `cargo test` tries,
//! `STEEP_FUZZ_SECONDS=60` this many as fit, `STEEP_FUZZ_TARGET=trace` one target, and `STEEP_FUZZ_FIRST=5000` begins
//! at that one. An input that is not borne is written into a file, which `STEEP_FUZZ_REPLAY=FILE` with its
//! `STEEP_FUZZ_TARGET` tries alone; mended, it belongs into `corpus/`.
//!
//! What an input allocates is counted for the whole program: beside other tests it is a little too much.
#![allow(clippy::print_stderr, reason = "it says what it did")]

mod answers;
mod imports;
mod make;
mod mutate;
mod records;
mod scenarios;

use std::alloc::System;
use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use steep_probe::Counted;

use self::mutate::{Random, mutated};

#[global_allocator]
static ALLOCATOR: Counted<System> = Counted::new(System);

/// Inputs of each target in `cargo test`; of a slow one a part of it.
const FEW: u64 = 150;

/// Inputs that were taken for what they should be, and not refused at the door.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Notes that an input was taken.
fn taken() {
    TAKEN.fetch_add(1, Ordering::Relaxed);
}

/// What an input may allocate, all together, whatever it is: the work that it may cause has bounds with names, and this
/// is what they come to. The most that was seen in 10^7 inputs is a third of it.
const MAX_ALLOCATED_BYTES: u64 = 1 << 30;

/// One input is looked at for this long at most where many are tried: `cargo test` on a crowded machine has no clock.
const LONGEST: Duration = Duration::from_mins(1);

/// Something that reads what others wrote.
struct Target {
    name: &'static str,
    /// Inputs to begin with, beside those in `corpus/NAME`.
    seeds: fn() -> Vec<String>,
    /// Texts that mean something in such inputs.
    tokens: fn() -> Vec<String>,
    /// An input made by its grammar.
    make: fn(&mut Random) -> String,
    /// Reads it, and checks what came out.
    read: fn(&[u8]),
    /// How many times slower than others it is.
    cost: u64,
}

/// How much is tried.
struct Budget {
    inputs: Option<u64>,
    time: Option<Duration>,
    first: u64,
}

impl Budget {
    fn of_environment() -> Self {
        let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a whole number"));
        let time = number("STEEP_FUZZ_SECONDS").map(Duration::from_secs);
        Self { inputs: number("STEEP_FUZZ_INPUTS"), time, first: number("STEEP_FUZZ_FIRST").unwrap_or(0) }
    }

    fn is_large(&self) -> bool {
        self.inputs.is_some() || self.time.is_some()
    }

    fn inputs_of(&self, target: &Target) -> u64 {
        self.inputs.unwrap_or(if self.time.is_some() { u64::MAX } else { FEW / target.cost })
    }
}

fn targets() -> Vec<Target> {
    let all = [scenarios::targets(), imports::targets(), records::targets(), answers::targets()];
    let wanted = env::var("STEEP_FUZZ_TARGET").ok();
    let targets: Vec<Target> = all.into_iter().flatten().collect();
    let known: Vec<&str> = targets.iter().map(|target| target.name).collect();
    assert!(wanted.as_deref().is_none_or(|wanted| known.contains(&wanted)), "targets: {}", known.join(", "));
    targets.into_iter().filter(|target| wanted.as_deref().is_none_or(|wanted| wanted == target.name)).collect()
}

/// What was wrong with one input, if anything was.
fn tried(target: &Target, input: &[u8]) -> Result<u64, String> {
    let allocated = || steep_probe::snapshot().counts.map_or(0, |counts| counts.allocated_bytes_total);
    let before = allocated();
    let read = catch_unwind(AssertUnwindSafe(|| (target.read)(input)));
    let bytes = allocated() - before;
    match read {
        Err(_) => Err("it panicked".to_owned()),
        Ok(()) if bytes > MAX_ALLOCATED_BYTES => Err(format!("it allocated {bytes} bytes")),
        Ok(()) => Ok(bytes),
    }
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/commands/fuzz/corpus").join(target.name);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    let kept = files.into_iter().map(|file| fs::read(file).expect("a file of the corpus"));
    (target.seeds)().into_iter().map(String::into_bytes).chain(kept).collect()
}

/// The file that `input` is kept in.
fn kept(target: &Target, nth: u64, input: &[u8]) -> String {
    let file = env::temp_dir().join(format!("steep-fuzz-{}-{nth}", target.name));
    fs::write(&file, input).expect("write the input");
    file.display().to_string()
}

#[test]
fn whatever_is_read_is_borne() {
    if let Ok(file) = env::var("STEEP_FUZZ_REPLAY") {
        let input = fs::read(file).expect("the file to try");
        for target in targets() {
            (target.read)(&input);
        }
        return;
    }
    let budget = Budget::of_environment();
    let targets = targets();
    let time = budget.time.map(|time| time / u32::try_from(targets.len()).expect("few targets"));
    let failed: Vec<String> = targets.iter().flat_map(|target| try_all(target, &budget, time)).collect();
    assert!(failed.is_empty(), "not borne:\n{}", failed.join("\n"));
}

/// Tries the corpus and what is made of it. Gives what was not borne.
fn try_all(target: &Target, budget: &Budget, time: Option<Duration>) -> Vec<String> {
    let (seeds, tokens) = (corpus(target), (target.tokens)());
    let mut failed = Vec::new();
    for (nth, seed) in seeds.iter().enumerate() {
        failed.extend(tried(target, seed).err().map(|why| format!("{}, seed {nth}: {why}", target.name)));
    }
    let watch = budget.is_large().then(|| Watch::begin(target.name));
    let (began, inputs) = (Instant::now(), budget.inputs_of(target));
    TAKEN.store(0, Ordering::Relaxed);
    let (mut most, mut slowest, mut nth) = (0, Duration::ZERO, budget.first);
    while nth - budget.first < inputs && time.is_none_or(|time| began.elapsed() < time) && failed.len() < 20 {
        let mut random = Random::of(target.name, nth);
        let made = random.below(3) == 0;
        let input = if made { (target.make)(&mut random).into_bytes() } else { random.pick(&seeds).clone() };
        let input = if made && random.below(2) == 0 { input } else { mutated(input, &seeds, &tokens, &mut random) };
        if let Some(watch) = &watch {
            watch.note(nth, &input);
        }
        let started = Instant::now();
        match tried(target, &input) {
            Ok(bytes) => most = most.max(bytes),
            Err(why) => failed.push(format!("{}, input {nth}: {why}: {}", target.name, kept(target, nth, &input))),
        }
        slowest = slowest.max(started.elapsed());
        nth += 1;
    }
    eprintln!(
        "{}: {} inputs ({} taken) in {:.0} s, the slowest in {:.0} ms, at most {:.1} MiB allocated, {} not borne",
        target.name,
        nth - budget.first,
        TAKEN.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64(),
        slowest.as_secs_f64() * 1e3,
        most as f64 / f64::from(1 << 20),
        failed.len()
    );
    failed
}

/// Ends the program where an input takes longer than [`LONGEST`], and keeps that input.
struct Watch(std::sync::Arc<std::sync::Mutex<(u64, Vec<u8>, Instant)>>);

impl Watch {
    fn begin(name: &'static str) -> Self {
        let noted = std::sync::Arc::new(std::sync::Mutex::new((0, Vec::new(), Instant::now())));
        let weak = std::sync::Arc::downgrade(&noted);
        std::thread::spawn(move || {
            while let Some(noted) = weak.upgrade() {
                let (nth, input, since) = noted.lock().expect("noted").clone();
                if since.elapsed() > LONGEST {
                    let file = env::temp_dir().join(format!("steep-fuzz-{name}-{nth}"));
                    fs::write(&file, input).expect("write the input");
                    eprintln!("{name}, input {nth}: longer than {} s: {}", LONGEST.as_secs(), file.display());
                    std::process::exit(1);
                }
                drop(noted);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Self(noted)
    }

    fn note(&self, nth: u64, input: &[u8]) {
        *self.0.lock().expect("noted") = (nth, input.to_vec(), Instant::now());
    }
}
