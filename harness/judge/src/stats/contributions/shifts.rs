//! Where a level shifts, which no counter explains: the level shift of Chen and Liu 1993, "Joint estimation of model
//! parameters and outlier effects in time series", Journal of the American Statistical Association 88, tested by what
//! it would explain of the whitened rests.

use super::super::cholesky::dot;
use super::super::order::robust_sigma;
use super::Fitted;

/// A shift stands out by this many standard errors: of 600 calm levels one does by chance in a million series.
const STANDS_OUT: f64 = 6.0;

/// A shift that shares all but this of itself with what is there already is one of those.
const OWN_MIN: f64 = 1e-3;

/// So many rests are shifts, and not what shifts stand out of.
const LARGEST: usize = 3;

/// Places that are weighed: those of the largest rests, where a shift has to be.
const PLACES_MAX: usize = 40;

/// The level from which on all are shifted, where one is for sure, by a `fit` of `count` rows of `plain`: columns, and
/// the level as the last one.
pub(super) fn shift(fit: &Fitted, plain: &[f64], count: usize) -> Option<usize> {
    let width = plain.len() / count - 1;
    let mut rows = plain.to_vec();
    fit.whitening.whiten(&mut rows, width + 1);
    let rests: Vec<f64> =
        rows.chunks_exact(width + 1).map(|row| row[width] - dot(&row[..width], &fit.coefficients)).collect();
    let deviation = robust_sigma(&rests).max(without_largest(&rests)).max(f64::MIN_POSITIVE);
    let mut places: Vec<usize> = (2..count.saturating_sub(2)).collect();
    places.sort_by(|one, other| rests[*other].abs().total_cmp(&rests[*one].abs()));
    let surety = |at: usize| {
        let mut column: Vec<f64> = (0..count).map(|level| if level < at { 0.0 } else { 1.0 }).collect();
        fit.whitening.whiten(&mut column, 1);
        // What the other columns say of it is not its own.
        let product = |index: usize| rows.chunks_exact(width + 1).zip(&column).map(|(row, own)| row[index] * own).sum();
        let mut shared: Vec<f64> = (0..width).map(product).collect();
        fit.normal.solve_rows(&mut shared, 1);
        let whole = dot(&column, &column);
        let own = whole - dot(&shared, &shared);
        if own > OWN_MIN * whole { dot(&column, &rests) / (own.sqrt() * deviation) } else { 0.0 }
    };
    let weighed = places.into_iter().take(PLACES_MAX).map(|at| (at, surety(at).abs()));
    let (at, surety) = weighed.max_by(|one, other| one.1.total_cmp(&other.1))?;
    (surety > STANDS_OUT).then_some(at)
}

/// The deviation of `rests` around 0 without the largest of them: where nearly all are alike, as those of a service
/// that allocates in jumps, few jumps do not stand out.
fn without_largest(rests: &[f64]) -> f64 {
    let mut squares: Vec<f64> = rests.iter().map(|rest| rest * rest).collect();
    squares.sort_by(f64::total_cmp);
    squares.truncate(rests.len().saturating_sub(LARGEST));
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}
