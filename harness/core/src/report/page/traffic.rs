//! Traffic over time: requests each second, and how long they took.

use maud::{Markup, html};

use super::chart::{Chart, Series};
use super::columns::{Column, Table};
use super::course::Course;
use super::curve::Plane;
use super::scale::{Axis, Scale, seconds_text};
use super::tabular::{Head, folded, table, text};
use crate::outcome::Outcome;
use crate::trace::Percentiles;

/// Requests each second: column, what it is called, class. Those behind stand first.
const RATES: [(&[&str], &str, &str); 4] = [
    (&["due"], "due", "due"),
    (&["sent"], "sent", "sent"),
    (&["unsent"], "missed or dropped", "unsent"),
    (&["failed"], "failed", "failed"),
];

/// Times of answers, from the moment at which they were due.
const TIMES: [(&[&str], &str, &str); 2] =
    [(&["p99"], "p99 of the slowest request", "p99"), (&["p50"], "p50 of the slowest request", "p50")];

/// The figures of the traffic; nothing where nobody knows of any request.
pub(super) fn traffic(id: &str, course: &Course, columns: usize) -> Markup {
    let is_own = course.traffic.rows() > 1;
    html! {
        @if is_own {
            (rates(id, course, columns))
            (times(id, course, columns))
        } @else if has_completed(&course.samples) {
            (completed(id, course, columns))
            p.note {
                "Who made the load did not tell what was due and sent: these are the requests that were completed."
            }
        } @else {
            p.note { "No traffic was recorded." }
        }
    }
}

fn has_completed(samples: &Table) -> bool {
    let column = samples.column("completed");
    samples.rows() > 1 && column.is_some_and(Column::is_there)
}

fn highest(series: &[Series<'_>]) -> f64 {
    series.iter().flat_map(|series| &series.values).copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// A column of `table` as a line.
fn line<'s>(table: &Table, columns: &'s [&'static str], label: &str, class: &'static str) -> Series<'s> {
    Series { columns, label: label.to_owned(), class, is_area: false, values: table.drawn(columns[0]) }
}

fn rates(id: &str, course: &Course, columns: usize) -> Markup {
    let traffic = &course.traffic;
    let is_seen = |name: &str| name == "due" || name == "sent" || traffic.drawn(name).iter().any(|rate| *rate > 0.0);
    let series: Vec<Series<'_>> = RATES
        .iter()
        .filter(|(columns, ..)| is_seen(columns[0]))
        .map(|(columns, label, class)| line(traffic, columns, label, class))
        .collect();
    let last =
        |name: &str| traffic.column(name).and_then(|column| column.recorded().next_back().flatten()).unwrap_or(0);
    let described = format!(
        "Requests each second over {}: {} due, {} sent, {} missed or dropped, {} failed in all.",
        seconds_text(course.end_s()),
        last("due"),
        last("sent"),
        last("unsent"),
        last("failed")
    );
    let scale = Scale::from_zero(Axis::Numbers, highest(&series));
    let chart = of_traffic(format!("{id}-rates"), "Requests each second", described, course, scale, series, 120.0);
    chart.drawn(course, columns)
}

fn times(id: &str, course: &Course, columns: usize) -> Markup {
    let series: Vec<Series<'_>> =
        TIMES.iter().map(|(columns, label, class)| line(&course.traffic, columns, label, class)).collect();
    let all = series.iter().flat_map(|series| series.values.iter().copied());
    let Some(scale) = Scale::around(Axis::Times, all) else { return html! {} };
    let described = format!(
        "Time from due to answered over {}, on a logarithmic axis: at worst {}.",
        seconds_text(course.end_s()),
        Axis::Times.text(highest(&series))
    );
    let title = "Time from due to answered";
    of_traffic(format!("{id}-times"), title, described, course, scale, series, 120.0).drawn(course, columns)
}

fn completed(id: &str, course: &Course, columns: usize) -> Markup {
    let series = vec![line(&course.samples, &["completed"], "completed", "sent")];
    let described = format!("Completed requests each second over {}.", seconds_text(course.end_s()));
    let scale = Scale::from_zero(Axis::Numbers, highest(&series));
    let chart = Chart {
        table: "samples",
        at: course.samples.seconds(),
        ..of_traffic(format!("{id}-rates"), "Requests each second", described, course, scale, series, 120.0)
    };
    chart.drawn(course, columns)
}

fn of_traffic<'c>(
    id: String,
    title: &'static str,
    described: String,
    course: &Course,
    scale: Scale,
    series: Vec<Series<'c>>,
    height: f64,
) -> Chart<'c> {
    let plane = Plane { from: 0.0, to: course.end_s(), scale };
    let at = course.traffic.seconds();
    let (over, over_legend) = (html! {}, Vec::new());
    Chart { id, title, described, plane, height, table: "traffic", at, series, over, over_legend, fits: false }
}

/// Traffic by phase, and latency by the name of the request.
pub(super) fn tables(course: &Course, outcome: &Outcome) -> Markup {
    html! {
        @if course.traffic.rows() > 1 { (folded("Traffic as a table", &by_phase(course))) }
        @if !outcome.latency.is_empty() { (folded("Latency by request", &by_request(outcome))) }
    }
}

fn by_phase(course: &Course) -> Markup {
    let traffic = &course.traffic;
    let at = traffic.seconds();
    let until = |column: &Column, moment: f64| {
        let after = at.partition_point(|at| *at <= moment);
        after.checked_sub(1).and_then(|row| column.in_row(row)).unwrap_or(0)
    };
    let columns: Vec<&Column> =
        ["due", "sent", "unsent", "failed"].into_iter().filter_map(|name| traffic.column(name)).collect();
    let slowest = traffic.drawn("p99");
    let row = |phase: &crate::trace::PhaseSpan| {
        let (from, to) = (phase.start_s.as_secs_f64(), phase.end_s.as_secs_f64());
        let count = |column: &&Column| text(until(column, to).saturating_sub(until(column, from)).to_string());
        let within = at.iter().zip(&slowest).filter(|(at, time)| **at > from && **at <= to && time.is_finite());
        let worst = within.map(|(_, time)| *time).reduce(f64::max);
        let mut cells = vec![text(&phase.name), text(phase.start_s.to_string()), text(phase.end_s.to_string())];
        cells.extend(columns.iter().map(count));
        cells.push(text(worst.map_or_else(|| "–".to_owned(), |time| Axis::Times.text(time))));
        cells
    };
    let heads = [Head::Words("phase"), Head::figures("from"), Head::figures("to")]
        .into_iter()
        .chain(columns.iter().map(|column| Head::figures(column.label)))
        .chain([Head::figures("highest p99 of a second")]);
    let rows: Vec<Vec<Markup>> = course.header.phases.iter().map(row).collect();
    table("Traffic by phase", &heads.collect::<Vec<_>>(), &rows)
}

fn by_request(outcome: &Outcome) -> Markup {
    let time = |micros: u64| text(Axis::Times.text(micros as f64));
    let row = |(name, times): (&String, &Percentiles)| {
        let Percentiles { count, p50_us, p90_us, p99_us, p999_us, max_us } = *times;
        let figures = [p50_us, p90_us, p99_us, p999_us, max_us].map(time);
        [text(name), text(count.to_string())].into_iter().chain(figures).collect()
    };
    let heads = ["count", "p50", "p90", "p99", "p99.9", "longest"].map(Head::figures);
    let heads: Vec<Head> = std::iter::once(Head::Words("request")).chain(heads).collect();
    let rows: Vec<Vec<Markup>> = outcome.latency.iter().map(row).collect();
    table("Latency from the due time, by request", &heads, &rows)
}
