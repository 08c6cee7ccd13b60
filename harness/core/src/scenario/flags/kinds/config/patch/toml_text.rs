//! Where a value of a TOML file stands.

use toml::de::{DeTable, DeValue};

use super::{Kind, Standing, Unfound};

pub(super) fn find(text: &str, names: &[String]) -> Result<Standing, Unfound> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Unfound::Broken(format!("line {line}: {}", error.message()))
    })?;
    let whole = document.span();
    let mut found = (whole, &DeValue::Table(document.into_inner()));
    for (depth, name) in names.iter().enumerate() {
        let missing = |there| Unfound::Missing { depth, there };
        let next = match found.1 {
            DeValue::Table(table) => table
                .get(name.as_str())
                .ok_or_else(|| missing(table.keys().map(|key| key.get_ref().to_string()).collect()))?,
            DeValue::Array(items) => {
                let item = name.parse().ok().and_then(|number: usize| items.get(number));
                item.ok_or_else(|| missing((0..items.len()).map(|number| number.to_string()).collect()))?
            }
            _ => return Err(missing(Vec::new())),
        };
        found = (next.span(), next.get_ref());
    }
    Ok(Standing { span: found.0, kind: kind(found.1) })
}

fn kind(value: &DeValue<'_>) -> Kind {
    match value {
        DeValue::Boolean(_) => Kind::Boolean,
        DeValue::Integer(_) => Kind::Whole,
        DeValue::Float(_) => Kind::Number,
        DeValue::String(_) => Kind::Text,
        DeValue::Datetime(_) => Kind::Other("a date or time"),
        DeValue::Array(_) => Kind::Other("a list"),
        DeValue::Table(_) => Kind::Other("a table"),
    }
}
