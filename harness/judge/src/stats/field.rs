//! The values of a series, on which every mean is fitted under every noise.

use super::fit::Fit;
use super::ground::{Anchors, Ground, Rows};
use super::noise::Noise;
use super::order::{deviation, mean};
use super::shapes::Dictionary;

/// What is fitted, scaled to unit variance, on the grounds of all noises.
pub(super) struct Field {
    grounds: Vec<Option<Ground>>,
    scale: f64,
}

impl Field {
    /// For the lines of `dictionary` and whatever curves are fitted beside them.
    pub(super) fn new(values: &[f64], dictionary: &Dictionary, covariates: &[Vec<f64>]) -> Self {
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
    pub(super) fn fits(&self, dictionary: &Dictionary, offset: usize) -> Vec<Fit> {
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
