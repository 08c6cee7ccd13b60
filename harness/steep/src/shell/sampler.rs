//! Turns the processes below supervisors into samples: memory with each page counted once, and what else the kernel
//! tells.
//!
//! Each tick reads `status`, `stat` and the number of descriptors of every process from kept descriptors, some 20 µs
//! each. Newcomers are found by their numbers, and a process that ends meanwhile is left out. What is exact and costly
//! is done by a [`survey`] on its slow cadence, beside the runtime's thread.

pub mod elsewhere;
pub mod held;
pub mod host;
pub mod newcomers;
pub mod process;
pub mod survey;
pub mod tree;
pub mod workers;

use std::path::Path;
use std::time::Duration;

use crate::shell::clock::{Moment, own_cpu};
use crate::shell::process::Reaped;
use elsewhere::Elsewhere;
use held::HeldMemory;
use host::HostCpus;
use newcomers::{Newcomers, is_process};
use process::OwnStatus;
use steep_core::trace::{Cpus, Held, Memory, Own, ProcessId, Rollup, Sample, WorkerEnd};
use steep_judge::growth::MemorySource;
use steep_judge::units::{Bytes, SinceStart};
use survey::{Survey, UnderWay, survey};
use tree::{Total, Tree};
use workers::Workers;

/// Between two surveys: at 11–16 µs for each resident MB (measured on Linux 6.18) 0.05 % of a CPU at 1 GB.
const SURVEY_EVERY: Duration = Duration::from_secs(30);

/// The same for trees above [`LARGE`].
const SURVEY_LARGE_EVERY: Duration = Duration::from_mins(1);

/// From here on surveys are half as frequent: the walk holds up the service's mmap calls (176 ms seen at 2 GB).
const LARGE: Bytes = Bytes::mib(1 << 10);

/// From here on shares are read only when processes come or go.
const HUGE: Bytes = Bytes::mib(4 << 10);

/// A survey waits for this many times what the last one took, so that a service which forks for each request
/// is surveyed for 1 % of the time.
const SURVEY_REST: u32 = 100;

/// Reads the memory of a service, of its dependencies and of steep.
#[derive(Debug)]
pub struct Sampler {
    /// The service's first, then those of the dependencies.
    trees: Vec<Tree>,
    dependencies: Vec<String>,
    source: Source,
    own: OwnStatus,
    host: Option<HostCpus>,
    ticks_per_second: f64,
}

/// Where numbers come from.
#[derive(Debug)]
enum Source {
    Proc(Box<Cadence>),
    Elsewhere(Option<Box<Elsewhere>>),
}

impl Source {
    /// As the table of sources knows it.
    const fn memory(&self) -> MemorySource {
        match self {
            Self::Proc(_) => MemorySource::Anonymous,
            Self::Elsewhere(_) => MemorySource::Sysinfo,
        }
    }
}

/// When the slow look is taken.
#[derive(Debug)]
struct Cadence {
    newcomers: Newcomers,
    held: HeldMemory,
    workers: Workers,
    under_way: Option<UnderWay>,
    surveyed_at: SinceStart,
    survey_took: Duration,
    /// Sizes of the trees at the last tick.
    resident: Bytes,
    /// Newcomers that could not be looked for.
    missed: bool,
}

impl Sampler {
    /// Begins with a survey of what is below the supervisor of the service and those of the dependencies, each with its
    /// name. Blocks for it: 16 ms for each GB that is resident already.
    #[must_use]
    pub fn begin(service_supervisor: u32, dependencies: &[(String, u32)]) -> Self {
        let supervisors = [service_supervisor].into_iter().chain(dependencies.iter().map(|&(_, pid)| pid));
        let mut trees: Vec<Tree> = supervisors.map(Tree::below).collect();
        let source = if Path::new("/proc/self/status").exists() {
            // First the numbers, then the survey: who comes between the two is found in both and taken in once.
            let newcomers = Newcomers::begin();
            let pids: Vec<u32> = trees.iter().map(Tree::supervisor).collect();
            let first = survey(&pids, true, None);
            let survey_took = first.took;
            take_in(&mut trees, &first);
            let of_service: Vec<ProcessId> = trees.first().map(|tree| tree.ids().collect()).unwrap_or_default();
            // Who is there at the beginning replaces nobody.
            for tree in &mut trees {
                drop(tree.take_passing());
            }
            let held = HeldMemory::begin(pids, &of_service, None);
            let workers = Workers::begin(&of_service);
            let surveyed_at = SinceStart::ZERO;
            let resident = Bytes::ZERO;
            Source::Proc(Box::new(Cadence {
                newcomers,
                held,
                workers,
                under_way: None,
                surveyed_at,
                survey_took,
                resident,
                missed: false,
            }))
        } else {
            Source::Elsewhere(Elsewhere::new().map(Box::new))
        };
        Self {
            trees,
            dependencies: dependencies.iter().map(|(name, _)| name.clone()).collect(),
            source,
            own: OwnStatus::open(),
            host: HostCpus::of(&[], &[]),
            ticks_per_second: rustix::param::clock_ticks_per_second() as f64,
        }
    }

    /// As well as what the processes hold, `folder` is the service's: the cell's, `{{dir}}`. To be called once, before
    /// the first sample.
    #[must_use]
    pub fn with_folder(mut self, folder: &Path) -> Self {
        if let Source::Proc(cadence) = &mut self.source {
            let supervisors = self.trees.iter().map(Tree::supervisor).collect();
            let of_service: Vec<ProcessId> = self.trees.first().map(|tree| tree.ids().collect()).unwrap_or_default();
            cadence.held = HeldMemory::begin(supervisors, &of_service, Some(folder));
        }
        self
    }

    /// The service and the driver are pinned to these CPUs; empty: they are not.
    #[must_use]
    pub fn with_cpus(mut self, service: &[usize], driver: &[usize]) -> Self {
        self.host = HostCpus::of(service, driver);
        self
    }

    /// How many CPUs there are for whom; none where the system does not say.
    #[must_use]
    pub fn cpus(&self) -> Option<Cpus> {
        self.host.as_ref().map(HostCpus::cpus)
    }

    /// Processes of the service that ended while it lived, as far as all is known of them that will be; `reaped` are
    /// the ends that its supervisor saw. With `all` also those whose replacement may still come.
    pub fn worker_ends(&mut self, reaped: &[Reaped], all: bool) -> Vec<WorkerEnd> {
        match &mut self.source {
            Source::Proc(cadence) => cadence.workers.take_ends(reaped, all),
            Source::Elsewhere(_) => Vec::new(),
        }
    }

    /// Reads all, at `at` of the cell. None where no process of the service is left: that is an end, and no sample of
    /// zero. Requests and live bytes are the caller's to fill in.
    pub fn sample(&mut self, at: SinceStart) -> Option<Sample> {
        let begun = Moment::now();
        let (totals, rollup, held) = match &mut self.source {
            Source::Proc(cadence) => cadence.tick(&mut self.trees, at, self.ticks_per_second),
            Source::Elsewhere(system) => (elsewhere_totals(system.as_mut()?, &self.trees), None, None),
        };
        let mut totals = totals.into_iter();
        let service = totals.next().filter(|service| !service.processes.is_empty())?;
        Some(Sample {
            t_s: at,
            memory: service.memory,
            activity: service.activity,
            processes: service.processes,
            rollup,
            held,
            dependencies: self.dependencies.iter().cloned().zip(totals.map(|total| total.memory)).collect(),
            host: self.host.as_ref().and_then(HostCpus::read),
            steep: Own { anon_bytes: self.own.anon(), cpu_s: own_cpu().as_secs_f64() },
            read_us: u64::try_from(Moment::now().monotonic.saturating_sub(begun.monotonic).as_micros())
                .unwrap_or(u64::MAX),
            ..Sample::default()
        })
    }

    /// What is not a part of the memory that is judged, in words, as this host lets steep count.
    #[must_use]
    pub fn not_counted(&self) -> Vec<&'static str> {
        match &self.source {
            Source::Proc(cadence) => cadence.held.not_counted(),
            Source::Elsewhere(_) => {
                vec!["memfd, files in memory and System V segments: they are looked for on Linux only"]
            }
        }
    }

    /// What this host does not let steep see, in words; empty when the samples are what they are said to be.
    #[must_use]
    pub fn limits(&self) -> Vec<&'static str> {
        let mut limits = Vec::new();
        if let Source::Proc(cadence) = &self.source {
            limits.extend(cadence.held.limits());
        }
        limits.extend(self.source.memory().unseen());
        if self.trees.first().is_some_and(Tree::shares_unknown) {
            limits.push("smaps_rollup cannot be read: pages that processes share are counted in each of them");
        }
        limits
    }
}

impl Cadence {
    fn tick(
        &mut self,
        trees: &mut [Tree],
        at: SinceStart,
        ticks_per_second: f64,
    ) -> (Vec<Total>, Option<Rollup>, Option<Held>) {
        let newcomers = self.newcomers.look();
        self.missed |= newcomers.is_none();
        for newcomer in newcomers.into_iter().flatten() {
            // Most are strangers, or threads of ours, whose parent is that of their process.
            if let Some(tree) = trees.iter_mut().find(|tree| tree.is_kin(&newcomer))
                && is_process(newcomer.pid)
            {
                tree.adopt(&newcomer);
            }
        }
        let mut rollup = None;
        if let Some(under_way) = self.under_way.take() {
            match under_way.finish() {
                Ok(Some(mut survey)) => {
                    self.survey_took = survey.took;
                    rollup = take_in(trees, &survey);
                    if let Some(mapped) = survey.mapped.take() {
                        self.held.take_in(&mapped);
                    }
                }
                // Its thread failed; the next one is due in its time.
                Ok(None) => {}
                Err(not_done) => self.under_way = Some(not_done),
            }
        }
        let mut totals: Vec<Total> = trees.iter_mut().map(|tree| tree.read(ticks_per_second)).collect();
        let mut held = None;
        if let (Some(tree), Some(total)) = (trees.first_mut(), totals.first_mut()) {
            held = self.held.tick(at, &total.processes, total.activity.fds, &mut total.memory);
            self.workers.tick(at, tree, &total.processes);
        }
        self.resident = totals.iter().map(|total| resident(&total.memory)).sum();
        self.begin_survey_if_due(trees, at);
        (totals, rollup, held)
    }

    fn begin_survey_if_due(&mut self, trees: &[Tree], at: SinceStart) {
        let since = at.since(self.surveyed_at);
        let changed = self.missed || self.held.wants_survey() || trees.iter().any(Tree::wants_survey);
        let wait = match self.resident {
            _ if changed => self.survey_took * SURVEY_REST,
            resident if resident > LARGE => SURVEY_LARGE_EVERY,
            _ => SURVEY_EVERY,
        };
        if self.under_way.is_none() && since >= wait {
            self.surveyed_at = at;
            self.missed = false;
            if let Some(tree) = trees.first() {
                self.held.check_cgroup(&tree.ids().collect::<Vec<_>>());
            }
            // Without a thread this survey is left out; the next one is due in its time.
            self.under_way = UnderWay::begin(trees, changed || self.resident <= HUGE, self.held.wants_mappings()).ok();
        }
    }
}

/// Takes in what a survey found; the service's sum, where its shares were read.
fn take_in(trees: &mut [Tree], survey: &Survey) -> Option<Rollup> {
    let mut of_service = None;
    for (number, tree) in trees.iter_mut().enumerate() {
        for process in &survey.found[number] {
            tree.adopt(process);
        }
        if !survey.measured[number].is_empty() {
            let sum = tree.take_in(&survey.measured[number]);
            if number == 0 {
                of_service = sum;
            }
        }
    }
    of_service
}

fn elsewhere_totals(system: &mut Elsewhere, trees: &[Tree]) -> Vec<Total> {
    system.refresh();
    trees.iter().map(|tree| system.below(tree.supervisor())).collect()
}

fn resident(memory: &Memory) -> Bytes {
    memory.anon_bytes + memory.file_bytes + memory.shmem_bytes
}
