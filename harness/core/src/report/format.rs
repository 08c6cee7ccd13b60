//! The formats of a report.

use super::json::json;
use super::terminal::terminal;
use super::{Layout, Report};

/// A format that reports are printed in. A new one is a variant here, an entry in [`Format::ALL`], and a file beside
/// this one; the compiler asks for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables and sentences: `report/terminal.rs`.
    Terminal,
    /// All that the model holds: `report/json.rs`.
    Json,
}

impl Format {
    /// All formats, in the order in which `--help` lists them; the first is the default.
    pub const ALL: [Self; 2] = [Self::Terminal, Self::Json];

    /// What `--format` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
        }
    }

    /// Whom it is for, for `--help`.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Terminal => "For people",
            Self::Json => "For programs",
        }
    }

    /// Whether it has lines and columns that a [`Layout`] says the width of.
    #[must_use]
    pub const fn has_layout(self) -> bool {
        match self {
            Self::Terminal => true,
            Self::Json => false,
        }
    }

    /// `report` in this format.
    ///
    /// # Errors
    /// What JSON cannot hold; nothing in a report is of that kind.
    pub fn render(self, report: &Report, layout: Layout) -> Result<String, serde_json::Error> {
        match self {
            Self::Terminal => Ok(terminal(report, layout)),
            Self::Json => json(report),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_formats_have_one_name() {
        for (place, format) in Format::ALL.into_iter().enumerate() {
            assert!(Format::ALL[..place].iter().all(|other| other.name() != format.name()), "{format:?}");
            assert!(!format.purpose().is_empty());
        }
    }
}
