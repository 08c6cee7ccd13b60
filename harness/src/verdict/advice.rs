//! What would decide a run that is open: a key of the scenario to change, or a command.

use std::time::Duration;

use crate::growth::{Growth, LEAST_PHASE, Unjudgeable};
use crate::units::in_words;

/// Of growth that is open, of which a soak as long as `need` should decide.
pub(super) fn of_open(growth: &Growth, need: Option<Duration>) -> String {
    if growth.environment_noisy {
        return "soak it again while the host is quiet: steep run FILE".to_owned();
    }
    let longer = need.map_or_else(|| "soak it once more: steep run FILE".to_owned(), longer);
    if growth.is_after_cap() {
        return format!("let service.probe tell of live bytes, which decides at once; else {longer}");
    }
    longer
}

/// Of a series that cannot be judged.
pub(super) fn of_unjudgeable(unjudgeable: &Unjudgeable) -> String {
    match unjudgeable {
        Unjudgeable::TooShort { need, .. } => longer(*need),
        Unjudgeable::Empty => longer(LEAST_PHASE),
        Unjudgeable::CounterReset { .. } => {
            "soak it without restarts, and count in one process (load.counter): steep run FILE".to_owned()
        }
        Unjudgeable::TooManyMissing { .. } | Unjudgeable::TooFewBlocks { .. } => {
            "give steep CPU for its samples, or ask for fewer (sampling.every), and soak it again: steep run FILE"
                .to_owned()
        }
        Unjudgeable::Ragged
        | Unjudgeable::Impossible { .. }
        | Unjudgeable::TimeBackwards { .. }
        | Unjudgeable::Singular => {
            "record it again: steep run FILE; or mend the numbers, and then steep analyze FILE".to_owned()
        }
    }
}

/// A longer soak.
fn longer(need: Duration) -> String {
    format!("lengthen [[phases]] in FILE to about {} in all, then steep run FILE", in_words(need))
}

/// Whether `text` names a command or a key that exists, and no key that does not.
#[cfg(test)]
pub(crate) fn is_to_be_done(text: &str) -> bool {
    use crate::scenario::keys::find;
    /// Names of files that look like keys.
    const FILES: [&str; 2] = ["service.log", "driver.log"];
    let words =
        text.split(|c: char| c.is_whitespace() || ",;:()\"'`".contains(c)).map(|word| word.trim_end_matches('.'));
    let dotted: Vec<&str> = words.filter(|word| word.contains('.') && !FILES.contains(word)).collect();
    let is_command = ["steep run", "steep bisect", "steep analyze"].iter().any(|command| text.contains(command));
    dotted.iter().all(|key| find(key).is_some()) && (is_command || !dotted.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::AfterCap;
    use crate::growth::{Materiality, MemorySource, Series, fit};
    use crate::units::Bytes;

    #[test]
    fn whatever_cannot_be_judged_says_what_to_do() {
        let minute = Duration::from_mins(1);
        let all = [
            Unjudgeable::Empty,
            Unjudgeable::Ragged,
            Unjudgeable::Impossible { index: 0 },
            Unjudgeable::TimeBackwards { index: 0 },
            Unjudgeable::TooShort { samples: 1, lasted: minute, need: minute },
            Unjudgeable::CounterReset { at_s: 1.0 },
            Unjudgeable::TooManyMissing { samples: 1, expected: 9 },
            Unjudgeable::TooFewBlocks { blocks: 1, fewest: 2 },
            Unjudgeable::Singular,
        ];
        for unjudgeable in all {
            let advice = of_unjudgeable(&unjudgeable);
            assert!(is_to_be_done(&advice), "{unjudgeable}: {advice}");
        }
        assert!(!is_to_be_done("wait"), "the test can fail");
        assert!(!is_to_be_done("steep run FILE with load.counters"), "a key that is none");
    }

    #[test]
    fn whatever_stays_open_says_what_to_do() {
        let t_s: Vec<f64> = (0..600).map(f64::from).collect();
        let memory_bytes = t_s.iter().map(|t| 2e7 + 1000.0 * t).collect();
        let series = Series { requests: vec![0.0; 600], t_s, memory_bytes, ..Series::default() };
        let plain = fit(&series, MemorySource::Anonymous, &Materiality::default()).expect("growth");
        let noisy = Growth { environment_noisy: true, ..plain.clone() };
        let full = AfterCap { full_s: 100.0, filled: Bytes::mib(90), crept: Bytes::mib(13) };
        let capped = Growth { after_cap: Some(full), ..plain.clone() };
        for growth in [plain, noisy, capped] {
            for need in [None, Some(Duration::from_mins(10))] {
                let advice = of_open(&growth, need);
                assert!(is_to_be_done(&advice), "{advice}");
            }
        }
    }
}
