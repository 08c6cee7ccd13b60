//! Weights that can be drawn from: a sum that is a number, and none so small beside the others that it never comes.

use super::Check;

/// The smallest share of what is drawn: with less, nothing is sent even once at a million requests per second for
/// eleven days. Shares are added in 53 bits.
const SMALLEST_SHARE: f64 = 1e-12;

impl Check<'_> {
    /// That everything in `weights` that has one above 0 comes at all.
    pub(in crate::scenario) fn shares<'n>(
        &mut self,
        path: &str,
        weights: impl Iterator<Item = (&'n str, f64)> + Clone,
    ) {
        let sum: f64 = weights.clone().map(|(_, weight)| weight).sum();
        let heaviest = weights.clone().max_by(|one, other| one.1.total_cmp(&other.1));
        let Some((heaviest, _)) = heaviest else { return };
        let help = "weights are shares beside each other: 8 and 1, or 80 and 10";
        if !sum.is_finite() {
            self.error(path, format!("the weights are too large to be added, that of {heaviest:?} first"), help);
            return;
        }
        let never = weights.filter(|(_, weight)| *weight > 0.0 && *weight < SMALLEST_SHARE * sum);
        let never: Vec<&str> = never.map(|(name, _)| name).collect();
        if let Some(first) = never.first() {
            let others = if never.len() > 1 { format!(" and {} more", never.len() - 1) } else { String::new() };
            let message = format!("{first:?}{others} would never come beside {heaviest:?}: its weight is too small");
            self.error(path, message, help);
        }
    }
}
