//! Where a value of a JSON file stands.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Kind, Standing, Unfound};

pub(super) fn find(text: &str, names: &[String]) -> Result<Standing, Unfound> {
    let broken = |error: serde_json::Error| Unfound::Broken(error.to_string());
    let mut found: &RawValue = serde_json::from_str(text).map_err(broken)?;
    for (depth, name) in names.iter().enumerate() {
        let missing = |there| Unfound::Missing { depth, there };
        found = match kind(found) {
            Kind::Other("a table") => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(found.get()).map_err(broken)?;
                *fields.get(name).ok_or_else(|| missing(fields.keys().cloned().collect()))?
            }
            Kind::Other("a list") => {
                let items: Vec<&RawValue> = serde_json::from_str(found.get()).map_err(broken)?;
                let item = name.parse().ok().and_then(|number: usize| items.get(number));
                *item.ok_or_else(|| missing((0..items.len()).map(|number| number.to_string()).collect()))?
            }
            _ => return Err(missing(Vec::new())),
        };
    }
    // A raw value is a part of the text that it was read from.
    let start = found.get().as_ptr() as usize - text.as_ptr() as usize;
    Ok(Standing { span: start..start + found.get().len(), kind: kind(found) })
}

fn kind(value: &RawValue) -> Kind {
    match value.get().as_bytes().first() {
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'"') => Kind::Text,
        Some(b'{') => Kind::Other("a table"),
        Some(b'[') => Kind::Other("a list"),
        Some(b'n') => Kind::Other("null"),
        _ => Kind::Number,
    }
}
