//! The words that steep writes: plain English of the trade. This list keeps a dialect out that only its authors read
//! with ease.

use std::fs;
use std::sync::LazyLock;

use regex::Regex;

use super::code::{each, files, root};

/// What is not written, and what is written instead. A match whose first group took part is fine: "told apart", "there
/// is no".
const DIALECT: [(&str, &str); 6] = [
    (r"\b(?:is|are|be|was|were) told\b( (?:apart|the|to|of|one|its|time|by the real|from time))?", "reported, said"),
    (r"\b(?:is|are|be) had\b", "available, provided"),
    (
        r"(\b[Tt]here )?\b(?:is|was|be|are|were) no (longer\b|more\b|less\b|better\b|earlier\b|later\b|others?\b|[a-z]+er than\b|reason\b|such\b|way\b|sign\b|work\b|load\b|latency\b|code\b|access\b|evidence\b|slope\b|quota\b|support\b|growth\b)?",
        "is not a, is not",
    ),
    (r"\bso many\b( that\b| clients that\b)?", "this many"),
    ("λ", "bar"),
    (r"[^`]\btold\.join\(|\blet (?:mut )?told\b", "a name that says what it is"),
];

/// Lines of sources and pages that are written in the dialect.
pub fn dialect() -> Vec<String> {
    let root = root();
    let of_file = |path: &std::path::PathBuf| {
        let shown = path.strip_prefix(&root).expect("below").display().to_string();
        if shown.contains("tests/tidy/") {
            return Vec::new();
        }
        let text = fs::read_to_string(path).expect("a text");
        dialect_of(&text).into_iter().map(|(line, what)| format!("{shown}:{line}: {what}")).collect()
    };
    each(&files(&root, &["rs", "md", "snap", "toml"]), of_file).concat()
}

/// The same of one text: numbers of lines, and what to write.
pub fn dialect_of(text: &str) -> Vec<(usize, String)> {
    static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        DIALECT.iter().map(|(pattern, instead)| (Regex::new(pattern).expect("a pattern"), *instead)).collect()
    });
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for (pattern, instead) in PATTERNS.iter() {
            let wrong =
                pattern.captures_iter(line).find(|captures| captures.iter().skip(1).all(|group| group.is_none()));
            if let Some(captures) = wrong {
                found.push((number, format!("\"{}\": write {instead}", &captures[0])));
            }
        }
    }
    found
}
