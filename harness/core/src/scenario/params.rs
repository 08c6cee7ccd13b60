//! Where the values of names in requests come from.

pub(super) mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::JsonPath;

/// Where the values of a template's parameter come from; drawn anew for each request that is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Param {
    /// A whole number, each of `min..=max` equally often.
    Uniform {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// `min`, `min + 1`, … `max`, and again from `min`.
    Sequential {
        /// First.
        min: u64,
        /// Last before it begins anew.
        max: u64,
    },
    /// A value that never comes twice in a cell, and is the same in each cell: 16 hexadecimal digits.
    Unique,
    /// A whole number: the k-th of `min..=max` as often as 1/k to the power of `exponent`.
    Zipf {
        /// Smallest, and most frequent.
        min: u64,
        /// Largest, and rarest.
        max: u64,
        /// How steep; 0: each equally often.
        exponent: f64,
    },
    /// One of these texts.
    Choice {
        /// The texts.
        values: Vec<String>,
        /// How often each, relative to the others; empty: equally often.
        weights: Vec<f64>,
    },
    /// From a row of a CSV file.
    Csv {
        /// The file.
        path: String,
        /// The column; none: a template names it, as in `{{user.name}}`.
        column: Option<String>,
        /// Which row is next.
        pick: Pick,
    },
    /// From a line of a file with a JSON value on each.
    Jsonl {
        /// The file.
        path: String,
        /// The place in each value; none: a template names it, as in `{{user.name}}`.
        field: Option<JsonPath>,
        /// Which line is next.
        pick: Pick,
    },
}

/// Which row of a file is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// Each once, in order; when all were used, what needs one is not sent.
    Queue,
    /// In order, and again from the first.
    Circular,
    /// Any, each equally often.
    Random,
    /// All in a random order, and again in another.
    Shuffle,
}

impl Param {
    /// Whether a template names a column or field of it, as in `{{user.name}}`.
    #[must_use]
    fn has_columns(&self) -> bool {
        matches!(self, Self::Csv { column: None, .. } | Self::Jsonl { field: None, .. })
    }

    /// The parameter that `name` in a template is about, with its column where the name says one: `user` and `name` of
    /// `{{user.name}}`.
    #[must_use]
    pub fn named<'p, 'n>(params: &'p BTreeMap<String, Self>, name: &'n str) -> Option<(&'p str, Option<&'n str>)> {
        let found = |name: &str| params.get_key_value(name);
        if let Some((param, kind)) = found(name) {
            return (!kind.has_columns()).then_some((param, None));
        }
        let mut splits = name.match_indices('.').map(|(dot, _)| (&name[..dot], &name[dot + 1..]));
        splits.find_map(|(before, column)| {
            found(before).filter(|(_, kind)| kind.has_columns()).map(|(param, _)| (param.as_str(), Some(column)))
        })
    }
}
