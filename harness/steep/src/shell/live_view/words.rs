//! What steep tells the process that shows a run, a line for each word.

use serde::{Deserialize, Serialize};
use steep_judge::ids::CellId;

/// The longest word that is heard; what is longer is not from steep.
pub(super) const LONGEST: u64 = 64 << 10;

/// Characters of a text that are sent at most.
const LONGEST_TEXT: usize = 4 << 10;

/// What steep says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Where the run is.
    Status(Status),
    /// What steep said that stays.
    Said(String),
    /// The run is over, and this is what came of it.
    End(String),
}

/// Where a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// `cell 2/4 sessions`, `building baseline`.
    pub label: String,
    /// The cell of the plan that is soaked; none between two of them.
    pub cell: Option<CellId>,
    /// Where its soak is, and how its load comes.
    pub place: String,
    /// What its memory does.
    pub memory: String,
}

impl Word {
    /// The line.
    #[must_use]
    pub fn line(&self) -> String {
        let shortened = |text: &String| text.chars().take(LONGEST_TEXT).collect();
        let word = match self {
            Self::Said(text) => Self::Said(shortened(text)),
            Self::End(text) => Self::End(shortened(text)),
            Self::Status(_) => self.clone(),
        };
        // Strings and numbers only, which JSON can hold.
        serde_json::to_string(&word).unwrap_or_default() + "\n"
    }

    /// The word of a line; none where it is torn.
    #[must_use]
    pub(super) fn of(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}
