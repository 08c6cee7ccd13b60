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
        }
    }

    /// The same curve with its constant moved by `steps` steps of the grid that the method starts from, but not beyond its
    /// slow end: a slower fill, or a later cap, is a line by another name.
    pub(super) fn moved(self, steps: f64) -> Self {
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
        let Basis::Fill(k) = Basis::Fill(0.01).moved(8.0) else { unreachable!("it stays a fill") };
        assert!((k * 1.576 / 0.6 - 1.0).abs() < 0.01, "{k}");
        assert_eq!(Basis::Fill(0.6).moved(1.0), Basis::Fill(0.6));
    }
}
