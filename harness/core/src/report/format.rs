//! The formats of a report.

use thiserror::Error;

use super::files::{annotations, bencher, code_quality, junit, markdown, openmetrics};
use super::json::json;
use super::terminal::terminal;
use super::{Layout, Report};
use crate::scenario::FileFormat;

/// A format that reports are printed in. A new one is a variant here, an entry in [`Format::ALL`], and a file beside
/// this one; the compiler asks for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables and sentences: `report/terminal.rs`.
    Terminal,
    /// All that the model holds: `report/json.rs`.
    Json,
    /// A page with figures: `report/page.rs`.
    Html,
    /// A case for each cell and flag: `report/files/junit.rs`.
    Junit,
    /// For a pull request, or the summary of a job: `report/files/markdown.rs`.
    Markdown,
    /// What GitHub Actions shows beside lines: `report/files/annotations.rs`.
    Annotations,
    /// What GitLab shows beside lines: `report/files/code_quality.rs`.
    CodeQuality,
    /// What Bencher tracks: `report/files/bencher.rs`.
    Bencher,
    /// What Prometheus is filled from: `report/files/openmetrics.rs`.
    Openmetrics,
}

/// Why a report could not be written.
#[derive(Debug, Error)]
pub enum RenderError {
    /// What JSON cannot hold; nothing in a report is of that kind.
    #[error("write the report as JSON")]
    Json(#[from] serde_json::Error),
    /// What XML cannot hold; it is escaped or dropped before.
    #[error("write the report as XML")]
    Junit(#[from] quick_junit::SerializeError),
}

impl Format {
    /// All formats, in the order in which `--help` lists them; the first is the default.
    pub const ALL: [Self; 9] = [
        Self::Terminal,
        Self::Json,
        Self::Html,
        Self::Junit,
        Self::Markdown,
        Self::Annotations,
        Self::CodeQuality,
        Self::Bencher,
        Self::Openmetrics,
    ];

    /// What `--format` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Html => "html",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Annotations => "annotations",
            Self::CodeQuality => "code-quality",
            Self::Bencher => "bencher",
            Self::Openmetrics => "openmetrics",
        }
    }

    /// Whom it is for, for `--help`.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Terminal => "For people",
            Self::Json => "For programs: everything, with a schema (steep report --schema)",
            Self::Html => "For browsers: one file with figures, without network",
            Self::Junit => "JUnit: a case for each cell and flag, for any CI",
            Self::Markdown => "For a comment on a pull request, or a job summary",
            Self::Annotations => "For GitHub Actions: findings beside the line that keeps memory",
            Self::CodeQuality => "For GitLab: the same as a code quality report",
            Self::Bencher => "For Bencher: figures with their intervals",
            Self::Openmetrics => "For Prometheus: figures with the time of the run, to backfill",
        }
    }

    /// The file in the folder of a run that holds it.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Terminal => "report.txt",
            Self::Json => "report.json",
            Self::Html => "report.html",
            Self::Junit => "junit.xml",
            Self::Markdown => "report.md",
            Self::Annotations => "annotations.txt",
            Self::CodeQuality => "code-quality.json",
            Self::Bencher => "bencher.json",
            Self::Openmetrics => "openmetrics.txt",
        }
    }

    /// Whether it has lines and columns that a [`Layout`] says the width of.
    #[must_use]
    pub const fn has_layout(self) -> bool {
        match self {
            Self::Terminal => true,
            Self::Json
            | Self::Html
            | Self::Junit
            | Self::Markdown
            | Self::Annotations
            | Self::CodeQuality
            | Self::Bencher
            | Self::Openmetrics => false,
        }
    }

    /// `report` in this format. What is drawn of its traces is on `page`, which is made where it is asked for.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render(self, report: &Report, layout: Layout, page: impl FnOnce() -> String) -> Result<String, RenderError> {
        match self {
            Self::Terminal => Ok(terminal(report, layout)),
            Self::Json => Ok(json(report)?),
            Self::Html => Ok(page()),
            Self::Junit => Ok(junit(report)?),
            Self::Markdown => Ok(markdown(report)),
            Self::Annotations => Ok(annotations(report)),
            Self::CodeQuality => Ok(code_quality(report)?),
            Self::Bencher => Ok(bencher(report)?),
            Self::Openmetrics => Ok(openmetrics(report)),
        }
    }
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Terminal => Self::Terminal,
            FileFormat::Junit => Self::Junit,
            FileFormat::Markdown => Self::Markdown,
            FileFormat::Annotations => Self::Annotations,
            FileFormat::CodeQuality => Self::CodeQuality,
            FileFormat::Bencher => Self::Bencher,
            FileFormat::Openmetrics => Self::Openmetrics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_formats_have_one_name() {
        for (place, format) in Format::ALL.into_iter().enumerate() {
            let others = &Format::ALL[..place];
            assert!(others.iter().all(|other| other.name() != format.name()), "{format:?}");
            assert!(others.iter().all(|other| other.file_name() != format.file_name()), "{format:?}");
            assert!(!format.purpose().is_empty());
        }
    }
}
