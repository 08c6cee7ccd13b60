//! Measures the method on simulated services whose truth is known, and prints the tables of METHOD.md.
//!
//! `operating_characteristics [--seed N] [--traces N] [--seconds N,N…] [--leaks BYTES,BYTES…] [--rate
//! REQUESTS_PER_SECOND] [--worth BYTES_PER_REQUEST] [--families calm,leaking,extra|NAME…] [--of SECONDS] [--guess]
//! [--list] [--early-stop] [--idle] [--live] [--hz READINGS] [--threads N]`
//!
//! Without options: everything, 400 series a family. `--of`: the first `--seconds` of runs of so long, as in looks
//! during one run. `--guess` hides the disturbances, as in a foreign file; `--list` prints every series whose verdict
//! is wrong. `--idle` measures phases without load after a calm one, of 1, 5, 15 and 30 minutes unless `--seconds` says
//! others. `--live` measures live bytes after 120 s at 500 requests/s, read ten times a second.
#![allow(clippy::print_stdout, reason = "an example's output is what it is for")]

mod early;
mod idle;
mod live;
mod tables;
mod tally;

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use steep_judge::growth::Materiality;
use steep_judge::simulator::{
    CALM, EXTRA_CALM, EXTRA_LEAKING, Family, IdleFamily, LEAKING, LiveFamily, LiveRecipe, Recipe, simulate,
};
use steep_judge::units::BytesPerRequest;
use steep_judge::verdict::judge;

use crate::early::Stop;
use crate::idle::Idle;
use crate::tally::{Case, Tally};

/// What to measure.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own on the command line")]
struct Options {
    seed: u64,
    traces: u64,
    seconds: Vec<usize>,
    leaks: Vec<f64>,
    rps: Option<f64>,
    worth: f64,
    families: Vec<Family>,
    of: Option<usize>,
    known: bool,
    list: bool,
    early_stop: bool,
    idle: bool,
    live: bool,
    hz: f64,
    threads: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options(std::env::args().skip(1))?;
    let materiality = Materiality { per_request: BytesPerRequest::new(options.worth), ..Materiality::default() };
    if options.early_stop {
        let stops = on_threads(&recipes(&options, 3600), options.threads, |recipe| Stop::of(recipe, &materiality));
        println!("{}", early::table(&stops));
        return Ok(());
    }
    if options.idle {
        println!("{}", idle_phases(&options)?);
        return Ok(());
    }
    if options.live {
        for recipes in options.seconds.iter().map(|seconds| live_recipes(&options, *seconds as f64)) {
            let said: Vec<_> = on_threads(&recipes, options.threads, live::said).into_iter().flatten().collect();
            println!("{}", live::table(&said, options.list));
        }
        return Ok(());
    }
    for &seconds in &options.seconds {
        let cases = measure(&recipes(&options, options.of.unwrap_or(seconds)), seconds, &materiality, options.threads);
        if options.list {
            cases.iter().filter(|case| case.is_wrong()).for_each(|case| println!("{case}"));
        }
        println!("{}", tables::of(&Tally::of(&cases), seconds));
    }
    Ok(())
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let everything = || CALM.into_iter().chain(LEAKING).chain(EXTRA_CALM).chain(EXTRA_LEAKING);
    let mut options = Options {
        seed: 1,
        traces: 400,
        seconds: vec![60, 120, 300, 600, 1800, 3600],
        leaks: vec![4.0, 16.0],
        rps: None,
        worth: 4.0,
        families: everything().collect(),
        of: None,
        known: true,
        list: false,
        early_stop: false,
        idle: false,
        live: false,
        hz: live::HZ,
        threads: 2,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--seed" => options.seed = value()?.parse()?,
            "--traces" => options.traces = value()?.parse()?,
            "--seconds" => options.seconds = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--leaks" => options.leaks = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--rate" => options.rps = Some(value()?.parse()?),
            "--worth" => options.worth = value()?.parse()?,
            "--of" => options.of = Some(value()?.parse()?),
            "--threads" => options.threads = value()?.parse()?,
            "--guess" => options.known = false,
            "--list" => options.list = true,
            "--early-stop" => options.early_stop = true,
            "--hz" => options.hz = value()?.parse()?,
            "--live" => {
                options.live = true;
                options.seconds = vec![120];
                options.leaks = vec![4.0, 16.0, 64.0, 1024.0];
            }
            "--idle" => {
                options.idle = true;
                options.seconds = vec![60, 300, 900, 1800];
                options.leaks = vec![4.0, 16.0, 64.0];
            }
            "--families" => {
                let names = value()?;
                let named = |name: &str| match name {
                    "calm" => CALM.to_vec(),
                    "leaking" => LEAKING.to_vec(),
                    "extra" => EXTRA_CALM.into_iter().chain(EXTRA_LEAKING).collect(),
                    name => everything().filter(|family| family.name() == name).collect(),
                };
                options.families = names.split(',').flat_map(named).collect();
            }
            unknown => return Err(format!("unknown option {unknown}").into()),
        }
    }
    Ok(options)
}

/// All recipes of one duration: calm families once, leaking ones once for each size.
fn recipes(options: &Options, seconds: usize) -> Vec<Recipe> {
    let Options { seed, traces, known, ref leaks, ref families, .. } = *options;
    // Leaks are compared at one rate, or a size would mean many things.
    let leaking_rps = options.rps.or(Some(2000.0));
    let mut recipes = Vec::new();
    for &family in families {
        let (sizes, rps) =
            if family.is_leaking() { (leaks.as_slice(), leaking_rps) } else { (&[0.0][..], options.rps) };
        for &leak in sizes {
            recipes.extend((0..traces).map(|index| Recipe { family, seconds, leak, rps, known, seed, index }));
        }
    }
    recipes
}

/// All recipes of live bytes: calm families once, leaking ones once for each size.
fn live_recipes(options: &Options, seconds: f64) -> Vec<LiveRecipe> {
    let Options { seed, traces, hz, ref leaks, .. } = *options;
    let rps = options.rps.unwrap_or(500.0);
    let of_family = |family: LiveFamily| {
        let sizes = if family.is_leaking() { leaks.clone() } else { vec![0.0] };
        let recipe = move |leak, index| LiveRecipe { family, seconds, leak, rps, hz, seed, index };
        sizes.into_iter().flat_map(move |leak| (0..traces).map(move |index| recipe(leak, index)))
    };
    LiveFamily::all().flat_map(of_family).collect()
}

/// Simulates and judges all recipes; the cases are in the order of the recipes.
fn measure(recipes: &[Recipe], seconds: usize, materiality: &Materiality, threads: usize) -> Vec<Case> {
    let mut cases = on_threads(recipes, threads, |recipe| {
        let simulated = simulate(recipe).look(seconds as f64);
        let judgement = judge(&simulated.series, materiality);
        Case::new(*recipe, seconds, simulated.truth, judgement, materiality)
    });
    cases.sort_by_key(|case| (case.recipe.family, case.recipe.leak.to_bits(), case.recipe.index));
    cases
}

/// Phases without load: calm families once, leaking ones once for each size, which is in units of what is worth
/// finding.
fn idle_phases(options: &Options) -> Result<String, Box<dyn Error>> {
    let mut said = Vec::new();
    for &seconds in &options.seconds {
        let template = idle::template(seconds).ok_or("no calm cell")?;
        let mut cells = Vec::new();
        for family in IdleFamily::ALL {
            let sizes = if family.is_leaking() { options.leaks.as_slice() } else { &[0.0][..] };
            for &times in sizes {
                let cell = |index| Idle { family, seconds, times, seed: options.seed, index };
                cells.extend((0..options.traces).map(cell));
            }
        }
        said.extend(on_threads(&cells, options.threads, |cell| idle::said(cell, &template)));
    }
    Ok(idle::table(&said, options.list))
}

/// Does something with every recipe, on some threads; in no order.
fn on_threads<R: Sync, T: Send>(recipes: &[R], threads: usize, work: impl Fn(&R) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(recipes.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(recipe) = recipes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(recipe);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}
