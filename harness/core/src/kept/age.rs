//! How old it is what a place has alive: kept for ever, or turned over.

use schemars::JsonSchema;
use serde::Serialize;

use super::{PARTS, Series};

/// Fewer samples than this say nothing of ages.
const LEAST_SAMPLES: f64 = 12.0;

/// The first and the last third of the steady time are compared.
const THIRD: usize = PARTS / 3;

/// What is kept for ever survives as well from the first third as from the last: half of both. Of what turns over
/// before the soak ends nothing is left of the first. With [`LEAST_SAMPLES`] in both thirds together, a half comes out
/// below this share one time in 14, and a tenth above it one time in 40 (binomial).
const OF_THE_OLD: f64 = 0.3;

/// Less than this is left of what turns over.
const NEXT_TO_NONE: f64 = 0.1;

/// When it was born what is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Births {
    /// All through the soak: it is kept for as long as was looked.
    Throughout,
    /// Lately: what is older was freed. It is turned over, and more of it is there each time.
    Lately,
    /// It is one block that was moved, or replaced, when it grew: its age is that of the last time.
    OneBlock,
    /// Too little is known of it to say.
    Unknown,
}

/// The ages of what is alive at the last snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Age {
    /// When it was born.
    pub births: Births,
    /// Nine tenths of it are younger than this. Of what was born before the steady time nothing is said here.
    #[serde(rename = "nine_tenths_younger_than_s")]
    pub youth_s: f64,
    /// The steady time.
    #[serde(rename = "watched_s")]
    pub watched_s: f64,
}

impl Age {
    /// That of what `stacks` have alive; none where nothing is known of births.
    pub(super) fn of(series: &Series, stacks: &[usize]) -> Option<Self> {
        let (first, last) = (series.snapshots.first()?, series.snapshots.last()?);
        let watched_s = last.t_s.since(first.t_s).as_secs_f64();
        let (mut born, mut objects, mut largest) = ([0.0; PARTS], 0.0, 0_u64);
        for stack in stacks.iter().filter_map(|number| series.stacks.get(*number)) {
            // What was born before is not in it.
            born.iter_mut().zip(stack.born_bytes.iter().skip(1)).for_each(|(sum, bytes)| *sum += bytes);
            objects += stack.live_objects;
            largest = largest.max(stack.largest_bytes);
        }
        let bytes: f64 = born.iter().sum();
        if bytes <= 0.0 || watched_s <= 0.0 {
            return None;
        }
        let samples = (bytes / series.sample_every_bytes.max(1) as f64).min(objects);
        let births = if largest as f64 >= 0.5 * bytes { Births::OneBlock } else { births(series, &born, samples) };
        Some(Self { births, youth_s: youth_s(&born, watched_s), watched_s })
    }

    /// `throughout`, `last 12 s`: for a table.
    #[must_use]
    pub fn briefly(&self) -> Option<String> {
        let youth = self.youth_s.ceil();
        match self.births {
            Births::Throughout => Some("throughout".to_owned()),
            Births::Lately => Some(format!("last {youth} s")),
            Births::OneBlock => Some("one block".to_owned()),
            Births::Unknown => None,
        }
    }

    /// The same in a sentence.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let youth = self.youth_s.ceil();
        match self.births {
            Births::Throughout => Some("what it has now was born all through the soak".to_owned()),
            Births::Lately => {
                Some(format!("what it has now was born in the last {youth} s, older ones are freed: it turns over"))
            }
            Births::OneBlock => Some(format!("it is one block, made in the last {youth} s in place of a smaller one")),
            Births::Unknown => None,
        }
    }
}

/// Of what was born in each part, for each request of that part, so that a load that rises does not look like youth.
fn births(series: &Series, born: &[f64; PARTS], samples: f64) -> Births {
    let requests = requests(series);
    let of = |parts: std::ops::Range<usize>| {
        let bytes: f64 = born[parts.clone()].iter().sum();
        let asked: f64 = requests[parts.clone()].iter().sum();
        let even = parts.len() as f64;
        // Without requests parts are as long as each other.
        (bytes, if requests.iter().sum::<f64>() > 0.0 { asked } else { even })
    };
    let (old, new) = (of(0..THIRD), of(PARTS - THIRD..PARTS));
    let all: f64 = born.iter().sum();
    let both = samples * (old.0 + new.0) / all;
    if both < LEAST_SAMPLES || old.1 <= 0.0 || new.1 <= 0.0 {
        return Births::Unknown;
    }
    let (old, new) = (old.0 / old.1, new.0 / new.1);
    match old / (old + new) {
        share if share >= OF_THE_OLD => Births::Throughout,
        share if share < NEXT_TO_NONE => Births::Lately,
        _ => Births::Unknown,
    }
}

/// Completed requests of each part, by lines between the snapshots.
fn requests(series: &Series) -> [f64; PARTS] {
    let moments: Vec<(f64, f64)> =
        series.snapshots.iter().map(|moment| (moment.t_s.as_secs_f64(), moment.completed as f64)).collect();
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else { return [0.0; PARTS] };
    let completed = |t_s: f64| {
        let pair = moments.windows(2).find(|pair| pair[1].0 >= t_s);
        pair.map_or(last.1, |pair| {
            let span = (pair[1].0 - pair[0].0).max(f64::MIN_POSITIVE);
            pair[0].1 + (pair[1].1 - pair[0].1) * ((t_s - pair[0].0) / span).clamp(0.0, 1.0)
        })
    };
    let edge = |part: usize| completed(first.0 + (last.0 - first.0) * part as f64 / PARTS as f64);
    std::array::from_fn(|part| edge(part + 1) - edge(part))
}

/// How old the oldest is when a tenth, which is older, is left out.
fn youth_s(born: &[f64; PARTS], watched_s: f64) -> f64 {
    let wanted = 0.9 * born.iter().sum::<f64>();
    let mut sum = 0.0;
    for (parts, bytes) in born.iter().rev().enumerate() {
        if sum + bytes >= wanted && *bytes > 0.0 {
            return (parts as f64 + (wanted - sum) / bytes) * watched_s / PARTS as f64;
        }
        sum += bytes;
    }
    watched_s
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kept::{Moment, Stack};
    use steep_judge::units::SinceStart;

    /// A series of 120 s whose one stack has alive what was `born` in each part, in objects of 1 KiB.
    fn series(born: [f64; PARTS], completed: impl Fn(u64) -> u64) -> Series {
        let moment =
            |part: u64| Moment { t_s: SinceStart::new(Duration::from_secs(10 * part)), completed: completed(part) };
        let bytes: f64 = born.iter().sum();
        let stack = Stack {
            born_bytes: std::iter::once(5e6).chain(born).collect(),
            live_objects: bytes / 1024.0,
            largest_bytes: 1024,
            ..Stack::default()
        };
        Series {
            sample_every_bytes: 65_536,
            snapshots: (0..=PARTS as u64).map(moment).collect(),
            stacks: vec![stack],
            ..Series::default()
        }
    }

    fn age(series: &Series) -> Age {
        Age::of(series, &[0]).expect("an age")
    }

    #[test]
    fn what_is_kept_for_ever_was_born_all_through() {
        let kept = series([3e5; PARTS], |part| part * 1_000);
        assert_eq!(age(&kept).births, Births::Throughout);
        assert!((age(&kept).youth_s - 108.0).abs() < 1.0, "{:?}", age(&kept));
        // The load rises sixfold, and so do the births: each request keeps the same.
        let rising = series(std::array::from_fn(|part| 1e5 * (part + 1) as f64), |part| part * (part + 1) * 50);
        assert_eq!(age(&rising).births, Births::Throughout);
    }

    #[test]
    fn of_what_turns_over_the_old_is_gone() {
        let mut born = [0.0; PARTS];
        born[PARTS - 3..].fill(5e5);
        let turned = age(&series(born, |part| part * 1_000));
        assert_eq!((turned.births, turned.youth_s.ceil()), (Births::Lately, 27.0));
        assert!(turned.in_words().expect("words").contains("in the last 27 s"));
    }

    #[test]
    fn a_block_that_doubles_is_young_and_still_no_turnover() {
        let mut born = [0.0; PARTS];
        born[8] = 8e6;
        let mut one = series(born, |part| part * 1_000);
        one.stacks[0].largest_bytes = 8_000_000;
        one.stacks[0].live_objects = 1.0;
        assert_eq!(age(&one).births, Births::OneBlock);
        assert!(age(&one).in_words().expect("words").contains("one block, made in the last 39 s"), "{:?}", age(&one));
    }

    #[test]
    fn of_little_nothing_is_said() {
        assert_eq!(age(&series([3e4; PARTS], |part| part * 1_000)).births, Births::Unknown);
        assert_eq!(Age::of(&series([0.0; PARTS], |part| part), &[0]), None);
        assert_eq!(Age::of(&Series::default(), &[0]), None);
        // Nobody asked anything: parts are as long as each other.
        assert_eq!(age(&series([3e5; PARTS], |_| 0)).births, Births::Throughout);
    }
}
