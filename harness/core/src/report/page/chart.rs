//! The frame of a figure over time: axes, phases as bands, what happened as marks, curves, and a legend.
//!
//! Curves stand in an inner drawing of its own coordinates, so that the script zooms by moving its window.

use maud::{Markup, html};

use super::course::{Course, Mark, MarkKind};
use super::curve::{HEIGHT, Plane, WIDTH, area, line};
use super::scale::time_ticks;
use crate::scenario::Role;

/// Units of a whole figure.
const WHOLE: f64 = 960.0;
/// Beside the curves.
const LEFT: f64 = 76.0;
/// See [`LEFT`].
const RIGHT: f64 = 14.0;
/// Above them: names of phases and signs of marks.
const TOP: f64 = 22.0;
/// Below them: the axis of time.
const BOTTOM: f64 = 22.0;

/// Marks that are drawn; the table below lists more.
pub(super) const MARKS_DRAWN: usize = 80;

/// How one series is drawn.
pub(super) struct Series<'c> {
    /// Its columns: they are added.
    pub(super) columns: &'c [&'c str],
    pub(super) label: String,
    /// The class that gives it colour and dashes.
    pub(super) class: &'static str,
    pub(super) is_area: bool,
    pub(super) values: Vec<f64>,
}

/// A figure over time.
pub(super) struct Chart<'c> {
    /// Unique on the page.
    pub(super) id: String,
    pub(super) title: &'static str,
    /// What it shows, for those who do not see it.
    pub(super) described: String,
    pub(super) plane: Plane,
    /// Units that the curves are high.
    pub(super) height: f64,
    /// `samples` or `traffic`.
    pub(super) table: &'static str,
    /// Moments of its series.
    pub(super) at: Vec<f64>,
    /// Those behind stand first.
    pub(super) series: Vec<Series<'c>>,
    /// What lies over the curves, in their coordinates.
    pub(super) over: Markup,
    /// What it is called in the legend: class, text, and whether it is an area.
    pub(super) over_legend: Vec<(&'static str, String, bool)>,
    /// Whether the axis of values fits what is shown, and does not begin at zero.
    pub(super) fits: bool,
}

impl Chart<'_> {
    /// The figure, with curves in at most `columns` columns.
    pub(super) fn drawn(&self, course: &Course, columns: usize) -> Markup {
        let (width, whole) = (WHOLE - LEFT - RIGHT, TOP + self.height + BOTTOM);
        let plane = &self.plane;
        let (title, described) = (format!("{}-title", self.id), format!("{}-text", self.id));
        html! {
            figure.chart data-table=(self.table) {
                figcaption { span.name { (self.title) } (self.legend()) }
                div.canvas {
                    svg viewBox=(format!("0 0 {WHOLE} {whole}")) role="img"
                        aria-labelledby=(format!("{title} {described}")) {
                        title id=(title) { (self.title) }
                        desc id=(described) { (self.described) }
                        g.axis.values { (self.value_ticks(width)) }
                        g.axis.time { (self.time_ticks(width)) }
                        svg.plot x=(LEFT) y=(TOP) width=(width) height=(self.height)
                            viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none"
                            data-from=(plane.from) data-to=(plane.to) data-low=(plane.scale.low)
                            data-high=(plane.scale.high) data-axis=(plane.scale.axis.name()) data-fits=(self.fits) {
                            (phases(course, plane))
                            @for series in &self.series { (self.curve(series, columns)) }
                            (self.over)
                            (lines_of_marks(&course.marks, plane))
                        }
                        rect.frame x=(LEFT) y=(TOP) width=(width) height=(self.height) {}
                        (self.names_of_phases(course, width))
                        (self.signs(&course.marks, width))
                    }
                }
            }
        }
    }

    fn legend(&self) -> Markup {
        let series = self.series.iter().rev().map(|series| (series.class, series.label.clone(), series.is_area));
        let entries: Vec<_> = series.chain(self.over_legend.iter().cloned()).collect();
        html! {
            ul.legend {
                @for (class, label, is_area) in &entries {
                    li {
                        svg viewBox="0 0 26 12" width="26" height="12" aria-hidden="true" {
                            @if *is_area { rect class=(class) x="1" y="1" width="24" height="10" {} }
                            @else { path class=(class) d="M0 6h26" {} }
                        }
                        (label)
                    }
                }
            }
        }
    }

    fn curve(&self, series: &Series<'_>, columns: usize) -> Markup {
        let draw = if series.is_area { area } else { line };
        html! {
            path class=(series.class) data-columns=(series.columns.join(" ")) data-area=(series.is_area)
                d=(draw(&self.at, &series.values, &self.plane, columns)) {}
        }
    }

    fn value_ticks(&self, width: f64) -> Markup {
        let scale = &self.plane.scale;
        let ticks = scale.ticks().into_iter();
        html! {
            @for (y, text) in ticks.map(|(value, text)| (TOP + scale.place(value, self.height), text)) {
                path d=(format!("M{LEFT} {y:.1}h{width}")) {}
                text x=(LEFT - 6.0) y=(format!("{:.1}", y + 4.0)) { (text) }
            }
        }
    }

    fn time_ticks(&self, width: f64) -> Markup {
        let (bottom, plane) = (TOP + self.height, &self.plane);
        let x = |seconds: f64| LEFT + width * plane.x(seconds) / WIDTH;
        html! {
            @for (seconds, text) in time_ticks(plane.from, plane.to) {
                path d=(format!("M{:.1} {bottom}v4", x(seconds))) {}
                text x=(format!("{:.1}", x(seconds))) y=(bottom + 17.0) { (text) }
            }
        }
    }

    fn names_of_phases(&self, course: &Course, width: f64) -> Markup {
        let plane = &self.plane;
        let part = |from: f64, to: f64| width * (plane.x(to) - plane.x(from)) / WIDTH;
        html! {
            g.phases {
                @for phase in &course.header.phases {
                    @let (from, to) = (phase.start_s.as_secs_f64(), phase.end_s.as_secs_f64());
                    // A letter is about seven units wide.
                    @if from < plane.to && part(from, to.min(plane.to)) > 7.0 * phase.name.chars().count() as f64 {
                        text data-t=(from) x=(format!("{:.1}", LEFT + part(plane.from, from) + 3.0)) y=(TOP - 7.0) {
                            (phase.name)
                        }
                    }
                }
            }
        }
    }

    fn signs(&self, marks: &[Mark], width: f64) -> Markup {
        html! {
            g.signs {
                @for mark in marks.iter().take(MARKS_DRAWN) {
                    @let seconds = mark.from.as_secs_f64();
                    @let x = LEFT + width * self.plane.x(seconds) / WIDTH;
                    g data-t=(seconds) transform=(format!("translate({x:.1} {TOP})")) {
                        title { (mark.what) " at " (mark.from) }
                        path.(mark.kind.class()) d=(mark.kind.sign()) {}
                    }
                }
            }
        }
    }
}

impl MarkKind {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Disturbance => "disturbance",
            Self::WorkerEnd => "worker-end",
            Self::End => "end",
        }
    }

    /// A triangle, a square, a bar: told apart without colour.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Disturbance => "M0 0l-4-7h8z",
            Self::WorkerEnd => "M-3-7h6v6h-6z",
            Self::End => "M-1.5-9h3v9h-3z",
        }
    }
}

/// Phases that are fitted stay as the page is, those that are not are shaded.
fn phases(course: &Course, plane: &Plane) -> Markup {
    let spans = course.header.phases.iter().filter(|phase| phase.start_s.as_secs_f64() < plane.to);
    html! {
        @for phase in spans {
            @let from = plane.x(phase.start_s.as_secs_f64());
            @let width = plane.x(phase.end_s.as_secs_f64().min(plane.to)) - from;
            rect class=(class_of(phase.role)) x=(format!("{from:.1}")) y=(-HEIGHT) width=(format!("{width:.1}"))
                height=(3.0 * HEIGHT) {}
        }
    }
}

const fn class_of(role: Role) -> &'static str {
    match role {
        Role::Steady => "phase steady",
        Role::Warmup => "phase warmup",
        _ => "phase other",
    }
}

fn lines_of_marks(marks: &[Mark], plane: &Plane) -> Markup {
    html! {
        @for mark in marks.iter().take(MARKS_DRAWN) {
            @let (from, to) = (plane.x(mark.from.as_secs_f64()), plane.x(mark.to.as_secs_f64()));
            @if to > from {
                rect class=(format!("span {}", mark.kind.class())) x=(format!("{from:.1}")) y=(-HEIGHT)
                    width=(format!("{:.1}", to - from)) height=(3.0 * HEIGHT) {}
            }
            path class=(format!("mark {}", mark.kind.class())) d=(format!("M{from:.1} {}v{}", -HEIGHT, 3.0 * HEIGHT)) {}
        }
    }
}
