//! Effects of several factors at once: weighted least squares by the sweep operator, which tells on its way what cannot
//! be told apart, and a variance that is known beforehand to some degree.
//!
//! J. H. Goodnight, *A tutorial on the SWEEP operator* (The American Statistician, 1979); G. K. Smyth, *Linear models
//! and empirical Bayes methods for assessing differential expression* (2004): with few observations a variance from
//! others like them is worth `freedom` observations, and those at hand correct it.

use statrs::distribution::{ContinuousCDF as _, FisherSnedecor};

/// A column is one of others together when so little of it is left beside them.
const SINGULAR: f64 = 1e-9;

/// What factors do to a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Effects {
    /// Of each column; none where it cannot be distinguished from others.
    pub of: Vec<Option<Effect>>,
    /// Degrees of freedom of the errors.
    pub freedom: f64,
    /// Probability that observations whose effects add up are as far from their sum as these; 1 where none could be.
    pub adds_up: f64,
    /// What each observation is above the sum of its effects.
    pub residuals: Vec<f64>,
}

/// What one column does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// By how much the value is higher with it.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// The effects of `columns` on `values`, beside a mean. Observation i has the variance `variances[i]`, times a factor
/// that is 1 as far as `freedom` observations beforehand have told, and which the values at hand correct. Cost: cubic
/// in the columns.
#[must_use]
pub fn effects(columns: &[Vec<f64>], values: &[f64], variances: &[f64], freedom: f64) -> Effects {
    let ones = vec![1.0; values.len()];
    let design: Vec<&[f64]> = std::iter::once(&ones).chain(columns).map(Vec::as_slice).collect();
    let swept = Swept::of(&design, values, variances);
    let left = values.len().saturating_sub(swept.rank()) as f64;
    let total = freedom + left;
    let (weighted, beforehand) = (swept.unexplained().max(0.0), freedom);
    let scale = if total > 0.0 { (beforehand + weighted) / total } else { f64::INFINITY };
    let adds_up = match FisherSnedecor::new(left, freedom) {
        Ok(fisher) => fisher.sf(weighted / left),
        Err(_) => 1.0,
    };
    let of = (1..design.len())
        .map(|column| {
            swept
                .is_told(column)
                .then(|| Effect { value: swept.coefficient(column), error: (swept.inverse(column) * scale).sqrt() })
        })
        .collect();
    let sum = |row: usize| -> f64 {
        (0..design.len()).filter(|&column| swept.swept[column]).map(|c| swept.coefficient(c) * design[c][row]).sum()
    };
    let residuals = values.iter().enumerate().map(|(row, value)| value - sum(row)).collect();
    Effects { of, freedom: total, adds_up, residuals }
}

/// The weighted products of all columns and the values, swept by each column that the ones before it leave something
/// of.
struct Swept {
    matrix: Vec<Vec<f64>>,
    swept: Vec<bool>,
}

impl Swept {
    fn of(design: &[&[f64]], values: &[f64], variances: &[f64]) -> Self {
        let all: Vec<&[f64]> = design.iter().copied().chain([values]).collect();
        let product = |one: &[f64], other: &[f64]| -> f64 {
            one.iter().zip(other).zip(variances).map(|((one, other), variance)| one * other / variance).sum()
        };
        let matrix = all.iter().map(|one| all.iter().map(|other| product(one, other)).collect()).collect();
        let mut this = Self { matrix, swept: vec![false; design.len()] };
        let whole: Vec<f64> = (0..design.len()).map(|column| this.matrix[column][column]).collect();
        for (column, whole) in whole.into_iter().enumerate() {
            if this.matrix[column][column] > SINGULAR * whole {
                this.sweep(column);
                this.swept[column] = true;
            }
        }
        this
    }

    fn sweep(&mut self, pivot: usize) {
        let divisor = self.matrix[pivot][pivot];
        let mut row = self.matrix[pivot].clone();
        for cell in &mut row {
            *cell /= divisor;
        }
        for (place, other) in self.matrix.iter_mut().enumerate() {
            if place != pivot {
                let factor = other[pivot];
                for (cell, swept) in other.iter_mut().zip(&row) {
                    *cell -= factor * swept;
                }
                other[pivot] = -factor / divisor;
            }
        }
        row[pivot] = 1.0 / divisor;
        self.matrix[pivot] = row;
    }

    fn rank(&self) -> usize {
        self.swept.iter().filter(|swept| **swept).count()
    }

    /// Whether no other column that was left out is made of this one too.
    fn is_told(&self, column: usize) -> bool {
        let is_free = |other: &usize| !self.swept[*other];
        let mut free = (0..self.swept.len()).filter(is_free);
        self.swept[column] && free.all(|other| self.matrix[column][other].abs() < SINGULAR.sqrt())
    }

    fn coefficient(&self, column: usize) -> f64 {
        self.matrix[column][self.swept.len()]
    }

    fn inverse(&self, column: usize) -> f64 {
        self.matrix[column][column]
    }

    fn unexplained(&self) -> f64 {
        self.matrix[self.swept.len()][self.swept.len()]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Least squares by its normal equations, as textbooks have it: Gauss with pivoting, and the error by n − p.
    fn textbook(columns: &[Vec<f64>], values: &[f64]) -> Vec<(f64, f64)> {
        let n = values.len();
        let mut design = vec![vec![1.0; n]];
        design.extend(columns.iter().cloned());
        let p = design.len();
        let mut system: Vec<Vec<f64>> = (0..p)
            .map(|i| {
                let dot = |other: &[f64]| -> f64 { design[i].iter().zip(other).map(|(a, b)| a * b).sum() };
                let unit = (0..p).map(|j| if i == j { 1.0 } else { 0.0 });
                design.iter().map(|column| dot(column)).chain(unit).chain([dot(values)]).collect()
            })
            .collect();
        for pivot in 0..p {
            let best =
                (pivot..p).max_by(|&a, &b| system[a][pivot].abs().total_cmp(&system[b][pivot].abs())).expect("rows");
            system.swap(pivot, best);
            let row: Vec<f64> = system[pivot].iter().map(|cell| cell / system[pivot][pivot]).collect();
            for (place, other) in system.iter_mut().enumerate() {
                let factor = if place == pivot { continue } else { other[pivot] };
                other.iter_mut().zip(&row).for_each(|(cell, pivot)| *cell -= factor * pivot);
            }
            system[pivot] = row;
        }
        let beta: Vec<f64> = system.iter().map(|row| row[2 * p]).collect();
        let fitted = |row: usize| -> f64 { (0..p).map(|column| beta[column] * design[column][row]).sum() };
        let squares: f64 = values.iter().enumerate().map(|(row, value)| (value - fitted(row)).powi(2)).sum();
        (1..p).map(|at| (beta[at], (system[at][p + at] * squares / (n - p) as f64).sqrt())).collect()
    }

    #[test]
    fn two_factors_in_eight_runs_agree_with_the_textbook() {
        let columns = [vec![0., 1., 0., 1., 0., 1., 0., 1.], vec![0., 0., 1., 1., 0., 0., 1., 1.]];
        let values = [28.0, 36.0, 18.0, 31.0, 25.0, 32.0, 19.0, 30.0];
        let fit = effects(&columns, &values, &[1.0; 8], 0.0);
        for (effect, (value, error)) in fit.of.iter().zip(textbook(&columns, &values)) {
            let effect = effect.expect("told");
            assert!(
                (effect.value - value).abs() < 1e-9 && (effect.error - error).abs() < 1e-9,
                "{effect:?} {value} {error}"
            );
        }
        // By hand: 32.25 − 22.5, 24.5 − 30.25.
        assert!(
            (fit.of[0].expect("told").value - 9.75).abs() < 1e-9
                && (fit.of[1].expect("told").value + 5.75).abs() < 1e-9
        );
        assert!((fit.freedom - 5.0).abs() < 1e-12);
    }

    #[test]
    fn two_cells_have_an_error_by_what_was_known_beforehand() {
        let fit = effects(&[vec![0.0, 1.0]], &[10.0, 48.0], &[0.09, 0.16], 10.0);
        let effect = fit.of[0].expect("told");
        assert!((effect.value - 38.0).abs() < 1e-9 && (effect.error - 0.5).abs() < 1e-9, "{effect:?}");
        assert!((fit.freedom - 10.0).abs() < 1e-12 && fit.adds_up >= 1.0, "{fit:?}");
    }

    #[test]
    fn what_cannot_be_told_apart_has_no_effect_and_takes_none_from_others() {
        let [a, b, c] = [vec![0., 1., 0., 1., 0.], vec![0., 1., 0., 1., 0.], vec![0., 0., 1., 1., 0.]];
        let fit = effects(&[a, b, c, vec![1.0; 5]], &[1.0, 3.0, 6.0, 8.0, 1.0], &[1.0; 5], 4.0);
        assert_eq!((fit.of[0], fit.of[1], fit.of[3]), (None, None, None));
        assert!((fit.of[2].expect("told").value - 5.0).abs() < 1e-9, "{fit:?}");
    }

    #[test]
    fn effects_that_do_not_add_up_are_seen() {
        let columns = [vec![0., 1., 0., 1.], vec![0., 0., 1., 1.]];
        assert!(effects(&columns, &[0.0, 0.0, 0.0, 100.0], &[1.0; 4], 10.0).adds_up < 1e-4);
        assert!(effects(&columns, &[0.0, 7.0, 5.0, 13.0], &[1.0; 4], 10.0).adds_up > 0.2);
    }

    proptest! {
        #[test]
        fn any_table_agrees_with_the_textbook_in_any_order(
            rows in prop::collection::vec((prop::collection::vec(0u8..2, 3), -50.0..50.0f64), 8..20),
            turn in 0usize..20,
        ) {
            let columns = |rows: &[(Vec<u8>, f64)]| -> Vec<Vec<f64>> {
                (0..3).map(|at| rows.iter().map(|(on, _)| f64::from(on[at])).collect()).collect()
            };
            let values = |rows: &[(Vec<u8>, f64)]| -> Vec<f64> { rows.iter().map(|(_, value)| *value).collect() };
            let fit = effects(&columns(&rows), &values(&rows), &vec![1.0; rows.len()], 0.0);
            prop_assume!(fit.of.iter().all(Option::is_some));
            for (effect, (value, error)) in fit.of.iter().flatten().zip(textbook(&columns(&rows), &values(&rows))) {
                prop_assert!((effect.value - value).abs() < 1e-6 && (effect.error - error).abs() < 1e-6);
            }
            let mut turned = rows.clone();
            turned.rotate_left(turn % rows.len());
            let other = effects(&columns(&turned), &values(&turned), &vec![1.0; rows.len()], 0.0);
            for (one, other) in fit.of.iter().flatten().zip(other.of.iter().flatten()) {
                prop_assert!((one.value - other.value).abs() < 1e-9 && (one.error - other.error).abs() < 1e-9);
            }
        }
    }
}
