//! Live bytes of a running service: who counts them is asked before the load, and at each sample.

mod arenas;
mod arranged;
mod heap;
mod jemalloc;
mod large;
mod linked;
mod look;
mod obstacle;
mod own_heaps;
mod preloaded;
mod profiles;
mod stacks;
mod symbols;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

pub use self::arranged::Arranged;
pub use self::heap::HeapLooks;
pub use self::jemalloc::{HeapProfiles, ProfileLog};
pub use self::linked::link_arguments;
use self::look::{Found, Looks};
pub use self::preloaded::{Counted, LiveError, Preloaded};
pub use self::profiles::write_profiles;
use self::stacks::StackLog;
use crate::shell::loopback::Client;
use crate::shell::{clock, probe};
use steep_core::kept::{Moment, Series};
use steep_core::scenario::Scenario;
use steep_core::trace::{Live, LiveCount, ProcessId, Sample};
use steep_judge::units::{Bytes, SinceStart};

/// Makes sure that live bytes are counted where the scenario says so.
///
/// # Errors
/// Why they are not, and what to do.
pub async fn ensure_counted(scenario: &Scenario, client: &Client) -> Result<(), String> {
    let Some(path) = scenario.service.asked_probe() else { return Ok(()) };
    match probe::live_bytes(client, path).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            let message = "the probe does not count: install steep_probe::Counted as the global allocator, or take out service.probe";
            Err(message.to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Puts down in `sample` what is counted, if the answer comes `within` the moment of the sample.
pub async fn count(sample: &mut Sample, scenario: &Scenario, client: &Client, within: Duration) {
    sample.live = of_probe(scenario, client, within).await;
}

async fn of_probe(scenario: &Scenario, client: &Client, within: Duration) -> Option<Live> {
    let path = scenario.service.asked_probe()?;
    timeout(within, probe::live_bytes(client, path)).await.ok()?.ok()?
}

/// A library that counts inside of the service, and what is learnt from it while the cell is under load.
#[derive(Debug)]
pub struct Counting {
    preloaded: Preloaded,
    /// When the cell's clock began.
    origin: clock::Moment,
    stacks: StackLog,
    has_been_steady: bool,
    /// Whether it was known at each look what an allocator that is not glibc's has mapped.
    knows_allocator: bool,
    /// What the stacks held when the service came close to its limit.
    at_limit: StackLog,
    limit: Option<Bytes>,
    /// The most percent of the limit of which there is a snapshot.
    percent: u64,
    last: Last,
    looks: Looks,
}

/// What was read last.
#[derive(Debug, Default)]
struct Last {
    processes: Vec<ProcessId>,
    completed: u64,
    is_steady: bool,
}

/// What the stacks kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// While the cell was judged, and at the end of one that crashed; none where there was no time to look.
    pub series: Option<Series>,
    /// When the service came close to its limit; none where it did not.
    pub at_limit: Option<Series>,
    /// What was wrong with heap profiles of the service's own.
    pub flaw: Option<String>,
}

impl Kept {
    /// By the library that was `counting`, and by what its own allocator wrote where the library sees nothing of it; of
    /// a service that crashed until its end. Takes seconds.
    #[must_use]
    pub fn of(counting: Option<Counting>, profiles: Option<ProfileLog>, crashed_at: Option<SinceStart>) -> Self {
        let counted = counting.map(|counting| counting.finish(crashed_at)).unwrap_or_default();
        match profiles.map(ProfileLog::finish) {
            Some(profiles) => Self { series: profiles.series, flaw: profiles.flaw, ..counted },
            None => counted,
        }
    }
}

/// Percents of the limit at which a snapshot of the stacks is kept, the highest first.
const CLOSE_TO_LIMIT: [u64; 2] = [90, 80];

impl Counting {
    /// By `preloaded`, which the service was started with; `limit` is what production gives it, and the cell's clock
    /// began at `origin`.
    #[must_use]
    pub fn new(preloaded: Preloaded, limit: Option<Bytes>, origin: clock::Moment) -> Self {
        Self {
            preloaded,
            stacks: StackLog::since(origin),
            has_been_steady: false,
            knows_allocator: true,
            at_limit: StackLog::since(origin),
            origin,
            limit,
            percent: 0,
            last: Last::default(),
            looks: Looks::default(),
        }
    }

    /// What is counted of these processes now. It is read as soon as the requests are: what a request keeps is laid on
    /// it by how both rise together.
    #[must_use]
    pub fn read(&self, processes: &[ProcessId]) -> Counted {
        self.preloaded.read(processes)
    }

    /// Puts down in `sample` what was `counted`. What the stacks kept while it warmed up is dropped once a phase
    /// `is_steady`: caches that fill would be named. Until then it is kept for a crash. The requests of the sample were
    /// read at `read_at`.
    pub fn count(&mut self, sample: &mut Sample, counted: &Counted, read_at: SinceStart, is_steady: bool) {
        self.preloaded.tidy(&self.last.processes);
        sample.live = counted.live();
        if let Some(heap) = &mut sample.heap {
            heap.large_blocks = self.preloaded.large_blocks(&sample.processes);
            if let Some(places) = &mut heap.places {
                places.own_mappings_bytes = counted.mapped();
                places.is_other_allocator = counted.has_other_allocator();
            }
            // Once it was not known it stays so: what was counted as outside does not go away from one look to the
            // next.
            let of_allocator = self.preloaded.of_allocator(&sample.processes).filter(|_| self.knows_allocator);
            self.knows_allocator = of_allocator.is_some();
            let whole = std::mem::take(&mut **heap);
            **heap = whole.without(counted.own_break()).with(of_allocator.unwrap_or(Bytes::ZERO));
        }
        if is_steady && !self.has_been_steady {
            self.stacks = StackLog::since(self.origin);
            self.has_been_steady = true;
        }
        self.last = Last { processes: sample.processes.clone(), completed: sample.completed(), is_steady };
        let moment = Moment { t_s: sample.t_s, completed: self.last.completed };
        if is_steady || !self.has_been_steady {
            self.stacks.mark(read_at, &sample.requests);
            self.stacks.tick(&self.preloaded, sample, moment);
        }
        if let Some(percent) = self.is_close_to_limit(sample) {
            self.percent = percent;
            self.at_limit.take(&self.preloaded, &sample.processes, moment);
        }
    }

    /// What is counted at a moment between two samples, of the processes of the last one, when these `requests` were
    /// completed; none where the counters cannot be read.
    pub fn between(&mut self, at: SinceStart, requests: BTreeMap<String, u64>) -> Option<LiveCount> {
        if self.last.is_steady {
            self.stacks.mark(at, &requests);
        }
        let live = self.preloaded.read(&self.last.processes).live()?;
        Some(LiveCount { t_s: at, live, requests })
    }

    /// What a look at the stacks has found that ended. Looks are taken now and then where somebody follows; none before
    /// the steady time: caches that fill would be named.
    pub fn grows_at(&mut self, is_followed: bool) -> Option<Found> {
        let found = self.looks.found();
        if is_followed && self.has_been_steady {
            self.looks.begin_if_due(&self.stacks, self.preloaded.cell_folder());
        }
        found
    }

    /// The percents of the limit that `sample` is above and none before was.
    fn is_close_to_limit(&self, sample: &Sample) -> Option<u64> {
        let limit = self.limit?.get();
        let resident = sample.memory.resident();
        // Blocks that were never written are not resident, and count where the limit is one of what is mapped.
        let held = resident.max(sample.live.map_or(Bytes::ZERO, |live| live.live_bytes)).get();
        let is_above = |percent: &u64| held.saturating_mul(100) >= limit.saturating_mul(*percent);
        CLOSE_TO_LIMIT.into_iter().find(is_above).filter(|percent| *percent > self.percent)
    }

    /// What the stacks kept, of a service that crashed until its end: the files of its processes outlive them. Takes
    /// seconds.
    fn finish(mut self, crashed_at: Option<SinceStart>) -> Kept {
        self.looks.finish();
        if let Some(t_s) = crashed_at {
            let moment = Moment { t_s, completed: self.last.completed };
            self.stacks.take(&self.preloaded, &self.last.processes, moment);
        }
        let kept = Kept { series: self.stacks.finish(), at_limit: self.at_limit.finish(), flaw: None };
        self.preloaded.remove();
        kept
    }
}
