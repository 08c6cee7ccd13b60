//! The command, or the key of the scenario, that would settle what is undecided.

use super::Report;
use crate::plan::{Allowed, Plan, cell_id, usual_axes};
use crate::scenario::Scenario;
use crate::scenario::package::Features;
use steep_judge::ids::FlagSet;
use steep_judge::isolation::{Finding, Guilt, Settling};
use steep_judge::units::duration_text;

/// How a run goes on that began so.
enum Resumed {
    /// Any cell can be added to it.
    ByCell,
    /// It chooses its cells by itself.
    Alone(String),
}

impl Report {
    /// Says of each flag and value that is undecided what to call. `folder` is that of the run, `plan` is its plan.
    #[must_use]
    pub fn with_commands(mut self, scenario: &Scenario, plan: &Plan, folder: &str) -> Self {
        let resumed = if plan.overnight.is_some() {
            Resumed::Alone(format!("steep run FILE --until TIME --resume {folder}"))
        } else if plan.hash == Plan::of_search(scenario).hash {
            Resumed::Alone(format!("steep bisect FILE --max-hours HOURS --resume {folder}"))
        } else {
            Resumed::ByCell
        };
        for outcome in &mut self.cells {
            let again = format!("steep run FILE --resume RUN --cell '{}'", outcome.cell);
            let now = match &resumed {
                Resumed::ByCell => format!("steep run FILE --resume {folder} --cell '{}'", outcome.cell),
                Resumed::Alone(command) => command.clone(),
            };
            if let Some(advice) = &mut outcome.judgement.advice {
                *advice = advice.replace(&again, &now);
            }
        }
        let allowed = Allowed::of(scenario, &Features::default());
        let findings = self.flags.iter_mut().map(|flag| &mut flag.finding);
        for finding in findings.chain(self.axes.iter_mut().map(|axis| &mut axis.finding)) {
            let Some(settling) = &mut finding.settling else { continue };
            let is_usual = settling.axes == usual_axes(scenario);
            let may_be = |flags: &FlagSet| !is_usual || allowed.allows(flags);
            if !may_be(&settling.flags) {
                let Some(other) = settling.others.iter().find(|flags| may_be(flags)) else {
                    finding.settling = None;
                    continue;
                };
                settling.flags = other.clone();
            }
            let cell = cell_id(scenario, &settling.flags, &settling.axes, settling.replicate);
            settling.command = Some(match (&resumed, settling.length) {
                (_, Some(length)) => {
                    format!(
                        "lengthen [[phases]] in FILE to about {} in all, then steep run FILE",
                        duration_text(length)
                    )
                }
                (Resumed::ByCell, None) => format!("steep run FILE --resume {folder} --cell '{cell}'"),
                (Resumed::Alone(command), None) => command.clone(),
            });
        }
        self
    }
}

/// What an undecided finding ends with.
pub(super) fn settled_by(finding: &Finding) -> Option<String> {
    if finding.guilt != Guilt::Undecided {
        return None;
    }
    Some(match &finding.settling {
        Some(Settling { command: Some(command), .. }) => command.clone(),
        Some(Settling { flags, length: None, .. }) => {
            let cell = if flags.is_empty() { "baseline".to_owned() } else { flags.to_string() };
            format!("steep run FILE --cell '{cell}'")
        }
        Some(Settling { length: Some(length), .. }) => {
            format!("a soak of about {}: longer [[phases]]", duration_text(*length))
        }
        None => "steep bisect FILE".to_owned(),
    })
}
