//! Memory that no process has mapped: how much of it there is, what of the growth is in it, and what of it may be
//! another's.

use schemars::JsonSchema;
use serde::Serialize;

use super::ruling::Said;
use super::stretches::fitted_samples;
use crate::trace::{Held, HeldSource, Sample, Trace};
use steep_judge::growth::{Advice, Trend, advice};
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Estimate};
use steep_judge::verdict::Judgement;

/// Less is not worth a line in a report, and no growth.
const LEAST_TOLD: Bytes = Bytes::mib(1);

/// What the service held by descriptors, names and numbers.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HeldMemory {
    /// At the end, by kind.
    #[serde(flatten)]
    pub held: Held,
    /// What of it no process had mapped: at the beginning of what is fitted, and at its end.
    pub unmapped_start_bytes: Bytes,
    /// See `unmapped_start_bytes`.
    pub unmapped_end_bytes: Bytes,
    /// Growth of the unmapped part; none where it did not grow for sure.
    pub growth_bytes_per_hour: Option<Estimate<BytesPerHour>>,
    /// The same for each completed request.
    pub growth_bytes_per_request: Option<Estimate<BytesPerRequest>>,
    /// What appeared meanwhile that may be the service's or another program's.
    pub unascribed_growth_bytes: Bytes,
}

/// What `trace` tells of it; none where nothing was held.
pub(super) fn held_memory(trace: &Trace) -> Option<HeldMemory> {
    let samples = fitted_samples(trace);
    let held = samples.iter().rev().find_map(|sample| sample.held)?;
    let (first, last) = (samples.first()?, samples.last()?);
    let unascribed = |sample: &Sample| sample.held.map_or(Bytes::ZERO, |held| held.unascribed_bytes);
    let growth = growth(samples);
    let per_hour = growth.map(|advice| advice.per_hour);
    let seconds = last.t_s.as_secs_f64() - first.t_s.as_secs_f64();
    let requests = last.completed().saturating_sub(first.completed()) as f64;
    let per_request = per_hour.filter(|_| requests > 0.0).map(|per_hour| {
        per_hour.map(|bytes| BytesPerRequest::new(BytesPerHour::new(bytes).get_per_second() * seconds / requests))
    });
    Some(HeldMemory {
        held,
        unmapped_start_bytes: first.memory.unmapped_bytes,
        unmapped_end_bytes: last.memory.unmapped_bytes,
        growth_bytes_per_hour: per_hour.map(|per_hour| per_hour.map(BytesPerHour::new)),
        growth_bytes_per_request: per_request,
        unascribed_growth_bytes: unascribed(last).saturating_sub(unascribed(first)),
    })
}

/// Growth of what nobody has mapped, where it grew.
fn growth(samples: &[Sample]) -> Option<Advice> {
    let layer: Vec<f64> = samples.iter().map(|sample| sample.memory.unmapped_bytes.as_f64()).collect();
    let rose = layer.last()? - layer.first()?;
    if rose < LEAST_TOLD.as_f64() {
        return None;
    }
    let moments: Vec<f64> = samples.iter().map(|sample| sample.t_s.as_secs_f64()).collect();
    let before = samples.first()?.completed();
    let requests: Vec<f64> = samples.iter().map(|sample| sample.completed().saturating_sub(before) as f64).collect();
    advice(&moments, &layer, &requests, LEAST_TOLD.as_f64()).ok().filter(|advice| advice.trend == Trend::Grows)
}

impl HeldMemory {
    /// What a person should know of it; none where it is next to nothing.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        if self.unmapped_end_bytes < LEAST_TOLD {
            return None;
        }
        let level =
            format!("{} of memory that no process has mapped ({}), counted", self.unmapped_end_bytes, self.kinds());
        let until = "it is charged to the service's container until the last holder lets go";
        Some(match (&self.growth_bytes_per_request, &self.growth_bytes_per_hour) {
            (Some(per_request), _) => {
                format!("{level}: of the growth {} per request is in it; {until}", per_request.compact())
            }
            (None, Some(per_hour)) => {
                format!("{level}: of the growth {} per hour is in it; {until}", per_hour.compact())
            }
            (None, None) => level,
        })
    }

    /// `memfd 48.8 MiB, tmpfs 2.0 MiB`; what the cgroup counts and no object explains are closed files and what is on
    /// its way.
    fn kinds(&self) -> String {
        let Held { memfd_bytes, tmpfs_bytes, sysv_bytes, hugetlb_bytes, source, .. } = self.held;
        let kinds =
            [("memfd", memfd_bytes), ("tmpfs", tmpfs_bytes), ("System V", sysv_bytes), ("hugetlb", hugetlb_bytes)];
        let mut described: Vec<String> = kinds
            .iter()
            .filter(|(_, bytes)| *bytes > Bytes::ZERO)
            .map(|(name, bytes)| format!("{name} {bytes}"))
            .collect();
        let known = memfd_bytes + tmpfs_bytes + sysv_bytes + hugetlb_bytes;
        let other = self.unmapped_end_bytes.saturating_sub(known);
        if source == HeldSource::Cgroup && other >= LEAST_TOLD {
            described.push(format!("{other} in files on tmpfs that nobody has open"));
        }
        described.join(", ")
    }

    /// Why memory that may be the service's does not let `calm`, what is said of all other memory, clear it; none where
    /// it does.
    pub(super) fn doubt(&self, calm: &Judgement) -> Option<Said> {
        let growth = calm.growth.as_ref()?;
        let worth = growth.worth_finding.get_per_second() * growth.seconds;
        let grown = self.unascribed_growth_bytes;
        if grown < LEAST_TOLD || grown.as_f64() < worth {
            return None;
        }
        let reason = format!(
            "{grown} appeared on tmpfs or in System V segments meanwhile, made under the service's user and not seen in its \
             hands: it may be the service's, or another program's of that user; to decide, let the service write below {{{{dir}}}} \
             or as a user of its own, or run steep where it may make a cgroup; all else is calm ({})",
            calm.reason
        );
        let advice = "let the service write below {{dir}} (service.args, service.env), then steep run FILE";
        Some(Said { reason, advice: Some(advice) })
    }
}

#[cfg(test)]
mod tests {
    use steep_judge::verdict::Verdict;

    use super::*;
    use crate::outcome::Outcome;
    use crate::scenario::decode::decode;
    use crate::sim::{SimService, soak};

    /// A calm service, whose samples `change` makes something else of; it is given the share of the soak that is over.
    fn outcome(service: &SimService, change: impl Fn(&mut Sample, f64)) -> Outcome {
        let scenario = decode(
            "name = \"a\"\n[service]\ncommand = [\"a\"]\nurl = \"http://127.0.0.1:1\"\n[[phases]]\nname = \"s\"\nrole = \"steady\"\n\
             shape = \"constant\"\nrate = 100\nduration = \"10m\"\n[[requests]]\nname = \"get\"\npath = \"/\"\n",
        )
        .scenario
        .expect("a scenario");
        let mut trace = soak(&scenario, service, &[]).expect("a trace");
        for sample in &mut trace.samples {
            let share = sample.t_s.as_secs_f64() / 600.0;
            change(sample, share);
        }
        Outcome::of(&trace)
    }

    /// 8 KiB for each request.
    fn spool(sample: &mut Sample, _: f64) {
        sample.memory.unmapped_bytes = Bytes::kib(8 * sample.completed());
        sample.held = Some(Held { memfd_bytes: sample.memory.unmapped_bytes, ..Held::default() });
    }

    #[test]
    fn growth_of_what_no_process_has_mapped_is_a_leak_and_told_as_that() {
        let outcome = outcome(&SimService::default(), spool);
        assert_eq!(outcome.verdict(), Verdict::Leak, "{:?}", outcome.judgement);
        let note = outcome.held.as_ref().and_then(HeldMemory::note).expect("a note");
        assert!(note.contains("(memfd ") && note.contains("KiB per request is in it"), "{note}");
        let in_it = outcome.held.as_ref().and_then(|held| held.growth_bytes_per_request).expect("growth");
        assert!((in_it.value.get() - 8192.0).abs() < 164.0, "{in_it:?}");
        let per_request = outcome.growth().and_then(|growth| growth.per_request).expect("requests");
        assert!((per_request.value.get() - 8192.0).abs() < 100.0, "{per_request:?}");
    }

    #[test]
    fn it_is_not_a_retention_where_live_bytes_decide() {
        let outcome = outcome(&SimService { probe: true, ..SimService::default() }, spool);
        assert_eq!(outcome.verdict(), Verdict::Leak, "{:?}", outcome.judgement);
    }

    #[test]
    fn what_may_be_anothers_accuses_nobody_and_clears_nobody() {
        let of_others = |bytes: Bytes| {
            outcome(&SimService::default(), move |sample, share| {
                let unascribed_bytes = Bytes::new((bytes.as_f64() * share) as u64);
                sample.held = Some(Held { unascribed_bytes, ..Held::default() });
            })
        };
        let grown = of_others(Bytes::mib(64));
        assert_eq!(grown.verdict(), Verdict::Inconclusive, "{:?}", grown.judgement);
        assert!(grown.judgement.reason.contains("may be the service's"), "{}", grown.judgement.reason);
        assert_eq!(grown.judgement.rule.name, "memory_of_unknown_owner");
        let little = of_others(Bytes::kib(512));
        assert!(little.verdict().is_clear(), "{:?}", little.judgement);
    }

    #[test]
    fn a_level_that_stays_is_reported_and_is_no_growth() {
        let outcome = outcome(&SimService::default(), |sample, _| {
            sample.memory.unmapped_bytes = Bytes::mib(12);
            sample.held = Some(Held { source: HeldSource::Cgroup, ..Held::default() });
        });
        assert!(outcome.verdict().is_clear(), "{:?}", outcome.judgement);
        let note = outcome.held.as_ref().and_then(HeldMemory::note).expect("a note");
        let expected =
            "12.0 MiB of memory that no process has mapped (12.0 MiB in files on tmpfs that nobody has open), counted";
        assert_eq!(note, expected);
    }
}
