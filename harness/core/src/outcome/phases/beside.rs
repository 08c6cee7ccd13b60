//! The rules of phases beside the fitted ones: what they show that the fitted ones do not, and what they could have
//! hidden. Their names and their order are in `outcome/rules.rs`.

use std::time::Duration;

use super::judgement::PhaseJudgement;
use crate::outcome::stretches::Stretch;
use steep_judge::growth::Follows;
use steep_judge::units::{Bytes, BytesPerHour, duration_text};
use steep_judge::verdict::{Judgement, Verdict};

/// Growth without requests follows time if it differs from that under load by less than this factor, or by no more than
/// chance: parts of a leak that follow time and parts that do not are told apart from half as much on.
const SAME_RATE: f64 = 1.5;

/// A phase that rose plainly is asked to last at least this long.
const LEAST_NEED: Duration = Duration::from_mins(5);
/// And this much longer than it did.
const LEAST_LONGER: f64 = 1.3;

/// The fitted phases and those beside them, as the rules ask about them.
pub(in crate::outcome) struct Beside<'t> {
    fitted: &'t Judgement,
    /// All stretches that are judged, the fitted one among them.
    phases: &'t [PhaseJudgement],
    stretches: &'t [Stretch<'t>],
    /// Those beside the fitted one that grow, the worst first.
    growing: Vec<&'t PhaseJudgement>,
}

/// What a rule makes of them.
pub(in crate::outcome) struct Found {
    /// What is said of memory.
    pub(in crate::outcome) judgement: Judgement,
    /// The phases that it rests on, where those are not the fitted ones.
    pub(in crate::outcome) grows_in: Option<Vec<String>>,
}

impl<'t> Beside<'t> {
    pub(super) fn new(fitted: &'t Judgement, phases: &'t [PhaseJudgement], stretches: &'t [Stretch<'t>]) -> Self {
        let mut growing: Vec<&PhaseJudgement> = phases.iter().filter(|phase| !phase.fitted && phase.grows()).collect();
        let rank = |phase: &PhaseJudgement| phase.judgement.verdict == Verdict::Retention;
        growing.sort_by(|one, other| rank(one).cmp(&rank(other)).then(other.rate().total_cmp(&one.rate())));
        Self { fitted, phases, stretches, growing }
    }

    /// What the fitted phases say where no rule of others decides: growth there is one finding with what becomes of it
    /// where nothing is asked, and a clear verdict says what others could have hidden.
    pub(in crate::outcome) fn fitted_only(&self) -> Judgement {
        let fitted = self.fitted.clone();
        if fitted.verdict.is_clear() {
            let hidden = self.phases.iter().filter(|phase| !phase.fitted).filter_map(PhaseJudgement::hidden);
            let reason = [fitted.reason].into_iter().chain(hidden).collect::<Vec<_>>().join("; ");
            return Judgement { reason, ..fitted };
        }
        match fitted.verdict {
            Verdict::Leak | Verdict::Step | Verdict::Retention => goes_on(fitted, &self.growing),
            _ => fitted,
        }
    }
}

/// Growth that only stretches beside the fitted one show.
pub(in crate::outcome) fn grows_beside(beside: &Beside<'_>) -> Option<Found> {
    let [worst, others @ ..] = beside.growing.as_slice() else { return None };
    let fitted = beside.fitted;
    let stands = match fitted.verdict {
        Verdict::Retention => worst.judgement.verdict == Verdict::Retention,
        // Numbers that are broken say nothing anywhere.
        Verdict::Leak | Verdict::Step | Verdict::Invalid | Verdict::Crashed => true,
        Verdict::Plateau | Verdict::Stable | Verdict::Inconclusive => false,
    };
    if stands {
        return None;
    }
    let others: Vec<String> =
        others.iter().map(|phase| format!("by {} in {}", phase.amount(), phase.place())).collect();
    let others = if others.is_empty() { String::new() } else { format!(", and {}", others.join(" and ")) };
    let where_fitted = if worst.without_requests { "under load" } else { "where it is fitted" };
    let reason = format!("{}{others}; {where_fitted}: {} ({})", worst.finding(), fitted.verdict, fitted.reason);
    let judgement = Judgement { reason, need: None, advice: None, ..worst.judgement.clone() };
    Some(Found { judgement, grows_in: Some(worst.phases.clone()) })
}

/// Growth that the fitted stretch shows, with what becomes of it where nothing is asked: one finding and not two.
fn goes_on(mut fitted: Judgement, growing: &[&PhaseJudgement]) -> Judgement {
    let mut silent = growing.iter().filter(|phase| phase.without_requests);
    let Some((phase, idle)) = silent.find_map(|phase| Some((phase, phase.judgement.growth.as_ref()?))) else {
        return fitted;
    };
    let Some(growth) = fitted.growth.as_mut().filter(|growth| growth.rate.get() > 0.0) else { return fitted };
    let (under_load, without) = (growth.per_hour.map(BytesPerHour::get), idle.per_hour.map(BytesPerHour::get));
    let is_same = without.low <= under_load.high && under_load.low <= without.high
        || without.value < SAME_RATE * under_load.value && under_load.value < SAME_RATE * without.value;
    let amount = idle.per_hour.compact();
    fitted.reason = if fitted.verdict == Verdict::Leak && is_same {
        growth.follows = Follows::Time;
        format!(
            "grows by {} per hour under load, and by {amount} per hour in {}: it follows time, not requests; evidence {:.1}",
            growth.per_hour.compact(),
            phase.place(),
            growth.evidence
        )
    } else {
        format!("{}; it goes on by {amount} per hour in {}", fitted.reason, phase.place())
    };
    fitted
}

/// A clear verdict does not stand where a stretch beside the fitted one plainly rose.
pub(in crate::outcome) fn rose_beside(beside: &Beside<'_>) -> Option<Found> {
    let fitted = Some(beside.fitted).filter(|fitted| fitted.verdict.is_clear())?;
    let mut others = beside.phases.iter().filter(|phase| !phase.fitted);
    let (phase, rise) = others.find_map(|phase| Some((phase, phase.rose_plainly_by_bytes?)))?;
    let need = phase.judgement.need.unwrap_or(LEAST_NEED).max(phase.lasted().mul_f64(LEAST_LONGER));
    let reason = format!(
        "rose by {rise} over the {} of {}, which {} not decide whether that goes on: let it last {}; else {} ({})",
        duration_text(phase.lasted()),
        phase.place(),
        if phase.judgement.growth.is_some() { "do" } else { "are too short and do" },
        duration_text(need),
        fitted.verdict,
        fitted.reason
    );
    let judgement = Judgement { reason, ..fitted.clone() }
        .advising(format!("lengthen {} to that (phases[].duration), then steep run FILE", phase.place()));
    Some(Found { judgement, grows_in: None })
}

/// A clear verdict does not stand where what the steady stretches settle at rises each time, by more than allocators
/// take and by what is worth finding: growth between them, which none of them has to show.
pub(in crate::outcome) fn settles_higher(beside: &Beside<'_>) -> Option<Found> {
    /// Two levels are any two.
    const FEWEST: usize = 3;
    let fitted = Some(beside.fitted_only()).filter(|fitted| fitted.verdict.is_clear())?;
    let is_loaded = |phase: &&PhaseJudgement| {
        let begins = |stretch: &Stretch<'_>| stretch.samples[0].t_s == phase.start_s;
        beside.stretches.iter().any(|stretch| stretch.has_role_of_fitted() && begins(stretch))
    };
    let steady: Vec<&PhaseJudgement> = beside.phases.iter().filter(is_loaded).collect();
    let [first, .., last] = steady.as_slice() else { return None };
    let growth = fitted.growth.as_ref().filter(|_| steady.len() >= FEWEST)?;
    let levels: Vec<f64> = steady.iter().map(|phase| phase.settled_bytes.as_f64()).collect();
    let risen = levels[levels.len() - 1] - levels[0];
    let rises_each_time = levels.windows(2).all(|pair| pair[1] - pair[0] > 0.5 * risen / (levels.len() - 1) as f64);
    let worth = growth.worth_finding.get_per_second() * (last.end_s - first.end_s).as_secs_f64();
    let by_itself = growth.source.drift().unwrap_or(growth.least_growth);
    if !rises_each_time || risen <= worth.max(by_itself.as_f64()) {
        return None;
    }
    let reason = format!(
        "settles higher in each of {} steady stretches, by {} from {} to {}: give the phases between them role = \"steady\", \
         so that all is fitted in one piece; the longest stretch: {} ({})",
        steady.len(),
        Bytes::new(risen as u64),
        first.place(),
        last.place(),
        fitted.verdict,
        fitted.reason
    );
    let judgement = Judgement { reason, ..fitted }
        .advising("say phases[].role = \"steady\" of the phases between them, then steep run FILE");
    Some(Found { judgement, grows_in: None })
}
