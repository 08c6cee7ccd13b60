//! What tools of a terminal print, again and again: ps, pidstat, top, vmstat, sar, smem, free, psrecord, docker stats
//! and kubectl top, with a date before each reading or not.

mod layout;
mod screen;

use self::layout::Layout;
use self::screen::Screens;
use super::table::Table;
use super::timestamp::{Style, is_moment, style};

/// Most words of a moment at the start of a line: `Mon Nov 2 08:00:00 UTC 2026` has six, and a moment without its year
/// and weekday three.
const WORDS_OF_MOMENT: usize = 6;

/// The output of a tool, if a line of it names columns of one.
pub(super) fn console(text: &str) -> Option<Table> {
    let mut screens = Screens::default();
    let (mut layout, mut last): (Option<Layout>, Option<Layout>) = (None, None);
    let mut now: Option<String> = None;
    let mut known = None;
    for (line, row) in (1..).zip(text.lines()) {
        let trimmed = row.trim();
        if trimmed.is_empty() {
            continue;
        }
        if is_moment(trimmed) {
            now = Some(trimmed.to_owned());
            continue;
        }
        if let Some(clock) = trimmed.strip_prefix("top - ") {
            now = clock.split_whitespace().next().map(str::to_owned);
            continue;
        }
        let (leading, rest) = leading_moment(trimmed, &mut known);
        if let Some(found) = Layout::of(rest, leading.is_some()) {
            screens.begin();
            last = Some(found.clone());
            layout = Some(found);
            continue;
        }
        if is_other_head(rest, leading.is_some()) {
            layout = None;
        }
        let Some(layout) = &layout else { continue };
        match layout.row(trimmed, leading, rest) {
            Some(read) => screens.push(line, read, now.as_deref()),
            None if is_summary(trimmed) => {}
            None => screens.pass_over(line),
        }
    }
    last.and_then(|layout| screens.into_table(&layout))
}

/// Whether a line names the columns of another table: pidstat prints one for each of its options.
fn is_other_head(line: &str, has_moment: bool) -> bool {
    let mut words = line.split_whitespace();
    let is_named = has_moment || line.contains(" PID ");
    is_named && words.clone().count() > 2 && words.all(|word| word.parse::<f64>().is_err() && !word.contains(','))
}

/// Whether a line sums up or adorns: averages, totals of top, swap of free, the rule above the names of vmstat.
fn is_summary(line: &str) -> bool {
    line.contains("----") || line.split_whitespace().take(3).any(|word| word.ends_with(':'))
}

/// The moment at the start of a line, and the rest. `known` is how the last one was written, and of how many words.
pub(super) fn leading_moment<'l>(line: &'l str, known: &mut Option<(usize, Style)>) -> (Option<&'l str>, &'l str) {
    if !line.starts_with(|c: char| c.is_ascii_digit() || c == '[' || c.is_ascii_uppercase()) {
        return (None, line);
    }
    let split = |words: usize| {
        let mut ends = line.split_whitespace().map(|word| word.as_ptr() as usize - line.as_ptr() as usize + word.len());
        let end = ends.nth(words - 1)?;
        Some((&line[..end], line[end..].trim_start()))
    };
    let fits = |moment: &str, style: Style| match style {
        Style::Number(_) => is_moment(moment),
        _ => style.read(moment).is_some(),
    };
    if let Some((moment, rest)) =
        known.and_then(|(words, style)| split(words).filter(|(moment, _)| fits(moment, style)))
    {
        return (Some(moment), rest);
    }
    for words in (1..=WORDS_OF_MOMENT).rev() {
        let Some((moment, rest)) = split(words) else { continue };
        let end_is_moment = moment.ends_with(|c: char| c.is_ascii_digit() || matches!(c, ']' | 'M' | 'Z' | 'C' | 'T'));
        if end_is_moment
            && !rest.is_empty()
            && is_moment(moment)
            && let Ok(style) = style(&std::iter::once(moment))
        {
            *known = Some((words, style));
            return (Some(moment), rest);
        }
    }
    (None, line)
}

#[cfg(test)]
mod tests;
