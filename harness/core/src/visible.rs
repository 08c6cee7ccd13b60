//! Text of others on its way to a terminal or a page: what would steer it is shown and takes no effect.
//!
//! A service may print anything, and so may a trace, a CSV file or a file's name that somebody sent: OSC 52 writes the
//! clipboard, CSI 2J wipes what steep said before, an override of direction shows a path backwards. All that steep
//! prints passes through here.
//!
//! Pure.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with everything that steers a terminal written as `\u001b`, which is also how JSON and TOML write it: a text
/// in a JSON document stays the text that it is.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    shown(text, false)
}

/// The same, but colours and weights (`ESC [ … m`) stay: for what steep has coloured itself, out of texts that were
/// made visible before.
#[must_use]
pub fn visible_styled(text: &str) -> Cow<'_, str> {
    shown(text, true)
}

fn shown(text: &str, keep_styles: bool) -> Cow<'_, str> {
    let Some(first) = text.find(steers) else { return Cow::Borrowed(text) };
    let mut shown = String::with_capacity(text.len() + 16);
    let (before, mut rest) = text.split_at(first);
    shown.push_str(before);
    while let Some(c) = rest.chars().next() {
        let kept = match c {
            '\u{1b}' if keep_styles => style(rest),
            // The end of a line in files from elsewhere; alone it would write over the line.
            '\r' if rest.starts_with("\r\n") => 2,
            _ if steers(c) => 0,
            _ => c.len_utf8(),
        };
        if kept > 0 {
            shown.push_str(&rest[..kept]);
            rest = &rest[kept..];
        } else {
            // Writing to a string does not fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
            rest = &rest[c.len_utf8()..];
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal does something with `c` in place of showing it: controls of ASCII and of C1 (U+009B is CSI),
/// marks, embeddings, overrides and isolates of direction (Unicode UAX #9), separators of lines and interlinear
/// annotations.
fn steers(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{feff}' => true,
        _ => c.is_control() || matches!(c, '\u{fff9}'..='\u{fffb}'),
    }
}

/// Bytes of the style that `text` begins with; 0 if it begins with another sequence.
fn style(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let length = parameters.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(parameters.len());
    if parameters[length..].starts_with('m') { 2 + length + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        let said = "\u{1b}]52;c;cHduZWQ=\u{7}\u{1b}[2J\u{9b}2J\u{202e}gnp.exe\u{2066}\u{7f}\rover";
        assert_eq!(
            visible(said),
            "\\u001b]52;c;cHduZWQ=\\u0007\\u001b[2J\\u009b2J\\u202egnp.exe\\u2066\\u007f\\u000dover"
        );
        assert_eq!(visible("Zürich 日本 \t – 👩‍🚒\r\nnext"), "Zürich 日本 \t – 👩‍🚒\r\nnext");
    }

    #[test]
    fn only_styles_are_kept_of_what_steep_coloured() {
        let said = "\u{1b}[1;31merror\u{1b}[0m \u{1b}[2J\u{1b}[31\u{1b}]0;title\u{7}";
        assert_eq!(visible_styled(said), "\u{1b}[1;31merror\u{1b}[0m \\u001b[2J\\u001b[31\\u001b]0;title\\u0007");
    }

    proptest! {
        #[test]
        fn nothing_that_steers_is_left_and_json_stays_what_it_is(text in any::<String>()) {
            let left = visible(&text).replace("\r\n", "");
            prop_assert!(!left.contains(steers), "{left:?}");
            let json = serde_json::to_string(&text).expect("a string");
            let read: String = serde_json::from_str(&visible(&json)).expect("the same string");
            prop_assert_eq!(read, text);
        }
    }
}
