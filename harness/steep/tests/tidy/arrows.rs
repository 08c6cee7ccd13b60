//! The arrows between modules: the tables of ARCHITECTURE.md are the only place where they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::code::{Source, root};

/// Modules in the order of the tables, with those that each may import.
pub type Arrows = Vec<(String, BTreeSet<String>)>;

/// What the tables of ARCHITECTURE.md say: rows of two cells, a module and what it imports, both in backticks.
pub fn written() -> Arrows {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let start = text.find("\n## Arrows").expect("a section of arrows");
    let section = &text[start + 4..];
    let section = section.split("\n## ").next().expect("its text");
    let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let rows = section.lines().filter(|line| line.starts_with("|`"));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').splitn(2, '|');
        let module = quoted(cells.next().expect("a module")).remove(0);
        (module, quoted(cells.next().expect("imports")).into_iter().collect())
    })
    .collect()
}

/// The modules among `sources`, each with those that it imports.
pub fn drawn(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<String> = sources.iter().map(|source| source.module().to_owned()).collect();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.module() != "lib") {
        let own = arrows.entry(source.module().to_owned()).or_default();
        own.extend(imports(source).into_iter().filter(|module| module != source.module() && modules.contains(module)));
    }
    arrows
}

/// The top-level modules of steep's own crates that a file names.
pub fn imports(source: &Source) -> BTreeSet<String> {
    let first = |name: &str| {
        let mut parts = name.split("::");
        let is_own = ["crate", "steep", "steep_core", "steep_judge"].contains(&parts.next()?);
        parts.next().filter(|_| is_own).map(str::to_owned)
    };
    source.names.iter().filter_map(|named| first(&named.name)).collect()
}

/// What is wrong with `drawn` by the tables: modules without a row, imports against the arrows, arrows that nothing
/// uses, and rows that point down.
pub fn against(written: &Arrows, drawn: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    let rows: BTreeMap<&String, &BTreeSet<String>> =
        written.iter().map(|(module, imports)| (module, imports)).collect();
    for (module, imports) in drawn {
        let Some(allowed) = rows.get(module) else {
            wrong.push(format!("`{module}` has no row among the arrows of ARCHITECTURE.md"));
            continue;
        };
        wrong.extend(
            imports.difference(allowed).map(|import| format!("`{module}` imports `{import}` against the arrows")),
        );
        wrong.extend(
            allowed.difference(imports).map(|import| format!("`{module}` does not import `{import}`, its row says so")),
        );
    }
    let mut above = BTreeSet::new();
    for (module, imports) in written {
        if !drawn.contains_key(module) {
            wrong.push(format!("the row of `{module}` is of no module"));
        }
        wrong.extend(
            imports
                .difference(&above)
                .map(|import| format!("`{module}` imports `{import}`, whose row is not above it")),
        );
        above.insert(module.clone());
    }
    wrong
}
