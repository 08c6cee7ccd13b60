//! The shapes that memory may follow: calm ones, which end, and leaking ones, which do not.

use serde::Serialize;

/// Places of the slowest and fastest scale of each family of shapes, as shares of the run: METHOD.md, mean models.
const FILL_SCALES: (f64, f64, usize) = (0.01, 0.6, 10);
const LOG_SCALES: [f64; 4] = [0.003, 0.01, 0.03, 0.1];
const POWERS: [f64; 3] = [0.35, 0.5, 0.7];
const CAPS: (f64, f64, usize) = (0.1, 0.8, 10);
const STEPS: (f64, f64, usize) = (0.05, 0.95, 19);
const ONSETS: (f64, f64, usize) = (0.1, 0.7, 9);

/// A named form of the mean, whatever its constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Nothing changes. Calm.
    Constant,
    /// An exponential approach to a ceiling: warm-up, a cache of random keys. Calm.
    Fill,
    /// Two exponential approaches, a fast and a slow one. Calm.
    TwoFills,
    /// Logarithmic creep. Calm.
    Creep,
    /// A power below one of time. Calm.
    Power,
    /// A straight rise to a cap. Calm.
    Cap,
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
}

/// All means over one set of moments, and the columns that they are made of.
#[derive(Debug, Clone)]
pub struct Dictionary {
    /// Each column has one number per moment.
    pub columns: Vec<Vec<f64>>,
    /// The calm means, the constant first, then the leaking ones.
    pub means: Vec<Mean>,
}

/// `count` numbers from `first` to `last`, evenly spaced.
fn evenly((first, last, count): (f64, f64, usize)) -> impl Iterator<Item = f64> {
    (0..count).map(move |i| first + (last - first) * i as f64 / (count - 1) as f64)
}

impl Dictionary {
    /// All means over the moments `u`, shares of the run in `0..=1`. With `cumulative`, the share of all requests
    /// that was completed at each moment, every line is also tried against requests.
    #[must_use]
    pub fn new(u: &[f64], cumulative: Option<&[f64]>) -> Self {
        let mut dictionary = Self { columns: Vec::new(), means: Vec::new() };
        let one = dictionary.column(u, |_| 1.0);
        let time = dictionary.column(u, |u| u);
        let fills: Vec<usize> = evenly((FILL_SCALES.0.ln(), FILL_SCALES.1.ln(), FILL_SCALES.2))
            .map(|k| dictionary.column(u, |u| 1.0 - (-u / k.exp()).exp()))
            .collect();
        let creeps = LOG_SCALES.map(|k| dictionary.column(u, |u| (u / k).ln_1p()));
        let powers = POWERS.map(|p| dictionary.column(u, |u| u.powf(p)));
        let caps: Vec<usize> = evenly(CAPS).map(|k| dictionary.column(u, |u| u.min(k))).collect();
        let steps: Vec<usize> = evenly(STEPS).map(|k| dictionary.column(u, |u| f64::from(u > k))).collect();
        let onsets: Vec<usize> = evenly(ONSETS).map(|k| dictionary.column(u, |u| (u - k).max(0.0))).collect();

        dictionary.calm(Shape::Constant, &[one], 1);
        for (shape, family) in [
            (Shape::Fill, &fills[..]),
            (Shape::Creep, &creeps),
            (Shape::Power, &powers),
            (Shape::Cap, &caps),
            (Shape::Step, &steps),
        ] {
            for &column in family {
                dictionary.calm(shape, &[one, column], 3);
            }
        }
        for fast in [0, 2, 4] {
            fills[4..].iter().for_each(|&slow| dictionary.calm(Shape::TwoFills, &[one, fills[fast], slow], 5));
        }

        let mut drifts = vec![(Drift::Time, time)];
        if let Some(cumulative) = cumulative {
            dictionary.columns.push(cumulative.to_vec());
            drifts.push((Drift::Requests, dictionary.columns.len() - 1));
        }
        // A line beside a step near either end, or beside the slowest fills, is hardly told from the line alone.
        let beside_line = [
            (Shape::FillThenLine, &fills[..8]),
            (Shape::CreepThenLine, &creeps[..2]),
            (Shape::PowerThenLine, &powers[..1]),
            (Shape::StepAndLine, &steps[2..17]),
        ];
        for (drift, line) in drifts {
            dictionary.leaking(Shape::Line, &[line, one], 2, drift);
            for (shape, family) in beside_line {
                let stride = if shape == Shape::StepAndLine { 2 } else { 1 };
                for &column in family.iter().step_by(stride) {
                    dictionary.leaking(shape, &[line, one, column], 4, drift);
                }
            }
        }
        for onset in onsets {
            dictionary.leaking(Shape::LateLine, &[onset, one], 3, Drift::Time);
        }
        dictionary
    }

    fn column(&mut self, u: &[f64], value: impl Fn(f64) -> f64) -> usize {
        self.columns.push(u.iter().map(|&u| value(u)).collect());
        self.columns.len() - 1
    }

    fn calm(&mut self, shape: Shape, columns: &[usize], parameters: usize) {
        self.means.push(Mean { shape, columns: columns.to_vec(), parameters, drift: None });
    }

    fn leaking(&mut self, shape: Shape, columns: &[usize], parameters: usize, drift: Drift) {
        self.means.push(Mean { shape, columns: columns.to_vec(), parameters, drift: Some(drift) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_that_of_the_method() {
        let u: Vec<f64> = (0..60).map(|i| f64::from(i) / 59.0).collect();
        let dictionary = Dictionary::new(&u, None);
        let calm = dictionary.means.iter().filter(|mean| mean.drift.is_none()).count();
        assert_eq!((calm, dictionary.means.len() - calm), (1 + 10 + 4 + 3 + 10 + 19 + 18, 1 + 8 + 2 + 1 + 8 + 9));
        assert_eq!(dictionary.means[0].shape, Shape::Constant);
        let varying = Dictionary::new(&u, Some(&u));
        assert_eq!(varying.means.len(), dictionary.means.len() + 20);
    }
}
