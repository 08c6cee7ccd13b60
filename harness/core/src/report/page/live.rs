//! What the page of a run under way has beside its report: a line that says where the soak is, and the script that has
//! the page drawn anew.

use maud::{Markup, html};

/// Takes over what was drawn anew; the page itself stays as it was opened.
pub(super) const SCRIPT: &str = include_str!("live.js");

pub(super) const STYLE: &str = include_str!("live.css");

/// Where the soak is. The script fills it in.
pub(super) fn bar() -> Markup {
    html! {
        section #live aria-label="Under way" {
            p { strong { "This run is under way." } " All below is what is known so far, and may still change." }
            p #live-now role="status" { "Waiting for steep." }
            ul #live-said aria-label="What steep said last" {}
        }
    }
}
