//! What the cells of a run tell a search for the flags that leak, and what the search goes by.
//!
//! Pure.

use std::time::Duration;

use crate::kept::sample_every_in_search;
use crate::outcome::{Outcome, judged_cells};
use crate::plan::{Allowed, Cell};
use crate::scenario::{Model, Phase, Role, Scenario, Shape};
use steep_judge::bisect::{Bisect, Rules, Sampled, SearchState, Soaked};
use steep_judge::ids::FlagSet;
use steep_judge::isolation::{StackLevel, measured};
use steep_judge::units::BytesPerRequest;

/// Flags that a search weighs at most. Of more than 60 not all pairs are weighed but the likely ones
/// (`isolation/shortlist.rs`), and what a look takes was measured up to here: see docs/isolation.md.
const MAX_SEARCHED: usize = 300;

/// Why a search does not begin among this many `switches`, and what to do.
#[must_use]
pub fn too_many(switches: usize) -> Option<String> {
    (switches > MAX_SEARCHED).then(|| {
        format!(
            "{switches} flags are too many to search among, and {MAX_SEARCHED} are the most: put flags that belong together into one \
             group, pin those that need not vary ([constraints] pinned), or split the scenario; `steep run` soaks a plan of them all, \
             which --max-hours bounds"
        )
    })
}

/// What a search goes by. Cells are as long as the scenario says: their traffic would be another one otherwise.
#[must_use]
pub fn rules(scenario: &Scenario) -> Rules {
    let worth = scenario.judge.min_growth_bytes_per_request;
    let usual = Rules::default();
    // Where growth is worth finding per hour only, the unit does not matter: cells are compared with what is worth
    // finding.
    let worth_finding = if worth > BytesPerRequest::new(0.0) { worth } else { usual.worth_finding };
    let worth_per_hour = (scenario.load.model == Model::None).then_some(scenario.judge.min_growth_bytes_per_hour);
    let fixed_length = Some(scenario.soak_duration());
    Rules { worth_finding, worth_per_hour, fixed_length, warm_up: Duration::ZERO, seed: scenario.seed.0, ..usual }
}

/// The same for a search that is simulated: where the library may be loaded into the service its cells have live bytes
/// and stacks, sampled as they will be, as far as the scenario says how much is asked.
#[must_use]
pub fn rehearsed_rules(scenario: &Scenario) -> Rules {
    let usual = rules(scenario);
    let steady = || scenario.phases.iter().filter(|phase| phase.role == Role::Steady);
    let is_known = |phase: &Phase| !matches!(phase.shape, Shape::Users { .. } | Shape::External);
    let rate = steady().map(|phase| phase.shape.peak().get()).fold(0.0, f64::max);
    if !scenario.service.may_be_preloaded() || !steady().all(is_known) || rate <= 0.0 {
        return usual;
    }
    let fitted: Duration = steady().map(|phase| phase.duration).sum();
    let warm_up = scenario.soak_duration().saturating_sub(fitted);
    let fills = (warm_up / WARM_UP_FILLS).max(Duration::from_secs(1));
    let every = sample_every_in_search(&scenario.phases, scenario.service.memory_limit_bytes) as f64;
    Rules { warm_up, sampled: Some(Sampled { every, rate, fills }), ..usual }
}

/// Caches of a simulated service fill for this many time constants in the warm-up: what it is for.
const WARM_UP_FILLS: u32 = 3;

/// What a cell of a run told of growth.
#[derive(Debug, Clone, PartialEq)]
pub struct CellGrowth {
    /// The flags that were on.
    pub flags: FlagSet,
    /// Growth with its standard error, in units of what is worth finding; none: the cell could not be judged.
    pub growth: Option<(f64, f64)>,
    /// That of each stack that grows by itself, in the same order in all cells; `growth` is what they leave.
    pub stacks: Vec<Option<StackLevel>>,
}

/// What `cells` told by their `outcomes`, for a search among `switches`.
#[must_use]
pub fn cell_growths(switches: &[String], cells: &[Cell], outcomes: &[Outcome]) -> Vec<CellGrowth> {
    let measured = measured(switches, &judged_cells(outcomes));
    let described = |cell: &Cell| {
        let found = measured.iter().find(|measured| measured.cell == cell.id);
        let growth = found.map(|found| (found.growth, found.error));
        CellGrowth {
            flags: cell.flags.clone(),
            growth,
            stacks: found.map(|found| found.stacks.clone()).unwrap_or_default(),
        }
    };
    cells.iter().map(described).collect()
}

/// A search as far as the cells of a run have brought it.
#[derive(Debug)]
pub struct Search {
    bisect: Bisect,
    unjudged: Vec<FlagSet>,
}

impl Search {
    /// Among `switches`, after cells that told this.
    #[must_use]
    pub fn new(switches: &[String], rules: Rules, described: impl IntoIterator<Item = CellGrowth>) -> Self {
        let in_bytes = |times: f64| BytesPerRequest::new(times * rules.worth_finding.get());
        let among = |flags: &FlagSet| switches.iter().filter(|flag| flags.contains(flag)).cloned().collect::<FlagSet>();
        let mut search = Self { bisect: Bisect::new(switches.iter().cloned(), rules), unjudged: Vec::new() };
        for CellGrowth { flags, growth, stacks } in described {
            match growth {
                Some((growth, error)) => {
                    // What is pinned, and who follows another of a group, tells nothing.
                    let flags = among(&flags);
                    search.bisect.add(Soaked { flags, growth: in_bytes(growth), error: in_bytes(error), stacks });
                }
                None => search.unjudged.push(flags),
            }
        }
        search
    }

    /// Holds these flags for undecided, whatever the search thinks: [`Bisect::doubt`].
    pub fn doubt(&mut self, flags: &FlagSet) {
        self.bisect.doubt(flags);
    }

    /// What is known, and what is next among the flag sets that `allowed` leaves and that `can_run`. A set of flags
    /// whose cell could not be judged is not asked for again.
    #[must_use]
    pub fn look(&self, allowed: &Allowed, can_run: impl Fn(&FlagSet) -> bool, left: Duration) -> SearchState {
        let is_feasible = |switches: &FlagSet| {
            let flags = allowed.whole(switches);
            allowed.allows(&flags) && !self.unjudged.contains(&flags) && can_run(&flags)
        };
        self.bisect.look(is_feasible, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::decode::decode;
    use crate::scenario::package::Features;
    use crate::testing::sound;
    use steep_judge::bisect::Next;

    /// What follows the sound scenario.
    const FACTORS: &str = r#"
[[flags]]
name = "tls"
kind = "env"
var = "TLS"
[[flags]]
name = "debug"
kind = "env"
var = "DEBUG"
[[flags]]
name = "sessions"
kind = "env"
var = "SESSIONS"
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
[constraints]
pinned = { tls = true, debug = false }
"#;

    /// With each of these lines of constraints, and what is on and off in every cell then.
    #[test]
    fn what_is_pinned_is_as_it_is_in_each_cell_and_nothing_to_search_for() {
        let kinds =
            "[[flags]]\nname = \"kind\"\nkind = \"env\"\nvar = \"KIND\"\nvalues = [\"off\", \"lru\", \"arc\"]\n";
        let grouped = |group: &str| {
            let flag = |name: &str| {
                format!("[[flags]]\nname = \"{name}\"\nkind = \"env\"\nvar = \"{name}\"\ngroup = \"{group}\"\n")
            };
            flag("left") + &flag("right")
        };
        let needing = "[[flags]]\nname = \"top\"\nkind = \"env\"\nvar = \"TOP\"\nrequires = [\"base\"]\n\
                       [[flags]]\nname = \"base\"\nkind = \"env\"\nvar = \"BASE\"\n";
        for (more, pinned, on) in [
            ("", "", vec![]),
            (kinds, ", kind = \"lru\"", vec!["kind=lru"]),
            (&grouped("g"), ", left = true", vec!["left", "right"]),
            (&grouped("g"), ", right = true", vec!["left", "right"]),
            (&grouped("g"), ", right = false", vec![]),
            (needing, ", top = true", vec!["top", "base"]),
        ] {
            let text = sound("20m", FACTORS).replace("[constraints]", &format!("{more}[constraints]"));
            let text = text.replace("debug = false", &format!("debug = false{pinned}"));
            let scenario = decode(&text).scenario.unwrap_or_else(|| panic!("{text}"));
            let always: FlagSet = ["tls"].into_iter().chain(on).collect();
            finds_sessions(&Allowed::of(&scenario, &Features::default()), &scenario, &always);
        }
    }

    fn finds_sessions(allowed: &Allowed, scenario: &Scenario, always: &FlagSet) {
        let switches = allowed.switches();
        assert_eq!(switches, ["sessions", "cache"], "{always}");
        let mut described = Vec::new();
        for _ in 0..8 {
            let look =
                Search::new(&switches, rules(scenario), described.clone()).look(allowed, |_| true, Duration::MAX);
            let Next::Soak(cell) = look.next else {
                assert_eq!(look.next, Next::Sure, "{always}");
                assert!(look.flags["sessions"] > 0.97 && look.flags["cache"] < 0.05, "{:?}", look.flags);
                return;
            };
            let flags = allowed.whole(&cell.flags);
            let others: FlagSet = flags.iter().filter(|flag| !["sessions", "cache"].contains(flag)).collect();
            assert_eq!(&others, always);
            let growth = if flags.contains("sessions") { 5.0 } else { 0.0 };
            described.push(CellGrowth { flags, growth: Some((growth, 0.1)), stacks: Vec::new() });
        }
        panic!("eight cells did not tell which of two flags leaks");
    }

    #[test]
    fn a_rehearsal_has_stacks_where_the_cells_will() {
        let rehearsed = |more: &str| {
            let scenario = decode(&sound("20m", more)).scenario.unwrap_or_else(|| panic!("{more}"));
            rehearsed_rules(&scenario)
        };
        let sampled = rehearsed("").sampled.expect("auto: the library may be loaded");
        assert!((sampled.every - 65_536.0).abs() < 1.0 && sampled.rate > 0.0, "{sampled:?}");
        let text = sound("20m", "").replace("[service]", "[service]\nlive = \"off\"");
        let off = decode(&text).scenario.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(rehearsed_rules(&off), rules(&off));
    }
}
