//! Where it shows that a flag is on, or an allocator in use: its type, decoding and checks.

use serde::{Deserialize, Serialize};

use super::check::Check;
use super::flags::value::with_value;
use super::read::{Reader, Section};
use crate::problem::Problem;

/// Where it shows that a flag is on, or an allocator in use: there then, and only then. Of a flag with values always,
/// with the value in the text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Verify {
    /// In the answer to a GET.
    Http {
        /// What is asked.
        path: String,
        /// What is in the answer.
        contains: String,
    },
    /// In Prometheus text.
    Metric {
        /// What is asked.
        path: String,
        /// The metric.
        metric: String,
        /// The sum of its series; none: whatever it is.
        value: Option<f64>,
    },
    /// In a line of the service's log before the load.
    Log {
        /// What the line contains.
        log: String,
    },
    /// In the symbol table of the program.
    Symbol {
        /// What the name of the symbol contains.
        symbol: String,
    },
    /// Among the files that are mapped into the main process.
    Library {
        /// What the name of the file contains.
        library: String,
    },
}

impl Verify {
    /// The text that is looked for.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Http { contains: text, .. }
            | Self::Metric { metric: text, .. }
            | Self::Log { log: text }
            | Self::Symbol { symbol: text }
            | Self::Library { library: text } => text,
        }
    }

    /// The same for a flag that has this value.
    #[must_use]
    pub fn with_value(&self, value: &str) -> Self {
        let mut verify = self.clone();
        match &mut verify {
            Self::Http { contains: text, .. }
            | Self::Metric { metric: text, .. }
            | Self::Log { log: text }
            | Self::Symbol { symbol: text }
            | Self::Library { library: text } => *text = with_value(text, value),
        }
        verify
    }
}

/// What `metric` asks where the scenario does not say: the path that Prometheus itself takes.
const METRICS_PATH: &str = "/metrics";

pub(in crate::scenario) fn verify(reader: &mut Reader, section: &Section<'_>) -> Option<Verify> {
    const WAYS: [&str; 5] = ["contains", "metric", "log", "symbol", "library"];
    let path = reader.text(section, "path");
    let value = reader.number(section, "value");
    let mut texts = WAYS.map(|way| reader.text(section, way));
    let given: Vec<&str> = WAYS.into_iter().filter(|way| Reader::has(section, way)).collect();
    let mut wrong = |message: String, help: &str| {
        let span = reader.spans.of(&section.path);
        reader.problems.push(Problem::error(format!("[{}] {message}", section.path), span).help(help));
        None
    };
    let [way] = given.as_slice() else {
        let said = if given.is_empty() { "nothing".to_owned() } else { given.join(" and ") };
        let help = "one of contains (with path), metric, log, symbol, library; two things to see are two flags";
        return wrong(format!("says {said} of what shows that it took effect"), help);
    };
    if value.is_some() && *way != "metric" {
        return wrong(format!("has a \"value\" beside \"{way}\""), "only a metric has a value");
    }
    if path.is_some() && !["contains", "metric"].contains(way) {
        return wrong(format!("has a \"path\" beside \"{way}\""), "only \"contains\" and \"metric\" ask one");
    }
    let text = WAYS.iter().position(|known| known == way).and_then(|place| texts[place].take())?;
    Some(match *way {
        "contains" => match path {
            Some(path) => Verify::Http { path, contains: text },
            None => return wrong("lacks \"path\"".to_owned(), "add path = …: what is asked"),
        },
        "metric" => Verify::Metric { path: path.unwrap_or_else(|| METRICS_PATH.to_owned()), metric: text, value },
        "log" => Verify::Log { log: text },
        "symbol" => Verify::Symbol { symbol: text },
        "library" => Verify::Library { library: text },
        other => unreachable!("{other} is not one of {WAYS:?}"),
    })
}

impl Check<'_> {
    pub(in crate::scenario) fn verify(&mut self, path: &str, verify: &Verify) {
        if let Verify::Http { path: asked, .. } | Verify::Metric { path: asked, .. } = verify {
            self.own_path(&format!("{path}.path"), asked);
        }
        if verify.text().is_empty() {
            self.error(path, "an empty text is everywhere: it would verify nothing", "name what is there only then");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_verify_is_read_back_as_it_was_written() {
        let ways = [
            Verify::Http { path: "/flags".to_owned(), contains: "cache".to_owned() },
            Verify::Metric { path: "/metrics".to_owned(), metric: "cache".to_owned(), value: None },
            Verify::Log { log: "cache".to_owned() },
            Verify::Symbol { symbol: "cache".to_owned() },
            Verify::Library { library: "cache".to_owned() },
        ];
        for way in ways {
            let written = serde_json::to_string(&way).expect("JSON");
            assert_eq!(serde_json::from_str::<Verify>(&written).expect("a way"), way);
        }
    }
}
