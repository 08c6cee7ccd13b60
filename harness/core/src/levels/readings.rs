//! What a cell says of a level, and how far chance moves that: within the soak, and from soak to soak.

use super::LeftOut;
use crate::outcome::{Measure, Outcome};
use steep_judge::units::Bytes;
use steep_judge::verdict::Verdict;

/// A figure of one cell, on the scale on which effects add up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    pub(crate) value: f64,
    pub(crate) variance: f64,
    /// What of the variance is the soak's own error: the rest is from soak to soak.
    pub(crate) own: f64,
}

/// How far a figure moves from soak to soak of the same service, before anything is known of this one.
///
/// Measured: eight soaks each of five services that do not leak (75 s at 50 requests/s, on two cores on which compilers
/// ran: a server of threads with glibc, the same with bursts of 20,000 allocations in each request, node, Python, a
/// JVM), and four each of the sample service on three allocators (docs/allocators.md). Standard deviations between
/// soaks, of settled memory: 0.003, 1.6, 0.53, 0.018, 13.4 MiB, which are 0.32, 0.32, 0.78 and 0.64 of the standard
/// deviation *within* a soak where that moved at all; and 0.5, 3.7 and 3.4 % of the sample service. The spread is the
/// upper end of these, so that a first interval is rather too wide, and replicates narrow it. docs/levels.md has the
/// figures.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    /// There however small the figure is.
    least: f64,
    /// As a share of the figure; of latency and CPU time: in the logarithm.
    share: f64,
    /// As a share of the standard deviation within the soak.
    within: f64,
}

/// How many observations that is worth: this many services it rests on.
pub(crate) const FREEDOM: f64 = 8.0;

const KIB: f64 = 1024.0;
const SETTLED: Spread = Spread { least: 64.0 * KIB, share: 0.03, within: 0.6 };
const START: Spread = Spread { least: 64.0 * KIB, share: 0.05, within: 1.0 };
const PEAK: Spread = Spread { least: 128.0 * KIB, share: 0.04, within: 0.6 };
/// In logarithms 0.12 to 0.79: one soak of eight waited for a core and had four to nine times the latency of the
/// others.
const LATENCY: Spread = Spread { least: 0.0, share: 0.4, within: 0.0 };
/// 3 to 8 % where ticks do not decide.
const CPU: Spread = Spread { least: 0.0, share: 0.08, within: 0.0 };

impl Spread {
    fn of(measure: Measure) -> Self {
        match measure {
            Measure::SettledAnonBytes | Measure::GrowthBytesPerHour => SETTLED,
            Measure::StartAnonBytes => START,
            Measure::PeakBytes => PEAK,
            Measure::P50Us | Measure::P99Us => LATENCY,
            Measure::CpuUsPerRequest | Measure::RequestsPerS | Measure::ResidentOverLive => CPU,
        }
    }

    /// The variance of a figure that moved so far within its soak, and is known with so large an `error`.
    fn variance(self, figure: f64, deviation: f64, error: f64) -> f64 {
        let Self { least, share, within } = self;
        least.powi(2) + (share * figure).powi(2) + (within * deviation).powi(2) + error.powi(2)
    }
}

/// Whether what a factor does to a figure is reported as a ratio: of latency and CPU time, which chance moves by shares
/// of themselves.
pub(crate) const fn is_ratio(measure: Measure) -> bool {
    matches!(measure, Measure::P50Us | Measure::P99Us | Measure::CpuUsPerRequest)
}

/// A level that differs by less does not matter: of memory 1 MiB, which is the growth of an hour that is worth finding
/// by default, and 2 %; of latency 1 ms, from which on its growth is worth a word ([`crate::outcome::OtherSeries`]),
/// and 10 %; of CPU time 5 %, from which on regression detectors of services speak of one (the effect floor of SMP).
pub(crate) fn matters_from(measure: Measure, typical: f64) -> f64 {
    let (share, least) = match measure {
        Measure::P50Us | Measure::P99Us => (0.1, 1000.0),
        Measure::CpuUsPerRequest | Measure::RequestsPerS | Measure::ResidentOverLive => (0.05, 0.0),
        Measure::SettledAnonBytes | Measure::StartAnonBytes | Measure::PeakBytes | Measure::GrowthBytesPerHour => {
            (0.02, Bytes::mib(1).as_f64())
        }
    };
    least.max(share * typical.abs())
}

/// The figures of the cells that have one.
pub(super) fn readings<'o>(measure: Measure, whole: &[&'o Outcome]) -> Vec<(&'o Outcome, Reading)> {
    whole.iter().filter_map(|outcome| Some((*outcome, reading(measure, outcome)?))).collect()
}

/// The figure of a cell; none where it is not defined: memory that grows does not settle.
pub(crate) fn reading(measure: Measure, outcome: &Outcome) -> Option<Reading> {
    let figures = outcome.figures.as_ref();
    let figure = measure.of(outcome)?;
    let of = |value: f64, deviation: f64, error: f64| {
        let variance = Spread::of(measure).variance(value, deviation, error);
        Some(Reading { value, variance, own: error.powi(2) })
    };
    let moved = figures.map_or(0.0, |figures| figures.settled_anon_deviation_bytes.as_f64());
    match measure {
        Measure::SettledAnonBytes if outcome.verdict().grows() || drift(outcome) > matters_from(measure, figure) => {
            None
        }
        Measure::PeakBytes if outcome.verdict().grows() => None,
        Measure::SettledAnonBytes | Measure::PeakBytes => of(figure, moved, 0.0),
        Measure::StartAnonBytes => {
            let start = figures?.start?;
            let (grown, error) = grown_by(outcome, start.after_s)?;
            of(figure - grown, start.anon_deviation_bytes.as_f64(), error)
        }
        _ if is_ratio(measure) => {
            let error = figures.and_then(|figures| figures.cpu_error_us_per_request).unwrap_or_default();
            let error = if measure == Measure::CpuUsPerRequest { error / figure } else { 0.0 };
            let variance = Spread::of(measure).variance(1.0, 0.0, error);
            (figure > 0.0).then(|| Reading { value: figure.ln(), variance, own: error.powi(2) })
        }
        _ => of(figure, 0.0, 0.0),
    }
}

/// What memory may have moved by over the second half of a soak that was not cleared.
fn drift(outcome: &Outcome) -> f64 {
    if outcome.verdict().is_clear() {
        return 0.0;
    }
    let Some(growth) = outcome.judgement.anonymous.as_ref().or(outcome.growth()) else { return f64::INFINITY };
    let most = growth.per_hour.low.get_per_second().abs().max(growth.per_hour.high.get_per_second().abs());
    most * growth.seconds / 2.0
}

/// What memory had grown by so long after the beginning, with its error; none where it grows by no line.
fn grown_by(outcome: &Outcome, after_s: f64) -> Option<(f64, f64)> {
    match outcome.verdict() {
        Verdict::Step | Verdict::Invalid | Verdict::Crashed => None,
        Verdict::Plateau | Verdict::Stable => Some((0.0, 0.0)),
        Verdict::Leak | Verdict::Retention | Verdict::Inconclusive => {
            let growth = outcome.judgement.anonymous.as_ref().or(outcome.growth())?;
            let grown = growth.per_hour.map(|growth| growth.get_per_second() * after_s);
            Some((grown.value, grown.error()))
        }
    }
}

/// Of what a cell is left out, and why; none: of nothing.
pub(super) fn left_out(outcome: &Outcome) -> Option<LeftOut> {
    let described = |measures: &[Measure], reason: String| {
        Some(LeftOut { cell: outcome.cell.clone(), measures: measures.to_vec(), reason })
    };
    let verdict = outcome.verdict();
    if let (false, Some(reason)) = (outcome.is_whole(), &outcome.cut_short) {
        return described(&[], reason.clone());
    }
    match verdict {
        Verdict::Invalid | Verdict::Crashed => described(&[], format!("it is {verdict}")),
        Verdict::Step => {
            let measures = [Measure::SettledAnonBytes, Measure::StartAnonBytes, Measure::PeakBytes];
            described(&measures, "its memory grows in steps".to_owned())
        }
        Verdict::Leak | Verdict::Retention => {
            let measures = [Measure::SettledAnonBytes, Measure::PeakBytes];
            described(&measures, "its memory grows, and is compared as it was at the start".to_owned())
        }
        Verdict::Inconclusive => {
            let has_settled = reading(Measure::SettledAnonBytes, outcome).is_some();
            let reason = "its memory may not have settled, and is compared as it was at the start";
            if has_settled { None } else { described(&[Measure::SettledAnonBytes], reason.to_owned()) }
        }
        Verdict::Plateau | Verdict::Stable => None,
    }
}
