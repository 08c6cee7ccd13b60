//! A heap profile as jemalloc writes it (`heap_v2`, `prof_data.c`):
//!
//! ```text
//! heap_v2/524288
//!   t*: 246: 143524 [1524: 2849363]
//!   t0: 246: 143524 [1524: 2849363]
//! @ 0x7f1cbb8a2630 0x556cb821d156
//!   t*: 215: 110079 [215: 110079]
//!   t0: 215: 110079 [215: 110079]
//!
//! MAPPED_LIBRARIES:
//! 556cb821c000-556cb821d000 r--p 00000000 fe:00 10216645  /srv/shop
//! ```
//!
//! The numbers are samples: objects and bytes that are alive, and in brackets all that were ever allocated (zeros
//! without `prof_accum`). Each stack has a line for all threads, `t*`, and one for each thread.

use thiserror::Error;

/// What a profile begins with, before the mean bytes between two samples.
const FORMAT: &str = "heap_v2/";

/// What its second part begins with: the mappings of the process, as the kernel writes them.
const MAPPINGS: &str = "MAPPED_LIBRARIES:";

/// Calls of a stack that are read, as jemalloc writes at most by default (`PROF_BT_MAX_DEFAULT`); those that called
/// them are left out.
const CALLS: usize = 128;

/// A heap profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeapProfile {
    /// Mean bytes between two samples.
    pub sample_every_bytes: u64,
    /// The stacks.
    pub stacks: Vec<Held>,
    /// The mappings of the process, as the kernel writes them.
    pub mappings: String,
}

/// What a stack had, as its samples stand for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    /// Return addresses, the innermost first.
    pub calls: Vec<u64>,
    /// Objects alive.
    pub live_objects: f64,
    /// Bytes alive.
    pub live_bytes: f64,
    /// Objects allocated so far; at least those alive.
    pub allocated_objects: f64,
    /// Bytes allocated so far; at least those alive.
    pub allocated_bytes: f64,
}

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {wrong}")]
pub struct MalformedProfile {
    /// Where, from 1.
    pub line: usize,
    /// What.
    pub wrong: String,
}

/// Reads a heap profile.
///
/// # Errors
/// The text is none, or was cut off.
pub fn heap_profile(text: &str) -> Result<HeapProfile, MalformedProfile> {
    let mut reading = Reading::default();
    let mut read = 0;
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        read += line.len();
        let at_line = |wrong| MalformedProfile { line: number, wrong };
        if reading.takes(line.trim()).map_err(at_line)? == Part::Mappings {
            text[read..].clone_into(&mut reading.profile.mappings);
            return Ok(reading.profile);
        }
    }
    Err(MalformedProfile { line: text.lines().count(), wrong: format!("it ends before {MAPPINGS}") })
}

/// What the next line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Stacks,
    Mappings,
}

/// A profile, as far as it is read.
#[derive(Debug, Default)]
struct Reading {
    profile: HeapProfile,
    /// The stack that has no counts yet.
    calls: Option<Vec<u64>>,
}

impl Reading {
    fn takes(&mut self, line: &str) -> Result<Part, String> {
        if self.profile.sample_every_bytes == 0 {
            let every = line.strip_prefix(FORMAT).and_then(|every| every.parse().ok()).filter(|every| *every > 0);
            self.profile.sample_every_bytes = every
                .ok_or_else(|| format!("{:?} does not begin a heap profile, as heap_v2/524288 does", shown(line)))?;
        } else if line == MAPPINGS {
            self.has_counts()?;
            return Ok(Part::Mappings);
        } else if let Some(addresses) = line.strip_prefix('@') {
            self.has_counts()?;
            let addresses = addresses.split_ascii_whitespace().take(CALLS).map(address);
            self.calls = Some(addresses.collect::<Result<_, _>>()?);
        } else if let Some((thread, counts)) = line.strip_prefix('t').and_then(|rest| rest.split_once(':')) {
            let counts = Counts::read(counts).ok_or_else(|| format!("{:?} has no counts", shown(line)))?;
            // Of all stacks together, before the first of them, and of single threads nothing is wanted.
            if let Some(calls) = self.calls.take_if(|_| thread == "*") {
                self.profile.stacks.push(counts.held(calls, self.profile.sample_every_bytes));
            }
        } else if !line.is_empty() {
            return Err(format!("{:?} is neither a stack (@) nor its counts (t*)", shown(line)));
        }
        Ok(Part::Stacks)
    }

    fn has_counts(&self) -> Result<(), String> {
        match self.calls {
            Some(_) => Err("the stack before has no counts (t*)".to_owned()),
            None => Ok(()),
        }
    }
}

fn address(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x");
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| format!("{:?} is not an address", shown(text)))
}

/// The beginning of what was read, for a message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// `246: 143524 [1524: 2849363]`
#[derive(Debug, Clone, Copy)]
struct Counts {
    live: (u64, u64),
    allocated: (u64, u64),
}

impl Counts {
    fn read(text: &str) -> Option<Self> {
        let (live, allocated) = text.split_once('[')?;
        let pair = |text: &str| {
            let (objects, bytes) = text.split_once(':')?;
            Some((objects.trim().parse().ok()?, bytes.trim().parse().ok()?))
        };
        Some(Self { live: pair(live)?, allocated: pair(allocated.trim_end().strip_suffix(']')?)? })
    }

    fn held(self, calls: Vec<u64>, every: u64) -> Held {
        let (live_objects, live_bytes) = stand_for(self.live, every);
        let (allocated_objects, allocated_bytes) = stand_for(self.allocated, every);
        Held {
            calls,
            live_objects,
            live_bytes,
            allocated_objects: allocated_objects.max(live_objects),
            allocated_bytes: allocated_bytes.max(live_bytes),
        }
    }
}

/// What these samples, objects and bytes, stand for. An object of `s` bytes is sampled with probability
/// `1 - exp(-s / every)`; its size is taken to be the mean one, which jemalloc knows and has seen to
/// (`prof_do_unbias`).
fn stand_for((objects, bytes): (u64, u64), every: u64) -> (f64, f64) {
    if bytes == 0 {
        return (0.0, 0.0);
    }
    let (objects, bytes) = (objects.max(1) as f64, bytes as f64);
    let weight = -1.0 / (-bytes / objects / every as f64).exp_m1();
    (objects * weight, bytes * weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROFILE: &str = "heap_v2/65536\n  t*: 3: 143524 [1524: 2849363]\n  t0: 3: 143524 [1524: 2849363]\n\
        @ 0x7f1cbb8a2630 0x556cb821d156\n  t*: 2: 1024 [2: 1024]\n  t0: 1: 512 [1: 512]\n  t3: 1: 512 [1: 512]\n\
        @ 0x7f1cbb8a2630\n  t*: 1: 1835008 [0: 0]\n  t0: 1: 1835008 [0: 0]\n\
        \nMAPPED_LIBRARIES:\n556cb821d000-556cb821e000 r-xp 00001000 fe:00 77 /srv/shop\n";

    #[test]
    fn a_profile_is_read_with_what_its_samples_stand_for() {
        let profile = heap_profile(PROFILE).expect("a profile");
        assert_eq!(profile.sample_every_bytes, 65_536);
        assert_eq!(profile.mappings, "556cb821d000-556cb821e000 r-xp 00001000 fe:00 77 /srv/shop\n");
        let [small, large] = &profile.stacks[..] else { panic!("{profile:?}") };
        assert_eq!(small.calls, [0x7f1c_bb8a_2630, 0x556c_b821_d156]);
        // Each of 512 bytes stands for 65,536 of them, and half of itself.
        assert!((small.live_bytes - 2.0 * 65_792.3).abs() < 1.0, "{small:?}");
        assert!((small.live_objects - small.live_bytes / 512.0).abs() < 1e-6, "{small:?}");
        assert!((small.allocated_bytes - small.live_bytes).abs() < 1e-6, "{small:?}");
        // One of 28 times the mean is sampled nearly always. Without `prof_accum` there is what is alive.
        assert!((large.live_objects - 1.0).abs() < 1e-6 && (large.allocated_bytes - large.live_bytes).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_profile_is_refused_with_its_line() {
        let wrong = |text: &str| heap_profile(text).expect_err(text).to_string();
        assert_eq!(wrong(""), "line 0: it ends before MAPPED_LIBRARIES:");
        insta::assert_snapshot!(wrong("heap profile: 1: 2 [3: 4] @ heapprofile\n"), @r#"line 1: "heap profile: 1: 2 [3: 4] @ heapprofile" does not begin a heap profile, as heap_v2/524288 does"#);
        assert!(wrong("heap_v2/0\n").starts_with("line 1: "));
        assert!(wrong(&PROFILE.replace("0x556cb821d156", "156")).starts_with("line 4: \"156\" is not an address"));
        assert!(wrong(&PROFILE.replace("t*: 2: 1024 [2: 1024]", "t*: 2: 1024 [2")).starts_with("line 5: "));
        assert!(wrong(&PROFILE.replace("  t*: 2: 1024 [2: 1024]\n", "")).starts_with("line 7: the stack before"));
        assert!(wrong(&PROFILE.replace("\n\n", "\nwhat\n\n")).starts_with("line 11: \"what\" is neither"));
        let (cut, _) = PROFILE.split_once("MAPPED").expect("its second part");
        assert_eq!(wrong(cut), "line 11: it ends before MAPPED_LIBRARIES:");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail_otherwise_and_no_figure_is_less_than_nothing(
            cut in 0..PROFILE.len(),
            at in 0..PROFILE.len(),
            letters in "[@t*0-9a-fx: \\[\\]\n]{0,12}",
        ) {
            let text = PROFILE[..cut].to_owned() + &PROFILE[at..];
            for text in [text.clone(), format!("{}{letters}{}", &PROFILE[..at], &PROFILE[at..]), text + &letters] {
                match heap_profile(&text) {
                    Ok(profile) => for stack in profile.stacks {
                        let figures = [stack.live_bytes, stack.live_objects, stack.allocated_bytes, stack.allocated_objects];
                        prop_assert!(figures.iter().all(|figure| figure.is_finite() && *figure >= 0.0), "{stack:?}");
                        prop_assert!(stack.calls.len() <= CALLS);
                    },
                    Err(malformed) => prop_assert!(malformed.line <= text.lines().count()),
                }
            }
        }

        #[test]
        fn samples_of_a_size_stand_for_as_much_as_was_allocated(size in 16_u32..2_000_000, every in 10_u32..20) {
            // Of a million objects those that are sampled, on average.
            let every = 1_u64 << every;
            let chance = -(-f64::from(size) / every as f64).exp_m1();
            let samples = (1e6 * chance) as u64;
            prop_assume!(samples > 0);
            let (objects, bytes) = stand_for((samples, samples * u64::from(size)), every);
            prop_assert!((objects / 1e6 - 1.0).abs() < 1.0 / samples as f64 + 1e-9, "{objects}");
            prop_assert!((bytes / objects / f64::from(size) - 1.0).abs() < 1e-9);
        }
    }
}
