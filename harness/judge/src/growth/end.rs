//! The end of a curve by itself: how far it is from one that grows, whatever the noise around it.

use crate::stats::noise::Noise;

/// The blocks of an end, on the grounds of all noises.
pub(super) struct End {
    grounds: Vec<Ground>,
    blocks: f64,
    /// Nothing is known to less than this variance.
    least: f64,
}

/// One noise: sums of squares and products of the whitened levels and curves, once the constant is taken away.
struct Ground {
    half_log_determinant: f64,
    levels: f64,
    /// For each curve: its product with the levels, and its square.
    curves: Vec<(f64, f64)>,
}

impl End {
    /// Of blocks with `width` numbers each in `rows`: 1, the level, and what each curve has risen there by if it grows
    /// by one unit.
    pub(super) fn new(rows: &[f64], width: usize, least: f64) -> Self {
        let grounds = Noise::family().map(|noise| Ground::new(noise, rows, width)).collect();
        Self { grounds, blocks: (rows.len() / width) as f64, least }
    }

    /// The score of this growth, in the unit of the curves, along one of them, averaged over the noises.
    pub(super) fn score(&self, curve: usize, growth: f64) -> f64 {
        let score = |ground: &Ground| {
            let (with, of) = ground.curves[curve];
            let left = ground.levels - 2.0 * growth * with + growth.powi(2) * of;
            let variance = left.max(0.0) / self.blocks + self.least;
            -0.5 * self.blocks * variance.ln() - ground.half_log_determinant
        };
        let best = self.grounds.iter().map(score).fold(f64::NEG_INFINITY, f64::max);
        best + self.grounds.iter().map(|ground| (score(ground) - best).exp()).sum::<f64>().ln()
    }

    /// How far the flat end is ahead of one that grows, along the curve that suits growth best.
    pub(super) fn ahead(&self, growth: f64) -> f64 {
        let curves = self.grounds.first().map_or(0, |ground| ground.curves.len());
        let flat = self.score(0, 0.0);
        (0..curves).map(|curve| flat - self.score(curve, growth)).fold(f64::INFINITY, f64::min)
    }

    /// The least growth that is excluded, if that of `worth` is: by bisection, to a hundredth of it.
    pub(super) fn excluded(&self, worth: f64, evidence: f64) -> f64 {
        let (mut low, mut high) = (0.0, worth);
        while high - low > 0.01 * worth {
            let middle = f64::midpoint(low, high);
            if self.ahead(middle) < evidence { low = middle } else { high = middle }
        }
        high
    }
}

impl Ground {
    fn new(noise: Noise, rows: &[f64], width: usize) -> Self {
        let mut rows = rows.to_vec();
        let whitening = noise.whitening(rows.len() / width);
        whitening.whiten(&mut rows, width);
        let product = |a: usize, b: usize| rows.chunks_exact(width).map(|row| row[a] * row[b]).sum::<f64>();
        let ones = product(0, 0);
        let left = |a: usize, b: usize| product(a, b) - product(0, a) * product(0, b) / ones;
        Self {
            half_log_determinant: whitening.half_log_determinant,
            levels: left(1, 1),
            curves: (2..width).map(|curve| (left(1, curve), left(curve, curve))).collect(),
        }
    }
}
