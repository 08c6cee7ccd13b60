//! What memory does after each kind of event.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::level::Level;
use crate::trace::{LogLine, PhaseSpan, Trace};
use steep_judge::growth::MemorySource;
use steep_judge::stats::response::{Interval, Levels, Response, response};
use steep_judge::units::{Bytes, Estimate, SinceStart, counted, duration_text};

/// A group of a pattern tells events apart where it has at most this many values, each in a few events.
const VALUES_MAX: usize = 6;
/// See [`VALUES_MAX`].
const EVENTS_PER_VALUE: usize = 3;

/// Kinds that one pattern may be told apart into.
const KINDS_PER_PATTERN: usize = 12;

/// What is not the scenario's wish is worth a word from this many times on.
const OFTEN: usize = 3;

/// Share of the events that have to be back for their kind to be one that comes back.
const NEARLY_ALL: f64 = 0.9;

/// What may be kept of a change for it to count as gone, where no more can be seen.
const NEXT_TO_NOTHING: f64 = 0.1;

/// What memory does after events of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EventEffect {
    /// The kind: its name in the scenario, or what steep calls it.
    pub event: String,
    /// Values of the pattern's groups that all events of this kind share.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Where it is known from.
    pub seen_in: SeenIn,
    /// How often it happened.
    pub count: usize,
    /// How often beside that: too many lines came at once, and were only counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub only_counted: u64,
    /// When the first came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_s: Option<SinceStart>,
    /// When the last came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_s: Option<SinceStart>,
    /// What it does to memory.
    pub effect: Effect,
    /// The median change of memory after it; none where no memory was read around any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_bytes: Option<Estimate<f64>>,
    /// Of how many it was seen how they went on.
    pub watched: usize,
    /// How many of those were back before the next.
    pub back: usize,
    /// Within this time, 95 % of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_within_s: Option<f64>,
    /// What was still there when the next came, beyond how memory grows between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_bytes: Option<Estimate<f64>>,
}

/// Where events are known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeenIn {
    /// `service.log_events`.
    Log,
    /// The schedule of the load.
    Schedule,
    /// Processes of the service.
    Processes,
    /// What was not the service's doing.
    Host,
}

/// What events of a kind do to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// They take memory, and it comes back: an excursion, innocent of growth.
    ComesBack,
    /// They take memory that is still there when the next comes.
    Keeps,
    /// Memory falls after them.
    Frees,
    /// They take memory, and whether all of it comes back is not clear.
    Takes,
    /// Nothing that memory does not do at any other time as well.
    NotSeen,
    /// There were too few.
    TooFew,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Events of one kind.
struct Kind {
    event: String,
    values: BTreeMap<String, String>,
    seen_in: SeenIn,
    at: Vec<SinceStart>,
    only_counted: u64,
}

/// The time in which memory that an event took is not back yet, in seconds.
pub(super) type Excursion = (f64, f64);

/// What each kind of event does to `level`: those of the scenario, and what else happened often; and
/// when memory that they took was not back yet.
pub(super) fn event_effects(trace: &Trace, level: &Level) -> (Vec<EventEffect>, Vec<Excursion>) {
    let logged = trace.header.log_events.iter().flat_map(|kind| of_pattern(trace, &kind.name));
    let others = others(trace).into_iter().filter(|kind| kind.at.len() >= OFTEN);
    let kinds: Vec<Kind> = logged.chain(others).collect();
    let count = kinds.len();
    let (mut effects, mut excursions) = (Vec::new(), Vec::new());
    let moments: Vec<Vec<f64>> = kinds.iter().map(|kind| kind.at.iter().map(|at| at.as_secs_f64()).collect()).collect();
    for (place, kind) in kinds.into_iter().enumerate() {
        let (at, mut others) = (&moments[place], moments.clone());
        others.remove(place);
        let effect = kind.effect(level, at, &others.concat(), count);
        if let (Effect::ComesBack | Effect::Takes, Some(lasts)) = (effect.effect, effect.back_within_s) {
            excursions.extend(at.iter().map(|at| (*at, at + lasts)));
        }
        effects.push(effect);
    }
    excursions.sort_by(|one, other| one.0.total_cmp(&other.0));
    (effects, excursions)
}

/// The events of one pattern, told apart by values that few of them have.
fn of_pattern(trace: &Trace, name: &str) -> Vec<Kind> {
    let lines: Vec<&LogLine> = trace.log_events.iter().filter(|line| line.event == name).collect();
    let only_counted = trace.log_floods.iter().filter(|flood| flood.event == name).map(|flood| flood.lines).sum();
    let telling = telling(&lines);
    let mut kinds: BTreeMap<BTreeMap<&String, &String>, Vec<SinceStart>> = BTreeMap::new();
    for line in &lines {
        let values = line.values.iter().filter(|(group, _)| telling.contains(group));
        kinds.entry(values.collect()).or_default().push(line.t_s);
    }
    if kinds.is_empty() || kinds.len() > KINDS_PER_PATTERN {
        let at = lines.iter().map(|line| line.t_s).collect();
        kinds = BTreeMap::from([(BTreeMap::new(), at)]);
    }
    let kind = |(place, (values, at)): (usize, (BTreeMap<&String, &String>, Vec<SinceStart>))| Kind {
        event: name.to_owned(),
        values: values.into_iter().map(|(group, value)| (group.clone(), value.clone())).collect(),
        seen_in: SeenIn::Log,
        at,
        // Of what was not kept the values are not known: it is said once.
        only_counted: if place == 0 { only_counted } else { 0 },
    };
    kinds.into_iter().enumerate().map(kind).collect()
}

/// The groups that tell events apart.
fn telling<'l>(lines: &[&'l LogLine]) -> BTreeSet<&'l String> {
    let groups: BTreeSet<&String> = lines.iter().flat_map(|line| line.values.keys()).collect();
    let tells = |group: &&String| {
        let values: BTreeSet<Option<&String>> = lines.iter().map(|line| line.values.get(*group)).collect();
        values.len() <= VALUES_MAX && lines.len() >= EVENTS_PER_VALUE * values.len()
    };
    groups.into_iter().filter(tells).collect()
}

/// What happens without a wish of the scenario.
fn others(trace: &Trace) -> Vec<Kind> {
    let kind = |event: &str, seen_in, at: Vec<SinceStart>| Kind {
        event: event.to_owned(),
        values: BTreeMap::new(),
        seen_in,
        at,
        only_counted: 0,
    };
    let soaked = trace.last_moment();
    let spikes = trace.header.phases.iter().flat_map(PhaseSpan::spikes).filter(|at| *at <= soaked);
    let ends = trace.worker_ends.iter().map(|end| end.t_s);
    let disturbed = trace.disturbances.iter().map(|disturbance| {
        SinceStart::from_secs_f64((disturbance.t_s.as_secs_f64() - disturbance.seconds.max(0.0)).max(0.0))
    });
    vec![
        kind("spike of the load", SeenIn::Schedule, spikes.collect()),
        kind("end of a process", SeenIn::Processes, ends.collect()),
        kind("disturbance", SeenIn::Host, disturbed.collect()),
    ]
}

impl Kind {
    fn effect(self, level: &Level, at: &[f64], others: &[f64], kinds: usize) -> EventEffect {
        // Where a process ends, another one holds the memory: that is what is asked.
        let breaks = if self.seen_in == SeenIn::Processes { &[][..] } else { &level.breaks };
        let seen = response(Levels { ts: &level.ts, ys: &level.bytes, breaks }, at, others, kinds);
        let estimate = |[value, low, high]: Interval| Estimate { value, low, high };
        EventEffect {
            event: self.event,
            values: self.values,
            seen_in: self.seen_in,
            count: at.len(),
            only_counted: self.only_counted,
            first_s: self.at.iter().min().copied(),
            last_s: self.at.iter().max().copied(),
            effect: seen.as_ref().map_or(Effect::TooFew, effect),
            change_bytes: seen.as_ref().map(|seen| estimate(seen.change)),
            watched: seen.as_ref().map_or(0, |seen| seen.watched),
            back: seen.as_ref().map_or(0, |seen| seen.back),
            back_within_s: seen.as_ref().and_then(|seen| seen.back_within),
            kept_bytes: seen.and_then(|seen| seen.kept).map(estimate),
        }
    }
}

fn effect(seen: &Response) -> Effect {
    let [change, low, _] = seen.change;
    if seen.events < steep_judge::stats::response::FEWEST {
        return Effect::TooFew;
    }
    if !seen.is_sure {
        return Effect::NotSeen;
    }
    if low < 0.0 {
        return Effect::Frees;
    }
    // Surely kept: it lies as far again beyond what 95 % leave open.
    if seen.kept.is_some_and(|[kept, low, _]| 2.0 * low - kept > 0.0) {
        return Effect::Keeps;
    }
    let nearly_all_back = seen.watched > 0 && seen.back as f64 >= NEARLY_ALL * seen.watched as f64;
    let is_gone = seen.kept.is_none_or(|[_, _, high]| high < NEXT_TO_NOTHING * change);
    if nearly_all_back && is_gone { Effect::ComesBack } else { Effect::Takes }
}

impl EventEffect {
    /// What a person should know of it.
    #[must_use]
    pub fn note(&self, memory: MemorySource) -> String {
        if self.count == 0 && self.only_counted == 0 {
            return format!("event {self}: no line of the service's log was one; does its pattern match?");
        }
        let times = match self.count {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            count => format!("{count} times"),
        };
        let more = match self.only_counted {
            0 => String::new(),
            lines => format!(" and {} more that came too fast to be kept", counted(lines as usize, "line")),
        };
        format!("event {self}, {times}{more}: {}", self.said(memory))
    }

    fn said(&self, memory: MemorySource) -> String {
        let Some(change) = &self.change_bytes else { return "no memory was read around it".to_owned() };
        let sign = if change.value > 0.0 { "+" } else { "" };
        let changed = format!("{sign}{} ({})", change.compact_bytes(), memory.in_words());
        let back = self.back_in_words();
        match self.effect {
            Effect::ComesBack => {
                let most = self.kept_bytes.map_or_else(String::new, |kept| {
                    format!("; of that at most {} stay", Bytes::new(kept.high.max(0.0) as u64))
                });
                format!("{changed}{back}{most}")
            }
            Effect::Keeps => {
                let kept = self.kept_bytes.map_or_else(String::new, |kept| kept.compact_bytes());
                format!("{changed}{back}, and {kept} of it is still there when the next comes: it keeps memory")
            }
            Effect::Frees => changed,
            Effect::Takes => format!("{changed}{back}; whether all of it comes back is not clear"),
            Effect::NotSeen => format!("memory changes by {changed}, no more than at any other time"),
            Effect::TooFew => format!("{changed}; too few to tell that from what memory does by itself"),
        }
    }

    fn back_in_words(&self) -> String {
        let Some(seconds) = self.back_within_s else {
            return if self.watched > 0 { ", not back before the next".to_owned() } else { String::new() };
        };
        let within = duration_text(Duration::from_secs_f64(seconds.ceil().max(1.0)));
        if self.back == self.watched {
            format!(", back within {within}")
        } else {
            format!(", back within {within} in {} of {}", self.back, self.watched)
        }
    }
}

/// `batch what=started`, or `batch started` where the group has no name.
impl fmt::Display for EventEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.event)?;
        for (group, value) in &self.values {
            if group.bytes().all(|byte| byte.is_ascii_digit()) {
                write!(f, " {value}")?;
            } else {
                write!(f, " {group}={value}")?;
            }
        }
        Ok(())
    }
}
