//! A load that another program makes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// A load that another program makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct External {
    /// Program and arguments.
    pub command: Vec<Template>,
    /// Where the service counts requests; none: growth is known over time only.
    pub counter: Option<Counter>,
    /// Where the program itself tells how many it has made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}

/// Where a program that makes the load tells how many requests it has made so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reported {
    /// In lines of its output.
    Stdout,
    /// In this file below the cell's folder.
    File(String),
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.pad("its output"),
            Self::File(name) => write!(f, "its file {name}"),
        }
    }
}

/// A counter of the service, in Prometheus text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Where it is.
    pub path: String,
    /// Its name; its series are summed.
    pub metric: String,
    /// Labels that a series must have to be counted.
    pub labels: BTreeMap<String, String>,
}
