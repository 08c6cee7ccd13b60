//! Constants of shapes between the places of the grid: a cache that is full between two of them leaves a kink, which
//! little noise makes as loud as growth.

use super::basis::{Basis, Churn};
use super::field::Field;
use super::fit::Fit;
use super::shapes::{Dictionary, Mean, Shape};

/// Shapes whose best score is this far below the best of their kind are not worth refining.
const HOPELESS: f64 = 12.0;

/// Places tried between two neighbours of the grid, and how often the grid is made that much finer.
const PLACES: i32 = 3;
/// See [`PLACES`].
const ROUNDS: i32 = 3;

/// A cap later than this leaves too little to tell churn from a line.
const LATEST_CAP: f64 = 0.75;

/// What was fitted so far.
pub(super) struct Grid<'g> {
    pub(super) dictionary: &'g Dictionary,
    pub(super) fits: &'g [Fit],
}

impl Grid<'_> {
    /// The best fit of each shape that is made of curves, calm and leaking ones, unless it is hopeless.
    fn promising(&self) -> Vec<Fit> {
        let mut best: Vec<(Shape, Fit)> = Vec::new();
        let mut tops = [f64::NEG_INFINITY; 2];
        for fit in self.fits {
            let Mean { shape, drift, .. } = self.dictionary.means[fit.mean];
            let top = &mut tops[usize::from(drift.is_some())];
            *top = top.max(fit.score);
            if matches!(shape, Shape::Constant | Shape::Line | Shape::LateLine) {
                continue;
            }
            match best.iter_mut().find(|(other, _)| *other == shape) {
                Some((_, other)) if other.score >= fit.score => {}
                Some((_, other)) => *other = *fit,
                None => best.push((shape, *fit)),
            }
        }
        let is_promising =
            |fit: &Fit| fit.score > tops[usize::from(self.dictionary.means[fit.mean].drift.is_some())] - HOPELESS;
        best.into_iter().map(|(_, fit)| fit).filter(is_promising).collect()
    }
}

/// The promising means of `grid` with refined constants, each with and without its lines. Beside a cap stands what its
/// cache may do once it is full.
pub(super) fn refine(field: &Field, u: &[f64], cumulative: Option<&[f64]>, grid: &Grid<'_>) -> Dictionary {
    let mut refined = Dictionary::of_lines(u, cumulative);
    let hill = Hill { field, u, cumulative };
    for fit in grid.promising() {
        let mean = &grid.dictionary.means[fit.mean];
        let basis_of = |column: &usize| grid.dictionary.bases[*column];
        let start: Vec<Basis> = mean.columns.iter().filter_map(basis_of).collect();
        let lines: Vec<usize> = mean.columns.iter().copied().filter(|column| basis_of(column).is_none()).collect();
        let bases = hill.climb(start, mean, &lines, &fit);
        let columns: Vec<usize> = bases.iter().map(|basis| refined.column(u, *basis)).collect();
        refined.both(mean.shape.without_line(), &columns);
        if let ([Basis::Cap(full)], None) = (&bases[..], mean.drift)
            && *full < LATEST_CAP
        {
            for start in hill.best_churn(*full, mean, &lines, fit.noise) {
                let churn = hill.climb(vec![Basis::Churn(start.0)], mean, &lines, &Fit { score: start.1, ..fit });
                let column = refined.column(u, churn[0]);
                refined.both(Shape::CapAndChurn, &[column]);
            }
        }
    }
    refined
}

/// Where scores are climbed: what is fitted, and over which moments and lines.
struct Hill<'h> {
    field: &'h Field,
    u: &'h [f64],
    cumulative: Option<&'h [f64]>,
}

impl Hill<'_> {
    /// Refines the constants of `start`, the curves of `mean` beside `lines`, with the noise of `fit`.
    fn climb(&self, start: Vec<Basis>, mean: &Mean, lines: &[usize], fit: &Fit) -> Vec<Basis> {
        climb(start, fit.score, |bases, i, places| {
            let others = bases.iter().enumerate().filter(|(other, _)| *other != i);
            let stay: Vec<Basis> = others.map(|(_, basis)| *basis).collect();
            self.scores(&stay, places, mean, lines, fit.noise)
        })
    }

    /// The scores of each of `places` beside the curves that stay.
    fn scores(&self, stay: &[Basis], places: &[Basis], mean: &Mean, lines: &[usize], noise: usize) -> Vec<Option<f64>> {
        let mut tried = Dictionary::of_lines(self.u, self.cumulative);
        let stay: Vec<usize> = stay.iter().map(|basis| tried.column(self.u, *basis)).collect();
        for place in places {
            let columns = [lines, &stay, &[tried.column(self.u, *place)]].concat();
            tried.means.push(Mean { columns, ..mean.clone() });
        }
        self.field.scores(&tried, noise)
    }

    /// The best churn that ends and the best that does not, of a cache that was full at `full`, with their scores.
    fn best_churn(&self, full: f64, mean: &Mean, lines: &[usize], noise: usize) -> Vec<(Churn, f64)> {
        let grid: Vec<Churn> = Churn::grid(full).collect();
        let places: Vec<Basis> = grid.iter().map(|churn| Basis::Churn(*churn)).collect();
        let scores = self.scores(&[], &places, mean, lines, noise);
        let scored = || grid.iter().zip(&scores).filter_map(|(churn, score)| Some((*churn, (*score)?)));
        let best = |ends: bool| scored().filter(|(churn, _)| churn.ends == ends).max_by(|a, b| a.1.total_cmp(&b.1));
        [best(true), best(false)].into_iter().flatten().collect()
    }
}

/// Moves one constant after the other to where the score is highest, by ever smaller steps. `scores_of`: what the bases
/// score with the one of an index in each of some places.
fn climb(
    mut bases: Vec<Basis>,
    mut score: f64,
    scores_of: impl Fn(&[Basis], usize, &[Basis]) -> Vec<Option<f64>>,
) -> Vec<Basis> {
    let mut step = 1.0;
    let several = bases.iter().any(|basis| basis.constants() > 1);
    for round in 0..if several { 4 * ROUNDS } else { ROUNDS } {
        // Constants of one curve depend on each other: each width of step is tried twice.
        step /= if several && round % 2 == 1 { 1.0 } else { f64::from(PLACES) };
        let constants = bases.iter().enumerate().flat_map(|(i, basis)| (0..basis.constants()).map(move |j| (i, j)));
        for (i, constant) in constants.collect::<Vec<_>>() {
            let moves = (1 - PLACES..PLACES).filter(|place| *place != 0);
            let places: Vec<Basis> = moves.map(|place| bases[i].moved(constant, step * f64::from(place))).collect();
            for (place, tried) in places.iter().zip(scores_of(&bases, i, &places)) {
                if let Some(tried) = tried.filter(|tried| *tried > score) {
                    (score, bases[i]) = (tried, *place);
                }
            }
        }
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::competition::Competition;

    #[test]
    fn the_top_of_a_parabola_is_found_within_a_twentieth_of_a_step() {
        let height = |place: &Basis| {
            let Basis::Cap(k) = place else { return None };
            Some(-(k - 0.443).powi(2))
        };
        let top = climb(vec![Basis::Cap(0.4)], -1.0, |_, _, places| places.iter().map(height).collect());
        let Basis::Cap(k) = top[0] else { unreachable!("it stays a cap") };
        assert!((k - 0.443).abs() < 0.078 / 20.0, "{k}");
    }

    #[test]
    fn a_cap_between_two_places_of_the_grid_leaves_no_growth() {
        let u: Vec<f64> = (0..60).map(|i| f64::from(i) / 59.0).collect();
        let values: Vec<f64> = u.iter().map(|u| u.min(0.137) + 1e-3 * (u * 977.0).sin()).collect();
        let competition = Competition::new(&u, &values, None, &[]);
        let calm = competition.best(|mean, _| mean.drift.is_none()).expect("a fit");
        let leaking = competition.best(|mean, _| mean.drift.is_some()).expect("a fit");
        assert!(calm.score > leaking.score, "{calm:?} {leaking:?}");
        assert!(leaking.slope.abs() < 0.002, "{leaking:?}");
    }
}
