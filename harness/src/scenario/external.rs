//! A load that another program makes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// A load that another program makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct External {
    /// Program and arguments.
    pub command: Vec<Template>,
    /// Where the service counts requests; none: growth is known over time only.
    pub counter: Option<Counter>,
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
