//! Growth by stack: an icicle of the calls that lead to what grows, and the table of lines that keep it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::tabular::{Head, folded, table, text};
use crate::kept::{Age, Cause, Frame, HotSpot};
use crate::outcome::Outcome;
use crate::report::terminal::{described_place, percent};
use steep_judge::isolation::CellStacks;
use steep_judge::units::BytesPerRequest;

/// Units of a whole figure.
const WHOLE: f64 = 960.0;
/// A call.
const ROW: f64 = 22.0;
/// Calls above one another that are drawn.
const MOST_DEEP: usize = 24;
/// Parts narrower than this are not drawn: they stand in the table.
const NARROWEST: f64 = 2.0;
/// A letter.
const LETTER: f64 = 6.7;

/// A call with what grows through it, and the calls that it makes.
#[derive(Default)]
struct Call {
    bytes: f64,
    inner: BTreeMap<String, Call>,
}

impl Call {
    fn add(&mut self, calls: &[&String], bytes: f64) {
        self.bytes += bytes;
        if let Some((first, inner)) = calls.split_first() {
            self.inner.entry((*first).clone()).or_default().add(inner, bytes);
        }
    }

    fn depth(&self) -> usize {
        1 + self.inner.values().map(Self::depth).max().unwrap_or(0)
    }
}

/// Nothing where no stacks were sampled.
pub(super) fn stacks(id: &str, outcome: &Outcome) -> Markup {
    let root = outcome.stacks.as_ref().map(tree).filter(|root| root.bytes > 0.0);
    if root.is_none() && outcome.kept_by.is_empty() {
        return html! {
            @if outcome.stacks.is_some() {
                section.part { h4 { "Growth by stack" } p { "No stack grows for sure." } }
            }
        };
    }
    html! {
        section.part {
            h4 { "Growth by stack" }
            @if let Some(root) = &root { (icicle(id, root)) }
            @if !outcome.kept_by.is_empty() { (causes(&outcome.kept_by)) }
            @if !outcome.hot_spots.is_empty() {
                (folded("What allocates most, as a table", &hot_spots(&outcome.hot_spots)))
            }
        }
    }
}

/// What grows for sure, from the outermost call to the innermost.
fn tree(stacks: &CellStacks) -> Call {
    let mut root = Call::default();
    for chain in stacks.chains.iter().filter(|chain| chain.growth.low.get() > 0.0) {
        let calls: Vec<&String> = chain.calls.iter().rev().take(MOST_DEEP).collect();
        root.add(&calls, chain.growth.value.get());
    }
    root
}

fn icicle(id: &str, root: &Call) -> Markup {
    let deep = root.depth();
    let (head, text) = (format!("{id}-stacks-title"), format!("{id}-stacks-text"));
    let all = BytesPerRequest::new(root.bytes);
    let mut boxes = Vec::new();
    place(root, "all that grows for sure", 0.0, 0, root.bytes, &mut boxes);
    html! {
        figure.icicle {
            figcaption { span.name { "Calls that lead to what grows; wide is much" } }
            svg viewBox=(format!("0 0 {WHOLE} {}", ROW * deep as f64)) role="img"
                aria-labelledby=(format!("{head} {text}")) {
                title id=(head) { "Growth by stack" }
                desc id=(text) { (all) " grow for sure; the table below lists the lines that keep it." }
                @for Placed { x, width, row, name, bytes } in &boxes {
                    @let shade = format!("shade-{}", row % 3);
                    g {
                        title { (name) ": " (BytesPerRequest::new(*bytes)) ", " (percent(bytes / root.bytes)) }
                        rect class=(shade) x=(format!("{x:.1}")) y=(ROW * *row as f64)
                            width=(format!("{:.1}", (width - 1.0).max(1.0))) height=(ROW - 1.0) {}
                        @if let Some(name) = fitting(name, *width) {
                            text x=(format!("{:.1}", x + 4.0)) y=(ROW * *row as f64 + 15.0) { (name) }
                        }
                    }
                }
            }
        }
    }
}

/// A call at its place.
struct Placed {
    x: f64,
    width: f64,
    row: usize,
    name: String,
    bytes: f64,
}

fn place(call: &Call, name: &str, x: f64, row: usize, all: f64, boxes: &mut Vec<Placed>) {
    let width = WHOLE * call.bytes / all;
    if width < NARROWEST {
        return;
    }
    boxes.push(Placed { x, width, row, name: name.to_owned(), bytes: call.bytes });
    let mut inner: Vec<_> = call.inner.iter().collect();
    inner.sort_by(|one, other| other.1.bytes.total_cmp(&one.1.bytes));
    let mut left = x;
    for (name, call) in inner {
        place(call, name, left, row + 1, all, boxes);
        left += WHOLE * call.bytes / all;
    }
}

/// As much of a name as finds room: of `src/sessions.rs shop::sessions::open` the end tells most.
fn fitting(name: &str, width: f64) -> Option<String> {
    let room = ((width - 8.0) / LETTER) as usize;
    let count = name.chars().count();
    if room < 4 {
        return None;
    }
    if count <= room {
        return Some(name.to_owned());
    }
    Some(std::iter::once('…').chain(name.chars().skip(count + 1 - room)).collect())
}

fn causes(causes: &[Cause]) -> Markup {
    let heads = [
        Head::Words("kept by"),
        Head::figures("per request"),
        Head::figures("of what grows"),
        Head::Words("as"),
        Head::Words("born"),
        Head::Words("called by"),
    ];
    let row = |cause: &Cause| {
        let Cause { frame, per_request, share, chain, kept_in, age, .. } = cause;
        vec![
            html! { code { (described_place(frame)) } },
            text(per_request.compact()),
            text(percent(*share)),
            text(kept_in.as_deref().unwrap_or("–")),
            text(age.as_ref().and_then(Age::in_words).unwrap_or_else(|| "–".to_owned())),
            html! { @for call in chain.iter().skip(1).map(Frame::place) { code { (call) } " " } },
        ]
    };
    let rows: Vec<Vec<Markup>> = causes.iter().map(row).collect();
    table("Lines that keep what grows", &heads, &rows)
}

fn hot_spots(spots: &[HotSpot]) -> Markup {
    let heads = [Head::Words("place"), Head::figures("per request, kept or not"), Head::figures("of all")];
    let row = |HotSpot { place, bytes, .. }: &HotSpot| {
        vec![html! { code { (described_place(&place.frame)) } }, text(bytes.to_string()), text(percent(place.share))]
    };
    let rows: Vec<Vec<Markup>> = spots.iter().map(row).collect();
    table("Places that allocate most", &heads, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_lie_below_their_callers_and_as_wide_as_what_they_keep() {
        let [main, open, render] = ["main", "open", "render"].map(str::to_owned);
        let mut root = Call::default();
        root.add(&[&main, &open], 300.0);
        root.add(&[&main, &render], 100.0);
        let mut boxes = Vec::new();
        place(&root, "all", 0.0, 0, root.bytes, &mut boxes);
        let placed: Vec<_> =
            boxes.iter().map(|one| (one.name.as_str(), one.row, one.x as u32, one.width as u32)).collect();
        assert_eq!(placed, [("all", 0, 0, 960), ("main", 1, 0, 960), ("open", 2, 0, 720), ("render", 2, 720, 240)]);
        assert_eq!(root.depth(), 3);
    }

    #[test]
    fn a_name_without_room_shows_its_end_or_nothing() {
        assert_eq!(fitting("src/sessions.rs open", 100.0).as_deref(), Some("…ions.rs open"));
        assert_eq!(fitting("open", 20.0), None);
    }
}
