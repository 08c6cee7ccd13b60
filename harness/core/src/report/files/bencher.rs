//! Bencher metric format: a benchmark for each cell, flag and value of an axis, a measure for each figure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::Report;
use super::case::{Kind, cases};
use crate::visible::visible;

#[derive(Serialize)]
struct Metric {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// Names of benchmarks are longer nowhere.
const LONGEST_NAME: usize = 1024;

/// What `bencher run --adapter json` reads.
pub(in crate::report) fn bencher(report: &Report) -> Result<String, serde_json::Error> {
    let mut benchmarks: BTreeMap<String, BTreeMap<String, Metric>> = BTreeMap::new();
    for case in cases(report).into_iter().filter(|case| !case.figures.is_empty()) {
        let kind = if case.kind == Kind::Cell { String::new() } else { format!("{} ", case.kind.name()) };
        let name = format!("{}: {kind}{}", visible(&report.name), visible(&case.name));
        let name: String = name.chars().take(LONGEST_NAME).collect();
        let metrics = case.figures.iter().map(|figure| {
            let (lower_value, upper_value) = figure.bounds.unzip();
            (figure.name.replace('_', "-"), Metric { value: figure.value, lower_value, upper_value })
        });
        benchmarks.insert(name, metrics.collect());
    }
    Ok(serde_json::to_string_pretty(&benchmarks)? + "\n")
}
