//! Figures of intervals side by side: what each flag adds, and what each request keeps.

use maud::{Markup, html};

use super::scale::{Axis, Scale};
use steep_judge::units::Estimate;

/// Units of a whole figure.
const WHOLE: f64 = 960.0;
/// Names stand here.
const LEFT: f64 = 210.0;
/// Figures in words stand here.
const RIGHT: f64 = 210.0;
/// A row.
const ROW: f64 = 24.0;
/// The axis below.
const BOTTOM: f64 = 26.0;
/// Letters of a name that find room.
const NAME: usize = 28;
/// An interval that reaches further than this many times the largest value is cut off, with an arrow.
const CUT: f64 = 1.6;

/// A row of the figure.
pub(super) struct Row {
    pub(super) name: String,
    /// Bytes; none: nothing is known.
    pub(super) estimate: Option<Estimate<f64>>,
    /// Whether it is a cause for sure.
    pub(super) is_sure: bool,
    /// What is said of it, at the right.
    pub(super) said: String,
}

/// The figure; nothing where no interval is known.
pub(super) fn intervals(id: &str, title: &str, rows: &[Row]) -> Markup {
    let known: Vec<Estimate<f64>> = rows.iter().filter_map(|row| row.estimate).collect();
    if known.is_empty() {
        return html! {};
    }
    let (low, high) = range(&known);
    let scale = Scale { axis: Axis::Bytes, low, high };
    let width = WHOLE - LEFT - RIGHT;
    let height = ROW * rows.len() as f64;
    // A scale counts from the top.
    let x = |value: f64| LEFT + width - scale.place(value.clamp(low, high), width);
    let (head, text) = (format!("{id}-title"), format!("{id}-text"));
    html! {
        figure.intervals {
            figcaption { span.name { (title) } }
            svg viewBox=(format!("0 0 {WHOLE} {}", height + BOTTOM + 6.0)) role="img"
                aria-labelledby=(format!("{head} {text}")) {
                title id=(head) { (title) }
                desc id=(text) { (described(rows)) }
                g.axis.values {
                    @for (value, text) in ticks(&scale) {
                        path d=(format!("M{:.1} 0v{height}", x(value))) {}
                        text.middle x=(format!("{:.1}", x(value))) y=(height + 18.0) { (text) }
                    }
                }
                path.zero d=(format!("M{:.1} 0v{height}", x(0.0))) {}
                @for (place, row) in rows.iter().enumerate() {
                    @let y = ROW * (place as f64 + 0.5);
                    text.name x="0" y=(y + 4.0) { (shortened(&row.name)) }
                    text.said x=(WHOLE) y=(y + 4.0) { (row.said) }
                    @if let Some(estimate) = row.estimate {
                        @let class = if row.is_sure { "interval sure" } else { "interval" };
                        path class=(class) d=(whisker(&estimate, (low, high), &x, y)) {}
                        @if row.is_sure {
                            rect.point.sure x=(format!("{:.1}", x(estimate.value) - 5.0)) y=(y - 5.0)
                                width="10" height="10" {}
                        } @else { circle.point cx=(format!("{:.1}", x(estimate.value))) cy=(y) r="4" {} }
                    }
                }
            }
        }
    }
}

/// Half of the ticks that a figure over time has: their texts stand beside each other.
fn ticks(scale: &Scale) -> Vec<(f64, String)> {
    let ticks = scale.ticks();
    let is_shown = |place: usize| ticks.len() <= 7 || place.is_multiple_of(2);
    ticks.iter().enumerate().filter(|(place, _)| is_shown(*place)).map(|(_, tick)| tick.clone()).collect()
}

/// From what to what the axis reaches: as far as the largest value with its interval, and not much further for those
/// that are hardly known.
fn range(known: &[Estimate<f64>]) -> (f64, f64) {
    let largest = known.iter().map(|estimate| estimate.value.abs()).fold(0.0, f64::max);
    let narrow = known.iter().map(|estimate| (estimate.high - estimate.low).abs()).fold(f64::INFINITY, f64::min);
    let most = CUT * largest.max(narrow);
    let most = if most > 0.0 && most.is_finite() { most } else { 1.0 };
    let low = known.iter().map(|estimate| estimate.low).fold(0.0, f64::min).max(-most);
    let high = known.iter().map(|estimate| estimate.high).fold(0.0, f64::max).min(most);
    let room = (high - low).max(1.0) * 0.04;
    (low - room, high + room)
}

/// The interval, with a bar where it ends and an arrow where it goes on.
fn whisker(estimate: &Estimate<f64>, (low, high): (f64, f64), x: &impl Fn(f64) -> f64, y: f64) -> String {
    let end = |value: f64, goes_on: bool, back: f64| {
        let at = x(value);
        if goes_on {
            format!("M{:.1} {:.1}L{at:.1} {y:.1}L{:.1} {:.1}", at + back, y - 4.0, at + back, y + 4.0)
        } else {
            format!("M{at:.1} {:.1}v8", y - 4.0)
        }
    };
    format!(
        "M{:.1} {y:.1}H{:.1}{}{}",
        x(estimate.low),
        x(estimate.high),
        end(estimate.low, estimate.low < low, 6.0),
        end(estimate.high, estimate.high > high, -6.0)
    )
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

fn described(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}: {}", row.name, row.said)).collect::<Vec<_>>().join("; ") + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, value: f64, half: f64) -> Row {
        let estimate = Some(Estimate { value, low: value - half, high: value + half });
        Row { name: name.to_owned(), estimate, is_sure: value > half, said: format!("{value}") }
    }

    #[test]
    fn one_wide_interval_does_not_press_the_others_flat() {
        let rows = [row("leaks", 3_000.0, 500.0), row("unknown", 10.0, 1e9)];
        let known: Vec<_> = rows.iter().filter_map(|row| row.estimate).collect();
        let (low, high) = range(&known);
        assert!(high < 6_000.0 && low > -6_000.0, "{low} {high}");
        let drawn = intervals("flags", "flags", &rows).into_string();
        assert!(drawn.contains("interval sure") && !drawn.contains("NaN"), "{drawn}");
    }

    #[test]
    fn nothing_known_is_no_figure_and_long_names_are_cut() {
        let unknown = Row { name: "a".repeat(60), estimate: None, is_sure: false, said: String::new() };
        assert_eq!(intervals("flags", "flags", &[unknown]).into_string(), "");
        assert_eq!(shortened(&"a".repeat(60)).chars().count(), NAME);
    }
}
