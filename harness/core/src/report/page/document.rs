//! The frame of a page: its style, its script, and the policy that lets it ask nothing of any network.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::live;
use crate::visible::visible;

pub(super) const STYLE: &str = include_str!("page.css");
pub(super) const SCRIPT: &str = include_str!("page.js");

/// A page, written by this version of steep; one that `is_live` is drawn anew by who serves it.
pub(super) fn document(title: &str, steep: &str, body: &Markup, is_live: bool) -> String {
    let asks = if is_live { "nobody but the steep that shows it" } else { "nothing of any network" };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(is_live));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(format!("steep {steep}"));
                title { (title) }
                style { (PreEscaped(STYLE)) }
                @if is_live { style { (PreEscaped(live::STYLE)) } }
            }
            body {
                (body)
                footer { p { "Written by steep " (steep) ". This page asks " (asks) "." } }
                script { (PreEscaped(SCRIPT)) }
                @if is_live { script { (PreEscaped(live::SCRIPT)) } }
            }
        }
    };
    visible(&page.into_string()).into_owned()
}

/// What the page may do: show itself with its own style, and run its own script; a live one may ask who served it.
#[must_use]
pub fn policy(is_live: bool) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    let (mut styles, mut scripts, mut asks) = (hash(STYLE), hash(SCRIPT), "");
    if is_live {
        styles = format!("{styles} {}", hash(live::STYLE));
        scripts = format!("{scripts} {}", hash(live::SCRIPT));
        asks = "; connect-src 'self'";
    }
    format!("default-src 'none'; style-src {styles}; script-src {scripts}{asks}; base-uri 'none'; form-action 'none'")
}
