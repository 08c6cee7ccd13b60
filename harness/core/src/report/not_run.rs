//! What a night did not come to: cells of the scenario's own plan that it left out, and what it cannot say anything of.

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Status;
use crate::outcome::{Outcome, judged_cells};
use crate::plan::Overnight;
use steep_judge::ids::CellId;
use steep_judge::isolation::{Guilt, Isolation, measured};

/// What a night did not come to.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NotRun {
    /// The moment at which it was to be over.
    pub until: String,
    /// How many cells the scenario's own plan has.
    pub planned_cells: usize,
    /// Those that were not soaked: nothing is known of them.
    pub left_out: Vec<CellId>,
    /// Flags and values of axes of which nothing can be said yet.
    pub not_judged: Vec<NotJudged>,
}

/// A flag or value of an axis of which nothing can be said yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NotJudged {
    /// The flag, or `axis=value`.
    pub name: String,
    /// Why, in words.
    pub reason: String,
}

impl NotRun {
    /// Of a night with these `outcomes`, of which `isolation` speaks.
    pub(super) fn of(night: &Overnight, outcomes: &[Outcome], isolation: &Isolation) -> Self {
        let is_soaked = |id: &&CellId| outcomes.iter().any(|outcome| &outcome.cell == *id);
        let left_out = night.planned.iter().filter(|id| !is_soaked(id)).cloned().collect();
        let of_flags = isolation.flags.iter().map(|flag| (flag.flag.clone(), &flag.finding));
        let of_axes = isolation.axes.iter().map(|axis| (axis.name(), &axis.finding));
        let open = of_flags.chain(of_axes).filter(|(_, finding)| finding.guilt == Guilt::Undecided);
        let open = open.map(|(name, finding)| NotJudged { name, reason: finding.reason.clone() });
        let not_judged = open.chain(unseen_values(night, outcomes)).collect();
        Self { until: night.until.clone(), planned_cells: night.planned.len(), left_out, not_judged }
    }

    /// What that comes to: nobody is clean of whom nothing is known (docs/decisions/013).
    pub(super) fn status(&self, outcomes: &[Outcome]) -> Status {
        if self.not_judged.is_empty() && !outcomes.is_empty() { Status::Clean } else { Status::Undecided }
    }
}

/// Values of axes under which the scenario's own plan has cells, and no cell was judged.
fn unseen_values(night: &Overnight, outcomes: &[Outcome]) -> Vec<NotJudged> {
    let judged = measured(&[], &judged_cells(outcomes));
    let judged: Vec<&Outcome> =
        outcomes.iter().filter(|outcome| judged.iter().any(|judged| judged.cell == outcome.cell)).collect();
    let values = night.axes.iter().flat_map(|(axis, values)| values.iter().map(move |value| (axis, value)));
    let unseen = values.filter(|(axis, value)| judged.iter().all(|outcome| outcome.axes.get(*axis) != Some(value)));
    unseen
        .map(|(axis, value)| NotJudged {
            name: format!("{axis}={value}"),
            reason: "no cell with it was judged".to_owned(),
        })
        .collect()
}
