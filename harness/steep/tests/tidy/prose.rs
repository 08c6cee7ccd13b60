//! The width of prose, and its references: links between pages and to sections, and documents that are not here.

use std::collections::BTreeSet;
use std::fs;

use super::code::{files, root};

/// Words by which a document was named that is not in this repository.
const ELSEWHERE: [&str; 2] = ["DESIGN.md", "\u{a7}"];

/// What leads nowhere in all pages and all comments.
pub fn dead_references() -> Vec<String> {
    let root = root();
    let relative = |path: &std::path::Path| path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
    let read = |path: std::path::PathBuf| (relative(&path), fs::read_to_string(&path).expect("a text"));
    let pages: Vec<(String, String)> = files(&root, &["md"]).into_iter().map(read).collect();
    let mut found = dead_links(&pages, &|path| root.join(path).exists());
    let sources = files(&root, &["rs", "toml", "md"]).into_iter().map(read);
    for (path, text) in sources.filter(|(path, _)| !path.ends_with("tidy/prose.rs")) {
        let lines = text.lines().enumerate().filter(|(_, line)| ELSEWHERE.iter().any(|word| line.contains(word)));
        found.extend(lines.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())));
    }
    found
}

/// The widest line of prose and of a comment, in characters: what rustfmt gives to code.
const WIDEST: usize = 120;

/// Comments, and lines of pages that are neither tables nor code, wider than [`WIDEST`].
pub fn too_wide() -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    for path in files(&root, &["rs", "md"]) {
        let text = fs::read_to_string(&path).expect("a text");
        let shown = path.strip_prefix(&root).expect("below").display().to_string();
        let wide = if path.extension().is_some_and(|extension| extension == "rs") {
            wide_comments(&text)
        } else {
            prose_lines(&text).filter(|(_, line)| is_wide(line)).collect()
        };
        found.extend(wide.into_iter().map(|(number, line)| format!("{shown}:{number}: {line}")));
    }
    found
}

fn is_wide(line: &str) -> bool {
    // A word that is wider by itself, such as a link, cannot be broken.
    line.chars().count() > WIDEST && line.trim().contains(' ')
}

fn wide_comments(text: &str) -> Vec<(usize, &str)> {
    let lines = (1..).zip(text.lines());
    lines.filter(|(_, line)| line.trim_start().starts_with("//") && is_wide(line)).collect()
}

/// The lines of a page, numbered, without tables, code and what is indented as code.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence && !line.trim_start().starts_with('|') && !line.starts_with("    ")
    })
}

/// Links among `pages` (paths and texts) to pages, files or sections that are not there.
pub fn dead_links(pages: &[(String, String)], exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in pages {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in targets(text) {
            let (file, section) = target.split_once('#').unwrap_or((target, ""));
            let whole = if file.is_empty() { path.clone() } else { joined(folder, file) };
            if !file.is_empty() && !exists(&whole) {
                found.push(format!("{path}: there is no {file}"));
            } else if !section.is_empty() && pages.iter().any(|(page, text)| *page == whole && !has(text, section)) {
                found.push(format!("{path}: {target} has no such section"));
            }
        }
    }
    found
}

/// What the links of a page lead to, within this repository; code is left out.
fn targets(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let prose = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    // A link may be broken after a word of its text, and never within its target.
    prose
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| !target.contains("://") && !target.contains(' '))
        .collect()
}

fn joined(folder: &str, file: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether a page has a heading that this anchor means, by the rule of code hosts.
fn has(text: &str, section: &str) -> bool {
    let anchor = |heading: &str| -> String {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let headings = text.lines().filter_map(|line| line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')));
    let by_hand = text.contains(&format!("<a id=\"{section}\"></a>"));
    by_hand || headings.map(anchor).collect::<BTreeSet<_>>().contains(section)
}
