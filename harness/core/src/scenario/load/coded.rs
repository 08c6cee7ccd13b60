//! Coded traffic: weights that swing after a code, so that what grows can be laid on one request. Its type, keys,
//! decoding and checks.
//!
//! Requests that come at constant rates all grow as time does. Under a code each has a pattern of its own: in a block
//! of some seconds it comes nearly twice as often or hardly at all, after a row of a Walsh matrix. Rows are orthogonal,
//! so that the pattern of one request says nothing of another's. The rate of all together stays as it was, but one
//! block in eight is idle, which sets apart what grows with every request from what grows with time.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Load, Model};
use crate::scenario::check::Check;
use crate::scenario::{Phase, Role, Scenario};
use steep_judge::units::SinceStart;

/// How far a weight swings: to 1 ± this of what it is. Less than 1, so that no request is ever absent.
const DEPTH: f64 = 0.8;

/// One block in this many is idle.
const IDLE_EVERY: u32 = 8;

/// Blocks that steady time is cut into, if they are neither too short nor too long then.
const BLOCKS: u32 = 32;

/// A block holds what is in flight at its borders many times over.
const SHORTEST: Duration = Duration::from_secs(5);

/// What wanders in a service does so within minutes.
const LONGEST: Duration = Duration::from_mins(1);

/// How often each code is to be seen whole.
const CYCLES: u32 = 2;

/// Requests that can have a code: a cycle is as long as there are rows.
const NAMES_MAX: usize = 31;

/// The code of a cell: which blocks there are, and how each request swings in them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Code {
    /// Rows of the matrix; a power of two.
    order: u32,
    /// Stretches of steady time.
    stretches: Vec<Stretch>,
}

/// Steady time without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Stretch {
    start_s: SinceStart,
    end_s: SinceStart,
    #[serde(rename = "block_s", with = "steep_judge::units::seconds")]
    #[schemars(with = "f64")]
    block: Duration,
}

/// What a moment of a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// Weights are as the scenario gives them.
    Plain,
    /// Nothing is due.
    Idle,
    /// Weights swing by this column of the matrix.
    Coded(u32),
}

impl Code {
    /// The code of `phases` for this many requests and flows.
    #[must_use]
    pub fn new(phases: &[Phase], names: usize) -> Self {
        let order = order(names);
        let stretches = steady(phases).map(|(start_s, end_s)| {
            let lasts = end_s.elapsed().saturating_sub(start_s.elapsed());
            let whole = lasts / (CYCLES * blocks_of_cycle(order));
            let block = (lasts / BLOCKS).min(whole).clamp(SHORTEST, LONGEST);
            Stretch { start_s, end_s, block }
        });
        Self { order, stretches: stretches.collect() }
    }

    /// What `moment` is.
    #[must_use]
    pub fn at(&self, moment: SinceStart) -> Block {
        let within = |stretch: &&Stretch| stretch.start_s <= moment && moment < stretch.end_s;
        let Some(stretch) = self.stretches.iter().find(within) else { return Block::Plain };
        let elapsed = moment.elapsed().saturating_sub(stretch.start_s.elapsed());
        let block = (elapsed.as_nanos() / stretch.block.as_nanos().max(1)) as u32;
        if block % IDLE_EVERY == IDLE_EVERY - 1 {
            return Block::Idle;
        }
        Block::Coded((block - block / IDLE_EVERY) % self.order)
    }

    /// What the weight of the request or flow at `place` is multiplied by in `column`.
    #[must_use]
    pub fn factor(place: usize, column: u32) -> f64 {
        // Row 0 of the matrix is constant. Sylvester's form: the entry is the parity of the bits that both have.
        let row = place as u32 + 1;
        if (row & column).count_ones().is_multiple_of(2) { 1.0 + DEPTH } else { 1.0 - DEPTH }
    }

    /// Length of a block, of the first steady stretch.
    #[must_use]
    pub fn block(&self) -> Option<Duration> {
        self.stretches.first().map(|stretch| stretch.block)
    }
}

impl Code {
    /// What it did to the load, in words; none where no time was steady.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let block = humantime::format_duration(Duration::from_millis(self.block()?.as_millis() as u64));
        let (more, less) = (1.0 + DEPTH, 1.0 - DEPTH);
        Some(format!(
            "coded traffic: in each block of {block} weights were {more} or {less} times what the scenario says, and \
             one block in {IDLE_EVERY} sent nothing"
        ))
    }
}

/// Rows for this many requests: a power of two above their number.
fn order(names: usize) -> u32 {
    (names.min(NAMES_MAX) as u32 + 1).next_power_of_two()
}

/// Blocks in which a code is seen once, with the idle ones among them.
fn blocks_of_cycle(order: u32) -> u32 {
    (order * IDLE_EVERY).div_ceil(IDLE_EVERY - 1)
}

/// Steady phases that follow each other, as one.
fn steady(phases: &[Phase]) -> impl Iterator<Item = (SinceStart, SinceStart)> {
    let mut end = SinceStart::ZERO;
    let mut stretches: Vec<(SinceStart, SinceStart)> = Vec::new();
    for phase in phases {
        let start = end;
        end = end + phase.duration;
        if phase.role != Role::Steady {
            continue;
        }
        match stretches.last_mut().filter(|(_, last)| *last == start) {
            Some((_, last)) => *last = end,
            None => stretches.push((start, end)),
        }
    }
    stretches.into_iter()
}

impl Load {
    /// The code of `phases` for these requests and flows together, where the load has one.
    #[must_use]
    pub fn code(&self, phases: &[Phase], names: usize) -> Option<Code> {
        self.coded.then(|| Code::new(phases, names))
    }
}

/// Why a load cannot be coded, and what would help.
struct Hindrance {
    message: String,
    help: &'static str,
}

/// What keeps the load of `scenario` from being coded.
fn hindrance(scenario: &Scenario) -> Option<Hindrance> {
    let hindrance = |message: String, help| Some(Hindrance { message, help });
    if scenario.load.model != Model::Open {
        let help = "take it out: in a closed load users decide when they come";
        return hindrance("coded traffic needs model = \"open\"".to_owned(), help);
    }
    let names = scenario.requests.iter().filter(|request| request.weight > 0.0).count() + scenario.flows.len();
    if names < 2 {
        let message = "coded traffic tells requests apart, and there is one only".to_owned();
        return hindrance(message, "take it out, or add requests or flows");
    }
    let places = scenario.requests.len() + scenario.flows.len();
    if places > NAMES_MAX {
        let message = format!("{places} requests and flows, and codes for {NAMES_MAX}");
        return hindrance(message, "take it out, or send fewer kinds of requests");
    }
    let longest = steady(&scenario.phases).map(|(start, end)| end.elapsed().saturating_sub(start.elapsed())).max();
    let needed = SHORTEST * CYCLES * blocks_of_cycle(order(places));
    if longest.is_none_or(|longest| longest < needed) {
        let needed = humantime::format_duration(needed);
        let message = format!("coded traffic of {places} requests and flows needs {needed} of steady time");
        return hindrance(message, "lengthen the steady phases, or take it out");
    }
    None
}

impl Scenario {
    /// The code of its load, where that has one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.load.code(&self.phases, self.requests.len() + self.flows.len())
    }

    /// The same with coded traffic, where its load can be coded.
    #[must_use]
    pub fn coded_where_possible(mut self) -> Self {
        self.load.coded |= self.external.is_none() && hindrance(&self).is_none();
        self
    }
}

impl Check<'_> {
    /// That there is something to tell apart, and time enough for it.
    pub(in crate::scenario) fn coded(&mut self, scenario: &Scenario) {
        if !scenario.load.coded || scenario.external.is_some() {
            return;
        }
        if let Some(Hindrance { message, help }) = hindrance(scenario) {
            self.error("load.coded", message, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Shape;
    use crate::testing::{decoded, problems, sound};
    use steep_judge::units::Rps;

    fn phase(role: Role, seconds: u64) -> Phase {
        Phase::new("phase", role, Shape::Constant { rate: Rps::new(10.0) }, Duration::from_secs(seconds))
    }

    fn blocks(code: &Code, seconds: std::ops::Range<u32>) -> Vec<Block> {
        seconds.map(|second| code.at(SinceStart::from_secs_f64(f64::from(second) + 0.5))).collect()
    }

    #[test]
    fn codes_begin_with_the_steady_phases_and_one_block_in_eight_is_idle() {
        let phases = [phase(Role::Warmup, 60), phase(Role::Steady, 100), phase(Role::Steady, 540)];
        let code = Code::new(&phases, 4);
        assert_eq!(code.block(), Some(Duration::from_secs(20)));
        assert!(blocks(&code, 0..60).iter().all(|block| *block == Block::Plain));
        let seen = blocks(&code, 60..700);
        assert_eq!(seen.iter().filter(|block| **block == Block::Idle).count(), 4 * 20);
        assert_eq!(
            (seen[0], seen[20], seen[139], seen[140]),
            (Block::Coded(0), Block::Coded(1), Block::Coded(6), Block::Idle)
        );
        assert_eq!(seen[160], Block::Coded(7));
        assert_eq!(code.at(SinceStart::from_secs_f64(700.0)), Block::Plain);
    }

    #[test]
    fn over_a_cycle_codes_are_orthogonal_and_balanced() {
        for names in [2, 3, 4, 7, 8, 15, 31] {
            let order = order(names);
            assert!(order as usize > names);
            let row = |place: usize| (0..order).map(move |column| (Code::factor(place, column) - 1.0) / DEPTH);
            for one in 0..names {
                assert!(row(one).sum::<f64>().abs() < 1e-9, "{one} of {names}");
                for other in 0..one {
                    let product: f64 = row(one).zip(row(other)).map(|(one, other)| one * other).sum();
                    assert!(product.abs() < 1e-9, "{one} and {other} of {names}");
                }
            }
        }
    }

    #[test]
    fn a_block_lasts_between_five_seconds_and_a_minute_and_codes_are_seen_twice() {
        let block = |seconds, names| Code::new(&[phase(Role::Steady, seconds)], names).block();
        assert_eq!(block(120, 4), Some(Duration::from_secs(5)));
        assert_eq!(block(640, 4), Some(Duration::from_secs(20)));
        assert_eq!(block(760, 8), Some(Duration::from_secs(20)));
        assert_eq!(block(86_400, 4), Some(Duration::from_mins(1)));
        assert_eq!(block(0, 4), Some(Duration::from_secs(5)));
        assert_eq!(Code::new(&[phase(Role::Warmup, 60)], 4).block(), None);
    }

    #[test]
    fn a_load_is_coded_where_it_can_be() {
        let second = "\n[[requests]]\nname = \"two\"\npath = \"/two\"\n";
        let coded = |text: &str| decoded(text).coded_where_possible().load.coded;
        assert!(coded(&sound("3m", second)));
        assert!(coded(&sound("1m", second)), "two names need 50 s");
        let four = second.to_owned() + &second.replace("two", "three") + &second.replace("two", "four");
        assert!(!coded(&sound("1m", &four)) && !coded(&sound("3m", "")));
    }

    #[test]
    fn what_cannot_be_coded_is_refused_with_what_would_help() {
        let coded = |lasts: &str, more: &str| {
            let second = "\n[[requests]]\nname = \"two\"\npath = \"/two\"\n";
            problems(&sound(lasts, &format!("{second}{more}")))
        };
        let short = coded("30s", "[load]\ncoded = true\n");
        assert!(short.contains("coded traffic of 2 requests and flows needs 50s of steady time"), "{short}");
        let closed = coded("3m", "[load]\ncoded = true\nmodel = \"closed\"\nvus = 2\n");
        assert!(closed.contains("coded traffic needs model = \"open\""), "{closed}");
        let single = problems(&sound("3m", "[load]\ncoded = true\n"));
        assert!(single.contains("there is one only"), "{single}");
    }
}
