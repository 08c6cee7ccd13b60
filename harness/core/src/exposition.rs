//! Reads series out of Prometheus text (its exposition format 0.0.4, and `OpenMetrics`): one counter, or all of them
//! with their label sets added up.
//!
//! Pure. The crates for it bring clocks; here names are summed.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

/// The sum over all series of `metric` that have these `labels`; none if there is no such series. `OpenMetrics` ends
/// the name of a counter in `_total`, which may be left out.
#[must_use]
pub fn sum(text: &str, metric: &str, labels: &BTreeMap<String, String>) -> Option<f64> {
    let values = text.lines().filter_map(series).filter(|series| {
        let is_named = series.name == metric || series.name.strip_suffix("_total") == Some(metric);
        is_named && labels.iter().all(|wanted| series.has(wanted))
    });
    values.map(|series| series.value).reduce(|sum, value| sum + value)
}

/// The series of a text, the label sets of each name added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Folded {
    /// By name.
    pub values: BTreeMap<String, f64>,
    /// Names that found no room.
    pub left_out: usize,
}

/// The series of `text` that one of `keep` matches (all, where that is empty), at most `most`. Buckets of histograms,
/// quantiles of summaries and times of creation cannot be added up, and are left out.
#[must_use]
pub fn folded(text: &str, keep: &[Regex], most: usize) -> Folded {
    let mut folded = Folded::default();
    let mut beyond: BTreeSet<&str> = BTreeSet::new();
    for Series { name, labels, value } in text.lines().filter_map(series) {
        let is_part = labels.iter().any(|(label, _)| matches!(*label, "le" | "quantile"));
        let is_kept = keep.is_empty() || keep.iter().any(|pattern| pattern.is_match(name));
        if is_part || name.ends_with("_created") || !is_kept || !value.is_finite() {
            continue;
        }
        if let Some(sum) = folded.values.get_mut(name) {
            *sum += value;
        } else if folded.values.len() < most {
            folded.values.insert(name.to_owned(), value);
        } else {
            beyond.insert(name);
        }
    }
    folded.left_out = beyond.len();
    folded
}

/// A line of the text.
struct Series<'t> {
    name: &'t str,
    labels: Vec<(&'t str, String)>,
    value: f64,
}

impl Series<'_> {
    fn has(&self, (name, value): (&String, &String)) -> bool {
        self.labels.iter().any(|(known, of_series)| known == name && of_series == value)
    }
}

/// `name{label="value",…} value timestamp`; none for comments and what is broken.
fn series(line: &str) -> Option<Series<'_>> {
    let line = line.trim();
    let end = line.find(|c: char| c == '{' || c.is_whitespace()).filter(|end| *end > 0 && !line.starts_with('#'))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once('=')?;
            let (value, after) = quoted(after.trim_start())?;
            labels.push((label.trim(), value));
            rest = after.trim_start().trim_start_matches(',').trim_start();
        }
        rest = &rest[1..];
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Series { name, labels, value })
}

/// The text between the quotes that `rest` begins with, and what comes after.
fn quoted(rest: &str) -> Option<(String, &str)> {
    let inside = rest.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = inside.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &inside[at + 1..])),
            (_, '\\') => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            (_, c) => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"# HELP http_requests_total Requests, "all" of them.
# TYPE http_requests_total counter
http_requests_total{method="GET", path="/a,b}\"c\\"} 12 1395066363000
http_requests_total{method="POST",} 3.5e1
  http_requests_total_created 7
plain 5
broken{ 1
nan NaN
"#;

    fn total(metric: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        sum(TEXT, metric, &labels)
    }

    #[test]
    fn series_are_summed_by_name_and_labels() {
        assert_eq!(total("http_requests_total", &[]), Some(47.0));
        assert_eq!(total("http_requests", &[("method", "POST")]), Some(35.0));
        assert_eq!(total("http_requests_total", &[("path", "/a,b}\"c\\")]), Some(12.0));
        assert_eq!(total("plain", &[]), Some(5.0));
        assert_eq!(total("plain", &[("method", "GET")]), None);
        assert_eq!((total("broken", &[]), total("http", &[]), total("#", &[])), (None, None, None));
    }

    #[test]
    fn label_sets_are_added_up_and_what_cannot_be_is_left_out() {
        let text = "a{x=\"1\"} 1\na{x=\"2\"} 2\nb 3\nh_bucket{le=\"1\"} 4\nh_sum 5\nq{quantile=\"0.5\"} 6\n\
                    h_created 7\nnan NaN\nc 8 # {trace=\"x\"} 1\n# EOF\n";
        let all = folded(text, &[], 10);
        let named: Vec<_> = all.values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!((named, all.left_out), (vec![("a", 3.0), ("b", 3.0), ("c", 8.0), ("h_sum", 5.0)], 0));
        assert_eq!(folded(text, &[Regex::new("^(?:b|c)$").expect("a pattern")], 1).left_out, 1);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[a-z{}=\",# \\\\\n0-9é]{0,60}") {
            let _ = sum(&text, "a", &BTreeMap::new());
            let _ = folded(&text, &[], 3);
        }
    }
}
