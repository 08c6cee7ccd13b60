//! Which counts rise together: those cannot be told apart.

use super::cholesky::dot;

/// Two counts are one if what is left of them beside a straight rise correlates above this: of Poisson arrivals of a
/// hundred each independent ones do with a chance far below one in a million, while steps of a flow that nobody leaves
/// early do throughout.
const TOGETHER: f64 = 0.97;

/// The places of `counts`, those in one group that always rise in the same proportion; groups and places in the order
/// of the counts.
#[must_use]
pub fn together(counts: &[Vec<f64>]) -> Vec<Vec<usize>> {
    let swings: Vec<Vec<f64>> = counts.iter().map(|counts| swing(counts)).collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, swing) in swings.iter().enumerate() {
        match groups.iter_mut().find(|group| dot(swing, &swings[group[0]]) > TOGETHER) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups
}

/// What is left of `counts` beside a straight rise, of length 1.
fn swing(counts: &[f64]) -> Vec<f64> {
    let (first, last) = (counts.first().copied().unwrap_or(0.0), counts.last().copied().unwrap_or(0.0));
    let steps = counts.len().saturating_sub(1).max(1) as f64;
    let rest = counts.iter().zip(0_u32..).map(|(count, at)| count - first - (last - first) * f64::from(at) / steps);
    let rest: Vec<f64> = rest.collect();
    let length = dot(&rest, &rest).sqrt();
    rest.iter().map(|rest| rest / length.max(f64::MIN_POSITIVE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(steps: &[f64]) -> Vec<f64> {
        let mut total = 0.0;
        let counts = steps.iter().map(|step| {
            total += step;
            total
        });
        counts.collect()
    }

    #[test]
    fn what_rises_in_the_same_proportion_is_one() {
        let pattern = [3.0, 9.0, 1.0, 7.0, 2.0, 8.0, 8.0, 0.0, 5.0, 4.0];
        let other = [5.0, 4.0, 8.0, 1.0, 9.0, 0.0, 3.0, 8.0, 2.0, 7.0];
        let found = together(&[counts(&pattern), counts(&other), counts(&pattern.map(|step| 2.0 * step))]);
        assert_eq!(found, [vec![0, 2], vec![1]]);
    }

    #[test]
    fn what_rises_evenly_goes_with_nothing() {
        let even = counts(&[2.0; 10]);
        assert_eq!(together(&[even.clone(), even]), [[0], [1]]);
    }
}
