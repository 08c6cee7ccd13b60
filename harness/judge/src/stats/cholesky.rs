//! The one matrix factorisation that generalised least squares needs.

/// Lower triangle `L` of a Cholesky factorisation `A = L Lᵀ`, its rows packed one after the other.
#[derive(Debug, Clone)]
pub struct Triangle {
    size: usize,
    packed: Vec<f64>,
}

/// Where row `i` of a packed lower triangle starts.
const fn row_start(i: usize) -> usize {
    i * (i + 1) / 2
}

impl Triangle {
    /// Factors the symmetric matrix whose lower entries are `entry(row, column)`, `column <= row`.
    /// `None` if it is not positive definite to machine precision. Cost: size³/6 multiplications.
    #[must_use]
    pub fn factor(size: usize, entry: impl Fn(usize, usize) -> f64) -> Option<Self> {
        let mut packed = vec![0.0; row_start(size)];
        for i in 0..size {
            let (above, rest) = packed.split_at_mut(row_start(i));
            let current = &mut rest[..=i];
            for j in 0..i {
                let other = &above[row_start(j)..=row_start(j) + j];
                current[j] = (entry(i, j) - dot(&current[..j], &other[..j])) / other[j];
            }
            let pivot = entry(i, i) - dot(&current[..i], &current[..i]);
            // NaN fails this comparison too.
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            current[i] = pivot.sqrt();
        }
        Some(Self { size, packed })
    }

    /// Row `i` up to the diagonal, which is its last entry.
    #[must_use]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.packed[row_start(i)..=row_start(i) + i]
    }

    /// Solves `L x = b` in place for every column of `b`, a matrix of `size` rows of `width` numbers each.
    pub fn solve_rows(&self, b: &mut [f64], width: usize) {
        for i in 0..self.size {
            let (solved, rest) = b.split_at_mut(i * width);
            let current = &mut rest[..width];
            let row = self.row(i);
            for (factor, earlier) in row[..i].iter().zip(solved.chunks_exact(width)) {
                for (c, e) in current.iter_mut().zip(earlier) {
                    *c -= factor * e;
                }
            }
            for c in current {
                *c /= row[i];
            }
        }
    }

    /// Solves `Lᵀ x = b`.
    #[must_use]
    pub fn back_substituted(&self, mut right: Vec<f64>) -> Vec<f64> {
        for i in (0..right.len()).rev() {
            let row = self.row(i);
            right[i] /= row[i];
            let value = right[i];
            right.iter_mut().zip(&row[..i]).for_each(|(entry, factor)| *entry -= factor * value);
        }
        right
    }

    /// Solves `A x = b`.
    #[must_use]
    pub fn solved(&self, mut right: Vec<f64>) -> Vec<f64> {
        self.solve_rows(&mut right, 1);
        self.back_substituted(right)
    }
}

/// Scalar product of two slices of equal length.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums side by side: one alone waits for each addition before the next, which took half of all the time.
    let (a4, a_rest) = a.as_chunks::<4>();
    let (b4, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (x, y) in a4.iter().zip(b4) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook matrix of Wikipedia's article on the decomposition: every number of the factor is an integer.
    const TEXTBOOK: [[f64; 3]; 3] = [[4.0, 12.0, -16.0], [12.0, 37.0, -43.0], [-16.0, -43.0, 98.0]];

    #[test]
    fn the_textbook_matrix_has_its_textbook_factor() {
        let factor = Triangle::factor(3, |i, j| TEXTBOOK[i][j]).expect("positive definite");
        assert_eq!([factor.row(0), factor.row(1), factor.row(2)], [&[2.0][..], &[6.0, 1.0], &[-8.0, 5.0, 3.0]]);
    }

    #[test]
    fn solving_gives_back_the_right_hand_sides() {
        let factor = Triangle::factor(3, |i, j| TEXTBOOK[i][j]).expect("positive definite");
        // Columns x = (1, 2, 3) and (0, 1, 0): L x by hand.
        let mut b = [2.0, 0.0, 8.0, 1.0, 11.0, 5.0];
        factor.solve_rows(&mut b, 2);
        assert_eq!(b.as_slice(), &[1.0, 0.0, 2.0, 1.0, 3.0, 0.0]);
    }

    #[test]
    fn an_indefinite_or_broken_matrix_has_no_factor() {
        assert!(Triangle::factor(2, |i, j| if i == j { 1.0 } else { 2.0 }).is_none());
        assert!(Triangle::factor(1, |_, _| f64::NAN).is_none());
    }
}
