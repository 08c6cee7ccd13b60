//! What came of cells: each trace is read and judged once.

use std::collections::BTreeMap;

use super::at_once::at_once;
use crate::shell::store::{RunFolder, RunRecord, StoreError, read_stacks, read_stacks_at_limit};
use steep_core::outcome::{Outcome, Recorded};
use steep_core::plan::{Cell, cell_id, with_system};
use steep_core::report::Course;
use steep_core::trace::{FromRecords, Header, Record, Repeated, TraceError};
use steep_judge::ids::CellId;

/// What came of the cell that `recorded` is of, with what else is in its folder.
pub(super) fn judged(recorded: Recorded, folder: &RunFolder) -> Outcome {
    let id = recorded.header().cell.clone();
    let own = folder.cell(&id);
    let outcome = recorded.outcome().with_stacks(read_stacks(&own).as_ref());
    let outcome = outcome.with_stacks_at_limit(read_stacks_at_limit(&own).as_ref());
    // One that cannot be read is not there: it adds to what the cell itself tells.
    let Some(again) = folder.confirming(&id).trace::<Recorded>(&id).ok().flatten() else { return outcome };
    let env = again.header().added_env.clone();
    outcome.with_confirmation(&again.outcome(), &env)
}

/// What came of the cell `id`, which was soaked beside the plan; none if it was not, or its soak was not over.
fn rerun(folder: &RunFolder, id: &CellId) -> Option<Outcome> {
    let reruns = folder.reruns();
    reruns.end_reason(id).filter(|reason| reason.is_final())?;
    reruns.trace(id).ok().flatten().map(|recorded| judged(recorded, &reruns))
}

/// A trace that is read once for what came of its cell and for what a page draws of it.
struct Seen {
    recorded: Recorded,
    course: Course,
}

impl FromRecords for Seen {
    fn begin(header: Header) -> Result<Self, TraceError> {
        Ok(Self { course: Course::begin(header.clone())?, recorded: Recorded::begin(header)? })
    }

    fn push(&mut self, record: Record) {
        self.course.see(&record);
        self.recorded.push(record);
    }

    fn broken_line(&mut self) {
        self.recorded.broken_line();
    }
}

/// The outcomes of the cells of a run that were asked for so far.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    judged: BTreeMap<CellId, Outcome>,
    /// What a page draws of those that were read ahead; none where no page is made.
    courses: Option<Vec<Course>>,
}

impl Outcomes {
    /// None so far, of cells that a page is made of.
    pub(super) fn with_courses() -> Self {
        Self { courses: Some(Vec::new()), ..Self::default() }
    }

    /// What a page draws of the cells that were read ahead.
    pub(super) fn into_courses(self) -> Vec<Course> {
        self.courses.unwrap_or_default()
    }

    /// Reads and judges the cells of `run` that are not known at once, on all CPUs. One that cannot be read stays
    /// unknown: whoever asks for it gets the error.
    pub(super) fn read_ahead(&mut self, folder: &RunFolder, run: &RunRecord) {
        let ids = run.plan.cells.iter().map(|cell| &cell.id);
        let unknown: Vec<&CellId> = ids.filter(|id| !self.judged.contains_key(*id)).collect();
        let draws = self.courses.is_some();
        let read = at_once(&unknown, |id| {
            if draws {
                let seen = folder.trace::<Seen>(id).ok().flatten()?;
                return Some((judged(seen.recorded, folder), Some(seen.course)));
            }
            Some((judged(folder.trace::<Recorded>(id).ok().flatten()?, folder), None))
        });
        for (outcome, course) in read.into_iter().flatten() {
            self.saw(outcome);
            if let (Some(courses), Some(course)) = (&mut self.courses, course) {
                courses.push(course);
            }
        }
    }

    /// What came of a cell of `folder`; none if it was not soaked.
    ///
    /// # Errors
    /// Its trace cannot be read.
    pub(super) fn of(&mut self, folder: &RunFolder, id: &CellId) -> Result<Option<&Outcome>, StoreError> {
        if !self.judged.contains_key(id) {
            let Some(recorded) = folder.trace::<Recorded>(id)? else { return Ok(None) };
            self.saw(judged(recorded, folder));
        }
        Ok(self.judged.get(id))
    }

    /// The same, and none if the trace cannot be read either.
    pub(super) fn get(&mut self, folder: &RunFolder, id: &CellId) -> Option<&Outcome> {
        self.of(folder, id).ok().flatten()
    }

    /// Adds to the cells of `run` that leak and have no stacks what the same features keep with the system's
    /// allocator, where that was soaked: in a cell of the plan, or beside it.
    pub(super) fn add_reruns(&mut self, folder: &RunFolder, run: &RunRecord) {
        for cell in &run.plan.cells {
            let is_open = |outcome: &Outcome| outcome.rerun.is_none() && outcome.lacks_stacks();
            if !self.get(folder, &cell.id).is_some_and(is_open) {
                continue;
            }
            let Some((allocator, axes)) = with_system(&run.scenario, &cell.axes) else { continue };
            let of_plan = self.of_plan_with(folder, run, cell, &axes);
            let is_of_plan = of_plan.is_some();
            let id = cell_id(&run.scenario, &cell.flags, &axes, 1);
            let Some(of) = of_plan.or_else(|| rerun(folder, &id)) else { continue };
            if let Some(outcome) = self.judged.get_mut(&cell.id) {
                outcome.add_rerun(&of, allocator, is_of_plan);
            }
        }
    }

    /// What came of the cell of the plan that has the flags of `cell` and these `axes`, and stacks.
    pub(super) fn of_plan_with(
        &mut self,
        folder: &RunFolder,
        run: &RunRecord,
        cell: &Cell,
        axes: &BTreeMap<String, String>,
    ) -> Option<Outcome> {
        let mut same = run.plan.cells.iter().filter(|other| other.flags == cell.flags && other.axes == *axes);
        same.find_map(|other| self.get(folder, &other.id).filter(|outcome| outcome.has_stacks()).cloned())
    }

    /// Notes what came of a cell that was soaked now.
    pub(super) fn saw(&mut self, outcome: Outcome) {
        self.judged.insert(outcome.cell.clone(), outcome);
    }

    /// Drops what came of a cell: it is soaked anew.
    pub(super) fn forget(&mut self, id: &CellId) {
        self.judged.remove(id);
    }

    /// That `id` was soaked before and did not have its load, for the header of the soak that begins now; that one may
    /// itself go on with a repetition that was interrupted.
    pub(super) fn repeated(&mut self, folder: &RunFolder, id: &CellId) -> Option<Repeated> {
        let outcome = self.get(folder, id)?;
        let before = outcome.repeated.clone();
        if !outcome.worth_repeating {
            return before;
        }
        Some(Repeated { times: before.map_or(0, |before| before.times) + 1, why: outcome.judgement.reason.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::shell::store::{RunRecord, TRACE_FILE, TraceWriter};
    use steep_core::plan::Plan;
    use steep_core::scenario::Supplies;
    use steep_core::sim::{SimService, soak};
    use steep_core::testing::{decoded, sound};
    use steep_core::trace::{Provenance, Record};

    #[test]
    fn a_trace_is_judged_once_until_its_cell_is_soaked_anew() {
        let text = sound("1m", "");
        let scenario = decoded(&text);
        let trace = soak(&scenario, &SimService::default(), &[]).expect("a trace");
        let place = tempfile::tempdir().expect("a place");
        let plan = Plan::of_search(&scenario);
        let run = RunRecord::new(scenario, &Supplies::default(), PathBuf::new(), plan, Provenance::default());
        let folder = RunFolder::create(Some(&place.path().join("out")), &run, &text).expect("a folder");
        let id = &trace.header.cell;
        let mut outcomes = Outcomes::default();
        assert!(outcomes.get(&folder, id).is_none());

        std::fs::create_dir(folder.cell(id)).expect("a folder");
        let mut writer = TraceWriter::create(&folder.cell(id)).expect("a trace");
        writer.write(&Record::Header(Box::new(trace.header.clone()))).expect("a header");
        for sample in trace.samples {
            writer.write(&Record::Sample(sample)).expect("a sample");
        }
        let judged = outcomes.get(&folder, id).cloned().expect("an outcome");
        std::fs::write(folder.cell(id).join(TRACE_FILE), "no trace").expect("another file");
        assert_eq!(outcomes.get(&folder, id), Some(&judged));
        outcomes.forget(id);
        assert!(outcomes.get(&folder, id).is_none());
    }
}
