//! Processes of the service that ended while it lived on, those of one name and one cause together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::trace::{Trace, WorkerCause, WorkerEnd};
use steep_judge::units::{SinceStart, duration_text};

/// Groups that are reported; a service has a few names, but may give each worker one of its own.
const GROUPS_MAX: usize = 20;

/// Ends of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkerEnds {
    /// Name of the processes.
    pub name: String,
    /// What is known of why, in words.
    pub cause: String,
    /// Whether it is sure that they did not end as planned.
    pub is_failure: bool,
    /// How many.
    pub count: usize,
    /// How many of them were replaced by another of their name.
    pub replaced: usize,
    /// Number of the first.
    pub first_pid: u32,
    /// When the first ended.
    pub first_s: SinceStart,
    /// When the last ended.
    pub last_s: SinceStart,
}

/// Those of `trace`, failures first, then the most frequent.
pub(super) fn worker_ends(trace: &Trace) -> Vec<WorkerEnds> {
    let mut groups: BTreeMap<(&str, WorkerCause), Vec<&WorkerEnd>> = BTreeMap::new();
    for end in &trace.worker_ends {
        groups.entry((&end.name, end.cause)).or_default().push(end);
    }
    let group = |((name, cause), ends): ((&str, WorkerCause), Vec<&WorkerEnd>)| {
        let (first, last) = (ends.iter().min_by_key(|end| end.t_s)?, ends.iter().max_by_key(|end| end.t_s)?);
        Some(WorkerEnds {
            name: name.to_owned(),
            cause: cause.to_string(),
            is_failure: cause.is_failure(),
            count: ends.len(),
            replaced: ends.iter().filter(|end| end.replaced_by.is_some()).count(),
            first_pid: first.process.pid,
            first_s: first.t_s,
            last_s: last.t_s,
        })
    };
    let mut described: Vec<WorkerEnds> = groups.into_iter().filter_map(group).collect();
    described.sort_by_key(|ends| (!ends.is_failure, std::cmp::Reverse(ends.count)));
    described.truncate(GROUPS_MAX);
    described
}

impl WorkerEnds {
    /// One line.
    #[must_use]
    pub fn note(&self) -> String {
        let Self { name, cause, count, replaced, first_pid, .. } = self;
        let (first, last) = (duration_text(self.first_s.elapsed()), duration_text(self.last_s.elapsed()));
        if *count == 1 {
            let replaced = if *replaced > 0 { "; replaced" } else { "" };
            return format!("worker {first_pid} ({name}) ended after {first} – {cause}{replaced}");
        }
        format!(
            "{count} workers named {name} ended, the first after {first}, the last after {last} – {cause}; {replaced} replaced"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trace::ProcessId;

    fn ends(name: &str, cause: WorkerCause, seconds: &[u64]) -> Vec<WorkerEnd> {
        let end = |second: &u64| WorkerEnd {
            t_s: SinceStart::new(Duration::from_secs(*second)),
            process: ProcessId { pid: 70 + *second as u32, start_ticks: 1 },
            name: name.to_owned(),
            lived_s: 60,
            cause,
            replaced_by: second.is_multiple_of(2).then_some(ProcessId { pid: 1, start_ticks: 2 }),
        };
        seconds.iter().map(end).collect()
    }

    #[test]
    fn ends_are_reported_by_name_and_cause_failures_first() {
        let mut worker_ends = ends("web", WorkerCause::Unknown, &[10, 20, 31]);
        worker_ends.extend(ends("web", WorkerCause::OutOfMemory, &[130]));
        let scenario = crate::scenario::decode::decode(
            "name = \"a\"\n[service]\ncommand = [\"a\"]\nurl = \"http://127.0.0.1:1\"\n[[phases]]\nname = \"s\"\nrole = \"steady\"\n\
             shape = \"constant\"\nrate = 1\nduration = \"2m\"\n[[requests]]\nname = \"get\"\npath = \"/\"\n",
        )
        .scenario
        .expect("a scenario");
        let trace = crate::sim::soak(&scenario, &crate::sim::SimService::default(), &[]).expect("a trace");
        let notes: Vec<String> =
            super::worker_ends(&Trace { worker_ends, ..trace }).iter().map(WorkerEnds::note).collect();
        let expected = [
            "worker 200 (web) ended after 2m 10s – killed: out of memory; replaced",
            "3 workers named web ended, the first after 10s, the last after 31s – how is not known, its parent took the status; \
             2 replaced",
        ];
        assert_eq!(notes, expected);
    }
}
