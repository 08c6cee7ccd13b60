//! Figures over nights: growth with its interval, settled memory and latency, with what changed between which nights.

use maud::{Markup, html};

use super::scale::{Axis, Scale};
use crate::history::{Change, Course, CourseNight, Figure};
use steep_judge::units::Estimate;

/// Units of a whole figure.
const WHOLE: f64 = 960.0;
/// Texts of the axis of values.
const LEFT: f64 = 84.0;
/// Beside the last night.
const RIGHT: f64 = 14.0;
/// Above the points.
const TOP: f64 = 10.0;
/// Dates below.
const BOTTOM: f64 = 24.0;
/// Dates that find room below each other.
const DATES: usize = 8;

/// The figures of a cell, of which anything is known.
pub(super) fn figures(id: &str, course: &Course) -> Markup {
    let value = |value: Option<f64>| value.map(|value| Estimate { value, low: value, high: value });
    let growth = |night: &CourseNight| night.growth;
    let settled = |night: &CourseNight| value(night.settled_bytes);
    let p99 = |night: &CourseNight| value(night.p99_us);
    let by = if course.growth == Figure::GrowthBytesPerHour { "Growth per hour" } else { "Growth per request" };
    html! {
        (figure(&format!("{id}-growth"), by, course, course.growth, 150.0, &growth))
        (figure(&format!("{id}-settled"), "Settled memory", course, Figure::SettledAnonBytes, 110.0, &settled))
        (figure(&format!("{id}-p99"), "p99 of the slowest request", course, Figure::P99Us, 110.0, &p99))
    }
}

fn figure(
    id: &str,
    title: &str,
    course: &Course,
    of: Figure,
    height: f64,
    value: &dyn Fn(&CourseNight) -> Option<Estimate<f64>>,
) -> Markup {
    let points: Vec<(usize, Estimate<f64>)> =
        course.nights.iter().enumerate().filter_map(|(place, night)| Some((place, value(night)?))).collect();
    let ends = points.iter().flat_map(|(_, one)| [one.low, one.value, one.high]);
    let axis = if of == Figure::P99Us { Axis::Times } else { Axis::Bytes };
    let Some(scale) = Scale::around(axis, ends) else { return html! {} };
    let span = course.nights.len().saturating_sub(1).max(1) as f64;
    let x = |place: f64| LEFT + (WHOLE - LEFT - RIGHT) * if course.nights.len() > 1 { place / span } else { 0.5 };
    let y = |value: f64| TOP + scale.place(value, height);
    let changes: Vec<&Change> = course.changes.iter().filter(|change| change.figure == of).collect();
    let (head, text) = (format!("{id}-title"), format!("{id}-text"));
    html! {
        figure.nights {
            figcaption {
                span.name { (title) }
                @if !changes.is_empty() { span.run { "shaded: between these nights it changed" } }
            }
            svg viewBox=(format!("0 0 {WHOLE} {}", TOP + height + BOTTOM)) role="img"
                aria-labelledby=(format!("{head} {text}")) {
                title id=(head) { (title) }
                desc id=(text) { (described(course, of, &points, &changes)) }
                g.axis.values {
                    @for (value, text) in scale.ticks() {
                        path d=(format!("M{LEFT} {:.1}H{}", y(value), WHOLE - RIGHT)) {}
                        text x=(LEFT - 6.0) y=(format!("{:.1}", y(value) + 4.0)) { (text) }
                    }
                }
                g.axis.time { (dates(course, &x, TOP + height)) }
                @for change in &changes { (changed(course, change, &x, height)) }
                path.interval d=(whiskers(&points, &x, &y)) {}
                @for (place, one) in &points {
                    @let (night, x, y) = (&course.nights[*place], x(*place as f64), y(one.value));
                    g {
                        title { (night.started) ": " (of.shown(one)) ", " (night.verdict) }
                        @if night.verdict.is_clear() {
                            circle.point cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="3.5" {}
                        } @else {
                            rect.point.sure x=(format!("{:.1}", x - 4.0)) y=(format!("{:.1}", y - 4.0))
                                width="8" height="8" {}
                        }
                    }
                }
            }
        }
    }
}

/// The intervals, as far as they are wider than their points.
fn whiskers(points: &[(usize, Estimate<f64>)], x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) -> String {
    let wide = points.iter().filter(|(_, one)| one.low < one.high);
    wide.map(|(place, one)| format!("M{:.1} {:.1}V{:.1}", x(*place as f64), y(one.low), y(one.high))).collect()
}

fn dates(course: &Course, x: &impl Fn(f64) -> f64, bottom: f64) -> Markup {
    let each = course.nights.len().div_ceil(DATES).max(1);
    html! {
        @for (place, night) in course.nights.iter().enumerate().step_by(each) {
            path d=(format!("M{:.1} {bottom}v4", x(place as f64))) {}
            text x=(format!("{:.1}", x(place as f64))) y=(bottom + 18.0) {
                (night.started.get(5..10).unwrap_or(&night.started))
            }
        }
    }
}

/// Between the last night that is surely before a change and the first that is surely after it.
fn changed(course: &Course, change: &Change, x: &impl Fn(f64) -> f64, height: f64) -> Markup {
    let place = |started: &str| course.nights.iter().position(|night| night.started == started);
    let (Some(from), Some(to)) = (place(&change.last_before), place(&change.first_after)) else { return html! {} };
    html! {
        rect.band x=(format!("{:.1}", x(from as f64))) y=(TOP) width=(format!("{:.1}", x(to as f64) - x(from as f64)))
            height=(height) { title { (change.sentence) } }
    }
}

fn described(course: &Course, of: Figure, points: &[(usize, Estimate<f64>)], changes: &[&Change]) -> String {
    let night = |(place, one): &(usize, Estimate<f64>)| format!("{}: {}", course.nights[*place].started, of.shown(one));
    let ends: Vec<String> = points.first().into_iter().chain(points.last()).map(night).collect();
    let changes: String = changes.iter().map(|change| format!(" {}.", change.sentence)).collect();
    format!("{}; the table below has all nights.{changes}", ends.join("; "))
}
