//! The table of flags and of values of axes: whether each leaks, and what it adds.

use super::super::{Layout, Report};
use super::levels::beside_innocent;
use super::table::{Column, table};
use steep_judge::ids::CellId;
use steep_judge::isolation::{Finding, Guilt};

/// A flag, or a value of an axis.
struct Row<'a> {
    name: String,
    finding: &'a Finding,
    is_unverified: bool,
}

/// Empty where nothing is varied.
pub(super) fn flags(report: &Report, layout: Layout) -> String {
    let of_flags = report.flags.iter().map(|flag| Row {
        name: flag.flag.clone(),
        finding: &flag.finding,
        is_unverified: flag.unverified,
    });
    let of_axes =
        report.axes.iter().map(|axis| Row { name: axis.name(), finding: &axis.finding, is_unverified: false });
    let rows: Vec<Row<'_>> = of_flags.chain(of_axes).collect();
    if rows.is_empty() {
        return String::new();
    }
    let guilts = rows.iter().map(|Row { name, finding, is_unverified }| {
        let mark = if *is_unverified { "?" } else { "" };
        format!("{}{mark}{}", guilt(finding), beside_innocent(&report.levels, name, finding))
    });
    let posterior = |finding: &Finding| finding.posterior.map(|posterior| format!("{posterior:.3}"));
    let per_request = |finding: &Finding| Some(finding.effect.as_ref()?.per_request?.compact());
    let per_hour = |finding: &Finding| Some(finding.effect.as_ref()?.per_hour.compact());
    let figures = |head, of: &dyn Fn(&Finding) -> Option<String>| {
        Column::figures(head, rows.iter().map(|row| of(row.finding).unwrap_or_else(|| "–".to_owned())))
    };
    let mut columns = vec![
        Column::words("flag", rows.iter().map(|row| row.name.clone())),
        Column::figures("", guilts),
        figures("posterior", &posterior),
    ];
    // Growth per hour says all where no request is known of.
    let effects = rows.iter().filter_map(|row| row.finding.effect.as_ref());
    let is_by_request = effects.clone().any(|effect| effect.per_request.is_some());
    let is_by_hour = effects.clone().any(|effect| effect.per_request.is_none()) || !is_by_request;
    if is_by_request || layout.is_wide() {
        columns.push(figures("adds per request", &per_request));
    }
    if is_by_hour || layout.is_wide() {
        columns.push(figures("adds per hour", &per_hour));
    }
    // What no pair of cells shows has a reason, which stands nowhere else unless the flag is undecided.
    let has_reason = |row: &Row<'_>| cells(row.finding).is_none() && row.finding.guilt != Guilt::Undecided;
    if layout.is_wide() || rows.iter().any(has_reason) {
        columns.push(Column::words("seen in", rows.iter().map(|row| seen_in(row.finding))));
    }
    table(&columns, layout)
}

/// The two cells whose difference shows best what a flag adds.
fn cells(finding: &Finding) -> Option<(&CellId, &CellId)> {
    let effect = finding.effect.as_ref()?;
    effect.with.as_ref().zip(effect.without.as_ref())
}

fn seen_in(finding: &Finding) -> String {
    match cells(finding) {
        Some((with, without)) => format!("{with} – {without}"),
        None if finding.guilt == Guilt::Undecided => "–".to_owned(),
        None => finding.reason.clone(),
    }
}

/// What is said of a flag or value, in a word or two.
pub(in crate::report) const fn guilt(finding: &Finding) -> &'static str {
    match finding.guilt {
        Guilt::Leaks => "LEAKS",
        Guilt::LeaksWith(_) => "LEAKS WITH",
        Guilt::LeaksWithout(_) => "LEAKS WITHOUT",
        Guilt::LeaksOff => "LEAKS OFF",
        Guilt::Retains => "RETAINS",
        Guilt::Crashes => "CRASHES",
        Guilt::Innocent => "innocent",
        Guilt::Undecided => "undecided",
    }
}
