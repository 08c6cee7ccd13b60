//! Who held what at the end: of a service that crashed, or came close to its limit.

use schemars::JsonSchema;
use serde::Serialize;

use super::causes::causes;
use super::own_calls::own;
use super::{Frame, Series, Stack, StackGrowth};
use steep_judge::units::{Bytes, BytesPerRequest, Estimate, SinceStart};

/// Holders that are named.
const HOLDERS_MAX: usize = 8;

/// A spike rises within this last share of what was seen, or since the last look before it.
const LATE: f64 = 0.1;

/// And has at most this share of its rise before.
const EARLY_RISE: f64 = 0.25;

/// What rose by less than this share of what it held at the end did so before anybody looked.
const LEAST_RISE: f64 = 0.2;

/// Looks that are shown of a holder, beside the last but one.
const LOOKS_SHOWN: usize = 4;

/// What the stacks held at the end.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Ending {
    /// When that was.
    pub t_s: SinceStart,
    /// All of it, as the samples stand for it.
    pub held_bytes: Bytes,
    /// Who held most of it, the largest first.
    pub holders: Vec<Holder>,
}

/// A place in the program that held memory at the end.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Holder {
    /// The place.
    pub frame: Frame,
    /// What it held.
    pub held_bytes: Bytes,
    /// Its share of all that was held.
    pub share: f64,
    /// How that came.
    pub course: Course,
    /// What it held at some of the looks, the end among them.
    pub looks: Vec<Look>,
    /// The calls that lead to it, from the allocation outwards: own code only.
    pub chain: Vec<Frame>,
}

/// What was held at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Look {
    /// When.
    pub t_s: SinceStart,
    /// How much.
    pub held_bytes: Bytes,
}

/// How it came that much is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// It rose over some time.
    Growth,
    /// It rose at the end, all at once.
    Spike,
    /// It was held all the time.
    Level,
    /// There was one look only.
    Unknown,
}

/// Who held what at the last snapshot of `series`; none where it has no snapshot, or nothing was held for sure.
#[must_use]
pub fn ending(series: &Series) -> Option<Ending> {
    at(series, series.snapshots.len().checked_sub(1)?)
}

/// Who held what at each snapshot.
#[must_use]
pub fn each_moment(series: &Series) -> Vec<Ending> {
    (0..series.snapshots.len()).filter_map(|moment| at(series, moment)).collect()
}

fn at(series: &Series, last: usize) -> Option<Ending> {
    let held = held(series, last);
    let all: f64 = held.iter().map(|stack| stack.per_request.value.get()).sum();
    let mut left: Vec<&Stack> = series.stacks.iter().filter(|stack| stack.live_bytes.len() > last).collect();
    let holder = |cause: super::Cause| {
        let is_mine = |stack: &&Stack| own(&series.frames_of(stack)).contains(&&cause.frame);
        let (mine, rest): (Vec<&Stack>, Vec<&Stack>) = left.iter().copied().partition(is_mine);
        left = rest;
        let level = |look: usize| mine.iter().map(|stack| stack.live_bytes[look]).sum::<f64>();
        let looks: Vec<(SinceStart, f64)> =
            series.snapshots[..=last].iter().enumerate().map(|(look, moment)| (moment.t_s, level(look))).collect();
        let held = looks[last].1;
        Holder {
            frame: cause.frame,
            held_bytes: Bytes::new(held as u64),
            share: if all > 0.0 { held / all } else { 0.0 },
            course: course(&looks),
            looks: some(&looks),
            chain: cause.chain,
        }
    };
    let holders: Vec<Holder> = causes(series, &held).into_iter().take(HOLDERS_MAX).map(holder).collect();
    let t_s = series.snapshots[last].t_s;
    (!holders.is_empty()).then_some(Ending { t_s, held_bytes: Bytes::new(all as u64), holders })
}

/// What each stack held at the snapshot `last`, in the form in which growth is grouped: as if one request had led to
/// all of it. What is held rests on `held / every` samples, whose number is Poisson's.
fn held(series: &Series, last: usize) -> Vec<StackGrowth> {
    let every = series.sample_every_bytes as f64;
    let of_stack = |(number, stack): (usize, &Stack)| {
        let value = *stack.live_bytes.get(last)?;
        let error = (every * value.max(every)).sqrt();
        let [low, value, high] = [value - error, value, value + error].map(BytesPerRequest::new);
        let allocated_per_request = BytesPerRequest::new(*stack.allocated_bytes.get(last)?);
        Some(StackGrowth { stack: number, per_request: Estimate { low, value, high }, allocated_per_request })
    };
    series.stacks.iter().enumerate().filter_map(of_stack).collect()
}

fn course(looks: &[(SinceStart, f64)]) -> Course {
    let [(begun, first), .., (ended, end)] = looks else { return Course::Unknown };
    let rise = end - first;
    if rise < LEAST_RISE * end {
        return Course::Level;
    }
    let late = ended.as_secs_f64() - LATE * (ended.as_secs_f64() - begun.as_secs_f64());
    // With few looks this may be long ago.
    let before = looks[..looks.len() - 1].iter().rev().find(|(at, _)| at.as_secs_f64() <= late);
    let is_late = before.is_some_and(|(_, held)| held - first <= EARLY_RISE * rise);
    if is_late && looks.len() > 2 { Course::Spike } else { Course::Growth }
}

/// Some of the looks, evenly, with the last and the one before it.
fn some(looks: &[(SinceStart, f64)]) -> Vec<Look> {
    let last = looks.len() - 1;
    let mut shown: Vec<usize> = (0..LOOKS_SHOWN - 1).map(|part| last * part / (LOOKS_SHOWN - 1)).collect();
    shown.extend([last.saturating_sub(1), last]);
    shown.sort_unstable();
    shown.dedup();
    shown.into_iter().map(|look| Look { t_s: looks[look].0, held_bytes: Bytes::new(looks[look].1 as u64) }).collect()
}

impl Holder {
    /// `keep at src/main.rs:7 held 50.0 MiB, 99 %, and grew to it: 0 B after 0s, 25.0 MiB after 2s, 50.0 MiB after 4s`
    #[must_use]
    pub fn note(&self) -> String {
        let Self { frame, held_bytes, share, course, looks, .. } = self;
        let function = if frame.file.is_empty() { String::new() } else { format!("{} at ", frame.function) };
        let of = |looks: &[Look]| {
            let each: Vec<String> =
                looks.iter().map(|look| format!("{} after {}", look.held_bytes, look.t_s)).collect();
            each.join(", ")
        };
        let came = match course {
            Course::Growth => format!(", and grew to it: {}", of(looks)),
            Course::Spike => format!(", a spike: {}", of(&looks[looks.len().saturating_sub(2)..])),
            Course::Level => ", as it did all the time".to_owned(),
            Course::Unknown => String::new(),
        };
        format!("{function}{} held {held_bytes}, {:.0} %{came}", frame.place(), share * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kept::{Moment, SCHEMA};

    const EVERY: f64 = 65_536.0;

    /// A series of one stack for each curve, in units of 100 samples; one look a second.
    fn series(curves: &[&[f64]]) -> Series {
        let moment = |second: usize| Moment {
            t_s: SinceStart::new(Duration::from_secs(second as u64)),
            completed: second as u64,
        };
        let frame = |number: usize| Frame {
            function: format!("keep_{number}"),
            file: "src/main.rs".to_owned(),
            line: number as u32 + 1,
            is_own: true,
        };
        let stack = |(number, curve): (usize, &&[f64])| {
            let live_bytes: Vec<f64> = curve.iter().map(|level| level * 100.0 * EVERY).collect();
            Stack { frames: vec![number], allocated_bytes: live_bytes.clone(), live_bytes, ..Stack::default() }
        };
        Series {
            schema: SCHEMA,
            sample_every_bytes: EVERY as u64,
            lost_samples: 0,
            snapshots: (0..curves[0].len()).map(moment).collect(),
            frames: (0..curves.len()).map(frame).collect(),
            stacks: curves.iter().enumerate().map(stack).collect(),
            ..Series::default()
        }
    }

    fn courses(curves: &[&[f64]]) -> Vec<(String, Course)> {
        let ending = ending(&series(curves)).expect("holders");
        ending.holders.into_iter().map(|holder| (holder.frame.function, holder.course)).collect()
    }

    #[test]
    fn a_growth_is_told_from_a_spike_and_from_what_was_always_held() {
        let growing: Vec<f64> = (0..20).map(f64::from).collect();
        let spike: Vec<f64> = (0..20).map(|second| if second < 19 { 1.0 } else { 50.0 }).collect();
        let level = [8.0; 20];
        let found = courses(&[&growing, &spike, &level]);
        let expected = [("keep_1", Course::Spike), ("keep_0", Course::Growth), ("keep_2", Course::Level)];
        assert_eq!(found, expected.map(|(name, course)| (name.to_owned(), course)));
    }

    #[test]
    fn a_container_that_doubled_last_is_no_spike() {
        let doubling = [1.0, 1.0, 2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 8.0];
        assert_eq!(courses(&[&doubling])[0].1, Course::Growth);
    }

    #[test]
    fn of_one_look_only_the_level_is_known_and_of_two_no_spike() {
        assert_eq!(courses(&[&[4.0]])[0].1, Course::Unknown);
        assert_eq!(courses(&[&[0.0, 4.0]])[0].1, Course::Growth);
        assert_eq!(ending(&Series::default()), None);
    }

    #[test]
    fn what_was_held_is_said_with_its_place_and_its_course() {
        let ending = ending(&series(&[&[0.0, 2.0, 4.0, 6.0, 8.0]])).expect("holders");
        insta::assert_snapshot!(
            ending.holders[0].note(),
            @"keep_0 at src/main.rs:1 held 50.0 MiB, 100 %, and grew to it: 0 B after 0s, 12.5 MiB after 1s, 25.0 MiB after 2s, 37.5 MiB after 3s, 50.0 MiB after 4s"
        );
    }
}
