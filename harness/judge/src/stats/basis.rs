//! The curves that shapes are made of, each with one constant.

/// A curve over shares of the run, `0..=1`, that is multiplied with a coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Basis {
    /// An exponential approach with this time constant.
    Fill(f64),
    /// A logarithm that begins to bend at this time.
    Creep(f64),
    /// This power of time.
    Power(f64),
    /// A straight rise until this time.
    Cap(f64),
    /// A step at this time.
    Step(f64),
    /// A line from this time on.
    Onset(f64),
    /// A straight rise until a cap, and the creep of a full cache that evicts and inserts.
    Churn(Churn),
}

/// What the heap of a cache does that is full: it creeps on, by a share of what had filled, more slowly with each
/// turnover.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Churn {
    /// When the cache was full.
    pub full: f64,
    /// What the heap creeps by within [`Self::turnovers`], as a share of what filled.
    pub share: f64,
    /// Turnovers, each as long as the filling took, within which it creeps by (1 − 1/e) of that, or by ln 2.
    pub turnovers: f64,
    /// Whether the creep ends, as an exponential does, or goes on as a logarithm.
    pub ends: bool,
}

/// What the heap of a full cache creeps by, as a share of what filled: one was seen to creep by 13 of 131 MiB, and
/// twice that is the most that is put down to it.
const CHURNED: (f64, f64) = (0.003, 0.25);

/// Turnovers of the cache within which it does: that one was seen for two, and crept ever more slowly.
const TURNOVERS: (f64, f64) = (0.15, 3.5);

impl Churn {
    /// The grid over a cache that was full at `full`.
    pub(super) fn grid(full: f64) -> impl Iterator<Item = Self> {
        [true, false].into_iter().flat_map(move |ends| {
            [0.4, 1.2, TURNOVERS.1].into_iter().flat_map(move |turnovers| {
                [0.02, 0.08, CHURNED.1].into_iter().map(move |share| Self { full, share, turnovers, ends })
            })
        })
    }

    fn moved(self, constant: usize, steps: f64) -> Self {
        match constant {
            0 => Self { full: (self.full + 0.078 * steps).clamp(0.02, 0.8), ..self },
            1 => Self { share: (self.share * 3.0_f64.powf(steps)).clamp(CHURNED.0, CHURNED.1), ..self },
            _ => Self { turnovers: (self.turnovers * 3.0_f64.powf(steps)).clamp(TURNOVERS.0, TURNOVERS.1), ..self },
        }
    }

    fn at(self, u: f64) -> f64 {
        let passed = (u - self.full).max(0.0) / (self.turnovers * self.full);
        let crept = if self.ends { 1.0 - (-passed).exp() } else { passed.ln_1p() };
        u.min(self.full) + self.share * self.full * crept
    }
}

impl Basis {
    /// The curve at `u`.
    #[must_use]
    pub fn at(self, u: f64) -> f64 {
        match self {
            Self::Fill(k) => 1.0 - (-u / k).exp(),
            Self::Creep(k) => (u / k).ln_1p(),
            Self::Power(p) => u.powf(p),
            Self::Cap(k) => u.min(k),
            Self::Step(k) => f64::from(u > k),
            Self::Onset(k) => (u - k).max(0.0),
            Self::Churn(churn) => churn.at(u),
        }
    }

    /// When a straight rise ends.
    pub(super) const fn full(self) -> Option<f64> {
        match self {
            Self::Cap(full) | Self::Churn(Churn { full, .. }) => Some(full),
            _ => None,
        }
    }

    /// How many constants it has that can be moved.
    pub(super) const fn constants(self) -> usize {
        if matches!(self, Self::Churn(_)) { 3 } else { 1 }
    }

    /// The same curve with one of its constants moved by `steps` steps of the grid that the method starts from, but not
    /// beyond its slow end: a slower fill, or a later cap, is a line by another name.
    pub(super) fn moved(self, constant: usize, steps: f64) -> Self {
        /// Ratio of neighbours among the ten time constants from 0.01 to 0.6.
        const FILL_RATIO: f64 = 1.576;
        /// Ratio of neighbours among 0.003, 0.01, 0.03 and 0.1.
        const CREEP_RATIO: f64 = 3.2;
        match self {
            Self::Fill(k) => Self::Fill((k * FILL_RATIO.powf(steps)).clamp(0.005, 0.6)),
            Self::Creep(k) => Self::Creep((k * CREEP_RATIO.powf(steps)).clamp(0.001, 0.1)),
            Self::Power(p) => Self::Power((p + 0.15 * steps).clamp(0.25, 0.7)),
            Self::Cap(k) => Self::Cap((k + 0.078 * steps).clamp(0.02, 0.8)),
            Self::Step(k) => Self::Step((k + 0.05 * steps).clamp(0.02, 0.95)),
            Self::Onset(k) => Self::Onset((k + 0.075 * steps).clamp(0.05, 0.7)),
            Self::Churn(churn) => Self::Churn(churn.moved(constant, steps)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "corners and powers of two are exact")]
    fn curves_have_their_closed_forms() {
        let at = |basis: Basis| [basis.at(0.0), basis.at(0.25), basis.at(1.0)];
        assert_eq!(at(Basis::Cap(0.5)), [0.0, 0.25, 0.5]);
        assert_eq!(at(Basis::Step(0.25)), [0.0, 0.0, 1.0]);
        assert_eq!(at(Basis::Onset(0.25)), [0.0, 0.0, 0.75]);
        assert_eq!(at(Basis::Power(0.5)), [0.0, 0.5, 1.0]);
        assert!((Basis::Fill(0.25).at(0.25) - (1.0 - (-1.0_f64).exp())).abs() < 1e-15);
        assert!((Basis::Creep(0.25).at(0.25) - 2.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn eight_steps_of_the_grid_lead_from_the_first_time_constant_to_the_last_but_one() {
        let Basis::Fill(k) = Basis::Fill(0.01).moved(0, 8.0) else { unreachable!("it stays a fill") };
        assert!((k * 1.576 / 0.6 - 1.0).abs() < 0.01, "{k}");
        assert_eq!(Basis::Fill(0.6).moved(0, 1.0), Basis::Fill(0.6));
    }
}
