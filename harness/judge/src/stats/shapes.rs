//! The shapes that memory may follow: calm ones, which end, and leaking ones, which do not.

use schemars::JsonSchema;
use serde::Serialize;

use super::basis::Basis;

/// Places of the fastest and slowest scale of each family of shapes, as shares of the run: METHOD.md, mean models.
const FILL_SCALES: (f64, f64, usize) = (0.01, 0.6, 10);
const LOG_SCALES: [f64; 4] = [0.003, 0.01, 0.03, 0.1];
const POWERS: [f64; 3] = [0.35, 0.5, 0.7];
const CAPS: (f64, f64, usize) = (0.1, 0.8, 10);
const STEPS: (f64, f64, usize) = (0.05, 0.95, 19);
const ONSETS: (f64, f64, usize) = (0.1, 0.7, 9);

/// A named form of the mean, whatever its constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Nothing changes. Calm.
    Constant,
    /// An exponential approach to a ceiling: warm-up, a cache of random keys. Calm.
    Fill,
    /// Two exponential approaches, a fast and a slow one. Calm.
    TwoFills,
    /// An exponential approach and logarithmic creep: a warm-up of an allocator that goes on settling. Calm.
    FillAndCreep,
    /// Logarithmic creep. Calm.
    Creep,
    /// A power below one of time. Calm.
    Power,
    /// A straight rise to a cap. Calm.
    Cap,
    /// A straight rise to a cap, and the creep of the heap of a full cache. Calm.
    CapAndChurn,
    /// One step. Calm.
    Step,
    /// A straight line. Leaking.
    Line,
    /// A line after an exponential approach. Leaking.
    FillThenLine,
    /// A line with logarithmic creep. Leaking.
    CreepThenLine,
    /// A line with a power of time. Leaking.
    PowerThenLine,
    /// A line with one step. Leaking.
    StepAndLine,
    /// A line that starts late. Leaking.
    LateLine,
    /// A line beside a straight rise to a cap. Leaking.
    CapAndLine,
    /// A line beside a cap and the creep of a full cache. Leaking.
    CapChurnAndLine,
    /// A line beside an exponential approach and creep. Leaking.
    FillCreepAndLine,
    /// A line beside two exponential approaches. Leaking.
    TwoFillsAndLine,
}

impl Shape {
    /// A calm shape with a line beside it.
    pub(super) const fn with_line(self) -> Self {
        match self {
            Self::Constant => Self::Line,
            Self::Fill => Self::FillThenLine,
            Self::TwoFills => Self::TwoFillsAndLine,
            Self::FillAndCreep => Self::FillCreepAndLine,
            Self::Creep => Self::CreepThenLine,
            Self::Power => Self::PowerThenLine,
            Self::Cap => Self::CapAndLine,
            Self::CapAndChurn => Self::CapChurnAndLine,
            Self::Step => Self::StepAndLine,
            leaking => leaking,
        }
    }

    /// The calm shape beside a line.
    pub(super) const fn without_line(self) -> Self {
        match self {
            Self::Line => Self::Constant,
            Self::FillThenLine => Self::Fill,
            Self::TwoFillsAndLine => Self::TwoFills,
            Self::FillCreepAndLine => Self::FillAndCreep,
            Self::CreepThenLine => Self::Creep,
            Self::PowerThenLine => Self::Power,
            Self::CapAndLine => Self::Cap,
            Self::CapChurnAndLine => Self::CapAndChurn,
            Self::StepAndLine => Self::Step,
            calm => calm,
        }
    }
}

/// What a leaking shape's slope is against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// Share of the time that has passed.
    Time,
    /// Share of the requests that were completed.
    Requests,
}

/// One mean: its columns by index, the slope's first.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    /// Its form.
    pub shape: Shape,
    /// Indices into the columns of the [`Dictionary`].
    pub columns: Vec<usize>,
    /// Free parameters; a constant chosen from a grid counts as one.
    pub parameters: usize,
    /// What the slope is against; `None` for a calm shape.
    pub drift: Option<Drift>,
    /// When a straight rise ended, as a share of the run, if it has one.
    pub full: Option<f64>,
}

/// All means over one set of moments, and the columns that they are made of.
#[derive(Debug, Clone)]
pub struct Dictionary {
    /// Each column has one number per moment.
    pub columns: Vec<Vec<f64>>,
    /// What each column is a member of; `None` for the constant and what growth is against.
    pub bases: Vec<Option<Basis>>,
    /// The means.
    pub means: Vec<Mean>,
    /// How many columns growth is tried against.
    lines: usize,
}

/// Index of the constant; the lines follow it.
pub(super) const ONE: usize = 0;

/// `count` numbers from `first` to `last`, evenly spaced.
fn evenly((first, last, count): (f64, f64, usize)) -> impl Iterator<Item = f64> {
    (0..count).map(move |i| first + (last - first) * i as f64 / (count - 1) as f64)
}

impl Dictionary {
    /// All means over the moments `u`, shares of the run in `0..=1`. With `cumulative`, the share of all requests
    /// that was completed at each moment, every line is also tried against requests.
    ///
    /// Beside every calm shape stands the same shape with a line: however memory settles, growth may hide behind it,
    /// and only then is the difference of the two scores evidence of growth and of nothing else.
    #[must_use]
    pub fn new(u: &[f64], cumulative: Option<&[f64]>) -> Self {
        let mut dictionary = Self::of_lines(u, cumulative);
        let fills: Vec<usize> = evenly((FILL_SCALES.0.ln(), FILL_SCALES.1.ln(), FILL_SCALES.2))
            .map(|k| dictionary.column(u, Basis::Fill(k.exp())))
            .collect();
        let creeps = LOG_SCALES.map(|k| dictionary.column(u, Basis::Creep(k)));
        let powers = POWERS.map(|p| dictionary.column(u, Basis::Power(p)));
        let caps: Vec<usize> = evenly(CAPS).map(|k| dictionary.column(u, Basis::Cap(k))).collect();
        let steps: Vec<usize> = evenly(STEPS).map(|k| dictionary.column(u, Basis::Step(k))).collect();

        dictionary.both(Shape::Constant, &[]);
        for (shape, family) in [
            (Shape::Fill, &fills[..]),
            (Shape::Creep, &creeps),
            (Shape::Power, &powers),
            (Shape::Cap, &caps),
            (Shape::Step, &steps),
        ] {
            for &column in family {
                dictionary.both(shape, &[column]);
            }
        }
        for fast in [0, 2, 4] {
            fills[4..].iter().for_each(|&slow| dictionary.both(Shape::TwoFills, &[fills[fast], slow]));
        }
        for &fill in &fills[1..8] {
            dictionary.both(Shape::FillAndCreep, &[fill, creeps[0]]);
            dictionary.both(Shape::FillAndCreep, &[fill, creeps[2]]);
        }
        for onset in evenly(ONSETS) {
            let column = dictionary.column(u, Basis::Onset(onset));
            dictionary.means.push(Mean {
                shape: Shape::LateLine,
                columns: vec![column, ONE],
                parameters: 3,
                drift: Some(Drift::Time),
                full: None,
            });
        }
        dictionary
    }

    /// The constant and the lines, and no mean yet.
    pub(super) fn of_lines(u: &[f64], cumulative: Option<&[f64]>) -> Self {
        let mut columns = vec![vec![1.0; u.len()], u.to_vec()];
        columns.extend(cumulative.map(<[f64]>::to_vec));
        Self { bases: vec![None; columns.len()], lines: columns.len() - 1, columns, means: Vec::new() }
    }

    /// The constant, and the lines.
    pub(super) fn anchors(&self) -> (&Vec<f64>, &[Vec<f64>]) {
        (&self.columns[ONE], &self.columns[ONE + 1..=self.lines])
    }

    /// All columns but the constant and the lines.
    pub(super) fn curves(&self) -> &[Vec<f64>] {
        &self.columns[self.lines + 1..]
    }

    pub(super) fn column(&mut self, u: &[f64], basis: Basis) -> usize {
        self.columns.push(u.iter().map(|&u| basis.at(u)).collect());
        self.bases.push(Some(basis));
        self.columns.len() - 1
    }

    /// The calm `shape` made of `columns` beside the constant, and the same with each line.
    pub(super) fn both(&mut self, shape: Shape, columns: &[usize]) {
        // Each column has a coefficient, and a constant chosen from a grid; churn has two more.
        let parameters = 1 + 2 * columns.len() + if shape == Shape::CapAndChurn { 2 } else { 0 };
        let full = columns.iter().find_map(|column| self.bases[*column]?.full());
        let calm: Vec<usize> = std::iter::once(ONE).chain(columns.iter().copied()).collect();
        for (line, drift) in [Drift::Time, Drift::Requests].into_iter().enumerate().take(self.lines) {
            let columns = std::iter::once(ONE + 1 + line).chain(calm.iter().copied()).collect();
            let parameters = parameters + 1;
            self.means.push(Mean { shape: shape.with_line(), columns, parameters, drift: Some(drift), full });
        }
        self.means.push(Mean { shape, columns: calm, parameters, drift: None, full });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_calm_shape_has_its_like_with_a_line() {
        let u: Vec<f64> = (0..60).map(|i| f64::from(i) / 59.0).collect();
        let count = |cumulative| {
            let means = Dictionary::new(&u, cumulative).means;
            let calm = means.iter().filter(|mean| mean.drift.is_none()).count();
            (calm, means.len() - calm)
        };
        let calm = 1 + 10 + 4 + 3 + 10 + 19 + 18 + 14;
        assert_eq!(count(None), (calm, calm + 9));
        assert_eq!(count(Some(&u[..])), (calm, 2 * calm + 9));
    }

    #[test]
    fn a_line_costs_one_parameter() {
        let means = Dictionary::new(&[0.0, 0.5, 1.0], None).means;
        assert_eq!((means[0].shape, means[0].parameters, &means[0].columns[..]), (Shape::Line, 2, &[1, 0][..]));
        assert_eq!((means[1].shape, means[1].parameters, &means[1].columns[..]), (Shape::Constant, 1, &[0][..]));
    }
}
