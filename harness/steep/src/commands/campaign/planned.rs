//! The cells of a plan, one after the other; where they leave open what leaks, those of the foldover follow.

use std::collections::VecDeque;

use super::chooser::{Chooser, Chosen, End};
use super::foldover::fold;
use super::so_far::SoFar;
use crate::shell::progress::Progress;
use steep_core::plan::Cell;
use steep_core::scenario::Model;
use steep_judge::ids::CellId;
use steep_judge::units::duration_text;

/// Soaks cells that the plan has.
pub(in super::super) struct Planned {
    chosen: Vec<CellId>,
    /// Whether a foldover may follow.
    may_fold: bool,
    soaked: usize,
}

impl Planned {
    /// All of `chosen`, and a foldover if they leave something open.
    pub(in super::super) const fn all(chosen: Vec<CellId>) -> Self {
        Self { chosen, may_fold: true, soaked: 0 }
    }

    /// Those that the user has `named`.
    pub(in super::super) const fn named(named: Vec<CellId>) -> Self {
        Self { chosen: named, may_fold: false, soaked: 0 }
    }

    /// The cells of a foldover.
    pub(super) const fn folded(more: Vec<CellId>) -> Self {
        Self { chosen: more, may_fold: false, soaked: 0 }
    }
}

impl Chooser for Planned {
    fn begin(&mut self, so_far: &mut SoFar<'_>) -> (Progress, VecDeque<Cell>) {
        let mut cells = so_far.left_to_soak();
        cells.retain(|cell| self.is_chosen(&cell.id));
        let progress = Progress::new(cells.len(), &so_far.audience);
        progress.say(&announcement(so_far, cells.len()));
        (progress, cells)
    }

    fn next(&mut self, _: &mut SoFar<'_>, _: &Progress) -> Chosen {
        Chosen::End(End::DONE)
    }

    /// The report says which cells are missing.
    fn interrupted(&self, _: &SoFar<'_>) -> End {
        End::DONE
    }

    /// A compiler would disturb what is measured, and what cannot be built is known before hours are spent.
    fn builds_first(&self) -> bool {
        true
    }

    fn may_confirm(&self) -> bool {
        true
    }

    fn is_chosen(&self, id: &CellId) -> bool {
        self.chosen.contains(id)
    }

    /// A run that is resumed counts what it soaks itself.
    fn number(&mut self, _: usize) -> usize {
        self.soaked += 1;
        self.soaked
    }

    fn then(&mut self, so_far: &mut SoFar<'_>) -> Result<Option<Box<dyn Chooser>>, anyhow::Error> {
        let more = if self.may_fold { fold(so_far)? } else { Vec::new() };
        Ok(if more.is_empty() { None } else { Some(Box::new(Self::folded(more))) })
    }
}

fn announcement(so_far: &SoFar<'_>, cells: usize) -> String {
    let run = &so_far.run;
    let each = duration_text(run.plan.cell_duration);
    let judge = &run.scenario.judge;
    let per_hour = judge.min_growth_bytes_per_hour;
    let worth = match run.scenario.load.model {
        Model::None => format!("{per_hour}, without requests"),
        Model::Open | Model::Closed { .. } => format!("{} and {per_hour}", judge.min_growth_bytes_per_request),
    };
    format!(
        "{}: {cells} {} of {each}; growth worth finding: {worth}; into {}",
        run.scenario.name,
        if cells == 1 { "cell" } else { "cells" },
        so_far.folder.path().display()
    )
}
