//! How wide a report may be, and how much of its tables it shows.

/// How a report is laid out for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    width: usize,
    is_wide: bool,
}

/// The width of a file, a pipe, and the smallest window that most terminals open.
const USUAL_WIDTH: usize = 80;
/// In a narrower window lines are broken by the terminal: a figure with its interval has 24 columns.
const LEAST_WIDTH: usize = 40;
/// Longer lines of prose are hard to read.
const WIDEST_PROSE: usize = 100;

impl Layout {
    /// For a window of `columns`, if there is one. With `is_wide` tables have all their columns and each of their rows
    /// is one line, however wide.
    #[must_use]
    pub fn new(columns: Option<usize>, is_wide: bool) -> Self {
        Self { width: columns.unwrap_or(USUAL_WIDTH).max(LEAST_WIDTH), is_wide }
    }

    /// Whether tables have all their columns.
    pub(super) const fn is_wide(self) -> bool {
        self.is_wide
    }

    /// Columns that a table may take; `None` means any number.
    pub(super) fn table_width(self) -> Option<usize> {
        (!self.is_wide).then_some(self.width)
    }

    /// Columns that a line of prose may take.
    pub(super) fn prose_width(self) -> usize {
        self.width.min(WIDEST_PROSE)
    }
}

impl Default for Layout {
    /// For a file or a pipe.
    fn default() -> Self {
        Self::new(None, false)
    }
}
