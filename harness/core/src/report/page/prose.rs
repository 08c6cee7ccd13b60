//! Sentences of the report, in which names stand in backticks.

use maud::{Markup, html};

/// A sentence with what stands in backticks as code.
pub(super) fn prose(text: &str) -> Markup {
    let mut parts = text.split('`');
    let first = parts.next().unwrap_or_default();
    html! {
        (first)
        @for (place, part) in parts.enumerate() {
            // Every other part; one that nobody closed is a text.
            @if place % 2 == 0 && text.matches('`').count() > place + 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_backticks_are_code_and_nothing_is_markup() {
        assert_eq!(prose("`a` leaks, <b> does not").into_string(), "<code>a</code> leaks, &lt;b&gt; does not");
        assert_eq!(prose("`a` and `b").into_string(), "<code>a</code> and b");
    }
}
