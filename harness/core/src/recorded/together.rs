//! Judges the lives of a series together.

use steep_judge::growth::{Growth, Layer, Materiality, MemorySource, Series, Sources, Unjudgeable};
use steep_judge::units::BytesPerHour;
use steep_judge::verdict::rules::all;
use steep_judge::verdict::{Judgement, Verdict, judge_by};

use super::lives::{Life, Recording};
use super::refusal::{Refusal, repeated};

/// Readings at the ends of a life by whose middle one the lives are joined.
const ENDS: usize = 3;

/// What a process takes as it starts is no growth: this share of each life is left out where several are joined.
const STARTING: f64 = 1.0 / 3.0;

/// What warms up slows down: growth of the last third of the lives must be at least this share of that of the second.
const STRAIGHT: f64 = 0.6;

/// Lives of those that are joined that must grow themselves, as a share.
const AGREEING: f64 = 0.75;

impl Recording {
    /// The judgement on the series, whose growth `fit` finds.
    pub fn judged(
        &self,
        materiality: &Materiality,
        mut fit: impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>,
    ) -> Judgement {
        let judgement = match self.lives.as_slice() {
            [life] => self.of_one(life, materiality, &mut fit),
            lives => of_several(lives, materiality, &mut fit),
        };
        if self.unit.is_some() {
            return judgement;
        }
        // In every larger unit growth is larger.
        if matches!(judgement.verdict, Verdict::Leak | Verdict::Step) {
            let said =
                format!("{}; the unit stands nowhere, and bytes are the least: --unit says another", judgement.reason);
            return Judgement { reason: said, ..judgement };
        }
        Judgement::not_read(Refusal::Unit { column: repeated(&self.column) }.to_string())
    }

    /// A single life, unless memory fell to its beginning between what may be several.
    fn of_one(
        &self,
        life: &Life,
        materiality: &Materiality,
        fit: &mut impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>,
    ) -> Judgement {
        let judgement = judge_by(&life.series, materiality, &mut *fit);
        if self.falls.is_empty() || judgement.verdict.grows() || judgement.verdict == Verdict::Invalid {
            return judgement;
        }
        let ends = self.falls.iter().copied().chain([life.series.t_s.len()]);
        let starts = std::iter::once(0).chain(self.falls.iter().copied());
        let parts: Vec<Life> = starts.zip(ends).map(|(start, end)| life.part(start, end)).collect();
        let split = of_several(&parts, materiality, fit);
        let fell_back = all().map(|(_, rule)| rule).find(|rule| rule.name == "fell_back");
        match fell_back.filter(|_| split.verdict.grows()) {
            None => judgement,
            Some(rule) => {
                let times =
                    if self.falls.len() == 1 { "once".to_owned() } else { format!("{} times", self.falls.len()) };
                let reason = format!(
                    "memory fell {times} to where it began: if these were restarts, it grows in each life ({}), and \
                     --restarts says so; if the program gave memory back, it does not",
                    split.reason
                );
                judgement.overruled(rule, reason)
            }
        }
    }
}

impl Life {
    fn part(&self, start: usize, end: usize) -> Self {
        let Series { t_s, memory_bytes, live_bytes, requests, .. } = &self.series;
        let live = if live_bytes.is_empty() { Vec::new() } else { live_bytes[start..end].to_vec() };
        let series = Series {
            t_s: t_s[start..end].to_vec(),
            memory_bytes: memory_bytes[start..end].to_vec(),
            requests: requests[start..end].to_vec(),
            live_bytes: live,
            ..self.series.clone()
        };
        Self { of: String::new(), line: 0, series }
    }

    fn seconds(&self) -> f64 {
        let t_s = &self.series.t_s;
        t_s[t_s.len() - 1] - t_s[0]
    }
}

/// The worst of the lives that can be judged; where none can be by itself, all together.
fn of_several(
    lives: &[Life],
    materiality: &Materiality,
    fit: &mut impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>,
) -> Judgement {
    let judged: Vec<Judgement> = lives.iter().map(|life| judge_by(&life.series, materiality, &mut *fit)).collect();
    let all = || judged.iter().zip(lives);
    let found =
        all().filter(|(judgement, _)| judgement.verdict.grows()).max_by(|a, b| a.1.seconds().total_cmp(&b.1.seconds()));
    let clear = all().filter(|(judgement, _)| judgement.verdict.is_clear());
    let clear = clear.max_by(|a, b| a.1.seconds().total_cmp(&b.1.seconds()));
    let longest = all().max_by(|a, b| a.1.seconds().total_cmp(&b.1.seconds()));
    let mut joined = || joined(lives, materiality, fit);
    let decided = found.map(|(judgement, life)| (judgement.clone(), life_text(lives, life)));
    let decided = decided.or_else(|| joined().map(|judgement| (judgement, "all together".to_owned())));
    let decided =
        decided.or_else(|| clear.or(longest).map(|(judgement, life)| (judgement.clone(), life_text(lives, life))));
    let Some((judgement, of)) = decided else { return Judgement::not_read("there are no readings") };
    let growing = all().filter(|(judgement, _)| judgement.verdict.grows()).count();
    let counted = if growing > 0 { format!(", of which {growing} grow by themselves") } else { String::new() };
    let together = if growing > 1 {
        pooled(&judged).map_or_else(String::new, |rate| format!("; together {rate}"))
    } else {
        String::new()
    };
    let reason = format!("{} lives{counted}{together}; {of}: {}", lives.len(), judgement.reason);
    Judgement { reason, ..judgement }
}

/// Which of the lives it is.
fn life_text(lives: &[Life], life: &Life) -> String {
    let nth = lives.iter().position(|other| std::ptr::eq(other, life)).unwrap_or_default() + 1;
    let is_named = !life.of.is_empty() && life.of != nth.to_string();
    let of = if is_named { format!(" ({})", repeated(&life.of)) } else { String::new() };
    let from = if life.line > 0 { format!(", from line {}", life.line) } else { String::new() };
    format!("life {nth}{of}{from}")
}

/// The growth of the lives that grow, each weighed by how surely it is known.
fn pooled(judged: &[Judgement]) -> Option<String> {
    let growths = judged.iter().filter(|judgement| judgement.verdict.grows()).filter_map(|j| j.growth.as_ref());
    let (mut weights, mut sum) = (0.0, 0.0);
    for growth in growths {
        let width = (growth.per_hour.high.get() - growth.per_hour.low.get()).max(1.0);
        weights += width.powi(-2);
        sum += growth.per_hour.value.get() * width.powi(-2);
    }
    (weights > 0.0).then(|| BytesPerHour::new(sum / weights).to_string())
}

/// Lives that are too short each, end to end without their starts: each goes on at the height at which the one before
/// it ended. Only growth is believed of them, and only if nearly all of them grow.
fn joined(
    lives: &[Life],
    materiality: &Materiality,
    fit: &mut impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>,
) -> Option<Judgement> {
    let mut series = Series { sources: Sources::default().with(MemorySource::Column), ..Series::default() };
    let (mut count, mut growing) = (0_usize, 0_usize);
    let (mut earlier, mut late) = (0.0, 0.0);
    for life in lives {
        let from = (STARTING * life.series.t_s.len() as f64).ceil() as usize;
        let (t_s, memory) = (&life.series.t_s[from..], &life.series.memory_bytes[from..]);
        if t_s.len() < 2 * ENDS {
            continue;
        }
        // The middle one of the first readings is put where the middle one of the last was.
        let (mut later, mut higher) = (-t_s[0], 0.0);
        if series.t_s.len() > ENDS {
            let last = series.t_s.len() - ENDS;
            higher = middle(&series.memory_bytes[last..]) - middle(&memory[..ENDS]);
            later = series.t_s[last + ENDS / 2] - t_s[ENDS / 2];
            series.t_s.truncate(last + ENDS / 2 + 1);
            series.memory_bytes.truncate(last + ENDS / 2 + 1);
        }
        let begun = if series.t_s.is_empty() { 0 } else { ENDS / 2 + 1 };
        series.t_s.extend(t_s[begun..].iter().map(|t| t + later));
        series.memory_bytes.extend(memory[begun..].iter().map(|bytes| bytes + higher));
        let half = memory.len() / 2;
        count += 1;
        growing += usize::from(mean(&memory[half..]) > mean(&memory[..half]));
        let third = memory.len() / 3;
        earlier += mean(&memory[third..2 * third]) - mean(&memory[..third]);
        late += mean(&memory[2 * third..]) - mean(&memory[third..2 * third]);
    }
    if count < 2 || late < STRAIGHT * earlier {
        return None;
    }
    series.requests = vec![0.0; series.t_s.len()];
    series.disturbances_s = Some(Vec::new());
    let judgement = judge_by(&series, materiality, fit);
    (judgement.verdict == Verdict::Leak && growing as f64 >= AGREEING * count as f64).then_some(judgement)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn middle(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
