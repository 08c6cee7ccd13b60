//! Resident memory in its layers: what the program uses, what its allocator holds free, and what lies beside both; each
//! with its level and its growth.

use schemars::JsonSchema;
use serde::Serialize;

use super::stretches::fitted_samples;
use crate::trace::{Places, Sample, Trace};
use steep_judge::stats::line::Line;
use steep_judge::stats::student::quantile;
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Estimate, SECONDS_PER_HOUR};

/// Looks that a slope with an interval needs.
const LEAST_LOOKS: usize = 4;

/// With fewer in the second half of a soak all are taken.
const FEW_LOOKS: usize = 8;

/// Growth over the looks below which a layer does not count as growing: 32 pages, as pools and tables take.
const LEAST_GROWTH: Bytes = Bytes::kib(128);

/// An autocorrelation above this is that of a line that is none: its interval would say nothing.
const MOST_CORRELATED: f64 = 0.95;

/// What a part of resident memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Live bytes, as far as they are resident.
    InUse,
    /// Freed by the program, and held by its allocator.
    HeldFree,
    /// Mapped by the program itself.
    OwnMappings,
    /// The last two, where another allocator than glibc's maps its memory as a program does, or a probe counts.
    FreeOrOwnMappings,
    /// In glibc's heap and arenas, in use or free: nobody counts live bytes.
    HeapAndArenas,
    /// Outside of them: large blocks, what the program maps for itself, other allocators.
    OutsideOfHeap,
    /// Stacks of threads.
    Stacks,
    /// Variables of the program and its libraries.
    Variables,
    /// Pages of files.
    Files,
    /// Pages of the file that a preloaded library of steep's counts in.
    Counting,
    /// Shared memory, mapped or not.
    Shared,
    /// Swapped out, wherever it belongs.
    SwappedOut,
}

impl Part {
    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InUse => "in use by the program",
            Self::HeldFree => "held free by the allocator",
            Self::OwnMappings => "mapped by the program itself",
            Self::FreeOrOwnMappings => "held free by the allocator, or mapped by the program itself",
            Self::HeapAndArenas => "heap and arenas of glibc, in use or held free",
            Self::OutsideOfHeap => "outside of them: large blocks, own mappings, other allocators",
            Self::Stacks => "stacks of threads",
            Self::Variables => "variables of the program and its libraries",
            Self::Files => "pages of files",
            Self::Counting => "counts of steep's own library",
            Self::Shared => "shared memory",
            Self::SwappedOut => "swapped out",
        }
    }
}

/// Resident memory in its layers.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Layers {
    /// What they add up to with the rest: resident memory at the last look, and what is swapped out.
    pub resident_bytes: Bytes,
    /// What of it is in no layer; below zero where the layers have more. They are read one after the other.
    pub rest_bytes: i64,
    /// Whether live bytes tell what is in use from what the allocator holds free.
    pub live_is_known: bool,
    /// How many looks the growth rests on.
    pub looks: usize,
    /// The layers.
    pub layers: Vec<Layer>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Layer {
    /// Which.
    #[serde(rename = "layer")]
    pub part: Part,
    /// At the last look.
    pub end_bytes: Bytes,
    /// Growth over the second half of what is fitted, or all of it in a short soak, with a 95 % interval.
    pub growth_bytes_per_hour: Estimate<BytesPerHour>,
    /// The same for each completed request; none where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_bytes_per_request: Option<Estimate<BytesPerRequest>>,
    /// Whether it grew for sure, and by more than next to nothing.
    pub grows: bool,
}

/// The layers of `trace`, which has its live bytes whether they decide or not; none where nobody looked, or not often
/// enough.
pub(super) fn layers(trace: &Trace) -> Option<Layers> {
    let looks = looks(trace);
    let (_, last) = *looks.last()?;
    // Where live bytes are missing once, they are nowhere a layer of their own.
    let live_is_known = looks.iter().all(|(_, sample)| sample.live.is_some());
    // A probe says nothing of what the program maps.
    let is_other = looks.iter().any(|(places, _)| places.is_other_allocator || places.own_mappings_bytes.is_none());
    let rows: Vec<Vec<(Part, f64)>> =
        looks.iter().map(|(places, sample)| parts(places, sample, live_is_known, is_other)).collect();
    if rows.len() < LEAST_LOOKS {
        return None;
    }
    let seconds: Vec<f64> = looks.iter().map(|(_, sample)| sample.t_s.as_secs_f64()).collect();
    let requests: Vec<f64> = looks.iter().map(|(_, sample)| sample.completed() as f64).collect();
    let layers: Vec<Layer> = (0..rows[0].len())
        .filter_map(|column| {
            let values: Vec<f64> = rows.iter().map(|row| row[column].1).collect();
            let per_second = slope(&seconds, &values)?;
            let span = seconds[seconds.len() - 1] - seconds[0];
            let end_bytes = Bytes::new(values[values.len() - 1] as u64);
            Some(Layer {
                part: rows[0][column].0,
                end_bytes,
                growth_bytes_per_hour: per_second.map(|rate| BytesPerHour::new(rate * SECONDS_PER_HOUR)),
                growth_bytes_per_request: slope(&requests, &values).map(|rate| rate.map(BytesPerRequest::new)),
                grows: per_second.low > 0.0 && per_second.value * span >= LEAST_GROWTH.as_f64(),
            })
        })
        // What is nowhere to be found is left out.
        .filter(|layer| layer.end_bytes > Bytes::ZERO || layer.grows)
        .collect();
    let resident_bytes = last.memory.resident();
    let sum: Bytes = layers.iter().map(|layer| layer.end_bytes).sum();
    let rest_bytes = resident_bytes.get().cast_signed().saturating_sub(sum.get().cast_signed());
    Some(Layers { resident_bytes, rest_bytes, live_is_known, looks: rows.len(), layers })
}

/// Looks of the second half of what is fitted: by then pools, caches and arenas are filled, or never will be. All of
/// them where these are few.
fn looks(trace: &Trace) -> Vec<(&Places, &Sample)> {
    let samples = fitted_samples(trace);
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let middle = f64::midpoint(first.t_s.as_secs_f64(), last.t_s.as_secs_f64());
    let looks = samples.iter().filter_map(|sample| Some((sample.heap.as_ref()?.places.as_ref()?, sample)));
    let all: Vec<(&Places, &Sample)> = looks.collect();
    let later = all.partition_point(|(_, sample)| sample.t_s.as_secs_f64() < middle);
    if all.len() - later < FEW_LOOKS { all } else { all[later..].to_vec() }
}

fn parts(places: &Places, sample: &Sample, live_is_known: bool, is_other: bool) -> Vec<(Part, f64)> {
    let memory = &sample.memory;
    let (of_glibc, other) = (places.of_glibc().as_f64(), places.other_bytes.as_f64());
    let live = sample.live.map_or(0.0, |live| live.live_bytes.as_f64());
    let own = places.own_mappings_bytes.map_or(0.0, Bytes::as_f64);
    let heap = if live_is_known { split(of_glibc, other, live, own, is_other) } else { unsplit(of_glibc, other) };
    let beside = [
        (Part::Stacks, places.stacks_bytes),
        (Part::Variables, places.variables_bytes),
        (Part::Files, memory.file_bytes.saturating_sub(places.counting_bytes)),
        (Part::Counting, places.counting_bytes),
        (Part::Shared, memory.shared()),
        (Part::SwappedOut, memory.swap_bytes),
    ];
    heap.into_iter().chain(beside.map(|(part, bytes)| (part, bytes.as_f64()))).collect()
}

fn unsplit(of_glibc: f64, other: f64) -> Vec<(Part, f64)> {
    vec![(Part::HeapAndArenas, of_glibc), (Part::OutsideOfHeap, other)]
}

/// What lies in glibc's heap and arenas and outside of them, by use. Of live bytes that were never written nothing is
/// resident. A large block of glibc is a mapping of its own and gone when it is freed, so that what lies outside is
/// alive or was mapped by the program, of which no more can be resident than it mapped.
fn split(of_glibc: f64, other: f64, live: f64, own: f64, is_other: bool) -> Vec<(Part, f64)> {
    let in_use = live.min(of_glibc + other);
    let left = of_glibc + other - in_use;
    if is_other {
        return vec![(Part::InUse, in_use), (Part::FreeOrOwnMappings, left)];
    }
    let mapped = own.min(other).min(left);
    vec![(Part::InUse, in_use), (Part::HeldFree, left - mapped), (Part::OwnMappings, mapped)]
}

/// The slope of a line through the points by least squares, so that the slopes of the layers add up to that of their
/// sum. Neighbours are alike: the interval is wider by their correlation. None where all points are at one place.
fn slope(at: &[f64], values: &[f64]) -> Option<Estimate<f64>> {
    let line = Line::through(at, values)?;
    let sum: f64 = line.rests.iter().map(|one| one * one).sum();
    let along: f64 = line.rests.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let alike = if sum > 0.0 { (along / sum).clamp(0.0, MOST_CORRELATED) } else { 0.0 };
    let wider = (1.0 + alike) / (1.0 - alike);
    let freedom = (at.len() as f64 / wider - 2.0).max(1.0);
    let half = line.error() * wider.sqrt() * quantile(0.975, freedom);
    Some(Estimate { value: line.slope, low: line.slope - half, high: line.slope + half })
}

impl Layers {
    /// The layer `part`; none where there is none of it.
    #[must_use]
    pub fn layer(&self, part: Part) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.part == part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::scenario::LiveFrom;
    use crate::sim::{SimService, soak};
    use crate::testing::{decoded, sound};
    use crate::trace::{Heap, Memory};

    /// Twelve minutes of a service whose memory `look` makes of the second; one look each ten seconds.
    fn trace(is_counted: bool, look: impl Fn(f64, &mut Sample) -> Places) -> Trace {
        let service = SimService { probe: is_counted, ..SimService::default() };
        let mut trace = soak(&decoded(&sound("12m", "")), &service, &[]).expect("a trace");
        trace.header.live_from = is_counted.then_some(LiveFrom::Preload);
        for (index, sample) in trace.samples.iter_mut().enumerate() {
            let places = look(sample.t_s.as_secs_f64(), sample);
            if index % 10 == 0 {
                sample.heap = Some(Box::new(Heap { places: Some(places), ..Heap::default() }));
            }
        }
        trace
    }

    /// Arenas that hold ever more free memory, beside 20 MiB in use and a mapping of the program.
    fn retaining(seconds: f64, sample: &mut Sample) -> Places {
        let arenas_bytes = Bytes::mib(20) + Bytes::new((40_000.0 * seconds) as u64);
        let stacks_bytes = Bytes::mib(1);
        let other_bytes = Bytes::mib(3);
        let anon_bytes = arenas_bytes + stacks_bytes + other_bytes;
        sample.memory = Memory { anon_bytes, file_bytes: Bytes::mib(6), shmem_bytes: Bytes::mib(2), ..sample.memory };
        let own_mappings_bytes = sample.live.map(|_| Bytes::mib(100));
        Places { arenas_bytes, stacks_bytes, other_bytes, arenas: 3, own_mappings_bytes, ..Places::default() }
    }

    #[test]
    fn the_layers_and_their_slopes_add_up_to_resident_memory() {
        let trace = trace(true, retaining);
        let layers = layers(&trace).expect("layers");
        let sum: Bytes = layers.layers.iter().map(|layer| layer.end_bytes).sum();
        assert!(layers.rest_bytes.unsigned_abs() * 20 < layers.resident_bytes.get(), "{layers:?}");
        assert_eq!(layers.resident_bytes.get().cast_signed() - layers.rest_bytes, sum.get().cast_signed());
        let slopes: f64 = layers.layers.iter().map(|layer| layer.growth_bytes_per_hour.value.get()).sum();
        assert!((slopes / (40_000.0 * 3600.0) - 1.0).abs() < 0.001, "{slopes}");
        let free = layers.layer(Part::HeldFree).expect("free memory");
        assert!(free.grows && free.growth_bytes_per_hour.low.get() > 0.9 * slopes, "{free:?}");
        assert!(!layers.layer(Part::InUse).expect("live bytes").grows);
        // It mapped 100 MiB, of which no more than lies outside can be resident.
        assert_eq!(layers.layer(Part::OwnMappings).map(|own| own.end_bytes), Some(Bytes::mib(3)));
        assert_eq!(Outcome::of(&trace).layers.as_deref(), Some(&layers));
    }

    #[test]
    fn without_live_bytes_use_and_free_are_one_layer() {
        let layers = layers(&trace(false, retaining)).expect("layers");
        assert!(!layers.live_is_known && layers.layer(Part::InUse).is_none(), "{layers:?}");
        assert!(layers.layer(Part::HeapAndArenas).is_some_and(|heap| heap.grows), "{layers:?}");
        assert!(layers.rest_bytes.unsigned_abs() * 20 < layers.resident_bytes.get(), "{layers:?}");
    }

    #[test]
    fn what_another_allocator_maps_is_not_told_from_what_the_program_does() {
        let look = |seconds: f64, sample: &mut Sample| {
            let places = retaining(seconds, sample);
            let other_bytes = places.arenas_bytes + places.other_bytes;
            Places { arenas_bytes: Bytes::ZERO, other_bytes, is_other_allocator: true, ..places }
        };
        let layers = layers(&trace(true, look)).expect("layers");
        assert!(layers.layer(Part::FreeOrOwnMappings).is_some_and(|left| left.grows), "{layers:?}");
        assert!(layers.layer(Part::HeldFree).is_none() && layers.layer(Part::OwnMappings).is_none());
    }

    #[test]
    fn nothing_grows_in_a_calm_service_and_older_traces_have_no_layers() {
        let calm = trace(true, |_, sample| retaining(0.0, sample));
        assert!(layers(&calm).expect("layers").layers.iter().all(|layer| !layer.grows));
        let mut older = calm;
        for sample in &mut older.samples {
            if let Some(heap) = &mut sample.heap {
                heap.places = None;
            }
        }
        assert_eq!(layers(&older), None);
    }

    #[test]
    fn live_bytes_that_were_never_written_are_not_resident() {
        let parts = split(1e6, 2e6, 9e9, 0.0, false);
        assert_eq!(parts, [(Part::InUse, 3e6), (Part::HeldFree, 0.0), (Part::OwnMappings, 0.0)]);
    }
}
