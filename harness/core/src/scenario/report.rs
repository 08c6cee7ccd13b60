//! What is written beside the report for other programs: its type, keys, decoding and checks.

use serde::{Deserialize, Serialize};

use super::Scenario;
use super::check::Check;
use super::read::{Reader, Section};
use super::schema::{Key, Kind, Presence, key};

/// What is written beside the report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFiles {
    /// The forms, each in a file of its own in the folder of the run.
    #[serde(default)]
    pub formats: Vec<FileFormat>,
    /// The folder that the service's sources stand in, from the root of the repository; empty: that root.
    #[serde(default)]
    pub source_root: String,
}

impl ReportFiles {
    /// Whether nothing is asked for.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A form of the report in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// `report.txt`.
    Terminal,
    /// `junit.xml`.
    Junit,
    /// `report.md`.
    Markdown,
    /// `annotations.txt`.
    Annotations,
    /// `code-quality.json`.
    CodeQuality,
    /// `bencher.json`.
    Bencher,
    /// `openmetrics.txt`.
    Openmetrics,
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("report", Kind::Table, Presence::Default("{}"), "What is written into the folder of the run beside `report.json` ([files](files.md))."),
    key("report.formats", Kind::Choices(&["terminal", "junit", "markdown", "annotations", "code-quality", "bencher", "openmetrics"]), Presence::Default("[]"), "Files for people and other programs: `report.txt`, `junit.xml`, `report.md`, `annotations.txt`, `code-quality.json`, `bencher.json`, `openmetrics.txt`. `steep report RUN --format NAME` prints each later, too."),
    key("report.source_root", Kind::Text, Presence::Default("\"\""), "The folder that the service's sources stand in, from the root of the repository: `services/checkout`. It stands before the files that annotations and code quality reports name, which are relative to the service's package."),
];

pub(in crate::scenario) fn report(reader: &mut Reader, top: &Section<'_>) -> ReportFiles {
    let section = &reader.table(top, "report");
    ReportFiles {
        formats: reader.choices(section, "formats").unwrap_or_default(),
        source_root: reader.text(section, "source_root").unwrap_or_default(),
    }
}

impl Check<'_> {
    pub(in crate::scenario) fn report(&mut self, scenario: &Scenario) {
        let root = &scenario.report.source_root;
        if root.starts_with('/') || root.split('/').any(|part| part == "..") {
            let help = "a path from the root of the repository, such as \"services/checkout\"";
            self.error("report.source_root", format!("{root:?} is not below the root of the repository"), help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{and, decoded, sound};

    #[test]
    fn formats_and_the_root_of_the_sources_are_read() {
        let none = decoded(&sound("5m", ""));
        assert!(none.report.is_empty());
        let text = "[report]\nformats = [\"junit\", \"code-quality\"]\nsource_root = \"services/shop\"\n";
        let report = decoded(&sound("5m", text)).report;
        assert_eq!(report.formats, [FileFormat::Junit, FileFormat::CodeQuality]);
        assert_eq!(report.source_root, "services/shop");
    }

    #[test]
    fn a_root_elsewhere_and_a_form_that_there_is_not_are_errors() {
        for root in ["/etc", "../other", "a/../../b"] {
            assert!(and(&format!("[report]\nsource_root = \"{root}\"\n")).contains("is not below the root"), "{root}");
        }
        assert!(and("[report]\nformats = [\"junitt\"]\n").contains("junit"));
    }
}
