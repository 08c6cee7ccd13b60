//! The competition of models: every mean with every noise, fitted by generalised least squares and scored.

use super::field::Field;
use super::fit::Fit;
use super::refinement::{Grid, refine};
use super::shapes::{Dictionary, Mean};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::noise::Noise;
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
