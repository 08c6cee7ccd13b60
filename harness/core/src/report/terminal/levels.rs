//! What flags and axes cost by being on, for people.

use super::super::Layout;
use super::prose::wrapped;
use super::table::{Column, is_side_by_side, table};
use crate::levels::{FactorLevels, LeftOut, Levels, MEASURES, NotAdditive, sentence};
use crate::outcome::Measure;
use steep_judge::isolation::{AxisFinding, Finding, FlagFinding, Guilt};
use steep_judge::units::{Estimate, counted};

/// The last sentence of a report names what this many cost; the table has all.
const MAX_SENTENCES: usize = 3;
/// Cells that are left out are named up to this many.
const LEFT_OUT_NAMED: usize = 3;

/// What the tables show, and what their marks mean.
const NOTE: &str = "What each adds by being on, beside its growth, by all cells together, with 95 % intervals. * more than chance and than what \
                    matters (memory 1 MiB and 2 %, latency 1 ms and 10 %, CPU 5 %), at 1 % for all of it.";

/// The tables of `levels`, and what is to be known of them; empty where nothing is varied.
pub(super) fn levels(levels: &Levels, layout: Layout) -> String {
    let shown = shown_measures(levels);
    if shown.is_empty() {
        return String::new();
    }
    let mut rest = &shown[..];
    let mut tables = Vec::new();
    while !rest.is_empty() {
        let fits = |count: &usize| is_side_by_side(&columns(levels, &rest[..*count]), layout);
        let count = (1..=rest.len()).rev().find(fits).unwrap_or(1);
        tables.push(table(&columns(levels, &rest[..count]), layout));
        rest = &rest[count..];
    }
    let described: String = level_notes(levels).iter().map(|note| wrapped(note, layout)).collect();
    tables.join("\n") + &described
}

/// The measures that anything is known by.
pub(in crate::report) fn shown_measures(levels: &Levels) -> Vec<Measure> {
    MEASURES.into_iter().filter(|measure| has(levels, *measure)).collect()
}

/// What is to be known of the tables.
pub(in crate::report) fn level_notes(levels: &Levels) -> Vec<String> {
    let described = levels.not_additive.iter().map(not_additive).chain(left_out(&levels.left_out));
    std::iter::once(NOTE.to_owned()).chain(described).collect()
}

/// Memory at the start stands in the table where settled memory is not known of all.
fn has(levels: &Levels, measure: Measure) -> bool {
    let known = |measure| move |factor: &&FactorLevels| factor.level(measure).is_some();
    let count = |measure| levels.factors.iter().filter(known(measure)).count();
    let settled = count(Measure::SettledAnonBytes);
    count(measure) > 0 && (measure != Measure::StartAnonBytes || settled < count(Measure::StartAnonBytes))
}

fn columns(levels: &Levels, measures: &[Measure]) -> Vec<Column> {
    let names = Column::words("adds", levels.factors.iter().map(FactorLevels::name));
    let figures = |measure: &Measure| {
        Column::figures(level_label(*measure), levels.factors.iter().map(|factor| level_figure(factor, *measure)))
    };
    std::iter::once(names).chain(measures.iter().map(figures)).collect()
}

/// What a factor adds by a measure, marked where it is said in words.
pub(in crate::report) fn level_figure(factor: &FactorLevels, measure: Measure) -> String {
    let Some(level) = factor.level(measure) else { return "–".to_owned() };
    let mark = if level.is_said { "* " } else { "" };
    mark.to_owned() + &measure.shown(&level.estimate)
}

/// What a measure is called here: what flags are on for, and not which kind of pages.
pub(in crate::report) const fn level_label(measure: Measure) -> &'static str {
    match measure {
        Measure::StartAnonBytes => "at the start",
        Measure::SettledAnonBytes => "settled memory",
        other => other.name(),
    }
}

fn not_additive(NotAdditive { measure, cell, above }: &NotAdditive) -> String {
    let size = measure.plain(above.abs());
    let side = if *above > 0.0 { "above" } else { "below" };
    format!(
        "{} does not add up: {cell} is {size} {side} the sum of what the other cells show; some cost together what neither costs alone",
        level_label(*measure)
    )
}

/// The cells that are left out, one line for each reason.
fn left_out(cells: &[LeftOut]) -> Vec<String> {
    let mut reasons: Vec<(&[Measure], &str)> =
        cells.iter().map(|cell| (&cell.measures[..], cell.reason.as_str())).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let described = |(measures, reason): (&[Measure], &str)| {
        let alike = |cell: &&LeftOut| cell.measures == measures && cell.reason == reason;
        let names: Vec<&str> = cells.iter().filter(alike).map(|cell| cell.cell.as_str()).collect();
        let more = names.len().saturating_sub(LEFT_OUT_NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {}", counted(more, "more cell")) };
        let of = measures.iter().map(|measure| level_label(*measure)).collect::<Vec<_>>().join(" and ");
        let of = if of.is_empty() { String::new() } else { format!(" of {of}") };
        format!("left out{of}: {}{more}: {reason}", names[..names.len().min(LEFT_OUT_NAMED)].join(", "))
    };
    reasons.into_iter().map(described).collect()
}

/// What is said of levels beside what is said of growth, for the end of a report; empty where nothing is.
pub(in crate::report) fn described(levels: &Levels, flags: &[FlagFinding], axes: &[AxisFinding]) -> String {
    let mut said: Vec<&FactorLevels> = levels.factors.iter().filter(|factor| factor.is_said()).collect();
    let weight = |factor: &FactorLevels| {
        let shares = MEASURES.into_iter().filter_map(|measure| factor.said(measure));
        shares.map(|level| level.estimate.value.abs() / level.matters_from).fold(0.0, f64::max)
    };
    said.sort_by(|one, other| weight(other).total_cmp(&weight(one)));
    let sentences = said.iter().filter_map(|factor| sentence(factor, growth(factor, flags, axes)));
    let mut sentences: Vec<String> = sentences.take(MAX_SENTENCES).map(|sentence| format!(" {sentence}.")).collect();
    if said.len() > MAX_SENTENCES {
        sentences.push(format!(" What {} more cost is marked above.", said.len() - MAX_SENTENCES));
    }
    sentences.concat()
}

/// What is known of the growth of `factor`.
fn growth(factor: &FactorLevels, flags: &[FlagFinding], axes: &[AxisFinding]) -> &'static str {
    let [name] = &factor.names[..] else { return "" };
    let flag = flags.iter().find(|flag| &flag.flag == name).map(|flag| &flag.finding);
    let axis = axes.iter().find(|axis| &axis.name() == name).map(|axis| &axis.finding);
    match flag.or(axis).map(|finding| &finding.guilt) {
        Some(Guilt::Innocent) => "it does not grow",
        Some(Guilt::Undecided) => "whether it grows is undecided",
        Some(
            Guilt::Leaks
            | Guilt::LeaksWith(_)
            | Guilt::LeaksWithout(_)
            | Guilt::LeaksOff
            | Guilt::Retains
            | Guilt::Crashes,
        ) => "that is beside its growth",
        None => "",
    }
}

/// What stands beside "innocent" for the factor `name`: that it costs something all the same.
pub(super) fn beside_innocent(levels: &Levels, name: &str, finding: &Finding) -> String {
    let factor = levels.factors.iter().find(|factor| factor.names.iter().any(|known| known == name));
    let Some(factor) = factor.filter(|_| finding.guilt == Guilt::Innocent) else { return String::new() };
    let memory = [Measure::SettledAnonBytes, Measure::StartAnonBytes, Measure::PeakBytes];
    let sign = |value: f64| if value > 0.0 { "+" } else { "-" };
    if let Some((measure, level)) = memory.into_iter().find_map(|measure| Some((measure, factor.said(measure)?))) {
        let Estimate { value, .. } = level.estimate;
        return format!(" {}{}", sign(value), measure.plain(value.abs()));
    }
    let other = [(Measure::CpuUsPerRequest, "CPU"), (Measure::P99Us, "p99")];
    let described = other.into_iter().filter_map(|(measure, name)| Some((factor.said(measure)?.estimate.value, name)));
    described.map(|(value, name)| format!(" {}{name}", sign(value))).collect()
}
