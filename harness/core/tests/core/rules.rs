//! METHOD.md lists the rules as the code has them.
#![expect(clippy::disallowed_methods, reason = "the core has no files, and METHOD.md is one")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use steep_core::outcome::rules::all;
use steep_judge::verdict::Verdict;
use steep_judge::verdict::rules::Rule;

/// What stands before the list, and after it.
const BEGIN: &str = "<!-- rules: made by `just docs` -->\n";
const END: &str = "<!-- rules end -->\n";

fn row(place: usize, asked: &str, rule: &Rule) -> String {
    let verdict = rule.verdict.map_or("that of the phase".to_owned(), |verdict| format!("`{verdict}`"));
    format!("|{place}|{asked}|`{}`|{}|{verdict}|\n", rule.name, rule.when)
}

fn table() -> String {
    let rows: String = (1..).zip(all()).map(|(place, (asked, rule))| row(place, asked, &rule)).collect();
    format!("||about|rule|applies where|verdict|\n|---|---|---|---|---|\n{rows}")
}

#[test]
fn method_lists_the_rules_of_the_code_in_their_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../METHOD.md");
    let text = fs::read_to_string(&path).expect("METHOD.md");
    let (head, rest) = text.split_once(BEGIN).expect("METHOD.md has a list of rules");
    let (listed, tail) = rest.split_once(END).expect("the list of rules ends");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{}{END}{tail}", table())).expect("write METHOD.md");
        return;
    }
    assert!(listed == table(), "the rules of METHOD.md are out of date: run `just docs`");
}

#[test]
fn each_rule_has_a_name_of_its_own_and_each_verdict_a_rule() {
    let rules: Vec<Rule> = all().into_iter().map(|(_, rule)| rule).collect();
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), rules.len());
    for rule in &rules {
        let is_plain = rule.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(is_plain && !rule.when.is_empty(), "{rule:?}");
    }
    let verdicts: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.verdict).map(Verdict::name).collect();
    assert_eq!(verdicts.len(), 8, "{verdicts:?}");
}
