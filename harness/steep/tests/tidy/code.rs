//! The source of the three crates as the compiler sees it: which paths and macros each file names, its tests left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Ident, Item, Stmt, UseTree, Visibility};

/// The crates below `harness`, the lowest first.
pub const CRATES: [&str; 3] = ["judge", "core", "steep"];

/// One file of one crate.
#[derive(Debug, Clone)]
pub struct Source {
    /// The crate's folder below `harness`.
    pub krate: &'static str,
    /// Below `src`, as `growth/interval.rs`.
    pub path: String,
    /// As it stands on disk.
    pub text: String,
    /// Everything that it names outside of its tests. `super::` and `crate::` are written out from the crate's root.
    pub names: Vec<Named>,
    /// What its own `use` lines bring in; those of modules within it are left out.
    pub uses: Vec<Used>,
    /// The files that hold its tests only, or the folders of such files, below `src`.
    tests: Vec<PathBuf>,
}

/// A path or a macro that a file names, as `std::fs::read` or `println!`, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub line: usize,
    /// Whether it is only handed on to others, by `pub use`.
    pub is_handed_on: bool,
}

/// What a `use` of a file's own module brings in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// As the file calls it.
    pub name: String,
    /// As [`Named::name`], in its parts.
    pub path: Vec<String>,
}

impl Source {
    /// The top-level module that it belongs to.
    pub fn module(&self) -> &str {
        self.path.split('/').next().expect("a name").trim_end_matches(".rs")
    }

    /// Reads the source at `path` below the `src` of a crate.
    ///
    /// # Panics
    ///
    /// If it is not Rust.
    pub fn parsed(krate: &'static str, path: String, text: String) -> Self {
        let mut file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let module = module_path(&path);
        let folder = module.iter().collect::<PathBuf>();
        let tests = file.items.iter().filter_map(|item| match item {
            Item::Mod(module) if module.content.is_none() && is_test(&module.attrs) => Some(module.ident.to_string()),
            _ => None,
        });
        let tests = tests.flat_map(|name| [folder.join(format!("{name}.rs")), folder.join(name)]).collect();
        WithoutTests.visit_file_mut(&mut file);
        let mut names = Names::of(module);
        file.items.iter().for_each(|item| names.item(item));
        Self { krate, path, text, names: names.found, uses: names.uses, tests }
    }

    /// Its modules from the root, as `["growth", "interval"]`.
    pub fn module_path(&self) -> Vec<String> {
        module_path(&self.path)
    }

    /// The same file with another text.
    pub fn with(&self, text: String) -> Self {
        Self::parsed(self.krate, self.path.clone(), text)
    }
}

fn module_path(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    if path == "lib" || path == "main" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Whether an item is compiled for tests only: `#[test]`, or a `cfg` that asks for `test` or for the feature `testing`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let words = words(attribute.to_token_stream());
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && words.iter().any(|word| word == "test")
                && words.iter().all(|word| word != "not")
    })
}

fn words(tokens: TokenStream) -> Vec<String> {
    let of = |token: TokenTree| match token {
        TokenTree::Group(group) => words(group.stream()),
        other => vec![other.to_string()],
    };
    tokens.into_iter().flat_map(of).collect()
}

/// Takes the tests out, wherever they stand.
struct WithoutTests;

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| !is_test(attributes(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_test(attributes(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        item.items.retain(|item| !matches!(item, syn::ImplItem::Fn(item) if is_test(&item.attrs)));
        visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.retain(|statement| !matches!(statement, Stmt::Item(item) if is_test(attributes(item))));
        visit_mut::visit_block_mut(self, block);
    }

    /// Documentation is prose: what it names is no code.
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        attributes.retain(|attribute| !attribute.path().is_ident("doc"));
    }
}

/// Collects what is named.
struct Names {
    module: Vec<String>,
    /// How deep the file's own module is.
    own_depth: usize,
    found: Vec<Named>,
    uses: Vec<Used>,
    is_handing_on: bool,
}

impl Names {
    fn of(module: Vec<String>) -> Self {
        let own_depth = module.len();
        Self { module, own_depth, found: Vec::new(), uses: Vec::new(), is_handing_on: false }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Use(item) => {
                let line = item.use_token.span.start().line;
                self.is_handing_on = !matches!(item.vis, Visibility::Inherited);
                self.tree(&mut Vec::new(), &item.tree, line);
                self.is_handing_on = false;
            }
            Item::Mod(module) => {
                self.module.push(module.ident.to_string());
                module.content.iter().flat_map(|(_, items)| items).for_each(|item| self.item(item));
                self.module.pop();
            }
            item => self.tokens(item.to_token_stream()),
        }
    }

    fn tree(&mut self, path: &mut Vec<String>, tree: &UseTree, line: usize) {
        match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.tree(path, &inner.tree, line);
                path.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(path, tree, line)),
            UseTree::Name(name) => self.used(path, &name.ident, &name.ident, line),
            UseTree::Rename(name) => self.used(path, &name.ident, &name.rename, line),
            UseTree::Glob(_) => self.push([path.as_slice(), &["*".to_owned()]].concat(), line),
        }
    }

    fn used(&mut self, path: &[String], ident: &Ident, name: &Ident, line: usize) {
        self.push([path, &[ident.to_string()]].concat(), line);
        let path = self.found.last().into_iter().flat_map(|named| named.name.split("::"));
        if self.module.len() == self.own_depth {
            self.uses.push(Used { name: name.to_string(), path: path.map(str::to_owned).collect() });
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.take(&mut path, line);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Punct(punct) if punct.as_char() == '!' => {
                    let is_macro = matches!(tokens.peek(), Some(TokenTree::Group(_)));
                    if let Some(last) = path.last_mut().filter(|_| is_macro) {
                        last.push('!');
                    }
                    self.take(&mut path, line);
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    // `use` in a body: its group continues the path.
                    let heads = if colons == 2 { std::mem::take(&mut path) } else { Vec::new() };
                    self.take(&mut path, line);
                    if heads.is_empty() {
                        self.tokens(group.stream());
                    } else {
                        self.group(&heads, group.stream(), line);
                    }
                    colons = 0;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.take(&mut path, line);
                    colons = 0;
                }
            }
        }
        self.take(&mut path, line);
    }

    fn group(&mut self, heads: &[String], tokens: TokenStream, line: usize) {
        for word in words(tokens).into_iter().filter(|word| word.chars().next().is_some_and(char::is_alphabetic)) {
            self.push([heads, &[word]].concat(), line);
        }
    }

    fn take(&mut self, path: &mut Vec<String>, line: usize) {
        if !path.is_empty() {
            self.push(std::mem::take(path), line);
        }
    }

    fn push(&mut self, path: Vec<String>, line: usize) {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let is_own = path.first().is_some_and(|first| first == "self") && path.len() > 1;
        let name = if ups > 0 {
            let above = self.module.len().saturating_sub(ups);
            [&["crate".to_owned()], &self.module[..above], &path[ups..]].concat()
        } else if is_own {
            [&["crate".to_owned()], self.module.as_slice(), &path[1..]].concat()
        } else {
            path
        };
        self.found.push(Named { name: name.join("::"), line, is_handed_on: self.is_handing_on });
    }
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files below `folder` with one of these `extensions`, in order; what is built or hidden is left out.
pub fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || name == "results" {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, extensions));
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What `read` makes of each of `items`, in their order. Parsing takes all the processors that there are.
pub fn each<T: Sync, R: Send>(items: &[T], read: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let portion = items.len().div_ceil(threads).max(1);
    let read_all = |items: &[T]| items.iter().map(&read).collect::<Vec<R>>();
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.chunks(portion).map(|items| scope.spawn(move || read_all(items))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it is Rust")).collect()
    })
}

/// The files of the three crates, each of which is parsed once; those that hold only tests are left out.
pub fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let of_crate = |krate| {
            let folder = root().join("harness").join(krate).join("src");
            let parsed = |path: &PathBuf| {
                let below = path.strip_prefix(&folder).expect("below src").to_string_lossy().into_owned();
                Source::parsed(krate, below, fs::read_to_string(path).expect("a source file"))
            };
            let all = each(&files(&folder, &["rs"]), parsed);
            let tests: BTreeSet<PathBuf> = all.iter().flat_map(|source| source.tests.clone()).collect();
            let is_for_tests = |source: &Source| Path::new(&source.path).ancestors().any(|part| tests.contains(part));
            all.into_iter().filter(|source| !is_for_tests(source)).collect::<Vec<_>>()
        };
        CRATES.into_iter().flat_map(of_crate).collect()
    });
    &SOURCES
}
