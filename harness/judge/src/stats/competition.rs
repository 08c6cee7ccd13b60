//! The competition of models: every mean with every noise, fitted by generalised least squares and scored.

use super::ground::{Anchors, Ground, Rows};
use super::noise::Noise;
use super::order::{deviation, mean};
use super::refinement::{Grid, refine};
use super::shapes::{Dictionary, Mean};

/// One mean with one noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Index of the mean in [`Competition::means`].
    pub mean: usize,
    /// Index of the noise in [`Noise::family`].
    pub noise: usize,
    /// Log-likelihood less half the parameters times ln n (Schwarz 1978).
    pub score: f64,
    /// Coefficient of the first column of a leaking mean: the growth over the whole run, in the unit of the values.
    /// Zero for a calm one.
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
    /// Fits `values` at the moments `u` (shares of the run, increasing) with all means and all noises, and then again
    /// with the constants of the best means refined. `cumulative`: share of all requests at each moment, if lines
    /// against requests are to be tried. `covariates` join every mean and are not penalised. All slices of one length.
    ///
    /// Cost: for 60 blocks, 60 curves and 14 covariates about 2·10⁶ multiplications, and a logarithm for each fit.
    #[must_use]
    pub fn new(u: &[f64], values: &[f64], cumulative: Option<&[f64]>, covariates: &[Vec<f64>]) -> Self {
        let dictionary = Dictionary::new(u, cumulative);
        let field = Field::new(values, &dictionary, covariates);
        let mut fits = field.fits(&dictionary, 0);
        let refined = refine(&field, u, cumulative, &Grid { dictionary: &dictionary, fits: &fits });
        let mut means = dictionary.means;
        fits.extend(field.fits(&refined, means.len()));
        means.extend(refined.means);
        Self { means, fits }
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

/// What is fitted, scaled to unit variance, on the grounds of all noises.
pub(super) struct Field {
    grounds: Vec<Option<Ground>>,
    scale: f64,
}

impl Field {
    /// For the lines of `dictionary` and whatever curves are fitted beside them.
    fn new(values: &[f64], dictionary: &Dictionary, covariates: &[Vec<f64>]) -> Self {
        let (centre, spread) = (mean(values), deviation(values));
        let scale = if spread > 0.0 { spread } else { 1.0 };
        let target: Vec<f64> = values.iter().map(|v| (v - centre) / scale).collect();
        let (one, lines) = dictionary.anchors();
        let fixed: Vec<&[f64]> = std::iter::once(one).chain(covariates).map(Vec::as_slice).collect();
        let lines: Vec<&[f64]> = lines.iter().map(Vec::as_slice).collect();
        let anchors = Anchors::new(&fixed, &lines, &target);
        Self { grounds: Noise::family().map(|noise| Ground::new(noise, &anchors)).collect(), scale }
    }

    /// All means of `dictionary` with all noises; the first mean has index `offset`.
    fn fits(&self, dictionary: &Dictionary, offset: usize) -> Vec<Fit> {
        let rows = Rows::of(dictionary.curves());
        let mut fits = Vec::with_capacity(dictionary.means.len() * self.grounds.len());
        for (noise, ground) in self.grounds.iter().enumerate() {
            let Some(ground) = ground else { continue };
            let curves = ground.curves(&rows);
            fits.extend(dictionary.means.iter().enumerate().filter_map(|(index, mean)| {
                let fit = curves.fit(mean)?;
                let (slope, error) = (fit.slope * self.scale, fit.error * self.scale);
                Some(Fit { mean: offset + index, noise, slope, error, ..fit })
            }));
        }
        fits
    }

    /// The scores of all means of `dictionary` with one noise.
    pub(super) fn scores(&self, dictionary: &Dictionary, noise: usize) -> Vec<Option<f64>> {
        let Some(ground) = &self.grounds[noise] else { return Vec::new() };
        let curves = ground.curves(&Rows::of(dictionary.curves()));
        dictionary.means.iter().map(|mean| Some(curves.fit(mean)?.score)).collect()
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
