//! Excerpts of the items that customers looked at last.
//!
//! Feature `fragment`: innocent, but hard on the allocator. A fixed budget of bytes is held in pieces, whose sizes
//! wander from small to large and back, and which are dropped at random: what survives of one size keeps whole pages
//! from being reused for the next. Live bytes are flat; resident memory is the allocator's affair.

use crate::flag::{Flag, Flags};
use crate::guarded::Guarded;
use crate::prose;
use crate::settings::Settings;

/// The sizes of pieces, and the order in which they come. Pieces are half to all of it.
const SIZES: [usize; 5] = [128, 1_024, 256, 16_384, 4_096];
const SMALLEST_PIECE: usize = SIZES[0] / 2;

/// Replaced by every view, in pieces of the size that is on.
const BYTES_PER_VIEW: usize = 16_384;

/// With 8 MiB held, one size is on for two turnovers, so about an eighth of the pieces of the size before survives.
const VIEWS_PER_SIZE: u64 = 1_024;

#[derive(Debug)]
pub struct Views {
    shelf: Option<Guarded<Shelf>>,
}

#[derive(Debug)]
struct Shelf {
    budget_bytes: usize,
    held_bytes: usize,
    views: u64,
    pieces: Vec<Box<str>>,
    random: fastrand::Rng,
}

impl Views {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self { shelf: flags.has(Flag::Fragment).then(|| Guarded::new(Shelf::filled(settings.fragment_bytes))) }
    }

    /// Somebody looked at an item.
    pub fn note(&self) {
        if let Some(shelf) = &self.shelf {
            shelf.lock().turn_over();
        }
    }
}

impl Shelf {
    /// Filled at once, and with room for as many pieces as there can be: so live bytes are flat from the first request
    /// on.
    fn filled(budget_bytes: usize) -> Self {
        let mut shelf = Self {
            budget_bytes,
            held_bytes: 0,
            views: 0,
            pieces: Vec::with_capacity((budget_bytes + BYTES_PER_VIEW) / SMALLEST_PIECE + 1),
            random: fastrand::Rng::with_seed(1),
        };
        while shelf.held_bytes < budget_bytes {
            shelf.add(SIZES[0]);
        }
        shelf
    }

    fn turn_over(&mut self) {
        let period = self.views / VIEWS_PER_SIZE % SIZES.len() as u64;
        let size = SIZES[usize::try_from(period).unwrap_or(0)];
        self.views += 1;

        let mut added_bytes = 0;
        while added_bytes < BYTES_PER_VIEW {
            added_bytes += self.add(size);
        }
        while self.held_bytes > self.budget_bytes {
            let dropped = self.pieces.swap_remove(self.random.usize(..self.pieces.len()));
            self.held_bytes -= dropped.len();
        }
    }

    fn add(&mut self, size: usize) -> usize {
        let bytes = self.random.usize(size / 2..=size);
        self.pieces.push(prose::of_length(bytes, self.views).into_boxed_str());
        self.held_bytes += bytes;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shelf_keeps_to_its_budget_through_all_sizes() {
        let budget_bytes = 256 * 1_024;
        let mut shelf = Shelf::filled(budget_bytes);
        let room = shelf.pieces.capacity();
        for _ in 0..2 * VIEWS_PER_SIZE * SIZES.len() as u64 {
            shelf.turn_over();
            assert!(shelf.held_bytes <= budget_bytes && shelf.held_bytes > budget_bytes - 16_384);
        }
        assert_eq!(shelf.pieces.capacity(), room, "the list of pieces must not grow");
        assert_eq!(shelf.pieces.iter().map(|piece| piece.len()).sum::<usize>(), shelf.held_bytes);
    }
}
