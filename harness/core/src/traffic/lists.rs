//! What the values of parameters stand for, where they are rows of a list or file and no numbers. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::scenario::rows::{Column, Rows};
use crate::scenario::{Flaw, Param, Supplies};
use crate::template::Template;

/// The rows of each parameter, in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    of: Vec<List>,
    /// Where each parameter stands among them.
    places: BTreeMap<String, usize>,
}

/// The rows of one parameter: only the columns that some template names.
#[derive(Debug, Clone, Default)]
struct List {
    rows: u64,
    /// By the name that templates use; empty for a parameter with one column.
    columns: BTreeMap<String, Arc<Column>>,
}

impl Lists {
    /// The rows of `params` that `templates` need. Flaws are reported with the key that they are about, and leave a
    /// parameter without rows.
    pub fn new<'t>(
        params: &BTreeMap<String, Param>,
        templates: impl Iterator<Item = &'t Template>,
        supplies: &Supplies,
    ) -> (Self, Vec<(String, Flaw)>) {
        let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (param, column) in templates.flat_map(Template::names).filter_map(|name| Param::named(params, name)) {
            named.entry(param).or_default().extend(column);
        }
        let mut flaws = Vec::new();
        let mut list = |(name, param): (&String, &Param)| {
            let columns: Vec<&str> = named.get(name.as_str()).into_iter().flatten().copied().collect();
            List::new(param, &columns, supplies).unwrap_or_else(|flaw| {
                flaws.push((format!("params.{name}.path"), flaw));
                List::default()
            })
        };
        let of = params.iter().map(&mut list).collect();
        let places = params.keys().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        (Self { of, places }, flaws)
    }

    /// The place of a parameter.
    #[must_use]
    pub fn place(&self, param: &str) -> Option<usize> {
        self.places.get(param).copied()
    }

    /// How many rows the parameter at this place has; 0 where its values are numbers.
    #[must_use]
    pub fn rows(&self, param: usize) -> u64 {
        self.of.get(param).map_or(0, |list| list.rows)
    }

    /// The texts of a column, where the parameter has rows.
    #[must_use]
    pub fn column(&self, param: usize, column: Option<&str>) -> Option<&Arc<Column>> {
        self.of.get(param)?.columns.get(column.unwrap_or_default())
    }
}

impl List {
    fn new(param: &Param, named: &[&str], supplies: &Supplies) -> Result<Self, Flaw> {
        let (rows, names) = match param {
            Param::Uniform { .. } | Param::Zipf { .. } | Param::Sequential { .. } | Param::Unique => {
                return Ok(Self::default());
            }
            Param::Choice { values, .. } => {
                let column = values.iter().map(String::as_str).collect();
                (Rows { count: values.len() as u64, columns: vec![column] }, vec![""])
            }
            Param::Csv { path, column: Some(column), .. } => {
                (Rows::csv(path, supplies.text(path)?, &[column])?, vec![""])
            }
            Param::Csv { path, column: None, .. } => (Rows::csv(path, supplies.text(path)?, named)?, named.to_vec()),
            Param::Jsonl { path, field: Some(field), .. } => {
                (Rows::jsonl(path, supplies.text(path)?, &[&field.to_string()])?, vec![""])
            }
            Param::Jsonl { path, field: None, .. } => (Rows::jsonl(path, supplies.text(path)?, named)?, named.to_vec()),
        };
        let names = names.into_iter().map(str::to_owned);
        Ok(Self { rows: rows.count, columns: names.zip(rows.columns.into_iter().map(Arc::new)).collect() })
    }
}
