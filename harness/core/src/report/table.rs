//! Columns for a terminal.

/// The widest that a table for a terminal gets.
pub(super) const WIDTH: usize = 100;

/// `rows` in columns, each as wide as its widest text, two blanks between; the first row is the head. The last column
/// is cut where a line would be wider than [`WIDTH`].
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}")).collect();
        let line = padded.join("  ");
        shortened(line.trim_end(), WIDTH) + "\n"
    };
    rows.iter().map(line).collect()
}

/// `text`, or its beginning with an ellipsis.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// `text` broken at blanks to lines of at most [`WIDTH`], all but the first beginning with `indent` blanks.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    for paragraph in text.lines() {
        let mut used = 0;
        for word in paragraph.split(' ') {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > WIDTH {
                lines.push('\n');
                lines.push_str(&" ".repeat(indent));
                used = indent;
            } else if used > 0 {
                lines.push(' ');
                used += 1;
            }
            lines.push_str(word);
            used += length;
        }
        lines.push('\n');
    }
    lines
}
