//! From the trace of a cell to what is said of it: the verdict, growth with its interval, when it reaches the limit,
//! how the load was delivered.
//!
//! Pure.

mod advice;
mod by_request;
mod counters;
mod course;
mod cut_short;
mod delivery;
mod disturbances;
mod figures;
mod held;
mod layers;
mod materiality;
mod measure;
mod others;
mod outside;
mod phases;
mod process;
mod recorded;
mod rerun;
mod retained;
pub mod rules;
mod ruling;
mod shortage;
mod shortfall;
mod soak;
mod stacks;
mod status;
mod stretches;
mod time_to_limit;
mod timeline;
mod under_way;
mod workers;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use self::by_request::by_request;
pub use self::by_request::{ByRequest, Part as RequestPart};
use self::course::course;
use self::cut_short::cut_short;
use self::delivery::{completed, connections_note, failures, is_worth_repeating, short, standstill_note, totals};
use self::disturbances::disturbances;
pub use self::figures::{Figures, MemoryEnds, Start};
use self::figures::{figures, memory_ends};
pub use self::held::HeldMemory;
use self::held::held_memory;
use self::layers::layers;
pub use self::layers::{Layer as MemoryLayer, Layers, Part as MemoryPart};
pub use self::materiality::materiality;
pub use self::measure::Measure;
pub use self::others::OtherSeries;
pub use self::phases::{IdlePhase, PhaseJudgement};
use self::phases::{idle_phases, judged};
pub use self::recorded::Recorded;
pub use self::rerun::Rerun;
use self::retained::retained;
pub use self::retained::{Confirmed, Retained};
use self::rules::{exceeds_headroom, of_soak};
pub use self::shortage::{Evidence, Short, Shortage, Side, Waiting};
use self::soak::Soak;
use self::stretches::Stretch;
use self::time_to_limit::seconds_to_limit;
pub use self::timeline::Timeline;
use self::timeline::timeline;
pub use self::under_way::UnderWay;
pub use self::workers::WorkerEnds;
use self::workers::worker_ends;
use crate::kept;
use crate::scenario::{Code, LiveFrom, Metric};
use crate::threshold::{ThresholdOutcome, Watch};
use crate::trace::{
    Connections, Counts, DisturbanceKind, ExternalLoad, FlowCounts, LimitedBy, Own, Percentiles, Repeated, Sample,
    Trace,
};
use steep_judge::growth::{Growth, Layer, Materiality, Series, Unjudgeable, fit};
use steep_judge::ids::{CellId, FlagSet, History};
use steep_judge::isolation::{CellStacks, JudgedCell, PhasesSeen};
use steep_judge::units::{Bytes, BytesPerRequest, Estimate};
use steep_judge::verdict::{Judgement, Verdict};

/// What is said of a cell. Derived: it can be made again from the trace at any time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own, and none depends on another")]
pub struct Outcome {
    /// The cell.
    pub cell: CellId,
    /// The flags that were on.
    pub flags: FlagSet,
    /// Value of each axis.
    pub axes: BTreeMap<String, String>,
    /// The revisions that its own has grown out of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// A hash of what ran: equal in two cells that ran the same program, started the same way.
    #[serde(rename = "process_sha256", skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Which repetition.
    pub replicate: u32,
    /// Verdict, reason and growth.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// What each stretch of phases shows by itself, the fitted one among them; empty where that is all there was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseJudgement>,
    /// The phases that the verdict rests on, where those are not the fitted ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grows_in: Option<Vec<String>>,
    /// Why the soak did not last as planned; none: it did.
    pub cut_short: Option<String>,
    /// The highest resident memory, by the kernel's own mark.
    pub peak_bytes: Option<Bytes>,
    /// What production gives the service.
    pub memory_limit_bytes: Option<Bytes>,
    /// Whether the peak is above 90 % of the limit.
    pub headroom_exceeded: bool,
    /// When growth would reach the limit, counted from the end of the soak.
    pub seconds_to_limit: Option<Estimate<f64>>,
    /// Whether nothing was sent at all, because the scenario says so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_load: bool,
    /// Users of a closed load; none: the load was open.
    pub users: Option<u32>,
    /// Answered requests: of steep's own load, or as the service counted them; none where nobody did.
    pub completed: Option<u64>,
    /// What became of the requests of steep's own load, all names together.
    pub requests: Counts,
    /// Sessions by the name of their flow.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub flows: BTreeMap<String, FlowCounts>,
    /// Who was short, where load was not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortage: Option<Shortage>,
    /// Whether the cell is `invalid` for want of load alone, and may be otherwise if it is soaked once more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub worth_repeating: bool,
    /// That the cell was soaked before, and why that does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Repeated>,
    /// Latency from the due time by request name: all due requests, missed and dropped ones as unanswered.
    pub latency: BTreeMap<String, Percentiles>,
    /// Of the answered requests, from sending to the end of the answer.
    pub service_time: BTreeMap<String, Percentiles>,
    /// How late the driver sent.
    pub lateness: Percentiles,
    /// What it costs beside growth; none of a soak that completed nothing.
    pub figures: Option<Figures>,
    /// What failed, in words; none where nothing did.
    pub failures: Option<String>,
    /// What is to be said of the connections; none where they were those of the scenario.
    pub connections_note: Option<String>,
    /// How long the count of requests stood still, where another program makes the load and somebody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standstill_note: Option<String>,
    /// Connections of the driver.
    pub connections: Connections,
    /// The program that made the load; none: steep did.
    pub external: Option<ExternalLoad>,
    /// What came of the thresholds.
    pub thresholds: Vec<ThresholdOutcome>,
    /// Memory over phases that are not fitted.
    pub idle: Vec<IdlePhase>,
    /// What is recorded beside memory: open files, threads, latency. Advice, and no verdict.
    pub other_series: Vec<OtherSeries>,
    /// What happened beside the load, and what memory did after it; none where nothing is known of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Box<Timeline>>,
    /// What the service held by descriptors, names and numbers, mapped or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldMemory>,
    /// Resident memory in its layers; none where nobody looked often enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Box<Layers>>,
    /// Who holds what the program has freed; none where nothing is retained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retained: Option<Box<Retained>>,
    /// What came of trying to have it given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Box<Confirmed>>,
    /// What the same features keep with the system's allocator, where this cell leaks and has no stacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Box<Rerun>>,
    /// Processes of the service that ended while it lived on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub worker_ends: Vec<WorkerEnds>,
    /// Disturbances by kind.
    pub disturbances: Vec<(DisturbanceKind, usize)>,
    /// steep itself at the end of the soak.
    pub steep: Own,
    /// What steep's own memory grew by since the first minute, or since its first sample in a shorter soak; negative
    /// where it shrank.
    pub steep_growth_bytes: i64,
    /// What was said at the end beside the verdict: the last lines of a service that crashed, a log that could not be
    /// written.
    pub message: String,
    /// What this host did not let steep see.
    pub limits: Vec<String>,
    /// What is not a part of the memory that is judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_counted: Vec<String>,
    /// Whether some process could not be ended.
    pub something_left: bool,
    /// Whether the service is said to carry the probe.
    pub probe: bool,
    /// Who counted live bytes; none: nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_from: Option<LiveFrom>,
    /// Why nobody did, where the scenario leaves it to the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_not_counted: Option<String>,
    /// Why live bytes that a preloaded library counted did not decide; none: they did, or nobody counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_not_believed: Option<String>,
    /// Which requests keep what grows; none where it does not grow for sure, or live bytes do not decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_request: Option<ByRequest>,
    /// Who holds the service to its memory limit; none: nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_enforced_by: Option<LimitedBy>,
    /// Who held what at the end, by its stacks; only of a service that crashed or came close to its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_at_end: Option<Box<kept::Ending>>,
    /// The same when it came close to its limit: at 80 and 90 % of it, as far as it came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_at_limit: Vec<kept::Ending>,
    /// The places in the program that keep what grows, the largest first; empty where no stacks were sampled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept_by: Vec<kept::Cause>,
    /// What each chain of calls keeps, by which cells are compared; none where no stacks were sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stacks: Option<CellStacks>,
    /// Who sampled the stacks, where it was not the preloaded library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stacks_sampled_by: Option<kept::SampledBy>,
    /// The places that allocate most for each request, whether it is kept or not, the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hot_spots: Vec<kept::HotSpot>,
    /// The part of the service's CPU time that is spent in the allocator, by the times of sampled calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocator_cpu_share: Option<f64>,
    /// The places that have most alive at the end of what is old, the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub long_lived: Vec<kept::LongLived>,
    /// Samples of stacks for which there was no room: the shares of places are less sure.
    #[serde(skip_serializing_if = "is_zero")]
    pub lost_samples: u64,
    /// Flags that nothing showed to have taken effect.
    pub unverified_flags: Vec<String>,
    /// The allocator of which nothing showed that it is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unverified_allocator: Option<String>,
    /// The code after which weights of requests swung; none: they did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coded: Option<Code>,
    /// Whether any certificate of the service was taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub certificate_unchecked: bool,
    /// Judged memory over the whole soak: the median of each of up to 32 parts of equally many samples.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory_course_bytes: Vec<Bytes>,
    /// The flow of each request that is a step of one flow, and was sent in no other way.
    #[serde(skip)]
    pub flow_of_steps: BTreeMap<String, String>,
    /// Memory at the beginning and at the end, for people: the traces hold every sample.
    #[serde(skip)]
    pub memory: Option<MemoryEnds>,
}

impl Outcome {
    /// What is to be said of `trace`.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        Self::by(trace, fit)
    }

    /// As [`Outcome::of`], with growth that `fit` finds: see [`judge_by`].
    pub fn by(trace: &Trace, fit: impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>) -> Self {
        Self::watched(trace, Watch::over(trace), fit)
    }

    /// Of a `trace`, all of which `watch` has seen.
    fn watched(
        trace: &Trace,
        watch: Watch,
        fit: impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>,
    ) -> Self {
        let layers = layers(trace);
        let believed = outside::believed(trace);
        let trace = &*believed.trace;
        let header = &trace.header;
        let requests = totals(trace);
        let peak_bytes = trace.samples.iter().map(Sample::peak).max();
        let held = held_memory(trace);
        let judged = judged(trace, fit);
        let per_request = judged.fitted.growth.as_ref().and_then(|growth| growth.per_request);
        let grown = judged.judgement.verdict;
        let shortage = short(trace, &requests);
        let soak = Soak { trace, requests: &requests, shortage: shortage.as_ref(), held: held.as_ref() };
        let judgement = of_soak(&soak, judged.judgement);
        let judgement =
            Judgement { advice: advice::advice(trace, &judgement, &requests, shortage.is_some()), ..judgement };
        let keeping = keeps_live(&judgement).then(|| by_request(trace)).flatten();
        let retained = retained(trace, layers.as_ref(), &judgement);
        let grows_in = judged.grows_in.filter(|_| judgement.verdict == grown);
        let limit = header.memory_limit_bytes;
        let seconds_to_limit = limit.and_then(|limit| seconds_to_limit(limit, trace.samples.last()?, &judgement));
        let end = trace.end.as_ref();
        let other_series = others::other_series(trace);
        let thresholds = watch.finish(|metric| at_the_end(metric, &judgement, per_request, &other_series));
        let headroom_exceeded = exceeds_headroom(limit, peak_bytes);
        // A threshold that was broken, or the limit all but reached, is a finding, which no second soak takes back.
        let is_finding = headroom_exceeded || thresholds.iter().any(|kept| kept.broken);
        let is_short = judgement.verdict == Verdict::Invalid && shortage.is_some();
        let worth_repeating = is_short && !is_finding && is_worth_repeating(trace, &requests);
        Self {
            cell: header.cell.clone(),
            flags: header.flags.clone(),
            axes: header.axes.clone(),
            history: header.history.clone(),
            process: process::process(header),
            replicate: header.replicate,
            judgement,
            phases: judged.phases,
            grows_in,
            cut_short: cut_short(trace),
            peak_bytes,
            memory_limit_bytes: limit,
            headroom_exceeded,
            seconds_to_limit,
            without_load: header.without_load,
            users: header.users,
            figures: figures(trace),
            completed: completed(trace, &requests),
            failures: failures(&requests),
            shortage,
            worth_repeating,
            repeated: header.repeated.clone(),
            connections_note: connections_note(trace),
            standstill_note: standstill_note(trace),
            flows: trace.traffic.last().map(|traffic| traffic.flows.clone()).unwrap_or_default(),
            connections: trace.traffic.last().map(|traffic| traffic.connections).unwrap_or_default(),
            external: header.external.clone(),
            thresholds,
            requests,
            latency: end.map(|end| end.latency.clone()).unwrap_or_default(),
            service_time: end.map(|end| end.service_time.clone()).unwrap_or_default(),
            lateness: end.map(|end| end.lateness).unwrap_or_default(),
            idle: idle_phases(trace),
            other_series,
            timeline: timeline(trace).map(Box::new),
            held,
            retained: retained.map(Box::new),
            confirmed: None,
            rerun: None,
            layers: layers.map(Box::new),
            worker_ends: worker_ends(trace),
            disturbances: disturbances(trace),
            steep: trace.samples.last().map(|sample| sample.steep).unwrap_or_default(),
            steep_growth_bytes: steep_growth(&trace.samples),
            message: end.map(|end| end.message.clone()).unwrap_or_default(),
            limits: limits(trace),
            not_counted: trace.start.as_ref().map(|start| start.not_counted.clone()).unwrap_or_default(),
            something_left: end.is_some_and(|end| end.something_left),
            probe: header.probe,
            live_from: believed.from,
            live_not_counted: believed.not_counted,
            live_not_believed: believed.why_not,
            by_request: keeping,
            kept_by: Vec::new(),
            stacks: None,
            limit_enforced_by: trace.start.as_ref().and_then(|start| start.limit_enforced_by),
            held_at_end: None,
            held_at_limit: Vec::new(),
            hot_spots: Vec::new(),
            allocator_cpu_share: None,
            long_lived: Vec::new(),
            lost_samples: 0,
            stacks_sampled_by: None,
            unverified_flags: header.unverified_flags.clone(),
            unverified_allocator: header.unverified_allocator.clone(),
            coded: header.coded.clone(),
            certificate_unchecked: header.certificate_unchecked,
            memory_course_bytes: course(trace),
            flow_of_steps: header.flow_of_steps.clone(),
            memory: memory_ends(trace),
        }
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// Growth of the memory that the verdict rests on.
    #[must_use]
    pub fn growth(&self) -> Option<&Growth> {
        self.judgement.growth.as_ref()
    }

    /// What isolation knows of it.
    #[must_use]
    pub fn judged(&self) -> JudgedCell {
        let seen = |phase: &PhaseJudgement| PhasesSeen {
            phases: phase.phases.clone(),
            is_fitted: phase.fitted,
            judgement: phase.judgement.clone(),
        };
        JudgedCell {
            cell: self.cell.clone(),
            flags: self.flags.clone(),
            axes: self.axes.clone(),
            history: self.history.clone(),
            replicate: self.replicate,
            judgement: self.judgement.clone(),
            phases: self.phases.iter().map(seen).collect(),
            grows_in: self.grows_in.clone(),
            cut_short: self.cut_short.clone(),
            stacks: self.stacks.clone(),
            unverified_flags: self.unverified_flags.clone(),
        }
    }

    /// Growth in the phases that are fitted, whatever the verdict rests on.
    #[must_use]
    pub fn fitted_growth(&self) -> Option<&Growth> {
        let fitted = self.phases.iter().find(|phase| phase.fitted);
        fitted.map_or(&self.judgement, |fitted| &fitted.judgement).growth.as_ref()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(samples: &u64) -> bool {
    *samples == 0
}

/// Whether live bytes grow for sure.
fn keeps_live(judgement: &Judgement) -> bool {
    let is_live = judgement.growth.as_ref().is_some_and(|growth| growth.source.layer() == Layer::Live);
    is_live && matches!(judgement.verdict, Verdict::Leak | Verdict::Step)
}

/// What isolation knows of `outcomes`.
#[must_use]
pub fn judged_cells(outcomes: &[Outcome]) -> Vec<JudgedCell> {
    outcomes.iter().map(Outcome::judged).collect()
}

/// What a threshold on growth is compared with: the lower end of the interval, so that only growth that is sure breaks
/// it.
fn at_the_end(
    metric: Metric,
    judgement: &Judgement,
    per_request: Option<Estimate<BytesPerRequest>>,
    others: &[OtherSeries],
) -> Option<f64> {
    let growth = judgement.growth.as_ref();
    let other = |name: &str| others.iter().find(|other| other.name == name).map(|other| other.advice.per_hour.low);
    match metric {
        Metric::GrowthPerHour => growth.map(|growth| growth.per_hour.low.get()),
        Metric::GrowthPerRequest => per_request.map(|growth| growth.low.get()),
        Metric::OpenFilesPerHour => other("open files"),
        Metric::ThreadsPerHour => other("threads"),
        _ => None,
    }
}

/// What is fitted: warm-up and steady phases; the longest stretch of them, where idle ones lie between.
#[must_use]
pub fn series(trace: &Trace) -> Series {
    Stretch::fitted(trace).map(|fitted| fitted.series(trace)).unwrap_or_default()
}

/// What was not seen, as of the beginning and of the end.
fn limits(trace: &Trace) -> Vec<String> {
    let mut limits = trace.start.as_ref().map(|start| start.limits.clone()).unwrap_or_default();
    let later = trace.end.iter().flat_map(|end| &end.limits);
    for limit in later {
        if !limits.contains(limit) {
            limits.push(limit.clone());
        }
    }
    limits
}

/// Buffers and pools are at their size after a minute.
fn steep_growth(samples: &[Sample]) -> i64 {
    const SETTLED: Duration = Duration::from_mins(1);
    let settled = samples.iter().find(|sample| sample.t_s.elapsed() >= SETTLED).or(samples.first());
    let anon = |sample: &Sample| sample.steep.anon_bytes.get().cast_signed();
    settled.zip(samples.last()).map_or(0, |(settled, last)| anon(last) - anon(settled))
}
