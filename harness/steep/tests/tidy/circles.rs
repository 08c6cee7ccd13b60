//! Circles of files within a crate: files that import each other in a loop, however long it is.
//!
//! A file imports another where it names what is defined there: a name that a module only hands on (`pub use`) is
//! followed to where it comes from. A parent is made of its children, so that what it takes from them is not an import:
//! a way back to it by any other file is.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{Source, Used};

/// That one file names what another defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// As `core/src/plan/rows.rs`.
    pub from: String,
    pub to: String,
    /// What it names.
    pub names: BTreeSet<String>,
}

/// All imports among `sources`, each within its crate.
pub fn imports(sources: &[Source]) -> Vec<Import> {
    let crates: BTreeSet<&str> = sources.iter().map(|source| source.krate).collect();
    crates.into_iter().flat_map(|krate| Crate::of(krate, sources).imports()).collect()
}

/// The imports that tie circles, in words.
pub fn circles(imports: &[Import]) -> Vec<String> {
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in imports {
        arrows.entry(&import.from).or_default().insert(&import.to);
    }
    let comes_back = |import: &&Import| reached(&arrows, &import.to).contains(import.from.as_str());
    let tied = imports.iter().filter(comes_back);
    tied.map(|Import { from, to, names }| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{from} -> {to}: {}", names.join(", "))
    })
    .collect()
}

/// All files that `from` imports, directly or by others.
fn reached<'i>(arrows: &BTreeMap<&'i str, BTreeSet<&'i str>>, from: &str) -> BTreeSet<&'i str> {
    let of = |file: &str| arrows.get(file).into_iter().flatten().copied();
    let (mut seen, mut next) = (BTreeSet::new(), of(from).collect::<Vec<_>>());
    while let Some(file) = next.pop() {
        if seen.insert(file) {
            next.extend(of(file));
        }
    }
    seen
}

type Module = Vec<String>;

/// The modules of a crate that have files of their own.
struct Crate {
    files: BTreeMap<Module, File>,
}

struct File {
    path: String,
    uses: Vec<Used>,
    names: BTreeSet<Vec<String>>,
}

impl Crate {
    fn of(krate: &str, sources: &[Source]) -> Self {
        let own = sources.iter().filter(|source| source.krate == krate && source.path != "main.rs");
        let file = |source: &Source| {
            let names = source.names.iter().filter(|named| !named.is_handed_on);
            let names = names.map(|named| named.name.split("::").map(str::to_owned).collect()).collect();
            (
                source.module_path(),
                File { path: format!("{krate}/src/{}", source.path), uses: source.uses.clone(), names },
            )
        };
        Self { files: own.map(file).collect() }
    }

    fn imports(&self) -> Vec<Import> {
        let of = |(module, file): (&Module, &File)| {
            let mut by_file: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
            for name in &file.names {
                if let Some((to, item)) = self.defined_in(module, name, 0).filter(|(to, _)| !to.starts_with(module)) {
                    by_file.entry(&self.files[to].path).or_default().insert(item);
                }
            }
            let import = |(to, names): (&str, _)| Import { from: file.path.clone(), to: to.to_owned(), names };
            by_file.into_iter().map(import).collect::<Vec<_>>()
        };
        self.files.iter().flat_map(of).collect()
    }

    /// The module that defines what `name` means in `module`, and what it is called there.
    fn defined_in(&self, module: &Module, name: &[String], followed: usize) -> Option<(&Module, String)> {
        /// A name is handed on a few times at most.
        const MOST_FOLLOWED: usize = 16;
        let (first, rest) = name.split_first().filter(|_| followed < MOST_FOLLOWED)?;
        let uses = |module: &Module, name: &String| self.files[module].uses.iter().find(|used| used.name == *name);
        if first == "crate" {
            // The longest part of it that is a file; what follows is an item there, or a name that it hands on. A file
            // by itself is no item.
            let depth = (0..=rest.len()).rev().find(|depth| self.files.contains_key(&rest[..*depth]))?;
            let (holder, _) = self.files.get_key_value(&rest[..depth])?;
            let (item, below) = rest[depth..].split_first()?;
            return match uses(holder, item) {
                Some(used) => self.defined_in(holder, &[used.path.as_slice(), below].concat(), followed + 1),
                None => Some((holder, item.clone())),
            };
        }
        if let Some(used) = uses(module, first).filter(|used| used.path[0] != *first) {
            return self.defined_in(module, &[used.path.as_slice(), rest].concat(), followed + 1);
        }
        let child = [module.as_slice(), std::slice::from_ref(first)].concat();
        let is_child = !rest.is_empty() && self.files.contains_key(&child);
        let whole = [&["crate".to_owned()], child.as_slice(), rest].concat();
        is_child.then(|| self.defined_in(module, &whole, followed + 1)).flatten()
    }
}
