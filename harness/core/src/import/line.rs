//! One line of an access log in the common or combined format of nginx and Apache.
//!
//! `host ident user [day/month/year:hour:minute:second zone] "method target version" status bytes`, and whatever
//! follows.

use std::borrow::Cow;

use jiff::fmt::strtime::BrokenDownTime;

/// Length of `10/Oct/2026:13:55:36 -0700`.
const TIME_BYTES: usize = 26;

/// As far as the clocks of the earth go: 14 hours, in Kiribati.
const FARTHEST_ZONE_S: i32 = 14 * 3600;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'l> {
    /// When, in seconds since 1970.
    pub(super) at_s: i64,
    /// What was asked; none: the client sent no request of HTTP/1 or later for a path.
    pub(super) asked: Option<Asked<'l>>,
    /// How it was answered.
    pub(super) status: u16,
}

/// A request as it was logged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'l> {
    /// Its method.
    pub(super) method: Cow<'l, str>,
    /// Path and query.
    pub(super) target: Cow<'l, str>,
}

impl<'l> Line<'l> {
    /// What `text` says; none if it is no such line.
    pub(super) fn parse(text: &'l str) -> Option<Self> {
        // A user's name may have any character, the bracket too.
        text.match_indices(" [").find_map(|(at, _)| {
            let client = &text[..at];
            let (time, rest) = text[at + 2..].split_at_checked(TIME_BYTES)?;
            let at_s = seconds_since_1970(time)?;
            let (request, rest) = until_quote(rest.strip_prefix("] \"")?)?;
            let mut fields = rest.strip_prefix(' ')?.split(' ');
            let (status, bytes) = (fields.next()?, fields.next()?.trim_end());
            let is_count = bytes == "-" || !bytes.is_empty() && bytes.bytes().all(|byte| byte.is_ascii_digit());
            let status = status.parse().ok().filter(|status| status < &1000 && rest.len() > 4)?;
            let is_line = is_count && client.split(' ').count() >= 3;
            is_line.then(|| Self { at_s, asked: asked(request), status })
        })
    }
}

/// The text up to the next `"` without a `\` before it, and what follows the quote.
fn until_quote(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some((&text[..end], &text[end + 1..]))
}

fn asked(request: &str) -> Option<Asked<'_>> {
    let (method, target) = request.rsplit_once(" HTTP/")?.0.split_once(' ')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_method && target.starts_with('/')).then(|| Asked { method: method.into(), target: unescaped(target) })
}

/// `text` with `\xHH`, `\"` and `\\`, as servers write what may not stand in a log, turned back.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = || u8::from_str_radix(std::str::from_utf8(after.get(1..3)?).ok()?, 16).ok();
        rest = match (first, after.first()) {
            (b'\\', Some(b'x')) if code().is_some() => {
                bytes.extend(code());
                &after[3..]
            }
            (b'\\', Some(&escaped @ (b'"' | b'\\'))) => {
                bytes.push(escaped);
                &after[1..]
            }
            _ => {
                bytes.push(first);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// `10/Oct/2026:13:55:36 -0700`, which is [`TIME_BYTES`] long, as seconds since 1970.
fn seconds_since_1970(text: &str) -> Option<i64> {
    let time = BrokenDownTime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?;
    let is_on_earth = time.offset()?.seconds().abs() <= FARTHEST_ZONE_S;
    let second = time.to_timestamp().ok()?.as_second();
    (is_on_earth && second >= 0).then_some(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"203.0.113.7 - - [10/Oct/2026:13:55:36 -0700] "GET /items/7?page=2 HTTP/1.1" 200 2326"#;

    fn target(text: &str) -> String {
        let line = Line::parse(text).unwrap_or_else(|| panic!("no line: {text}"));
        line.asked.map_or_else(|| "nothing".to_owned(), |asked| format!("{} {}", asked.method, asked.target))
    }

    #[test]
    fn common_and_combined_lines_are_read() {
        let combined = format!("{SOUND} \"https://example.org/\" \"curl/8 (\\\"x\\\")\"");
        for text in [SOUND, &combined, &format!("{SOUND}\r")] {
            let line = Line::parse(text).expect("a line");
            assert_eq!((line.at_s, line.status), (1_791_665_736, 200), "{text}");
            assert_eq!(target(text), "GET /items/7?page=2");
        }
    }

    #[test]
    fn clients_have_many_faces() {
        for client in ["::1", "2001:db8::7", "[::1]", "shop.example:443 10.0.0.1", "unix:"] {
            assert_eq!(target(&SOUND.replace("203.0.113.7", client)), "GET /items/7?page=2", "{client}");
        }
        for user in ["ann", "Ann Lee", "odd [user"] {
            assert_eq!(target(&SOUND.replace("- -", &format!("- {user}"))), "GET /items/7?page=2", "{user}");
        }
    }

    #[test]
    fn a_line_without_a_request_for_a_path_asks_nothing() {
        for request in [
            "-",
            "",
            "GET /",
            "GET /old\\x0D",
            "\\x16\\x03\\x01\\x02",
            "CONNECT a.example:443 HTTP/1.1",
            "GET http://a.example/ HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "get / HTTP/1.1",
        ] {
            assert_eq!(target(&SOUND.replace("GET /items/7?page=2 HTTP/1.1", request)), "nothing", "{request}");
        }
    }

    #[test]
    fn what_the_server_escaped_is_turned_back() {
        let target = target(&SOUND.replace("/items/7?page=2", r"/a\x22b\xC3\xA9\\c\xzz"));
        assert_eq!(target, r#"GET /a"bé\c\xzz"#);
    }

    #[test]
    fn sizes_may_be_unknown_and_zones_differ() {
        let line = |text: String| Line::parse(&text).map(|line| line.at_s);
        assert_eq!(line(SOUND.replace("2326", "-")), Some(1_791_665_736));
        assert_eq!(line(SOUND.replace("-0700", "+0530")), Some(1_791_665_736 - 7 * 3600 - 5 * 3600 - 1800));
    }

    #[test]
    fn other_lines_are_none() {
        for text in [
            "",
            "garbage",
            "{\"status\":200}",
            &SOUND.replace("10/Oct", "31/Nov"),
            &SOUND.replace("/Oct", "/Okt"),
            &SOUND.replace(" 200 2326", ""),
            &SOUND.replace("2326", "many"),
            &SOUND.replace("HTTP/1.1\"", "HTTP/1.1"),
            &SOUND.replace(" -0700", ""),
            &SOUND.replace("-0700", "--7-7"),
            &SOUND.replace("-0700", "+1530"),
            &SOUND.replace("-0700", "+0060"),
            &SOUND.replace("/2026:", "/0000:"),
            &SOUND.replace("/2026:", "/1969:"),
            &SOUND.replace("/2026:", "/-026:"),
            &SOUND.replace("2326", "-2326"),
            &SOUND.replace("10/Oct", "é0/Oct"),
        ] {
            assert_eq!(Line::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(text in ".{0,60}", cut in 0_usize..80) {
            let _ = Line::parse(&text);
            let broken: String = SOUND.chars().take(cut).chain(text.chars()).chain(SOUND.chars().skip(cut)).collect();
            let _ = Line::parse(&broken);
        }
    }
}
