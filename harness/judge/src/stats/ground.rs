//! What all means stand on: one noise, and what joins every mean, which is eliminated once and for all.

use std::ops::Range;

use super::cholesky::Triangle;
use super::fit::Fit;
use super::noise::{Noise, Whitening};
use super::shapes::{Mean, ONE};

/// Added to the diagonal of the normal equations: two nearly equal columns still have a solution.
const RIDGE: f64 = 1e-10;

/// Least residual sum of squares per block, of values scaled to unit variance: an exact fit has a finite score.
const LEAST_RESIDUAL: f64 = 1e-9;

/// Most columns of a mean beside the constant and the covariates: two curves and a line.
const MOST: usize = 3;

/// Columns of one length as a matrix of one row for each block.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    width: usize,
    numbers: Vec<f64>,
}

impl Rows {
    pub(super) fn of<C: AsRef<[f64]>>(columns: &[C]) -> Self {
        let blocks = columns.first().map_or(0, |column| column.as_ref().len());
        let numbers = (0..blocks).flat_map(|i| columns.iter().map(move |column| column.as_ref()[i])).collect();
        Self { width: columns.len(), numbers }
    }

    fn whitened(&self, whitening: &Whitening) -> Self {
        let mut whitened = self.clone();
        whitening.whiten(&mut whitened.numbers, self.width);
        whitened
    }

    fn blocks(&self) -> usize {
        self.numbers.len() / self.width.max(1)
    }

    /// The scalar product of two columns.
    fn product(&self, a: usize, b: usize) -> f64 {
        self.numbers.chunks_exact(self.width).map(|row| row[a] * row[b]).sum()
    }

    /// The scalar products of all columns with all columns of `other`, one row for each of the own.
    fn products(&self, other: &Self) -> Vec<f64> {
        let (width, other_width) = (self.width, other.width);
        let mut products = vec![0.0; width * other_width];
        if products.is_empty() {
            return products;
        }
        // Four rows at a time: the sums are read and written a quarter as often, which was half of all the time.
        let zeros = vec![0.0; other_width];
        for (own, others) in self.numbers.chunks(4 * width).zip(other.numbers.chunks(4 * other_width)) {
            let other = |i: usize| others.get(i * other_width..(i + 1) * other_width).unwrap_or(&zeros);
            for (i, sums) in products.chunks_exact_mut(other_width).enumerate() {
                let factors = [0, 1, 2, 3].map(|block| own.get(block * width + i).copied().unwrap_or_default());
                // Slices of one known length spare a check for each number.
                let [first, second, third, fourth] = [0, 1, 2, 3].map(|block| &other(block)[..sums.len()]);
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum +=
                        factors[0] * first[j] + factors[1] * second[j] + factors[2] * third[j] + factors[3] * fourth[j];
                }
            }
        }
        products
    }
}

/// What joins every mean, then the lines, and last what is fitted: the columns that every curve is held against.
pub(super) struct Anchors {
    rows: Rows,
    fixed: usize,
}

impl Anchors {
    pub(super) fn new(fixed: &[&[f64]], lines: &[&[f64]], target: &[f64]) -> Self {
        Self { rows: Rows::of(&[fixed, lines, &[target]].concat()), fixed: fixed.len() }
    }
}

/// One noise, with the anchors as it sees them.
///
/// Every mean holds the constant and all covariates. Their part of the normal equations is the same for all, and so is
/// factored once; what a mean adds is a matrix of three by three at most.
pub(super) struct Ground {
    whitening: Whitening,
    anchors: Rows,
    /// The normal equations of what joins every mean.
    factor: Triangle,
    /// The fixed anchors against the lines and the target, solved by the factor.
    solved: Vec<f64>,
    /// The lines and the target against each other: what the fixed anchors leave.
    left: Vec<f64>,
    /// How many lines there are, and the target.
    moving: usize,
    /// How many anchors join every mean.
    fixed: usize,
}

impl Ground {
    /// `None` if what joins every mean is not independent.
    pub(super) fn new(noise: Noise, anchors: &Anchors) -> Option<Self> {
        let &Anchors { ref rows, fixed } = anchors;
        let whitening = noise.whitening(rows.blocks());
        let anchors = rows.whitened(&whitening);
        let (width, moving) = (anchors.width, anchors.width - fixed);
        let products = anchors.products(&anchors);
        let factor = Triangle::factor(fixed, |i, j| products[i * width + j] + if i == j { RIDGE } else { 0.0 })?;
        let against_moving =
            |rows: Range<usize>| rows.flat_map(|i| &products[i * width + fixed..(i + 1) * width]).copied().collect();
        let (mut solved, mut left): (Vec<f64>, Vec<f64>) = (against_moving(0..fixed), against_moving(fixed..width));
        factor.solve_rows(&mut solved, moving);
        take_away(&mut left, (&solved, moving), (&solved, moving));
        Some(Self { whitening, anchors, factor, solved, left, moving, fixed })
    }

    /// Holds `curves` against the anchors.
    pub(super) fn curves(&self, curves: &Rows) -> Curves<'_> {
        let rows = curves.whitened(&self.whitening);
        let width = rows.width;
        let mut solved = self.anchors.products(&rows);
        let mut left = solved.split_off(self.fixed * width);
        self.factor.solve_rows(&mut solved, width);
        take_away(&mut left, (&self.solved, self.moving), (&solved, width));
        let solved = Rows { width, numbers: solved };
        let squares = (0..width).map(|i| rows.product(i, i) - solved.product(i, i)).collect();
        Curves { ground: self, rows, solved, left, squares, log_blocks: (self.anchors.blocks() as f64).ln() }
    }
}

/// Subtracts `leftᵀ · right` from `from`; of both factors the width is given.
fn take_away(from: &mut [f64], left: (&[f64], usize), right: (&[f64], usize)) {
    for (factors, subtracted) in left.0.chunks_exact(left.1).zip(right.0.chunks(right.1.max(1))) {
        for (row, factor) in from.chunks_mut(right.1.max(1)).zip(factors) {
            row.iter_mut().zip(subtracted).for_each(|(number, other)| *number -= factor * other);
        }
    }
}

/// Some curves on one ground.
pub(super) struct Curves<'g> {
    ground: &'g Ground,
    rows: Rows,
    /// The fixed anchors against the curves, solved by their factor.
    solved: Rows,
    /// The lines and the target against the curves: what the fixed anchors leave.
    left: Vec<f64>,
    /// The curves against themselves, likewise.
    squares: Vec<f64>,
    log_blocks: f64,
}

impl Curves<'_> {
    /// Fits one mean; which noise and which mean it was is left to the caller. `None` if its columns are not
    /// independent.
    pub(super) fn fit(&self, mean: &Mean) -> Option<Fit> {
        let blocks = self.rows.blocks();
        // The slope comes last, where its part of the inverse is one number; the constant is among what is fixed.
        let columns = mean.columns.iter().rev().filter(|&&column| column != ONE);
        let (mut size, mut places) = (0, [0; MOST]);
        for &column in columns {
            places[size] = self.place(column);
            size += 1;
        }
        let target = self.ground.moving - 1;
        let mut residual = self.product(target, target);
        let (mut factor, mut side) = ([[0.0; MOST]; MOST], [0.0; MOST]);
        for i in 0..size {
            for j in 0..i {
                let explained: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
                factor[i][j] = (self.product(places[i], places[j]) - explained) / factor[j][j];
            }
            let explained: f64 = factor[i][..i].iter().map(|entry| entry * entry).sum();
            let pivot = self.product(places[i], places[i]) + RIDGE - explained;
            // NaN fails this comparison too.
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            factor[i][i] = pivot.sqrt();
            let explained: f64 = (0..i).map(|k| factor[i][k] * side[k]).sum();
            side[i] = (self.product(places[i], target) - explained) / factor[i][i];
            residual -= side[i] * side[i];
        }
        let n = blocks as f64;
        let residual = residual.max(LEAST_RESIDUAL * n);
        let freedom = blocks.saturating_sub(size + self.ground.fixed).max(1);
        let likelihood = -0.5 * n * (residual / n).ln() - self.ground.whitening.half_log_determinant;
        let (slope, error) = if mean.drift.is_some() {
            let pivot = factor[size - 1][size - 1];
            (side[size - 1] / pivot, (residual / freedom as f64).sqrt() / pivot)
        } else {
            (0.0, 0.0)
        };
        Some(Fit {
            mean: 0,
            noise: 0,
            score: likelihood - 0.5 * mean.parameters as f64 * self.log_blocks,
            slope,
            error,
        })
    }

    /// Where a column of the dictionary stands: the lines first, then the target, then the curves.
    fn place(&self, column: usize) -> usize {
        if column < self.ground.moving { column - 1 } else { column }
    }

    /// What the fixed anchors leave of the product of two columns.
    fn product(&self, a: usize, b: usize) -> f64 {
        let moving = self.ground.moving;
        let (a, b) = (a.min(b), a.max(b));
        if b < moving {
            self.ground.left[a * moving + b]
        } else if a < moving {
            self.left[a * self.rows.width + b - moving]
        } else if a == b {
            self.squares[a - moving]
        } else {
            self.rows.product(a - moving, b - moving) - self.solved.product(a - moving, b - moving)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::Dictionary;
    use super::*;

    /// The covariance of one noise, factored as any matrix is.
    fn covariance(noise: Noise, n: usize) -> Triangle {
        let correlated = |lag: usize, j: usize| match noise.correlation {
            walk if walk >= 1.0 => j as f64 + 1.0,
            correlation => correlation.powf(lag as f64),
        };
        let entry = |i: usize, j: usize| correlated(i - j, j) + if i == j { noise.white + 1e-8 } else { 0.0 };
        Triangle::factor(n, entry).expect("positive definite")
    }

    /// One mean by the textbook: everything solved by the factor of the covariance, the normal equations whole.
    fn textbook(factor: &Triangle, columns: &[Vec<f64>], target: &[f64], mean: &Mean) -> Option<Fit> {
        let n = target.len();
        let whitened = |column: &[f64]| {
            let mut column = column.to_vec();
            factor.solve_rows(&mut column, 1);
            column
        };
        let columns: Vec<Vec<f64>> = columns.iter().map(|column| whitened(column)).collect();
        let target = whitened(target);
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let size = columns.len();
        let normal =
            Triangle::factor(size, |i, j| product(&columns[i], &columns[j]) + if i == j { RIDGE } else { 0.0 })?;
        let mut sides: Vec<f64> =
            columns.iter().enumerate().flat_map(|(i, c)| [product(c, &target), f64::from(i == 0)]).collect();
        normal.solve_rows(&mut sides, 2);
        let against = |a: usize, b: usize| sides.chunks(2).map(|side| side[a] * side[b]).sum::<f64>();
        let residual = (product(&target, &target) - against(0, 0)).max(LEAST_RESIDUAL * n as f64);
        let determinant: f64 = (0..n).map(|i| factor.row(i)[i].ln()).sum();
        let likelihood = -0.5 * n as f64 * (residual / n as f64).ln() - determinant;
        let error = (residual / (n - size) as f64 * against(1, 1)).sqrt();
        let score = likelihood - 0.5 * mean.parameters as f64 * (n as f64).ln();
        Some(Fit { mean: 0, noise: 0, score, slope: against(1, 0), error })
    }

    #[test]
    fn every_fit_is_that_of_the_textbook() {
        let u: Vec<f64> = (0..60).map(|i| f64::from(i) / 59.0).collect();
        let requests: Vec<f64> = u.iter().map(|u| u * u).collect();
        let target: Vec<f64> = u.iter().map(|u| u - 0.5 + 0.1 * (40.0 * u).sin()).collect();
        let covariates: [Vec<f64>; 2] =
            [u.iter().map(|u| (9.0 * u).cos()).collect(), u.iter().map(|u| f64::from(*u > 0.41)).collect()];
        let dictionary = Dictionary::new(&u, Some(&requests));
        let fixed: Vec<&[f64]> =
            std::iter::once(&dictionary.columns[ONE]).chain(&covariates).map(Vec::as_slice).collect();
        let anchors = Anchors::new(&fixed, &[&u, &requests], &target);
        let curves = Rows::of(dictionary.curves());
        for noise in Noise::family().step_by(4) {
            let factor = covariance(noise, 60);
            let ground = Ground::new(noise, &anchors).expect("independent covariates");
            let held = ground.curves(&curves);
            for mean in &dictionary.means {
                let own = mean.columns.iter().map(|column| dictionary.columns[*column].clone());
                let columns: Vec<Vec<f64>> = own.chain(covariates.clone()).collect();
                let (fit, oracle) = (held.fit(mean), textbook(&factor, &columns, &target, mean));
                let (fit, oracle) = (fit.expect("a fit"), oracle.expect("a fit"));
                assert!((fit.score - oracle.score).abs() < 1e-6, "{noise:?} {mean:?}: {fit:?} {oracle:?}");
                if mean.drift.is_some() {
                    assert!(
                        (fit.slope - oracle.slope).abs() < 1e-6 * oracle.error,
                        "{noise:?} {mean:?}: {fit:?} {oracle:?}"
                    );
                    assert!((fit.error / oracle.error - 1.0).abs() < 1e-6, "{noise:?} {mean:?}: {fit:?} {oracle:?}");
                }
            }
        }
    }
}
