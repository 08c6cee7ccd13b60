//! Values of a scenario file: from TOML to what a key is, or what is wrong with it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::super::schema::LONGEST;
use super::super::{Date, JsonPath, Unit, Wanted};
use super::section::join;
use crate::problem::nearest;
use crate::template::Template;
use steep_judge::units::{Bytes, duration_text};

/// Why a value does not do: continues a sentence that begins with its key.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) help: String,
}

impl Wrong {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

pub(super) fn wrong_type(value: &DeValue<'_>, wanted: &str) -> Wrong {
    let article = if matches!(value, DeValue::Integer(_) | DeValue::Array(_)) { "an" } else { "a" };
    Wrong::new(format!("must be {wanted}, not {article} {}", value.type_str()), "")
}

pub(super) fn text_of<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Wrong> {
    let text = value.as_str().ok_or_else(|| wrong_type(value, "a text"))?;
    if text.contains('\0') { Err(Wrong::new("must not contain a NUL character", "")) } else { Ok(text) }
}

pub(super) fn template_of(value: &DeValue<'_>) -> Result<Template, Wrong> {
    Template::parse(text_of(value)?).map_err(|error| {
        Wrong::new(format!("is not a template: {error}"), "write {{name}}; single braces are taken as they are")
    })
}

pub(super) fn each<T>(
    value: &DeValue<'_>,
    convert: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    let list = value.as_array().ok_or_else(|| wrong_type(value, "a list"))?;
    list.iter().map(|item| convert(item.get_ref())).collect()
}

pub(super) fn by_name<T>(
    value: &DeValue<'_>,
    convert: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
) -> Result<BTreeMap<String, T>, Wrong> {
    let table = value.as_table().ok_or_else(|| wrong_type(value, "a table"))?;
    let convert = |(name, item): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let converted = convert(item.get_ref())
            .map_err(|wrong| Wrong { message: format!("at \"{}\" {}", name.get_ref(), wrong.message), ..wrong })?;
        Ok((name.get_ref().to_string(), converted))
    };
    table.iter().map(convert).collect()
}

pub(super) fn integer_of(value: &DeValue<'_>, low: i64, high: i64) -> Result<u64, Wrong> {
    let integer = value.as_integer().ok_or_else(|| wrong_type(value, "a whole number"))?;
    i64::from_str_radix(integer.as_str(), integer.radix())
        .ok()
        .filter(|number| (low..=high).contains(number))
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| Wrong::new(format!("must be from {low} to {high}, not {}", integer.as_str()), ""))
}

pub(super) fn number_of(value: &DeValue<'_>) -> Result<f64, Wrong> {
    let number = match value {
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|number| number as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => return Err(wrong_type(value, "a number")),
    };
    number
        .filter(|number: &f64| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| Wrong::new("must be a number from 0 up", ""))
}

pub(super) fn scalar_text_of(value: &DeValue<'_>) -> Result<String, Wrong> {
    match value {
        DeValue::Integer(integer) if integer.radix() == 10 => Ok(integer.as_str().to_owned()),
        DeValue::Float(float) => Ok(float.as_str().to_owned()),
        DeValue::Boolean(boolean) => Ok(boolean.to_string()),
        _ => text_of(value).map(str::to_owned),
    }
}

/// One scalar or a list of them, as texts.
pub(super) fn one_or_several(value: &DeValue<'_>) -> Result<Vec<String>, Wrong> {
    if value.is_array() { each(value, scalar_text_of) } else { scalar_text_of(value).map(|one| vec![one]) }
}

/// Tables within tables are places too: `order.id = 1` is the same as `"order.id" = 1`.
pub(super) fn by_place(value: &DeValue<'_>, before: &str) -> Result<BTreeMap<JsonPath, Wanted>, Wrong> {
    let table = value.as_table().ok_or_else(|| wrong_type(value, "a table"))?;
    let mut places = BTreeMap::new();
    for (name, item) in table {
        let place = join(before, name.get_ref());
        let at = |wrong: Wrong| Wrong { message: format!("at \"{place}\" {}", wrong.message), ..wrong };
        match item.get_ref() {
            inner @ DeValue::Table(_) => places.extend(by_place(inner, &place)?),
            item => drop(places.insert(JsonPath::new(place.clone()), wanted_of(item).map_err(at)?)),
        }
    }
    Ok(places)
}

pub(super) fn wanted_of(value: &DeValue<'_>) -> Result<Wanted, Wrong> {
    if value.is_str() { template_of(value).map(Wanted::Text) } else { scalar_of(value).map(Wanted::Scalar) }
}

/// A text, number or boolean.
pub(super) fn scalar_of(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let scalar = match value {
        DeValue::Boolean(boolean) => Some((*boolean).into()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(Into::into),
        DeValue::Float(float) => float.as_str().parse::<f64>().ok().filter(|float| float.is_finite()).map(Into::into),
        DeValue::String(_) => Some(text_of(value)?.into()),
        _ => return Err(wrong_type(value, "a text, number or boolean")),
    };
    scalar.ok_or_else(|| Wrong::new("must be a number that JSON can write", ""))
}

pub(super) fn duration_of(value: &DeValue<'_>, shortest: u64, longest: u64) -> Result<Duration, Wrong> {
    const EXAMPLES: &str = "write it as a text with its unit: \"90s\", \"5m\", \"2h 30m\"";
    let Some(text) = value.as_str() else {
        return Err(Wrong { help: EXAMPLES.into(), ..wrong_type(value, "a duration") });
    };
    let duration =
        humantime::parse_duration(text).map_err(|error| Wrong::new(format!("is not a duration: {error}"), EXAMPLES))?;
    let (shortest, longest) = (Duration::from_millis(shortest), Duration::from_millis(longest));
    if (shortest..=longest).contains(&duration) {
        Ok(duration)
    } else {
        let bounds = format!("must last from {} to {}", duration_text(shortest), duration_text(longest));
        Err(Wrong::new(format!("{bounds}, not {}", duration_text(duration)), ""))
    }
}

pub(super) fn date_of(value: &DeValue<'_>) -> Result<Date, Wrong> {
    const EXAMPLE: &str = "write it as year, month and day: \"2027-03-01\"";
    // TOML has dates of its own, which mean the same.
    let text = match value {
        DeValue::Datetime(date) => date.to_string(),
        _ => value.as_str().ok_or_else(|| Wrong { help: EXAMPLE.into(), ..wrong_type(value, "a date") })?.to_owned(),
    };
    Date::parse(&text).ok_or_else(|| Wrong::new(format!("is not a date: {text:?}"), EXAMPLE))
}

pub(super) fn size_of(value: &DeValue<'_>) -> Result<Bytes, Wrong> {
    const EXAMPLES: &str = "write it as a text with its unit: \"4B\", \"64KiB\", \"512MiB\"";
    let Some(text) = value.as_str() else { return Err(Wrong { help: EXAMPLES.into(), ..wrong_type(value, "a size") }) };
    let has_unit = text.trim_end().ends_with(|c: char| c.is_ascii_alphabetic());
    let size: Option<ByteSize> = text.parse().ok().filter(|_| has_unit);
    size.map(|size| Bytes::new(size.as_u64())).ok_or_else(|| Wrong::new(format!("is not a size: {text:?}"), EXAMPLES))
}

pub(super) fn limit_of(value: &DeValue<'_>, unit: Unit) -> Result<f64, Wrong> {
    match unit {
        Unit::Share => match number_of(value)? {
            share if share <= 1.0 => Ok(share),
            share => Err(Wrong::new(format!("is a share, and {share} is above 1"), "write 5 % as 0.05")),
        },
        Unit::Seconds => duration_of(value, 0, LONGEST).map(|time| time.as_secs_f64()),
        Unit::Bytes | Unit::BytesPerHour | Unit::BytesPerRequest => size_of(value).map(Bytes::as_f64),
        Unit::RequestsPerSecond | Unit::Count | Unit::CountPerHour => number_of(value),
    }
}

pub(super) fn choice_of<T: DeserializeOwned>(value: &DeValue<'_>, values: &[&str], later: &[&str]) -> Result<T, Wrong> {
    let text = text_of(value)?;
    if later.contains(&text) {
        let help = format!("what works: \"{}\"", values.join("\", \""));
        return Err(Wrong::new(format!("= \"{text}\" is not supported yet"), help));
    }
    if !values.contains(&text) {
        let help = match nearest(text, values.iter().chain(later).copied()) {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => format!("one of \"{}\"", values.join("\", \"")),
        };
        return Err(Wrong::new(format!("cannot be \"{text}\""), help));
    }
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|error| unreachable!("the enum has no \"{text}\": {error}"))
}
