//! What the cells of a run tell a search for the flags that leak, and what the search goes by.
//!
//! Pure.

use std::time::Duration;

use crate::outcome::{Outcome, judged_cells};
use crate::plan::{Allowed, Cell};
use crate::scenario::{Model, Scenario};
use steep_judge::bisect::{Bisect, Rules, SearchState, Soaked};
use steep_judge::ids::FlagSet;
use steep_judge::isolation::measured;
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

/// What a cell of a run told of growth.
#[derive(Debug, Clone, PartialEq)]
pub struct CellGrowth {
    /// The flags that were on.
    pub flags: FlagSet,
    /// Growth with its standard error, in units of what is worth finding; none: the cell could not be judged.
    pub growth: Option<(f64, f64)>,
    /// The same of each stack that grows by itself, in the same order in all cells; `growth` is what they leave.
    pub stacks: Vec<Option<(f64, f64)>>,
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
                    let stack = |(growth, error): (f64, f64)| (in_bytes(growth), in_bytes(error));
                    let stacks = stacks.into_iter().map(|level| level.map(stack)).collect();
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
}
