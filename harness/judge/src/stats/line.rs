//! A straight line through points, by ordinary least squares.

use super::order::mean;

/// The line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// By how much it rises for one unit of `x`.
    pub slope: f64,
    /// How far each point lies above it.
    pub rests: Vec<f64>,
    /// The sum of the squared distances of all `x` from their mean.
    squares: f64,
}

impl Line {
    /// Through points at `xs` with these `ys`; none for fewer than three, and where all are at one place.
    #[must_use]
    pub fn through(xs: &[f64], ys: &[f64]) -> Option<Self> {
        let (middle, level) = (mean(xs), mean(ys));
        let squares: f64 = xs.iter().map(|x| (x - middle).powi(2)).sum();
        if xs.len() < 3 || xs.len() != ys.len() || squares <= 0.0 {
            return None;
        }
        let pairs = || xs.iter().zip(ys);
        let slope = pairs().map(|(x, y)| (x - middle) * (y - level)).sum::<f64>() / squares;
        let rests = pairs().map(|(x, y)| y - level - slope * (x - middle)).collect();
        Some(Self { slope, rests, squares })
    }

    /// The standard error of the slope, where the points scatter independently of each other.
    #[must_use]
    pub fn error(&self) -> f64 {
        let rest: f64 = self.rests.iter().map(|rest| rest * rest).sum();
        (rest / (self.rests.len() as f64 - 2.0) / self.squares).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of Anscombe's quartet (1973), and what he gives for it.
    #[test]
    fn the_line_of_anscombe_has_his_slope_and_error() {
        let xs = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
        let ys = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
        let line = Line::through(&xs, &ys).expect("a line");
        assert!((line.slope - 0.5).abs() < 1e-3 && (line.error() - 0.118).abs() < 1e-3, "{line:?}");
        assert!(line.rests.iter().sum::<f64>().abs() < 1e-9);
    }

    #[test]
    fn two_points_and_points_at_one_place_have_none() {
        assert_eq!(Line::through(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(Line::through(&[1.0; 3], &[1.0, 2.0, 3.0]), None);
        assert_eq!(Line::through(&[1.0, 2.0, 3.0], &[1.0; 2]), None);
    }
}
