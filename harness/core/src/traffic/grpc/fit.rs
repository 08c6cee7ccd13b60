//! Whether a JSON body fits the type of its message with the values that will stand in it. Pure.

use crate::scenario::{Flaw, Param};
use crate::traffic::draw::Values;
use crate::traffic::text::Text;

use super::messages::Encoder;

/// Rows of one parameter that are tried. A message takes a microsecond or two, so that it is a fifth of a second at
/// most; one further down that does not fit is not sent, and counted as such.
const MAX_ROWS_TRIED: u64 = 100_000;

/// What an answer may give a variable: it is not known before. One of these fits where a text, number, boolean, moment
/// or duration is to stand.
const CAPTURED: [&str; 5] = ["1", "x", "true", "2026-01-01T00:00:00Z", "1s"];

/// A parameter of a request, with how many rows it has.
pub(in crate::traffic) type Slot<'p> = (&'p Param, u64);

/// That `text` is a message with each value of each of its parameters, as far as they are known; the others stay at
/// their first.
///
/// # Errors
/// It is not, with one of them.
pub(in crate::traffic) fn check_fit(
    text: &Text,
    encoder: &Encoder,
    slots: &[Slot<'_>],
    variables: usize,
) -> Result<(), Flaw> {
    let first: Vec<u64> = slots.iter().map(|(param, _)| edges(param).0).collect();
    let mut json = String::new();
    let mut try_with = |values: &Values| {
        json.clear();
        text.write(values, &mut json);
        encoder.frame(&json).map_err(|error| flaw(encoder, &error, &json))
    };
    if text.has_captured() {
        let filled = |value: &str| values_of(&first).with_captured(vec![value.to_owned(); variables]);
        let mut errors = Vec::new();
        for value in CAPTURED {
            match try_with(&filled(value)) {
                Ok(_) => return Ok(()),
                Err(flaw) => errors.push(flaw),
            }
        }
        // What is wrong whatever is captured is wrong; the rest shows when it is captured.
        let reason = |flaw: &Flaw| flaw.message.split(" at line ").next().unwrap_or_default().to_owned();
        let is_same = errors.windows(2).all(|pair| reason(&pair[0]) == reason(&pair[1]));
        return if is_same { errors.into_iter().next().map_or(Ok(()), Err) } else { Ok(()) };
    }
    try_with(&values_of(&first))?;
    for (place, (param, rows)) in slots.iter().enumerate().filter(|(place, _)| text.has_slot(*place)) {
        let mut values = first.clone();
        let (_, last) = edges(param);
        let tried = if *rows > 0 { 1..(*rows).min(MAX_ROWS_TRIED) } else { last..last.saturating_add(1) };
        for value in tried {
            values[place] = value;
            try_with(&values_of(&values))?;
        }
    }
    Ok(())
}

fn values_of(numbers: &[u64]) -> Values {
    numbers.iter().copied().collect()
}

/// The smallest and the largest value; of rows, the first.
fn edges(param: &Param) -> (u64, u64) {
    match param {
        Param::Uniform { min, max } | Param::Sequential { min, max } | Param::Zipf { min, max, .. } => (*min, *max),
        // The next to last, so that one may be added.
        Param::Unique => (0, u64::MAX - 1),
        Param::Choice { .. } | Param::Csv { .. } | Param::Jsonl { .. } => (0, 0),
    }
}

fn flaw(encoder: &Encoder, error: &str, json: &str) -> Flaw {
    const MAX_TOLD_CHARS: usize = 120;
    let short: String = json.chars().take(MAX_TOLD_CHARS).collect();
    let more = if short.len() < json.len() { "…" } else { "" };
    let message = format!("the body does not fit {}: {error}", encoder.type_name());
    Flaw::new(message, format!("{}; tried with {}{more}", encoder.fields(), short.replace(char::is_control, " ")))
}
