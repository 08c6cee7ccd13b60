//! The tables, in Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use steep_judge::simulator::{CALM, Family, LEAKING};

use crate::tally::{Counts, Tally};

/// Both tables of one duration.
pub fn of(tally: &Tally, seconds: usize) -> String {
    let mut text = String::new();
    calm(tally, seconds, &mut text);
    leaking(tally, seconds, &mut text);
    text
}

/// Services that do not leak, settled by four fifths of the run.
fn calm(tally: &Tally, seconds: usize, text: &mut String) {
    let families: BTreeSet<Family> = tally.0.keys().map(|(family, _)| *family).filter(|f| !f.is_leaking()).collect();
    if families.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "{seconds} s, not leaking, % with 95 % bounds\n\n|family|n|leak|step|cleared|\n|---|---|---|---|---|"
    );
    let mut row = |name: &str, counts: &Counts| {
        let Counts { leak, step, cleared, .. } = counts;
        let _ = writeln!(text, "|{name}|{}|{leak}|{step}|{cleared}|", leak.all);
    };
    row("all 17 of the reference", &tally.together(|family, _| CALM.contains(&family)));
    for family in families {
        row(family.name(), &tally.together(|other, _| other == family));
    }
    text.push('\n');
}

/// Services that leak, for long enough to be asked for.
fn leaking(tally: &Tally, seconds: usize, text: &mut String) {
    let leaks: BTreeSet<(Family, u64)> = tally.0.keys().filter(|(family, _)| family.is_leaking()).copied().collect();
    if leaks.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "{seconds} s, leaking, % with 95 % bounds\n\n|family|B/request|n|named|wrongly cleared|in the interval|median error|named of visible|\n|---|---|---|---|---|---|---|---|"
    );
    let mut row = |name: &str, leak: f64, counts: &Counts| {
        let Counts { named, wrongly_cleared, covered, seen, .. } = counts;
        let error = counts.median_error();
        let _ = writeln!(text, "|{name}|{leak}|{}|{named}|{wrongly_cleared}|{covered}|{error:.1}|{seen}|", named.all);
    };
    let sizes: BTreeSet<u64> = leaks.iter().map(|(_, leak)| *leak).collect();
    for leak in sizes.into_iter().map(f64::from_bits) {
        let exactly = |size: f64| size.to_bits() == leak.to_bits();
        row(
            "all 13 of the reference",
            leak,
            &tally.together(|family, size| LEAKING.contains(&family) && exactly(size)),
        );
    }
    for (family, leak) in leaks {
        let counts = tally.together(|other, size| other == family && size.to_bits() == leak);
        row(family.name(), f64::from_bits(leak), &counts);
    }
    text.push('\n');
}
