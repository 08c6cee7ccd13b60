use proptest::prelude::*;

use super::*;

fn narrow() -> Layout {
    Layout::new(None, false)
}

/// Names in a table with figures as wide as those of a report.
fn with_figures(names: &[String], figures: &[&str]) -> Vec<Column> {
    let names = Column::words("cell", names.iter().cloned());
    let figures = figures.iter().map(|figure| Column::figures(figure, vec![(*figure).to_owned()]));
    std::iter::once(names).chain(figures).collect()
}

/// What a reader sees of `text`: blanks and breaks of lines apart.
fn read(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Names as scenarios have them, and any others.
fn any_name() -> impl Strategy<Value = String> {
    let scripts = "[a-z+@=,\u{4e00}-\u{4fff}\u{ac00}-\u{ad00}\u{0300}-\u{0310}\u{1f300}-\u{1f310} -]{1,150}";
    prop_oneof![
        "[a-z][a-z0-9_-]{0,70}(\\+[a-z][a-z0-9_-]{0,30}){0,5}(@[a-z]{1,20}=[a-z0-9.]{1,40})?",
        scripts,
        "\\PC{1,100}"
    ]
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_window_and_no_character_of_a_name_is_lost(
        name in any_name(),
        width in 40_usize..120,
        figures in proptest::collection::vec(prop_oneof![
            Just("inconclusive"), Just("3.14 (2.72 to 3.49) KiB"), Just("13.8 MiB → 52.5 MiB"), Just("12157"),
        ], 0..6),
    ) {
        let columns = with_figures(std::slice::from_ref(&name), &figures);
        let text = table(&columns, Layout::new(Some(width), false));
        for line in text.lines() {
            prop_assert!(display_width(line) <= width, "{line:?} has {} columns", display_width(line));
        }
        // Each figure stands once in the head and once in the row, and stays on one line.
        for figure in &figures {
            let wanted = 2 * figures.iter().filter(|other| other == &figure).count();
            let found: usize = text.lines().map(|line| line.matches(figure).count()).sum();
            prop_assert!(found >= wanted, "{text}");
        }
        // The name, with the figures taken out from between its pieces.
        let mut named = read(&text);
        for figure in figures.iter().map(|figure| read(figure)) {
            for _ in 0..2 {
                let at = named.find(&figure).expect("a figure");
                named.replace_range(at..at + figure.len(), "");
            }
        }
        let shown = read(&visible(&name));
        prop_assert_eq!(named, format!("cell{shown}"), "{}", text);
    }

    #[test]
    fn a_wide_table_has_a_line_for_each_row(names in proptest::collection::vec(any_name(), 1..5)) {
        let text = table(&with_figures(&names, &["3.14 (2.72 to 3.49) KiB"]), Layout::new(Some(80), true));
        prop_assert_eq!(text.lines().count(), 1 + names.len(), "{}", text);
    }
}

#[test]
fn names_break_where_their_parts_are_joined_and_rows_go_on_below_where_there_is_no_room() {
    let names = ["baseline", "cache+labels+sessions+recommendations@allocator=jemalloc"].map(str::to_owned);
    let verdicts = || Column::figures("verdict", ["stable", "inconclusive"].map(str::to_owned));
    let growth = |head| Column::figures(head, ["0 (-145 to 145) MiB", "3.14 (2.72 to 3.49) KiB"].map(str::to_owned));
    let cells = || Column::words("cell", names.clone());
    let some = table(&[cells(), verdicts(), growth("growth per request")], narrow());
    let more = [cells(), verdicts(), growth("growth per request"), growth("growth per hour"), growth("seen at least")];
    insta::assert_snapshot!(format!("{some}\n{}", table(&more, narrow())));
}

#[test]
fn columns_stand_below_each_other_whatever_script_a_name_is_in() {
    let names = ["缓存", "cafe\u{0301}", "plain"].map(str::to_owned);
    let figures = ["1 KiB", "2 KiB", "3 KiB"].map(str::to_owned);
    let text = table(&[Column::words("cell", names), Column::figures("growth", figures)], narrow());
    let before_figure = |line: &str| display_width(&line[..line.find(char::is_numeric).expect("a figure")]);
    assert!(text.lines().skip(1).all(|line| before_figure(line) == "plain  ".len()), "{text}");
}

#[test]
fn a_name_that_would_steer_a_terminal_takes_the_room_of_what_is_shown_of_it() {
    let names = ["a\u{1b}[2J".to_owned(), "b\tc\nd".to_owned()];
    let text = table(&[Column::words("cell", names), Column::figures("n", ["1", "2"].map(str::to_owned))], narrow());
    assert_eq!(text, "cell        n\na\\u001b[2J  1\nb c d       2\n");
}
