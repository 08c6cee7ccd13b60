//! Where a value of a YAML file stands: of its first document.

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{Kind, Standing, Unfound};

pub(super) fn find(text: &str, names: &[String]) -> Result<Standing, Unfound> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Unfound::Broken(error.to_string()))?;
        match event {
            // Only a value has a place.
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::SequenceEnd => {
                events.push((event, span));
            }
            Event::MappingStart(..) | Event::MappingEnd => events.push((event, span)),
            _ => {}
        }
    }
    let mut at = 0;
    for (depth, name) in names.iter().enumerate() {
        let missing = |there| Unfound::Missing { depth, there };
        let entries = entries(&events, at);
        let found = entries.iter().find(|(known, _)| known == name).map(|(_, at)| *at);
        at = found.ok_or_else(|| missing(entries.into_iter().map(|(name, _)| name).collect()))?;
    }
    let Some((event, span)) = events.get(at) else {
        return Ok(Standing { span: 0..0, kind: Kind::Other("nothing") });
    };
    let span = span.byte_range().unwrap_or_default();
    Ok(Standing { span, kind: kind(event) })
}

/// The names of what is in the node that begins `at` this event, each with the event that its value begins at; numbers
/// for lists.
fn entries(events: &[(Event<'_>, Span)], at: usize) -> Vec<(String, usize)> {
    let is_mapping = match events.get(at) {
        Some((Event::MappingStart(..), _)) => true,
        Some((Event::SequenceStart(..), _)) => false,
        _ => return Vec::new(),
    };
    let mut entries = Vec::new();
    let mut next = at + 1;
    while !matches!(events[next].0, Event::MappingEnd | Event::SequenceEnd) {
        let name = match &events[next].0 {
            Event::Scalar(name, ..) if is_mapping => Some(name.to_string()),
            // A key may be anything; no name leads there.
            _ if is_mapping => None,
            _ => Some(entries.len().to_string()),
        };
        if is_mapping {
            next = end(events, next);
        }
        entries.extend(name.map(|name| (name, next)));
        next = end(events, next);
    }
    entries
}

/// The event after the node that begins `at` this one.
fn end(events: &[(Event<'_>, Span)], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, (event, _)) in events[at..].iter().enumerate() {
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    events.len()
}

/// A value by the core schema of YAML 1.2.
fn kind(event: &Event<'_>) -> Kind {
    const BOOLEANS: [&str; 6] = ["true", "True", "TRUE", "false", "False", "FALSE"];
    const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];
    match event {
        Event::Scalar(_, _, _, Some(_)) => Kind::Other("a value with a tag"),
        Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => Kind::Other("a block of lines"),
        Event::Scalar(text, ScalarStyle::Plain, ..) if BOOLEANS.contains(&&**text) => Kind::Boolean,
        Event::Scalar(text, ScalarStyle::Plain, ..) if NULLS.contains(&&**text) => Kind::Other("null"),
        Event::Scalar(text, ScalarStyle::Plain, ..) if is_number(text) => Kind::Number,
        Event::Scalar(..) => Kind::Text,
        Event::MappingStart(..) => Kind::Other("a table"),
        Event::SequenceStart(..) => Kind::Other("a list"),
        _ => Kind::Other("an alias"),
    }
}

fn is_number(text: &str) -> bool {
    let is_of_radix = |prefix, radix| {
        text.strip_prefix(prefix).is_some_and(|digits: &str| u64::from_str_radix(digits, radix).is_ok())
    };
    // What Rust takes beside the schema are `inf` and `nan` without a dot, which are texts.
    text.contains(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok()
        || is_of_radix("0x", 16)
        || is_of_radix("0o", 8)
}
