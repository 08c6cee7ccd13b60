//! Which row of a list a parameter takes next. Pure.

use crate::scenario::Pick;

use super::stream::Stream;

/// Numbers of rows, from 0, in the order in which they are used.
#[derive(Debug, Clone)]
pub enum RowDraw {
    /// Each once, in order.
    Queue {
        /// How many rows there are.
        rows: u64,
        /// Used next.
        next: u64,
    },
    /// In order, and again.
    Circular {
        /// How many rows there are.
        rows: u64,
        /// Used next.
        next: u64,
    },
    /// Any.
    Random {
        /// How many rows there are.
        rows: u64,
        /// The parameter's own stream.
        stream: Stream,
    },
    /// All in a random order, and again in another.
    Shuffle {
        /// The order; files are bounded far below 2^32 rows.
        order: Vec<u32>,
        /// How many of it were used.
        used: usize,
        /// The parameter's own stream.
        stream: Stream,
    },
    /// By weight.
    Weighted {
        /// The sum of weights up to and with each row.
        sums: Vec<f64>,
        /// The parameter's own stream.
        stream: Stream,
    },
}

impl RowDraw {
    /// Draws among `rows` rows, of which there is at least one.
    #[must_use]
    pub fn new(rows: u64, pick: Pick, stream: Stream) -> Self {
        match pick {
            Pick::Queue => Self::Queue { rows, next: 0 },
            Pick::Circular => Self::Circular { rows, next: 0 },
            Pick::Random => Self::Random { rows, stream },
            Pick::Shuffle => {
                let order: Vec<u32> = (0..u32::try_from(rows).unwrap_or(u32::MAX)).collect();
                Self::Shuffle { used: order.len(), order, stream }
            }
        }
    }

    /// Draws by `weights`.
    #[must_use]
    pub fn weighted(weights: &[f64], stream: Stream) -> Self {
        let mut total = 0.0;
        let sum = |weight: &f64| {
            total += weight;
            total
        };
        Self::Weighted { sums: weights.iter().map(sum).collect(), stream }
    }

    /// The next row; none when a queue has run dry.
    pub fn draw(&mut self) -> Option<u64> {
        match self {
            Self::Queue { rows, next } => (*next < *rows).then(|| {
                *next += 1;
                *next - 1
            }),
            Self::Circular { rows, next } => {
                let row = *next;
                *next = if row + 1 >= *rows { 0 } else { row + 1 };
                Some(row)
            }
            Self::Random { rows, stream } => Some(stream.up_to(rows.saturating_sub(1))),
            Self::Shuffle { order, used, stream } => {
                if *used >= order.len() {
                    shuffle(order, stream);
                    *used = 0;
                }
                *used += 1;
                order.get(*used - 1).copied().map(u64::from)
            }
            Self::Weighted { sums, stream } => {
                let point = stream.share() * sums.last().copied().unwrap_or_default();
                // The product may round up to the total itself.
                let row = sums.partition_point(|sum| *sum <= point).min(sums.len().saturating_sub(1));
                Some(row as u64)
            }
        }
    }
}

/// Fisher and Yates, as Knuth has it (The Art of Computer Programming 2, algorithm P).
fn shuffle(order: &mut [u32], stream: &mut Stream) {
    for last in (1..order.len()).rev() {
        let other = stream.up_to(last as u64) as usize;
        order.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use steep_judge::units::Seed;

    fn draws(rows: u64, pick: Pick, count: usize) -> Vec<Option<u64>> {
        let mut draw = RowDraw::new(rows, pick, Stream::new(Seed(1), "rows"));
        (0..count).map(|_| draw.draw()).collect()
    }

    #[test]
    fn a_queue_gives_each_row_once_and_a_circle_begins_anew() {
        assert_eq!(draws(2, Pick::Queue, 4), [Some(0), Some(1), None, None]);
        assert_eq!(draws(2, Pick::Circular, 5), [0, 1, 0, 1, 0].map(Some));
    }

    #[test]
    fn random_rows_are_all_equally_often() {
        let drawn = draws(4, Pick::Random, 40_000);
        for row in 0..4 {
            // 10,000 expected, standard deviation 87.
            let count = drawn.iter().filter(|drawn| **drawn == Some(row)).count();
            assert!((9_600..10_400).contains(&count), "{count} of row {row}");
        }
    }

    #[test]
    fn weights_decide_and_none_of_zero_is_drawn() {
        let mut draw = RowDraw::weighted(&[0.0, 1.0, 0.0, 3.0, 0.0], Stream::new(Seed(1), "rows"));
        let mut counts = [0; 5];
        (0..40_000).for_each(|_| counts[draw.draw().expect("a row") as usize] += 1);
        // 10,000 expected of the second, standard deviation 87.
        assert!(counts[0] + counts[2] + counts[4] == 0 && (9_600..10_400).contains(&counts[1]), "{counts:?}");
    }

    proptest! {
        #[test]
        fn a_shuffle_has_every_row_once_in_each_round(rows in 1_u64..200) {
            let drawn = draws(rows, Pick::Shuffle, 2 * rows as usize);
            let (first, second) = drawn.split_at(rows as usize);
            for round in [first, second] {
                let mut sorted: Vec<u64> = round.iter().map(|row| row.expect("a row")).collect();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..rows).collect::<Vec<_>>());
            }
            // Two orders of twenty are the same once in 10^18 times.
            prop_assert!(rows < 20 || first != second);
        }
    }
}
