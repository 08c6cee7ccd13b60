//! What is alive at one moment, stack by stack, by its birth.

use std::collections::BTreeMap;
use std::time::Duration;

use steep_live::Snapshot;

use steep_core::kept::{PARTS, Stack};
use steep_judge::units::SinceStart;

/// What a stack has alive.
#[derive(Debug, Clone, Default)]
pub(super) struct Survivors {
    /// Bytes of those born before the first look, then of each part of the time since.
    bytes: [f64; PARTS + 1],
    objects: f64,
    largest: u64,
    /// When the samples among them were born that were born since, milliseconds on the cell's clock.
    births_ms: Vec<u32>,
}

impl Survivors {
    /// Puts it down for `stack`, which may be that of other processes as well.
    pub(super) fn add_to(&self, stack: &mut Stack) {
        stack.born_bytes.resize(PARTS + 1, 0.0);
        stack.born_bytes.iter_mut().zip(self.bytes).for_each(|(sum, bytes)| *sum += bytes);
        stack.live_objects += self.objects;
        stack.largest_bytes = stack.largest_bytes.max(self.largest);
    }

    /// When they were born, milliseconds on the cell's clock; of those from before the first look nothing.
    pub(super) fn births_ms(&self) -> &[u32] {
        &self.births_ms
    }
}

/// How a birth becomes a moment of the cell, and a part of the time between the first look and this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Birthdays {
    /// The first look.
    pub(super) begun: SinceStart,
    /// This one.
    pub(super) now: SinceStart,
    /// When the cell's clock began, by the clock that births are counted by.
    pub(super) origin_ns: u128,
}

impl Birthdays {
    /// The birth on the cell's clock; none before that began.
    fn on_the_cells_clock(&self, born_ns: u128) -> Option<SinceStart> {
        let nanos = u64::try_from(born_ns.checked_sub(self.origin_ns)?).ok()?;
        Some(SinceStart::new(Duration::from_nanos(nanos)))
    }

    /// 0 for what was born before the first look, else the part, from 1.
    fn part(&self, born: Option<SinceStart>) -> usize {
        let watched_s = self.now.since(self.begun).as_secs_f64();
        match born.filter(|born| *born >= self.begun && watched_s > 0.0) {
            Some(born) => {
                let part = born.since(self.begun).as_secs_f64() / watched_s * PARTS as f64;
                (part as usize).min(PARTS - 1) + 1
            }
            None => 0,
        }
    }
}

/// What each stack of `snapshot` has alive, by its number.
pub(super) fn survivors(snapshot: &Snapshot, birthdays: &Birthdays) -> BTreeMap<usize, Survivors> {
    let mut found: BTreeMap<usize, Survivors> = BTreeMap::new();
    for survivor in &snapshot.survivors {
        let of_stack = found.entry(survivor.stack).or_default();
        let objects = snapshot.objects(survivor);
        let born_ns = u128::from(snapshot.start_ns) + u128::from(survivor.birth_ms) * 1_000_000;
        let born = birthdays.on_the_cells_clock(born_ns);
        let part = birthdays.part(born);
        of_stack.bytes[part] += objects * survivor.size as f64;
        let since = born.filter(|_| part > 0).map(|born| born.elapsed().as_millis());
        of_stack.births_ms.extend(since.and_then(|born_ms| u32::try_from(born_ms).ok()));
        of_stack.objects += objects;
        of_stack.largest = of_stack.largest.max(survivor.size);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use steep_live::{Counts, Survivor};

    #[test]
    fn survivors_are_told_apart_by_their_birth() {
        let at = |seconds: u64| SinceStart::new(Duration::from_secs(seconds));
        let birthdays = Birthdays { begun: at(10), now: at(130), origin_ns: 870_000_000_000 };
        // Counting began 200 s before this look.
        let alive = |born_s_ago: u32, size: u64| Survivor { size, stack: 1, birth_ms: (200 - born_s_ago) * 1_000 };
        let snapshot = Snapshot {
            counts: Counts { sample_every: 1, ..Counts::default() },
            start_ns: 800_000_000_000,
            survivors: vec![alive(199, 500), alive(119, 70), alive(1, 30), alive(0, 2_000)],
            ..Snapshot::default()
        };
        let mut stack = Stack::default();
        let found = survivors(&snapshot, &birthdays);
        found[&1].add_to(&mut stack);
        found[&1].add_to(&mut stack);
        let mut expected = vec![0.0; PARTS + 1];
        (expected[0], expected[1], expected[PARTS]) = (1_000.0, 140.0, 4_060.0);
        let parts: Vec<f64> = stack.born_bytes.iter().map(|bytes| bytes.round()).collect();
        assert_eq!((parts, stack.live_objects.round(), stack.largest_bytes), (expected, 8.0, 2_000));
        assert_eq!((found.len(), found[&1].births_ms()), (1, &[11_000, 129_000, 130_000][..]));
    }

    #[test]
    fn at_the_first_look_all_was_born_before() {
        let birthdays = Birthdays { begun: SinceStart::ZERO, now: SinceStart::ZERO, origin_ns: 5 };
        let part = |born_ns| birthdays.part(birthdays.on_the_cells_clock(born_ns));
        assert_eq!([0, 5, 9].map(part), [0, 0, 0]);
    }
}
