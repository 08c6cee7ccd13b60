//! The competition of models: every mean with every noise, fitted by generalised least squares and scored.

use super::cholesky::Triangle;
use super::noise::Noise;
use super::order::{deviation, mean};
use super::refinement::{Grid, refine};
use super::shapes::{Dictionary, Mean};

/// Added to the diagonal of the normal equations: two nearly equal columns still have a solution.
const RIDGE: f64 = 1e-10;

/// Least residual sum of squares per block, of values scaled to unit variance: an exact fit has a finite score.
const LEAST_RESIDUAL: f64 = 1e-9;

/// One mean with one noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Index of the mean in [`Competition::means`].
    pub mean: usize,
    /// Index of the noise in [`Noise::family`].
    pub noise: usize,
    /// Log-likelihood less half the parameters times ln n (Schwarz 1978).
    pub score: f64,
    /// Coefficient of the first column: the growth over the whole run, in the unit of the values.
    pub slope: f64,
    /// Its standard error.
    pub error: f64,
}

/// All fits of one series.
#[derive(Debug, Clone)]
pub struct Competition {
    /// The means, the constant first.
    pub means: Vec<Mean>,
    /// The fits that could be made.
    pub fits: Vec<Fit>,
}

impl Competition {
    /// Fits `values` at the moments `u` (shares of the run, increasing) with all means and all noises, and then again with
    /// the constants of the best means refined. `cumulative`: share of all requests at each moment, if lines against
    /// requests are to be tried. `covariates` join every mean and are not penalised. All slices of one length.
    ///
    /// Cost: for 60 blocks and 150 columns about 3·10⁷ multiplications.
    #[must_use]
    pub fn new(u: &[f64], values: &[f64], cumulative: Option<&[f64]>, covariates: &[Vec<f64>]) -> Self {
        let field = Field::new(values, covariates);
        let Dictionary { columns, means, bases, .. } = &mut Dictionary::new(u, cumulative);
        let mut fits = field.fits(columns, means, 0);
        let refined = refine(&field, u, cumulative, &Grid { columns, means, bases, fits: &fits });
        fits.extend(field.fits(&refined.columns, &refined.means, means.len()));
        means.extend(refined.means);
        Self { means: std::mem::take(means), fits }
    }

    /// The best fit among those of means and slopes that `admit` lets in.
    pub fn best(&self, admit: impl Fn(&Mean, &Fit) -> bool) -> Option<Fit> {
        self.fits
            .iter()
            .copied()
            .filter(|fit| admit(&self.means[fit.mean], fit))
            .reduce(|best, next| if next.score > best.score { next } else { best })
    }
}

/// What is fitted, scaled to unit variance, with what joins every mean and the factors of all noises.
pub(super) struct Field<'c> {
    values: Vec<f64>,
    covariates: &'c [Vec<f64>],
    factors: Vec<Option<Triangle>>,
    scale: f64,
}

impl<'c> Field<'c> {
    fn new(values: &[f64], covariates: &'c [Vec<f64>]) -> Self {
        let (centre, spread) = (mean(values), deviation(values));
        let scale = if spread > 0.0 { spread } else { 1.0 };
        Self {
            values: values.iter().map(|v| (v - centre) / scale).collect(),
            covariates,
            factors: Noise::family().map(|noise| noise.factor(values.len())).collect(),
            scale,
        }
    }

    /// All `means` over `columns` with all noises; the first mean has index `offset`.
    fn fits(&self, columns: &[Vec<f64>], means: &[Mean], offset: usize) -> Vec<Fit> {
        let columns: Vec<&[f64]> = self.with_target(columns.iter().map(Vec::as_slice));
        let mut fits = Vec::with_capacity(means.len() * self.factors.len());
        for (noise, factor) in self.factors.iter().enumerate() {
            let Some(factor) = factor else { continue };
            let whitened = Whitened::new(&columns, factor, self.covariates.len());
            fits.extend(means.iter().enumerate().filter_map(|(index, mean)| {
                let fit = whitened.fit(&mean.columns, mean.parameters)?;
                let (slope, error) = (fit.slope * self.scale, fit.error * self.scale);
                Some(Fit { mean: offset + index, noise, slope, error, ..fit })
            }));
        }
        fits
    }

    /// The score of one mean made of all `columns`, with one noise.
    pub(super) fn score(&self, columns: &[&[f64]], parameters: usize, noise: usize) -> Option<f64> {
        let all: Vec<usize> = (0..columns.len()).collect();
        let columns = self.with_target(columns.iter().copied());
        let whitened = Whitened::new(&columns, self.factors[noise].as_ref()?, self.covariates.len());
        Some(whitened.fit(&all, parameters)?.score)
    }

    /// The columns, then the covariates, and last what is fitted.
    fn with_target<'s>(&'s self, columns: impl Iterator<Item = &'s [f64]>) -> Vec<&'s [f64]> {
        columns.chain(self.covariates.iter().map(Vec::as_slice)).chain([self.values.as_slice()]).collect()
    }
}

/// All columns after one noise was whitened, as their scalar products; the last columns are the covariates and the
/// fitted one.
struct Whitened {
    moments: usize,
    width: usize,
    covariates: usize,
    products: Vec<f64>,
    half_log_determinant: f64,
}

impl Whitened {
    fn new(columns: &[&[f64]], factor: &Triangle, covariates: usize) -> Self {
        let (width, moments) = (columns.len(), columns.first().map_or(0, |column| column.len()));
        let mut rows: Vec<f64> = (0..moments).flat_map(|i| columns.iter().map(move |column| column[i])).collect();
        factor.solve_rows(&mut rows, width);
        let mut products = vec![0.0; width * width];
        // Four rows at a time: the sums are read and written a quarter as often, which was half of all the time.
        let zeros = vec![0.0; width];
        for four in rows.chunks(4 * width) {
            let row = |i: usize| four.get(i * width..(i + 1) * width).unwrap_or(&zeros);
            let [first, second, third, fourth] = [row(0), row(1), row(2), row(3)];
            for i in 0..width {
                // The lower triangle is all that is read.
                let sums = &mut products[i * width..=i * width + i];
                let [a, b, c, d] = [first[i], second[i], third[i], fourth[i]];
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum += a * first[j] + b * second[j] + c * third[j] + d * fourth[j];
                }
            }
        }
        Self { moments, width, covariates, products, half_log_determinant: factor.half_log_determinant() }
    }

    fn product(&self, i: usize, j: usize) -> f64 {
        self.products[i.max(j) * self.width + i.min(j)]
    }

    /// `None` if the columns are not independent.
    fn fit(&self, columns: &[usize], parameters: usize) -> Option<Fit> {
        let target = self.width - 1;
        let columns: Vec<usize> = columns.iter().copied().chain(target - self.covariates..target).collect();
        let size = columns.len();
        let normal =
            Triangle::factor(size, |i, j| self.product(columns[i], columns[j]) + if i == j { RIDGE } else { 0.0 })?;
        // Two right-hand sides: the target, and the first unit vector, which gives the (0, 0) entry of the inverse.
        let mut sides: Vec<[f64; 2]> =
            columns.iter().enumerate().map(|(i, &c)| [self.product(c, target), f64::from(i == 0)]).collect();
        normal.solve_rows(sides.as_flattened_mut(), 2);
        let against = |a: usize, b: usize| sides.iter().map(|side| side[a] * side[b]).sum::<f64>();

        let n = self.moments as f64;
        let residual = (self.product(target, target) - against(0, 0)).max(LEAST_RESIDUAL * n);
        let variance = residual / self.moments.saturating_sub(size).max(1) as f64;
        let likelihood = -0.5 * n * (residual / n).ln() - self.half_log_determinant;
        Some(Fit {
            mean: 0,
            noise: 0,
            score: likelihood - 0.5 * parameters as f64 * n.ln(),
            slope: against(1, 0),
            error: (variance * against(1, 1)).sqrt(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::shapes::Shape;

    /// Norris, NIST Statistical Reference Datasets, linear regression of low difficulty: pairs of y and x.
    const NORRIS: [(f64, f64); 36] = [
        (0.1, 0.2),
        (338.8, 337.4),
        (118.1, 118.2),
        (888.0, 884.6),
        (9.2, 10.1),
        (228.1, 226.5),
        (668.5, 666.3),
        (998.5, 996.3),
        (449.1, 448.6),
        (778.9, 777.0),
        (559.2, 558.2),
        (0.3, 0.4),
        (0.1, 0.6),
        (778.1, 775.5),
        (668.8, 666.9),
        (339.3, 338.0),
        (448.9, 447.5),
        (10.8, 11.6),
        (557.7, 556.0),
        (228.3, 228.1),
        (998.0, 995.8),
        (888.8, 887.6),
        (119.6, 120.2),
        (0.3, 0.3),
        (0.6, 0.3),
        (557.6, 556.8),
        (339.3, 339.1),
        (888.0, 887.2),
        (998.5, 999.0),
        (778.9, 779.0),
        (10.2, 11.1),
        (117.6, 118.3),
        (228.9, 229.2),
        (668.4, 669.1),
        (449.2, 448.9),
        (0.2, 0.5),
    ];

    #[test]
    fn a_line_in_white_noise_has_the_certified_slope_and_error_of_norris() {
        let (ys, xs): (Vec<f64>, Vec<f64>) = NORRIS.into_iter().unzip();
        let competition = Competition::new(&xs, &ys, None, &[]);
        let white_line = |fit: &&Fit| fit.noise == 0 && competition.means[fit.mean].shape == Shape::Line;
        let fit = competition.fits.iter().find(white_line).expect("a line always fits");
        assert!((fit.slope / 1.002_116_818_020_45 - 1.0).abs() < 1e-9, "{}", fit.slope);
        // The residual is a hundred-thousandth of the spread here: the ridge and cancellation cost a few digits.
        assert!((fit.error / 0.429_796_848_199_937e-3 - 1.0).abs() < 1e-6, "{}", fit.error);
    }

    #[test]
    fn a_line_in_a_random_walk_has_the_slope_between_its_ends() {
        // Whitened, a random walk is its increments, and the best slope their mean: the first value fits the constant.
        let us: Vec<f64> = (0..20).map(|i| f64::from(i) / 19.0).collect();
        let ys: Vec<f64> = (0..20).map(|i| f64::from(i * i % 7 + i)).collect();
        let competition = Competition::new(&us, &ys, None, &[]);
        let walk = Noise::family().position(|noise| noise == Noise { correlation: 1.0, white: 0.0 }).expect("a member");
        let line = |fit: &&Fit| fit.noise == walk && competition.means[fit.mean].shape == Shape::Line;
        let fit = competition.fits.iter().find(line).expect("a line always fits");
        assert!((fit.slope - (ys[19] - ys[0])).abs() < 1e-5, "{}", fit.slope);
    }
}
