//! A row of figures as a row of bars, for terminals and for Markdown.

/// From low to high; all fonts of terminals have them.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One bar for each of `figures`, a space where there is none. A row that moves by less than `least` is flat: noise is
/// not drawn as a mountain.
#[must_use]
pub fn sparkline(figures: impl IntoIterator<Item = Option<f64>>, least: f64) -> String {
    let figures: Vec<Option<f64>> =
        figures.into_iter().map(|figure| figure.filter(|figure| figure.is_finite())).collect();
    let known = || figures.iter().flatten().copied();
    let low = known().fold(f64::INFINITY, f64::min);
    let span = (known().fold(f64::NEG_INFINITY, f64::max) - low).max(least);
    let bar = |figure: f64| {
        let share = if span > 0.0 { (figure - low) / span } else { 0.0 };
        // The highest figure has the highest bar, and only it.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 7")]
        let place = (share * (BARS.len() - 1) as f64).round() as usize;
        BARS[place.min(BARS.len() - 1)]
    };
    figures.iter().map(|figure| figure.map_or(' ', bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_and_the_highest_have_the_outer_bars() {
        assert_eq!(sparkline([Some(3.0), None, Some(10.0), Some(6.5)], 0.0), "▁ █▅");
        assert_eq!(sparkline([Some(0.0), Some(1.0)], 100.0), "▁▁");
        assert_eq!(sparkline([Some(5.0), Some(5.0), Some(f64::NAN)], 0.0), "▁▁ ");
        assert_eq!(sparkline([], 1.0), "");
    }
}
