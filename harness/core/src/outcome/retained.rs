//! Who holds what the program has freed, what would give it back, and what came of trying it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Outcome;
use super::layers::{Layers, Part};
use super::stretches::fitted_samples;
use crate::scenario::KnownAllocator;
use crate::trace::{Header, Places, Trace};
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Estimate};
use steep_judge::verdict::{Judgement, Verdict};

/// glibc raises these two by itself once a large block was freed, and no more once they are set (mallopt(3)). This is
/// what both begin with.
const THRESHOLDS: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];

/// How many arenas glibc may have.
const ARENA_MAX: (&str, &str) = ("MALLOC_ARENA_MAX", "2");

/// Gives back at once what is free, as jemalloc reads it: by itself, and behind the prefix of the crate.
const NO_DECAY: [(&str, &str); 2] =
    [("MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0"), ("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")];

/// The same for mimalloc.
const NO_PURGE_DELAY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "0");

/// Memory that the allocator holds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Retained {
    /// Who holds most of it.
    pub by: RetainedBy,
    /// What was free at the end; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_free_bytes: Option<Bytes>,
    /// Resident in the heap of the main thread.
    pub main_heap_bytes: Bytes,
    /// Resident in the arenas of other threads.
    pub arenas_bytes: Bytes,
    /// How many heaps of 64 MiB these have.
    pub arenas: u64,
    /// Resident in the largest mapping of them.
    pub largest_arena_bytes: Bytes,
    /// Variables of the environment that are likely to give it back; empty where none is known.
    pub remedy: BTreeMap<String, String>,
}

/// Who holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetainedBy {
    /// glibc, in the arenas of its threads.
    Arenas,
    /// glibc, in the heap of the main thread.
    MainHeap,
    /// jemalloc, until it decays.
    Jemalloc,
    /// mimalloc, until it is purged.
    Mimalloc,
    /// Another allocator.
    Other,
}

/// What came of soaking the cell once more with what is likely to give the memory back.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Confirmed {
    /// Variables that were set.
    pub env: BTreeMap<String, String>,
    /// What was said of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Anonymous memory in the second half, without and with them; none in a soak that cannot be compared.
    pub settled_anon_bytes: Option<[Bytes; 2]>,
    /// Growth of resident memory with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_bytes_per_request: Option<Estimate<BytesPerRequest>>,
    /// The same over time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_bytes_per_hour: Option<Estimate<BytesPerHour>>,
}

/// Who holds it in `trace`, of which `judgement` was made; none where nothing is retained, or nobody looked.
pub(super) fn retained(trace: &Trace, layers: Option<&Layers>, judgement: &Judgement) -> Option<Retained> {
    let grows = |part| layers.and_then(|layers| layers.layer(part)).is_some_and(|layer| layer.grows);
    let is_free = grows(Part::HeldFree) || grows(Part::FreeOrOwnMappings);
    let is_retention = match judgement.verdict {
        Verdict::Retention => true,
        Verdict::Leak | Verdict::Step | Verdict::Inconclusive => is_free && !grows(Part::InUse),
        _ => false,
    };
    let places = fitted_samples(trace).iter().rev().find_map(|sample| sample.heap.as_ref()?.places);
    let places = places.filter(|_| is_retention)?;
    let by = holder(&trace.header, &places);
    Some(Retained {
        by,
        held_free_bytes: layers.and_then(|layers| layers.layer(Part::HeldFree)).map(|layer| layer.end_bytes),
        main_heap_bytes: places.main_heap_bytes,
        arenas_bytes: places.arenas_bytes,
        arenas: places.arenas,
        largest_arena_bytes: places.largest_arena_bytes,
        remedy: remedy(by, &trace.header.provenance.allocator_env),
    })
}

fn holder(header: &Header, places: &Places) -> RetainedBy {
    let preloaded = header.provenance.allocator_env.get("LD_PRELOAD");
    let known = header.axes.values().chain(preloaded).find_map(|name| KnownAllocator::of(name));
    match known.map(|known| known.name) {
        Some("jemalloc") => RetainedBy::Jemalloc,
        Some("mimalloc") => RetainedBy::Mimalloc,
        _ if places.is_other_allocator || places.of_glibc() < places.other_bytes => RetainedBy::Other,
        _ if places.arenas_bytes > places.main_heap_bytes => RetainedBy::Arenas,
        _ => RetainedBy::MainHeap,
    }
}

/// What is not set yet of what is likely to help.
fn remedy(by: RetainedBy, set: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_open = |(name, _): &(&str, &str)| !set.contains_key(*name);
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    match by {
        RetainedBy::Arenas if is_open(&ARENA_MAX) => [owned(ARENA_MAX)].into(),
        RetainedBy::Arenas | RetainedBy::MainHeap => THRESHOLDS.into_iter().filter(is_open).map(owned).collect(),
        // A later word wins over an earlier one of the same setting.
        RetainedBy::Jemalloc => {
            let added = |(name, value): (&str, &str)| {
                let value = set.get(name).map_or_else(|| value.to_owned(), |before| format!("{before},{value}"));
                (name.to_owned(), value)
            };
            NO_DECAY.into_iter().map(added).collect()
        }
        RetainedBy::Mimalloc => [NO_PURGE_DELAY].into_iter().filter(is_open).map(owned).collect(),
        RetainedBy::Other => BTreeMap::new(),
    }
}

impl Retained {
    /// Who holds how much, and what would give it back.
    #[must_use]
    pub fn note(&self) -> String {
        let Self { main_heap_bytes, arenas_bytes, arenas, largest_arena_bytes, .. } = self;
        let free = self.held_free_bytes.map(|free| format!(", of all of it {free} free")).unwrap_or_default();
        let holds = match self.by {
            RetainedBy::Arenas => format!(
                "glibc holds it: {arenas_bytes} in {arenas} heaps of 64 MiB that it made for its threads (arenas), up to \
                 {largest_arena_bytes} in one piece, and {main_heap_bytes} in the heap of the main thread{free}"
            ),
            RetainedBy::MainHeap => format!(
                "glibc holds it: {main_heap_bytes} in the heap of the main thread, whose top alone it gives back, and \
                 {arenas_bytes} in arenas{free}"
            ),
            RetainedBy::Jemalloc => "jemalloc holds it, until it decays (10 s by default)".to_owned(),
            RetainedBy::Mimalloc => "mimalloc holds it, until it is purged".to_owned(),
            RetainedBy::Other => "another allocator than glibc's holds it".to_owned(),
        };
        let why = match self.by {
            RetainedBy::Arenas => "fewer arenas are shared by more threads, and less is left in each",
            RetainedBy::MainHeap => "large blocks are mappings of their own then, and given back when they are freed",
            RetainedBy::Jemalloc | RetainedBy::Mimalloc => "what is free is given back at once, for some CPU time",
            RetainedBy::Other => "",
        };
        let env = shown(&self.remedy);
        let cure = if self.remedy.is_empty() {
            "another allocator may give it back (docs/allocators.md)".to_owned()
        } else {
            format!(
                "{env} in service.env may give it back ({why}), or another allocator (docs/allocators.md); judge.confirm = \
                 \"retention\" tries the first"
            )
        };
        format!("{holds}; {cure}")
    }
}

fn shown(env: &BTreeMap<String, String>) -> String {
    env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

impl Outcome {
    /// With what came of the soak `with` the variables `env`, which are likely to give back what is retained.
    #[must_use]
    pub fn with_confirmation(mut self, with: &Self, env: &BTreeMap<String, String>) -> Self {
        self.confirmed = Some(Box::new(Confirmed::of(&self, with, env)));
        self
    }
}

impl Confirmed {
    /// What `with` the variables `env` differs from `without`.
    fn of(without: &Outcome, with: &Outcome, env: &BTreeMap<String, String>) -> Self {
        let settled = |outcome: &Outcome| outcome.figures.as_ref().map(|figures| figures.settled_anon_bytes);
        let growth = with.judgement.anonymous.as_ref().or(with.judgement.growth.as_ref());
        let is_comparable = !matches!(with.verdict(), Verdict::Invalid | Verdict::Crashed);
        Self {
            env: env.clone(),
            verdict: with.verdict(),
            reason: with.judgement.reason.clone(),
            settled_anon_bytes: settled(without).zip(settled(with)).filter(|_| is_comparable).map(<[Bytes; 2]>::from),
            growth_bytes_per_request: growth.and_then(|growth| growth.per_request),
            growth_bytes_per_hour: growth.map(|growth| growth.per_hour),
        }
    }

    /// `with MALLOC_ARENA_MAX=2 it held 61.0 MiB in the second half instead of 214 MiB, and did not grow (stable)`
    #[must_use]
    pub fn note(&self) -> String {
        let env = shown(&self.env);
        let Some([without, with]) = self.settled_anon_bytes else {
            return format!("soaked once more with {env}, which does not count: {} ({})", self.verdict, self.reason);
        };
        let growth = match (&self.growth_bytes_per_request, &self.growth_bytes_per_hour) {
            (Some(per_request), _) => format!("{} per request", per_request.compact()),
            (None, Some(per_hour)) => format!("{} per hour", per_hour.compact()),
            (None, None) => "an unknown amount".to_owned(),
        };
        let grew = match self.verdict {
            Verdict::Stable | Verdict::Plateau => format!("did not grow ({})", self.verdict),
            Verdict::Inconclusive => "whether it grew was not decided".to_owned(),
            verdict => format!("grew by {growth} ({verdict})"),
        };
        format!("soaked once more with {env} it held {with} in the second half instead of {without}, and {grew}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::LiveFrom;
    use crate::sim::{SimService, soak};
    use crate::testing::{decoded, sound};
    use crate::trace::{Heap, Memory};

    /// Live bytes are flat, and arenas and heap grow by these many bytes a second.
    fn trace(of_arenas: f64, of_heap: f64) -> Trace {
        let service = SimService { probe: true, ..SimService::default() };
        let mut trace = soak(&decoded(&sound("20m", "")), &service, &[]).expect("a trace");
        trace.header.live_from = Some(LiveFrom::Preload);
        for sample in &mut trace.samples {
            let grown = |rate: f64| Bytes::new((rate * sample.t_s.as_secs_f64()) as u64);
            let (arenas_bytes, main_heap_bytes) = (Bytes::mib(14) + grown(of_arenas), Bytes::mib(8) + grown(of_heap));
            sample.memory = Memory { anon_bytes: arenas_bytes + main_heap_bytes, ..sample.memory };
            let own_mappings_bytes = Some(Bytes::ZERO);
            let places = Places {
                arenas_bytes,
                main_heap_bytes,
                arenas: 9,
                largest_arena_bytes: Bytes::mib(5),
                own_mappings_bytes,
                ..Places::default()
            };
            sample.heap = Some(Box::new(Heap { places: Some(places), ..Heap::default() }));
        }
        trace
    }

    #[test]
    fn arenas_are_told_from_the_heap_of_the_main_thread_each_with_its_cure() {
        let of_arenas = Outcome::of(&trace(90_000.0, 0.0));
        assert_eq!(of_arenas.verdict(), Verdict::Retention, "{:?}", of_arenas.judgement);
        let retained = of_arenas.retained.expect("who holds it");
        assert_eq!((retained.by, retained.arenas), (RetainedBy::Arenas, 9));
        assert_eq!(shown(&retained.remedy), "MALLOC_ARENA_MAX=2");
        assert!(retained.note().contains("in 9 heaps of 64 MiB"), "{}", retained.note());

        let of_heap = Outcome::of(&trace(0.0, 90_000.0)).retained.expect("who holds it");
        assert_eq!(of_heap.by, RetainedBy::MainHeap);
        assert_eq!(shown(&of_heap.remedy), "MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072");
        assert_eq!(Outcome::of(&trace(0.0, 0.0)).retained, None, "nothing is retained");
    }

    #[test]
    fn what_is_set_already_is_not_advised_again() {
        let set = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let after_arenas = remedy(RetainedBy::Arenas, &set("MALLOC_ARENA_MAX", "4"));
        assert!(after_arenas.contains_key("MALLOC_TRIM_THRESHOLD_"), "{after_arenas:?}");
        let of_jemalloc = remedy(RetainedBy::Jemalloc, &set("MALLOC_CONF", "narenas:2"));
        assert_eq!(of_jemalloc["MALLOC_CONF"], "narenas:2,dirty_decay_ms:0,muzzy_decay_ms:0");
        assert!(remedy(RetainedBy::Other, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn the_allocator_is_known_by_its_name_or_by_where_its_memory_lies() {
        let mut trace = trace(0.0, 0.0);
        let glibc = Places { main_heap_bytes: Bytes::mib(9), ..Places::default() };
        assert_eq!(holder(&trace.header, &glibc), RetainedBy::MainHeap);
        let mapped = Places { other_bytes: Bytes::mib(10), ..glibc };
        assert_eq!(holder(&trace.header, &mapped), RetainedBy::Other);
        trace.header.axes.insert("allocator".to_owned(), "jemalloc-5.3".to_owned());
        assert_eq!(holder(&trace.header, &mapped), RetainedBy::Jemalloc);
    }

    #[test]
    fn a_second_soak_says_what_it_changed() {
        let without = Outcome::of(&trace(90_000.0, 0.0));
        let env = BTreeMap::from([("MALLOC_ARENA_MAX".to_owned(), "2".to_owned())]);
        let confirmed = without.clone().with_confirmation(&Outcome::of(&trace(0.0, 0.0)), &env).confirmed;
        let note = confirmed.expect("a second soak").note();
        assert!(note.starts_with("soaked once more with MALLOC_ARENA_MAX=2 it held 22.0 MiB"), "{note}");
        assert!(note.ends_with("and did not grow (stable)"), "{note}");
        let still = Confirmed::of(&without, &without, &env).note();
        assert!(still.contains(", and grew by ") && still.ends_with("(retention)"), "{still}");
    }
}
