//! Which columns to read, as `--columns` says.

use std::str::FromStr;

use thiserror::Error;

/// Which columns to read, by the names in the first line; what is not given is found by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    pub(super) time: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) requests: Option<String>,
    pub(super) live: Option<String>,
    pub(super) series: Option<String>,
}

/// A text that names no columns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ColumnsError {
    /// No pair.
    #[error("{0:?} is not a ROLE=NAME, such as time=t_s")]
    NoPair(String),
    /// A role that there is not.
    #[error("unknown role {0:?}: expected one of time, memory, requests, live, series")]
    UnknownRole(String),
    /// A role with two names.
    #[error("the role {0} is given twice")]
    Twice(String),
}

impl FromStr for Columns {
    type Err = ColumnsError;

    /// From `time=NAME,memory=NAME,requests=NAME,live=NAME,series=NAME`, any of them. Commas in brackets and quotation
    /// marks belong to a name: `memory=rss_bytes{job="web", pod="a"}`.
    fn from_str(text: &str) -> Result<Self, ColumnsError> {
        let mut columns = Self::default();
        for pair in pairs(text) {
            let (role, name) = pair
                .split_once('=')
                .map(|(role, name)| (role.trim(), name.trim()))
                .filter(|(_, name)| !name.is_empty())
                .ok_or_else(|| ColumnsError::NoPair(pair.to_owned()))?;
            let given = match role {
                "time" => &mut columns.time,
                "memory" => &mut columns.memory,
                "requests" => &mut columns.requests,
                "live" => &mut columns.live,
                "series" => &mut columns.series,
                unknown => return Err(ColumnsError::UnknownRole(unknown.to_owned())),
            };
            if given.replace(name.to_owned()).is_some() {
                return Err(ColumnsError::Twice(role.to_owned()));
            }
        }
        Ok(columns)
    }
}

/// The text cut at the commas that stand in neither brackets nor quotation marks.
fn pairs(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start) = (0_i32, false, 0);
    let mut pairs = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '{' | '(' | '[' if !quoted => depth += 1,
            '}' | ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth <= 0 => {
                pairs.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pairs.push(&text[start..]);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_columns_is_refused() {
        let error = |text: &str| text.parse::<Columns>().expect_err("no columns").to_string();
        assert_eq!(error("time"), "\"time\" is not a ROLE=NAME, such as time=t_s");
        assert_eq!(error("time="), "\"time=\" is not a ROLE=NAME, such as time=t_s");
        assert_eq!(error("rss=a"), "unknown role \"rss\": expected one of time, memory, requests, live, series");
        assert_eq!(error("time=a,time=b"), "the role time is given twice");
    }

    #[test]
    fn names_may_hold_commas_in_brackets() {
        let columns: Columns = "time=Time, memory=rss{a=\"x\", b=\"y,z\"}".parse().expect("columns");
        assert_eq!(columns.time.as_deref(), Some("Time"));
        assert_eq!(columns.memory.as_deref(), Some("rss{a=\"x\", b=\"y,z\"}"));
    }
}
