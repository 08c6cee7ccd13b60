//! Memory over time: what is judged with the fitted growth, and resident memory in its layers.

use maud::{Markup, html};

use super::chart::{Chart, Series};
use super::columns::{Column, Unit};
use super::course::Course;
use super::curve::{HEIGHT, Plane, WIDTH, band, line};
use super::fit::{Fit, fit};
use super::scale::{Axis, Scale, seconds_text};
use super::tabular::{Head, folded, table, text};
use crate::outcome::{Layers, MemoryLayer, Outcome};
use steep_judge::growth::Layer;
use steep_judge::units::Bytes;

/// Moments in the table of memory.
const MOMENTS: usize = 12;

/// A limit further above the highest memory than this would press the curves flat.
const LIMIT_SHOWN: f64 = 1.5;

/// Columns that make up what is judged.
pub(super) const fn judged_columns(layer: Layer) -> &'static [&'static str] {
    match layer {
        Layer::Live => &["live", "shared"],
        Layer::Resident => &["anon", "swap", "shared"],
    }
}

/// The layers, the innermost first: columns up to it, what it is called, its class.
const LAYERS: [(&[&str], &str, &str, &str); 5] = [
    (&["live"], "live", "live bytes: in use by the program", "layer-live"),
    (&["anon"], "anon", "anonymous beside them: allocator, stacks", "layer-anon"),
    (&["anon", "shared"], "shared", "shared", "layer-shared"),
    (&["anon", "shared", "swap"], "swap", "swapped out", "layer-swap"),
    (&["anon", "shared", "swap", "files"], "files", "pages of files", "layer-files"),
];

/// The layer that the verdict rests on.
pub(super) fn layer_of(outcome: &Outcome) -> Layer {
    outcome.growth().map_or(Layer::Resident, |growth| growth.source.layer())
}

/// What is judged, with the fitted growth; none without samples.
pub(super) fn judged(id: &str, course: &Course, outcome: &Outcome, columns: usize) -> Option<Markup> {
    let layer = layer_of(outcome);
    let of = judged_columns(layer);
    let (at, values) = (course.samples.seconds(), course.samples.sum(of));
    let fitted = fit(course, outcome, &values);
    let ends = fitted.iter().flat_map(|fit| [fit.middle[0], fit.middle[fit.middle.len() - 1]]);
    let scale = Scale::around(Axis::Bytes, values.iter().copied().chain(ends))?;
    let plane = Plane { from: 0.0, to: course.end_s(), scale };
    let label = match layer {
        Layer::Live => "live bytes, with shared memory",
        Layer::Resident => "anonymous memory, swapped and shared included",
    };
    let (over, over_legend) = fitted.as_ref().map_or_else(|| (html! {}, Vec::new()), |fit| over(fit, &plane));
    let described = format!(
        "{label} over {}: {}.{}",
        seconds_text(plane.to),
        course_of(&values),
        fitted.as_ref().map_or_else(String::new, |fit| format!(" Fitted: {}.", fit.said)),
    );
    let series = vec![Series { columns: of, label: label.to_owned(), class: "judged", is_area: false, values }];
    let chart = Chart {
        id: format!("{id}-judged"),
        title: "Memory that is judged",
        described,
        plane,
        height: 230.0,
        table: "samples",
        at,
        series,
        over,
        over_legend,
        fits: true,
    };
    Some(chart.drawn(course, columns))
}

fn over(fit: &Fit, plane: &Plane) -> (Markup, Vec<(&'static str, String, bool)>) {
    let middle = line(&fit.at, &fit.middle, plane, fit.at.len());
    let drawn = html! {
        path.band d=(band(&fit.at, &fit.low, &fit.high, plane)) {}
        path.fit d=(middle) {}
    };
    let legend = vec![("fit", fit.said.clone(), false), ("band", "95 % interval".to_owned(), true)];
    (drawn, legend)
}

/// Resident memory in its layers; none without samples.
pub(super) fn layers(id: &str, course: &Course, outcome: &Outcome, columns: usize) -> Option<Markup> {
    let samples = &course.samples;
    let whole = samples.sum(LAYERS[4].0);
    let highest = whole.iter().copied().filter(|value| value.is_finite()).reduce(f64::max)?;
    let limit = outcome.memory_limit_bytes.map(Bytes::as_f64);
    let shown = limit.filter(|limit| *limit <= LIMIT_SHOWN * highest);
    let scale = Scale::from_zero(Axis::Bytes, shown.map_or(highest, |limit| limit.max(highest)));
    let plane = Plane { from: 0.0, to: course.end_s(), scale };
    let is_there = |name: &str| samples.column(name).is_some_and(Column::is_there);
    // Those behind are drawn first.
    let series = LAYERS.iter().rev().filter(|(_, own, ..)| is_there(own)).map(|(columns, own, label, class)| {
        let label = if *own == "anon" && !is_there("live") { "anonymous memory" } else { label };
        Series { columns, label: label.to_owned(), class, is_area: true, values: samples.sum(columns) }
    });
    let mut over_legend = Vec::new();
    let over = shown.map_or_else(
        || html! {},
        |limit| {
            over_legend.push(("limit", format!("limit of {}", Bytes::new(limit as u64)), false));
            html! { path.limit d=(format!("M0 {:.0}h{WIDTH}", scale.place(limit, HEIGHT))) {} }
        },
    );
    let far = limit.filter(|_| shown.is_none()).map(|limit| Bytes::new(limit as u64));
    let described =
        format!("Resident memory and what is swapped out over {}: {}.", seconds_text(plane.to), course_of(&whole));
    let chart = Chart {
        id: format!("{id}-layers"),
        title: "Resident memory in its layers",
        described,
        plane,
        height: 170.0,
        table: "samples",
        at: samples.seconds(),
        series: series.collect(),
        over,
        over_legend,
        fits: false,
    };
    Some(html! {
        (chart.drawn(course, columns))
        @if let Some(limit) = far { p.note { "The limit of " (limit) " is above what this figure shows." } }
    })
}

/// `from 8.47 MiB to 47.6 MiB, at most 47.9 MiB`
fn course_of(values: &[f64]) -> String {
    let mut known = values.iter().copied().filter(|value| value.is_finite());
    let bytes = |value: f64| Bytes::new(value as u64);
    let Some(first) = known.next() else { return "nothing was read".to_owned() };
    let (last, highest) = known.fold((first, first), |(_, highest), value| (value, highest.max(value)));
    format!("from {} to {}, at most {}", bytes(first), bytes(last), bytes(highest))
}

/// Memory at a dozen moments.
pub(super) fn moments(course: &Course) -> Markup {
    let samples = &course.samples;
    let rows = samples.rows();
    if rows == 0 {
        return html! {};
    }
    let at = samples.seconds();
    let columns: Vec<_> = ["live", "anon", "shared", "swap", "files", "threads", "fds"]
        .into_iter()
        .filter_map(|name| samples.column(name))
        .filter(|column| column.is_there())
        .collect();
    let heads = std::iter::once(Head::figures("after")).chain(columns.iter().map(|column| Head::figures(column.label)));
    let count = rows.min(MOMENTS);
    let row = |moment: usize| {
        let row = if count > 1 { moment * (rows - 1) / (count - 1) } else { 0 };
        let value = |column: &&Column| match column.in_row(row) {
            None => text("–"),
            Some(value) if column.unit == Unit::Bytes => text(Bytes::new(value).to_string()),
            Some(value) => text(value.to_string()),
        };
        std::iter::once(text(seconds_text(at[row].round()))).chain(columns.iter().map(value)).collect()
    };
    let lines: Vec<Vec<Markup>> = (0..count).map(row).collect();
    folded("Memory as a table", &table("Memory at moments of the soak", &heads.collect::<Vec<_>>(), &lines))
}

/// What each layer grows by.
pub(super) fn growth_of_layers(layers: &Layers) -> Markup {
    let heads = [
        Head::Words("layer"),
        Head::figures("at the end"),
        Head::figures("growth per hour"),
        Head::figures("growth per request"),
        Head::Words("grows"),
    ];
    let row = |layer: &MemoryLayer| {
        let each = layer.growth_bytes_per_request.map_or_else(|| "–".to_owned(), |each| each.compact());
        vec![
            text(layer.part.name()),
            text(layer.end_bytes.to_string()),
            text(layer.growth_bytes_per_hour.compact()),
            text(each),
            text(if layer.grows { "for sure" } else { "–" }),
        ]
    };
    let rows: Vec<Vec<Markup>> = layers.layers.iter().map(row).collect();
    let said = format!("Layers of {} at the end, by {} looks", layers.resident_bytes, layers.looks);
    folded("Growth of the layers as a table", &table(&said, &heads, &rows))
}

/// Memory as it goes on to the limit; none where it does not grow for sure, or has no limit.
pub(super) fn until_the_limit(id: &str, course: &Course, outcome: &Outcome) -> Option<Markup> {
    let (limit, until) = (outcome.memory_limit_bytes?.as_f64(), outcome.seconds_to_limit?);
    let whole = course.samples.sum(LAYERS[4].0);
    let now = whole.iter().rev().copied().find(|value| value.is_finite())?;
    let began = course.samples.seconds().last().copied()?;
    let latest = if until.high.is_finite() { until.high.min(3.0 * until.value) } else { 3.0 * until.value };
    let to = began + latest * 1.05;
    if !(to.is_finite() && to > began && limit > now) {
        return None;
    }
    let plane = Plane { from: 0.0, to, scale: Scale::from_zero(Axis::Bytes, limit) };
    // The curve as far as the soak went, then three straight lines to the limit.
    let reach = |seconds: f64| (plane.x(began + seconds.clamp(0.0, 1e9)), plane.y(limit));
    let (start, middle) = ((plane.x(began), plane.y(now)), reach(until.value));
    let (early, late) =
        (reach(until.low), if until.high.is_finite() { reach(until.high) } else { (WIDTH * 50.0, plane.y(limit)) });
    let fan = format!("M{:.0} {:.0}L{:.0} {:.0}L{:.0} {:.0}z", start.0, start.1, early.0, early.1, late.0, late.1);
    let said = format!(
        "limit of {} reached {} after the soak ({} to {})",
        Bytes::new(limit as u64),
        seconds_text(until.value.round()),
        seconds_text(until.low.round()),
        seconds_text(until.high.round())
    );
    let over = html! {
        path.band d=(fan) {}
        path.fit d=(format!("M{:.0} {:.0}L{:.0} {:.0}", start.0, start.1, middle.0, middle.1)) {}
        path.limit d=(format!("M0 {:.0}h{WIDTH}", plane.y(limit))) {}
    };
    let chart = Chart {
        id: format!("{id}-limit"),
        title: "When the limit is reached, at the load of this soak",
        described: format!("Resident memory, going on as it grew: the {said}."),
        plane,
        height: 110.0,
        table: "none",
        at: course.samples.seconds(),
        series: vec![Series {
            columns: &[],
            label: "resident memory".to_owned(),
            class: "judged",
            is_area: false,
            values: whole,
        }],
        over,
        over_legend: vec![
            ("fit", said, false),
            ("band", "95 % interval".to_owned(), true),
            ("limit", "limit".to_owned(), false),
        ],
        fits: false,
    };
    Some(chart.drawn(course, 200))
}
