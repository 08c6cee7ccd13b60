//! Curves as SVG paths, thinned to what a screen can show: of each column of it the lowest and the highest point.

use std::fmt::Write as _;

use super::scale::Scale;

/// Units that a figure is wide, whatever it shows: a fraction of a pixel.
pub(super) const WIDTH: f64 = 2_000.0;
/// Units that it is high.
pub(super) const HEIGHT: f64 = 1_000.0;

/// From moments and values to places on a figure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane {
    /// The moment at the left edge, in seconds.
    pub(super) from: f64,
    /// The moment at the right edge.
    pub(super) to: f64,
    pub(super) scale: Scale,
}

impl Plane {
    /// Where a moment stands.
    pub(super) fn x(&self, seconds: f64) -> f64 {
        WIDTH * (seconds - self.from) / (self.to - self.from)
    }

    /// Where a value stands, and not beyond a figure's height outside of it.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.scale.place(value, HEIGHT).clamp(-HEIGHT, 2.0 * HEIGHT)
    }
}

/// A curve through all points, in at most `columns` columns. Where a value is missing the line is broken.
pub(super) fn line(at: &[f64], values: &[f64], plane: &Plane, columns: usize) -> String {
    let mut path = Path::default();
    for run in runs(at, values) {
        path.begin();
        for bin in bins(&run, plane, columns) {
            let (low, high) = extremes(bin);
            let (first, last) = if low.0 <= high.0 { (low, high) } else { (high, low) };
            path.through(plane.x(first.0), plane.y(first.1));
            if first.0 < last.0 {
                path.through(plane.x(last.0), plane.y(last.1));
            }
        }
    }
    path.text
}

/// The area below the highest points of each column.
pub(super) fn area(at: &[f64], values: &[f64], plane: &Plane, columns: usize) -> String {
    let mut path = Path::default();
    let floor = plane.y(plane.scale.low.max(0.0));
    for run in runs(at, values) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        path.begin();
        path.through(plane.x(first.0), floor);
        for bin in bins(&run, plane, columns) {
            let (_, high) = extremes(bin);
            path.through(plane.x(bin[0].0), plane.y(high.1));
        }
        path.through(plane.x(last.0), plane.y(last.1));
        path.through(plane.x(last.0), floor);
        path.text.push('z');
    }
    path.text
}

/// The polygon between a lower line and an upper one.
pub(super) fn band(at: &[f64], low: &[f64], high: &[f64], plane: &Plane) -> String {
    let mut path = Path::default();
    path.begin();
    at.iter().zip(low).for_each(|(at, value)| path.through(plane.x(*at), plane.y(*value)));
    at.iter().zip(high).rev().for_each(|(at, value)| path.through(plane.x(*at), plane.y(*value)));
    path.text.push('z');
    path.text
}

type Point = (f64, f64);

/// Stretches in which every value is known.
fn runs(at: &[f64], values: &[f64]) -> Vec<Vec<Point>> {
    let points: Vec<Point> = at.iter().copied().zip(values.iter().copied()).collect();
    points.split(|(_, value)| !value.is_finite()).filter(|run| !run.is_empty()).map(<[Point]>::to_vec).collect()
}

/// The points of each column of the figure. All of them by themselves where they are few.
fn bins<'p>(run: &'p [Point], plane: &Plane, columns: usize) -> Vec<&'p [Point]> {
    let column = |point: &Point| (plane.x(point.0) / WIDTH * columns as f64) as i64;
    if run.len() <= 2 * columns {
        return run.chunks(1).collect();
    }
    run.chunk_by(|one, next| column(one) == column(next)).collect()
}

/// The lowest and the highest point; there is one.
fn extremes(bin: &[Point]) -> (Point, Point) {
    bin.iter().fold((bin[0], bin[0]), |(low, high), point| {
        (if point.1 < low.1 { *point } else { low }, if point.1 > high.1 { *point } else { high })
    })
}

/// A path in whole units, each step from the one before.
#[derive(Default)]
struct Path {
    text: String,
    at: (i64, i64),
    is_begun: bool,
}

impl Path {
    fn begin(&mut self) {
        self.is_begun = false;
    }

    fn through(&mut self, x: f64, y: f64) {
        let (x, y) = (x.round() as i64, y.round() as i64);
        // Writing to a string does not fail.
        let _ = if self.is_begun {
            let (right, down) = (x - self.at.0, y - self.at.1);
            let gap = if down < 0 { "" } else { " " };
            match (right, down) {
                (0, 0) => Ok(()),
                (right, 0) => write!(self.text, "h{right}"),
                (0, down) => write!(self.text, "v{down}"),
                (right, down) => write!(self.text, "l{right}{gap}{down}"),
            }
        } else {
            self.is_begun = true;
            write!(self.text, "M{x} {y}")
        };
        self.at = (x, y);
    }
}

#[cfg(test)]
mod tests {
    use super::super::scale::Axis;
    use super::*;

    fn plane() -> Plane {
        Plane { from: 0.0, to: 1_000.0, scale: Scale { axis: Axis::Numbers, low: 0.0, high: 1_000.0 } }
    }

    #[test]
    fn a_thinned_curve_keeps_the_one_second_that_stands_out() {
        let at: Vec<f64> = (0..28_800).map(|second| f64::from(second) / 28.8).collect();
        let mut values = vec![500.0; 28_800];
        values[14_400] = 900.0;
        let path = line(&at, &values, &plane(), 100);
        assert!(path.contains("-400") && path.len() < 2_000, "{path}");
        assert!(area(&at, &values, &plane(), 100).contains("-400"));
    }

    #[test]
    fn a_line_is_broken_where_values_are_missing() {
        let path = line(&[0.0, 10.0, 20.0, 30.0], &[1.0, f64::NAN, 500.0, 600.0], &plane(), 100);
        assert_eq!(path, "M0 999M40 500l20-100");
        assert_eq!(line(&[], &[], &plane(), 100), "");
    }

    #[test]
    fn what_lies_far_outside_stays_near_the_figure() {
        assert_eq!(line(&[0.0], &[1e300], &plane(), 100), "M0 -1000");
    }
}
