//! A simulated world: a clock that jumps from event to event, and a service with planted leaks. It drives the same
//! soak, schedule and dispatch as the real world does, so that hours pass in milliseconds.
//!
//! Pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::plan::cell_id;
use crate::scenario::{Model, Scenario, Supplies};
use crate::soak::{Action, Event, Soak};
use crate::threshold::Watch;
use crate::trace::{
    Activity, Disturbance, End, ExternalLoad, FORMAT, Header, Live, Memory, Own, Percentiles, PhaseChange, PhaseSpan,
    ProcessId, Provenance, Record, Sample, Trace, Traffic,
};
use crate::traffic::dispatch::{Dispatch, Ended, Fate, Outcome};
use crate::traffic::request::RequestText;
use crate::traffic::{Due, Schedule, ScheduleError, Workload};
use steep_judge::ids::FlagSet;
use steep_judge::units::{Bytes, Seed, SinceStart};

/// The size of a page: resident memory comes in whole ones.
const PAGE: u64 = 4096;

/// How long an answer takes: what the sample service needs on the loopback. Users of a closed load would otherwise send
/// without end in one moment.
const ANSWER_TIME: Duration = Duration::from_millis(1);

/// What is captured from every answer.
const CAPTURED: &str = "simulated";

/// What the simulated service does with memory. All amounts are of live bytes; resident memory is those in whole pages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimService {
    /// Before the first request.
    pub base: Bytes,
    /// Kept for ever by each request.
    pub leak_per_request: f64,
    /// Kept for ever in each second, whatever the load.
    pub leak_per_second: f64,
    /// A cache that fills by `cache_per_request` up to this.
    pub cache: Bytes,
    /// See `cache`.
    pub cache_per_request: f64,
    /// Whether the service carries the probe.
    pub probe: bool,
    /// When it ends by itself, if it does.
    pub crashes_at: Option<SinceStart>,
}

impl Default for SimService {
    fn default() -> Self {
        Self {
            base: Bytes::mib(20),
            leak_per_request: 0.0,
            leak_per_second: 0.0,
            cache: Bytes::ZERO,
            cache_per_request: 0.0,
            probe: false,
            crashes_at: None,
        }
    }
}

impl SimService {
    fn live(&self, at: SinceStart, completed: u64) -> Bytes {
        let leaked = self.leak_per_request * completed as f64 + self.leak_per_second * at.as_secs_f64();
        let cached = (self.cache_per_request * completed as f64).min(self.cache.as_f64());
        self.base + Bytes::new((leaked + cached) as u64)
    }
}

/// When the simulated driver and sampler get no CPU: from the first moment to the second.
pub type Stall = (SinceStart, SinceStart);

/// Soaks `service` with the traffic of `scenario`, stalled as `stalls` says, and gives the trace.
///
/// # Errors
/// The scenario gives no schedule, or names files: there are none in this world.
pub fn soak(scenario: &Scenario, service: &SimService, stalls: &[Stall]) -> Result<Trace, ScheduleError> {
    let supplies = Supplies::default();
    let schedule = Schedule::new(Workload::of(scenario, &supplies), |_| None)?;
    let texts = schedule.texts().clone();
    let dispatch = Dispatch::new(schedule, scenario.load.max_in_flight);
    let phases = PhaseSpan::chain(&scenario.phases);
    let trace = Trace::begin(header(scenario, phases.clone())).unwrap_or_else(|_| unreachable!("the format is ours"));
    let soak = Soak::new(phases, scenario.sampling.every);
    let watch = Watch::new(&trace.header);
    let in_flight = VecDeque::new();
    let mut world = World { scenario, service, stalls, texts, dispatch, in_flight, soak, trace, watch };
    world.run();
    Ok(world.trace)
}

struct World<'w> {
    scenario: &'w Scenario,
    service: &'w SimService,
    stalls: &'w [Stall],
    texts: Arc<[RequestText]>,
    dispatch: Dispatch,
    /// When each will be answered. No longer than `max_in_flight`.
    in_flight: VecDeque<(SinceStart, Due)>,
    soak: Soak,
    trace: Trace,
    watch: Watch,
}

impl World<'_> {
    fn run(&mut self) {
        while let Some(due) = self.soak.due() {
            if let Some(crash) = self.service.crashes_at.filter(|crash| *crash <= due) {
                self.drive_until(crash);
                return self.act(crash, Event::Exited);
            }
            let now = self.awake_at(due);
            self.drive_until(now);
            self.act(now, Event::Woke { slept: Duration::ZERO });
            if self.soak.due().is_some() && self.watch.why_abort().is_some() {
                self.act(now, Event::Broken);
                return self.act(now, Event::Drained);
            }
        }
        let end = self.soak.load_ends() + 2 * ANSWER_TIME;
        self.drive_until(end);
        self.act(end, Event::Drained);
    }

    /// `moment`, or the end of the stall that it falls into.
    fn awake_at(&self, moment: SinceStart) -> SinceStart {
        self.stalls.iter().find(|(from, to)| (*from..*to).contains(&moment)).map_or(moment, |(_, to)| *to)
    }

    /// Lets all happen that does before `until`: requests come due, and are answered.
    fn drive_until(&mut self, until: SinceStart) {
        const ANSWERED: Ended = Ended { outcome: Outcome::Ok, body_bytes_sent: 0, body_bytes_received: 0 };
        loop {
            let due = self.dispatch.next_due_at().filter(|due| *due < until);
            let before = due.map_or(until, |due| self.awake_at(due));
            if let Some((at, mut due)) = self.in_flight.pop_front_if(|(at, _)| *at < before) {
                for variable in self.texts[due.request].captures().variables() {
                    due.values.capture(variable, CAPTURED.to_owned());
                }
                self.dispatch.ended(at, due, ANSWERED);
                continue;
            }
            let Some(due) = due else { return };
            let now = self.awake_at(due);
            if let Some(starved) = self.dispatch.wake(now) {
                self.trace.push(Record::Disturbance(starved));
            }
            while let Some((due, fate)) = self.dispatch.take() {
                if fate == Fate::Send {
                    self.in_flight.push_back((now + ANSWER_TIME, due));
                }
            }
        }
    }

    fn act(&mut self, now: SinceStart, event: Event) {
        for action in self.soak.handle(now, event) {
            match action {
                Action::EnterPhase(index) => {
                    let phase = self.scenario.phases[index].name.clone();
                    self.trace.push(Record::Phase(PhaseChange { t_s: now, phase }));
                }
                Action::Disturb(disturbance) => {
                    self.trace.push(Record::Disturbance(Disturbance { t_s: now, ..disturbance }));
                }
                Action::Sample => self.sample(now),
                Action::StopLoad => self.dispatch.stop(),
                Action::StopService => {}
                Action::End(reason) => self.trace.push(Record::End(End { t_s: now, reason, ..End::default() })),
            }
        }
    }

    fn sample(&mut self, now: SinceStart) {
        let names = self.scenario.requests.iter().map(|request| request.name.clone());
        let counts: BTreeMap<String, _> = names.zip(self.dispatch.counts().iter().copied()).collect();
        let requests: BTreeMap<String, u64> =
            counts.iter().map(|(name, counts)| (name.clone(), counts.completed())).collect();
        let live = self.service.live(now, requests.values().sum());
        let resident = Bytes::new(live.get().div_ceil(PAGE) * PAGE);
        let memory = Memory { anon_bytes: resident, peak_bytes: resident, ..Memory::default() };
        let live = self.service.probe.then_some(Live { live_bytes: live, live_objects: 0 });
        let sample = Sample {
            t_s: now,
            memory,
            live,
            requests,
            activity: Activity { threads: 1, ..Activity::default() },
            processes: vec![ProcessId { pid: 1, start_ticks: 1 }],
            steep: Own::default(),
            ..Sample::default()
        };
        self.watch.see_sample(&sample);
        self.trace.push(Record::Sample(sample));
        let traffic = Traffic {
            t_s: now,
            requests: counts,
            flows: self.dispatch.flows().map(|(name, counts)| (name.to_owned(), counts)).collect(),
            in_flight_peak: self.dispatch.take_in_flight_peak() as u64,
            lateness: Percentiles::default(),
            ..Traffic::default()
        };
        self.watch.see_traffic(&traffic);
        self.trace.push(Record::Traffic(traffic));
    }
}

fn header(scenario: &Scenario, phases: Vec<PhaseSpan>) -> Header {
    let flags = FlagSet::default();
    Header {
        format: FORMAT.to_owned(),
        scenario: scenario.name.clone(),
        cell: cell_id(scenario, &flags, &BTreeMap::new(), 1),
        flags,
        known_flags: Vec::new(),
        unverified_flags: Vec::new(),
        unverified_allocator: None,
        history: None,
        certificate_unchecked: false,
        axes: BTreeMap::new(),
        replicate: 1,
        attempt: 1,
        repeated: None,
        seed: Seed(scenario.seed.0),
        plan_hash: String::new(),
        schedule_hash: String::new(),
        begun: String::new(),
        phases,
        sampling_every_s: scenario.sampling.every.as_secs_f64(),
        judge: scenario.judge.clone(),
        without_load: scenario.load.model == Model::None,
        users: scenario.load.model.users(),
        thresholds: scenario.thresholds.clone(),
        tolerate: scenario.tolerate.clone(),
        connections: Header::kept_connections(scenario),
        external: ExternalLoad::of(scenario),
        memory_limit_bytes: scenario.service.memory_limit_bytes,
        probe: scenario.service.probe.is_some(),
        settings_sha256: String::new(),
        provenance: Provenance::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome;
    use crate::scenario::decode::decode;
    use crate::trace::{DisturbanceKind, EndReason};
    use steep_judge::verdict::Verdict;

    /// Two hours at 100 requests/s after a warm-up, then a pause.
    const SCENARIO: &str = r#"
        name = "simulated"
        [service]
        command = ["shop"]
        url = "http://127.0.0.1:{{port}}"
        memory_limit = "512MiB"
        [[phases]]
        name = "warmup"
        role = "warmup"
        shape = "ramp"
        start_rate = 0
        target_rate = 100
        duration = "5m"
        [[phases]]
        name = "steady"
        role = "steady"
        shape = "constant"
        rate = 100
        duration = "1h 55m"
        [[phases]]
        name = "after"
        role = "idle"
        shape = "pause"
        duration = "5m"
        [[requests]]
        name = "get"
        path = "/"
    "#;

    fn scenario() -> Scenario {
        let decoded = decode(SCENARIO);
        decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems))
    }

    fn at(seconds: f64) -> SinceStart {
        SinceStart::from_secs_f64(seconds)
    }

    #[test]
    fn two_hours_of_a_leak_are_named_with_their_rate() {
        let service = SimService { leak_per_request: 64.0, ..SimService::default() };
        let trace = soak(&scenario(), &service, &[]).expect("a trace");
        let outcome = outcome::Outcome::of(&trace);
        assert_eq!(outcome.verdict(), Verdict::Leak, "{}", outcome.judgement.reason);
        let growth = outcome.growth().and_then(|growth| growth.per_request).expect("growth per request");
        assert!(growth.low.get() < 64.0 && 64.0 < growth.high.get(), "{growth}");
        assert!(outcome.seconds_to_limit.is_some());
    }

    #[test]
    fn a_cache_that_fills_is_a_plateau_and_nothing_is_stable() {
        let cache = SimService { cache: Bytes::mib(64), cache_per_request: 700.0, ..SimService::default() };
        let trace = soak(&scenario(), &cache, &[]).expect("a trace");
        let outcome = outcome::Outcome::of(&trace);
        assert_eq!(outcome.verdict(), Verdict::Plateau, "{:#?}", outcome.judgement);
        let trace = soak(&scenario(), &SimService::default(), &[]).expect("a trace");
        assert_eq!(outcome::Outcome::of(&trace).verdict(), Verdict::Stable);
    }

    #[test]
    fn a_pause_at_the_end_is_not_fitted_and_reported_apart() {
        let trace = soak(&scenario(), &SimService::default(), &[]).expect("a trace");
        let series = outcome::series(&trace);
        assert_eq!(series.t_s.last(), Some(&7200.0));
        assert_eq!(outcome::Outcome::of(&trace).idle.len(), 1);
    }

    /// Two hours in which nothing is asked, of a service without an address.
    fn without_traffic(service: &SimService) -> outcome::Outcome {
        let text = r#"
            name = "quiet"
            service = { command = ["consumer"] }
            load = { model = "none" }
            phases = [{ name = "quiet", role = "steady", shape = "pause", duration = "2h" }]
        "#;
        let decoded = decode(text);
        assert!(decoded.problems.is_empty(), "{:?}", decoded.problems);
        let trace = soak(&decoded.scenario.expect("a scenario"), service, &[]).expect("a trace");
        outcome::Outcome::of(&trace)
    }

    #[test]
    fn a_soak_without_traffic_is_judged_per_hour() {
        let calm = without_traffic(&SimService::default());
        assert_eq!(calm.verdict(), Verdict::Stable, "{}", calm.judgement.reason);
        assert!(calm.judgement.reason.contains("no leak of 1.00 MiB/h or more"), "{}", calm.judgement.reason);
        let timer = without_traffic(&SimService { leak_per_second: 2000.0, ..SimService::default() });
        assert_eq!(timer.verdict(), Verdict::Leak, "{}", timer.judgement.reason);
        let said = &timer.judgement.reason;
        assert!(said.contains("grows by 6.87") && said.contains("per hour") && !said.contains("request"), "{said}");
        assert_eq!((timer.requests.due, timer.growth().and_then(|growth| growth.per_request)), (0, None));
        assert!(timer.without_load && timer.figures.is_some_and(|figures| figures.cpu_us_per_request.is_none()));
    }

    #[test]
    fn a_stall_is_missed_and_not_caught_up() {
        let trace = soak(&scenario(), &SimService::default(), &[(at(600.0), at(620.0))]).expect("a trace");
        let counts = trace.traffic.last().expect("traffic").requests["get"];
        assert_eq!(counts.due, counts.sent + counts.missed + counts.dropped);
        assert!((1900..=2100).contains(&counts.missed), "{counts:?}");
        let kinds: Vec<_> = trace.disturbances.iter().map(|disturbance| disturbance.kind).collect();
        assert_eq!(kinds, [DisturbanceKind::DriverStarved, DisturbanceKind::SamplingGap]);
    }

    #[test]
    fn a_load_that_was_not_delivered_makes_the_cell_invalid() {
        let trace = soak(&scenario(), &SimService::default(), &[(at(600.0), at(900.0))]).expect("a trace");
        assert_eq!(outcome::Outcome::of(&trace).verdict(), Verdict::Invalid);
    }

    #[test]
    fn a_crash_keeps_what_was_recorded_before() {
        let service = SimService { crashes_at: Some(at(4000.5)), leak_per_request: 64.0, ..SimService::default() };
        let trace = soak(&scenario(), &service, &[]).expect("a trace");
        assert_eq!(trace.end.as_ref().map(|end| end.reason), Some(EndReason::Crashed));
        let outcome = outcome::Outcome::of(&trace);
        assert_eq!(outcome.verdict(), Verdict::Crashed);
        assert!(outcome.growth().is_some_and(|growth| growth.samples > 3900));
    }

    #[test]
    fn the_same_seed_gives_the_same_trace() {
        let (first, second) =
            (soak(&scenario(), &SimService::default(), &[]), soak(&scenario(), &SimService::default(), &[]));
        assert_eq!(first.expect("a trace"), second.expect("a trace"));
    }

    #[test]
    fn flows_are_followed_and_their_steps_are_work() {
        let flow = r#"
        [[requests]]
        name = "login"
        path = "/login"
        capture = { token = { json = "token" } }
        [[requests]]
        name = "buy"
        path = "/buy?{{token}}"
        [[flows]]
        name = "shopping"
        steps = ["login", "buy"]
        think_time = { dist = "exponential", mean = "10s" }
        "#;
        let decoded = decode(&format!("{SCENARIO}{flow}"));
        let scenario = decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems));
        let leaky = SimService { leak_per_request: 64.0, ..SimService::default() };
        let trace = soak(&scenario, &leaky, &[]).expect("a trace");
        let outcome = outcome::Outcome::of(&trace);
        assert_eq!(outcome.verdict(), Verdict::Leak, "{}", outcome.judgement.reason);
        let (flows, requests) = (outcome.flows["shopping"], &trace.traffic.last().expect("traffic").requests);
        assert_eq!(flows.started, flows.completed + flows.left);
        assert_eq!((requests["login"].ok, requests["buy"].ok), (flows.started, flows.completed));
        // Half of the 705,000 arrivals, and 500 users think as the pause begins.
        assert!((345_000..360_000).contains(&flows.started) && (300..700).contains(&flows.left), "{flows:?}");
    }

    #[test]
    fn a_closed_load_leaks_by_the_request_as_an_open_one_does() {
        let closed = SCENARIO.replace(
            "[service]",
            "[load]\nmodel = \"closed\"\nvus = 4\nthink_time = { dist = \"exponential\", mean = \"40ms\" }\n[service]",
        );
        let phases = closed.find("[[phases]]").expect("phases");
        let requests = closed.find("[[requests]]").expect("requests");
        let text = format!(
            "{}[[phases]]\nname = \"users\"\nrole = \"steady\"\nshape = \"users\"\nduration = \"1h\"\n{}",
            &closed[..phases],
            &closed[requests..]
        );
        let decoded = decode(&text);
        let scenario = decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems));
        let leaky = SimService { leak_per_request: 64.0, ..SimService::default() };
        let trace = soak(&scenario, &leaky, &[]).expect("a schedule");
        let outcome = outcome::Outcome::of(&trace);
        assert_eq!(outcome.verdict(), Verdict::Leak, "{}", outcome.judgement.reason);
        // Four users, an answer each 41 ms: 98 a second.
        let due = outcome.requests.due;
        assert!((345_000..357_000).contains(&due), "{due}");
        assert_eq!((outcome.requests.ok, outcome.users), (due, Some(4)));
        let growth = outcome.growth().and_then(|growth| growth.per_request).expect("growth per request");
        assert!(growth.low.get() < 64.0 && growth.high.get() > 64.0, "{growth:?}");
    }
}
