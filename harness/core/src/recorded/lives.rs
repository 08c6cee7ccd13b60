//! Which readings are lives of one service, one after the other: a process that was restarted, a pod that was replaced.

use steep_judge::growth::{MemorySource, Series, Sources};
use steep_judge::units::Bytes;

use super::Options;
use super::readings::Readings;
use super::refusal::{Refusal, repeated};
use super::unit::Unit;

/// No process has less memory than this, the stack and heap of a program that does nothing; a series that never has is
/// in another unit than it says, and its leaks would be cleared as tiny.
const LEAST_MEMORY: Bytes = Bytes::kib(128);

/// Two lives of one service may overlap by this share of the shorter one: a new pod is ready before the old one ends.
const OVERLAP: f64 = 0.2;

/// A column of requests that falls in more than this share of its steps counts nothing.
const FALLING: f64 = 0.1;

/// A fall to the beginning takes back this share of what was grown, and this share of what was there.
const TAKEN_BACK: f64 = 0.8;
/// See [`TAKEN_BACK`].
const FALLEN: f64 = 0.2;

/// Readings of a life between two falls, at the least.
const LEAST_LIFE: usize = 10;

/// Readings of one moment of which several series must be suspected, as a share of all.
const REPEATED: f64 = 0.3;

/// A series with its lives.
#[derive(Debug)]
pub struct Recording {
    /// What names it, if the file holds several or says a name.
    pub name: Option<String>,
    /// The column of memory.
    pub column: String,
    /// The unit that it was read in; none where nothing says it, and it was taken for bytes.
    pub unit: Option<Unit>,
    /// What people should know about it.
    pub remarks: Vec<String>,
    /// Its lives in their order, at least one.
    pub(super) lives: Vec<Life>,
    /// Where memory falls to its beginning within its only life, as the first of the readings after each fall.
    pub(super) falls: Vec<usize>,
}

/// One life of a process.
#[derive(Debug)]
pub(super) struct Life {
    /// The process, if the file says it.
    pub(super) of: String,
    pub(super) series: Series,
    /// The line of its first reading; 0 where that is not known.
    pub(super) line: u64,
}

/// Splits and joins the readings.
pub(super) fn recordings(all: Vec<Readings>, options: &Options) -> Result<Vec<Recording>, Refusal> {
    let mut named: Vec<(String, Vec<Readings>)> = Vec::new();
    for readings in all.into_iter().filter(|readings| !readings.t_s.is_empty()) {
        let name = workload(&readings.label);
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, lives)) => lives.push(readings),
            None => named.push((name, vec![readings])),
        }
    }
    let several = named.len() > 1;
    let mut recordings = Vec::new();
    for (name, mut lives) in named {
        lives.sort_by(|a, b| a.t_s[0].total_cmp(&b.t_s[0]));
        if lives.windows(2).any(|pair| overlap(&pair[0], &pair[1])) {
            for life in lives {
                let mut parts = vec![life.label.clone()];
                parts.extend(Some(life.life.clone()).filter(|life| !life.is_empty() && !several_of(&parts[0], life)));
                parts.retain(|part| !part.is_empty());
                recordings.push(Recording::of(Some(parts.join(" ")), vec![life], options)?);
            }
        } else {
            let name = if lives.len() == 1 { lives[0].label.clone() } else { name };
            let is_named = !name.is_empty() && (several || !name.is_empty());
            recordings.push(Recording::of(is_named.then_some(name), lives, options)?);
        }
    }
    Ok(recordings)
}

fn several_of(label: &str, life: &str) -> bool {
    label.ends_with(life)
}

/// Whether two series ran side by side.
fn overlap(a: &Readings, b: &Readings) -> bool {
    let ends = |readings: &Readings| (readings.t_s[0], readings.t_s[readings.t_s.len() - 1]);
    let ((a0, a1), (b0, b1)) = (ends(a), ends(b));
    let both = a1.min(b1) - a0.max(b0);
    let shorter = (a1 - a0).min(b1 - b0);
    both >= 0.0 && (both > OVERLAP * shorter || shorter <= 0.0)
}

/// A label without what changes with each deployment: `web-6d5f7c9b8-x2x9z` is `web`.
fn workload(label: &str) -> String {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut kept = String::with_capacity(label.len());
    let mut rest = label;
    while let Some(start) = rest.find(is_inside) {
        let end = rest[start..].find(|c| !is_inside(c)).map_or(rest.len(), |end| start + end);
        kept.push_str(&rest[..start]);
        kept.push_str(without_hash(&rest[start..end]));
        rest = &rest[end..];
    }
    kept + rest
}

/// A name of a pod without the hash of its replica set and its own five letters.
fn without_hash(name: &str) -> &str {
    // As Kubernetes draws them: no vowels, and no digits that look like letters (apimachinery, util/rand).
    let is_drawn = |text: &str| text.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte));
    let is_hash = |text: &str| {
        (7..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let Some((before, last)) = name.rsplit_once('-').filter(|(_, last)| last.len() == 5) else { return name };
    let Some((workload, hash)) = before.rsplit_once('-') else { return name };
    let is_pod = is_hash(hash)
        && hash.bytes().any(|b| b.is_ascii_digit())
        && (is_drawn(last) || last.bytes().any(|b| b.is_ascii_digit()));
    if is_pod { workload } else { name }
}

impl Recording {
    /// Of a file that has names of columns and nothing below them.
    pub(super) fn without_readings() -> Self {
        let life = Life { of: String::new(), series: Series::default(), line: 1 };
        let (column, unit) = (String::new(), Some(Unit::BYTES));
        Self { name: None, column, unit, remarks: Vec::new(), lives: vec![life], falls: Vec::new() }
    }

    fn of(name: Option<String>, lives: Vec<Readings>, options: &Options) -> Result<Self, Refusal> {
        let (column, unit) = (lives[0].column.clone(), lives[0].unit);
        let mut remarks = Vec::new();
        let mut parts: Vec<Readings> = Vec::new();
        for mut life in lives {
            check(&life)?;
            let falls: Vec<usize> = (1..life.t_s.len()).filter(|i| life.requests[*i] < life.requests[i - 1]).collect();
            if falls.len() as f64 > (FALLING * life.t_s.len() as f64).max(2.0) {
                life.requests.fill(0.0);
                remarks.push("its requests do not count up, so growth is per hour; call a rate rps".to_owned());
                parts.push(life);
                continue;
            }
            if let Some(first) = falls.first() {
                remarks.push(format!("the request counter goes back in line {}: a restart", life.lines[*first]));
            }
            parts.extend(split(life, &falls));
        }
        let mut falls = if parts.len() == 1 { falls_to_beginning(&parts[0].memory) } else { Vec::new() };
        if options.restarts {
            parts = parts
                .into_iter()
                .flat_map(|life| {
                    let falls = falls_to_beginning(&life.memory);
                    split(life, &falls)
                })
                .collect();
            falls.clear();
        }
        let lives =
            parts.into_iter().map(|life| Life { of: life.life.clone(), line: life.lines[0], series: series(life) });
        Ok(Self { name, column, unit, remarks, lives: lives.collect(), falls })
    }
}

/// The readings cut before each of some indices.
fn split(life: Readings, at: &[usize]) -> Vec<Readings> {
    if at.is_empty() {
        return vec![life];
    }
    let starts = std::iter::once(0).chain(at.iter().copied());
    let ends = at.iter().copied().chain([life.t_s.len()]);
    starts.zip(ends).map(|(start, end)| life.part(start..end)).collect()
}

fn series(readings: Readings) -> Series {
    Series {
        t_s: readings.t_s,
        memory_bytes: readings.memory,
        live_bytes: readings.live,
        requests: readings.requests,
        sources: Sources::default().with(MemorySource::Column),
        ..Series::default()
    }
}

/// What a series must not be: in another unit than it says, or several at once.
fn check(life: &Readings) -> Result<(), Refusal> {
    let largest = life.memory.iter().copied().fold(0.0, f64::max);
    if largest > 0.0 && largest < LEAST_MEMORY.as_f64() && !life.is_sure {
        return Err(match life.unit {
            Some(_) => Refusal::TooSmall { largest: Bytes::new(largest as u64) },
            None => Refusal::Unit { column: repeated(&life.column) },
        });
    }
    let again: Vec<usize> = (1..life.t_s.len()).filter(|i| life.t_s[*i] <= life.t_s[i - 1]).collect();
    if (again.len() as f64) < REPEATED * life.t_s.len() as f64 {
        return Ok(());
    }
    // Between the series that one moment holds lies more than between two moments of one of them.
    let step = |i: usize, j: usize| (life.memory[i] - life.memory[j]).abs();
    let within: Vec<f64> = again.iter().map(|i| step(*i, i - 1)).collect();
    let starts: Vec<usize> = (0..life.t_s.len()).filter(|i| *i == 0 || life.t_s[*i] > life.t_s[i - 1]).collect();
    let between: Vec<f64> = starts.windows(2).map(|pair| step(pair[0], pair[1])).collect();
    if middle(within) > 3.0 * middle(between) {
        return Err(Refusal::Mixed { line: life.lines[again[0]] });
    }
    Ok(())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Where memory falls, from one reading to the next, to about where it began: what a restart does, and some collectors.
fn falls_to_beginning(memory: &[f64]) -> Vec<usize> {
    let begun = middle(memory.iter().take(5).copied().collect());
    let is_fall = |i: &usize| {
        let (before, after) = (memory[i - 1], memory[*i]);
        before - after > FALLEN * before && before - after > TAKEN_BACK * (before - begun) && before > begun
    };
    let falls: Vec<usize> = (1..memory.len()).filter(is_fall).collect();
    let ends = falls.iter().copied().chain([memory.len()]);
    let starts = std::iter::once(0).chain(falls.iter().copied());
    // Short teeth are peaks, or a collector at work.
    let mut lengths: Vec<usize> = starts.zip(ends).map(|(start, end)| end - start).collect();
    lengths.pop();
    if lengths.iter().any(|length| *length < LEAST_LIFE) { Vec::new() } else { falls }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_of_one_deployment_are_called_by_it() {
        for (pod, name) in [
            ("web-6d5f7c9b8-x2x9z", "web"),
            ("shop/my-web-7f9c6d5b4d-abcde", "shop/my-web"),
            ("{pod=\"web-6d5f7c9b8-x2x9z\", job=\"a\"}", "{pod=\"web\", job=\"a\"}"),
            ("my-web-server", "my-web-server"),
            ("postgres-0", "postgres-0"),
            ("web-production-large", "web-production-large"),
        ] {
            let wanted = if pod == "shop/my-web-7f9c6d5b4d-abcde" { pod } else { name };
            assert_eq!(workload(pod), wanted, "{pod}");
        }
    }

    #[test]
    fn falls_to_the_beginning_are_found_and_short_teeth_are_not() {
        let teeth = |length: usize, count: usize| -> Vec<f64> {
            (0..length * count).map(|i| 100.0 + 10.0 * (i % length) as f64).collect()
        };
        assert_eq!(falls_to_beginning(&teeth(20, 3)), [20, 40]);
        assert!(falls_to_beginning(&teeth(5, 9)).is_empty());
        assert!(falls_to_beginning(&[5.0; 40]).is_empty());
    }
}
