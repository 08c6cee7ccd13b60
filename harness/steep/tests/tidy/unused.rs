//! Functions and constants that are `pub` and that no other file names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, ImplItemConst, ImplItemFn, ItemConst, ItemFn, Visibility};

use super::code::{each, files, root};

/// Functions and constants of the three crates that are `pub` and whose name stands in no other file of the repository.
/// Types are left to the compiler, which knows what they are part of.
pub fn unused() -> Vec<String> {
    let root = root();
    let all = files(&root, &["rs"]).into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("a source file");
        (path.strip_prefix(&root).expect("below").to_string_lossy().into_owned(), text)
    });
    unused_of(&all.collect())
}

/// The same of any files: their paths and texts.
pub fn unused_of(all: &BTreeMap<String, String>) -> Vec<String> {
    let all: Vec<(&String, &String)> = all.iter().collect();
    let read = each(&all, |(path, text)| {
        let mut file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut public = Public::default();
        public.visit_file_mut(&mut file);
        let words: BTreeSet<String> = words(file.to_token_stream()).into_iter().collect();
        (public.found, words)
    });
    let mut named_in: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut offered = Vec::new();
    for ((path, _), (public, words)) in all.into_iter().zip(read) {
        for word in words {
            named_in.entry(word).or_default().insert(path);
        }
        if path.starts_with("harness/") && path.contains("/src/") {
            offered.extend(public.into_iter().map(|name| (path, name)));
        }
    }
    let only_own = |(path, name): &(&String, String)| {
        // The tests of a file are its own, wherever they stand.
        let tests = format!("{}/tests", path.trim_end_matches(".rs"));
        named_in[name].iter().all(|named| named == path || named.starts_with(&tests))
    };
    offered.iter().filter(|offer| only_own(offer)).map(|(path, name)| format!("{path}: `{name}`")).collect()
}

fn words(tokens: TokenStream) -> Vec<String> {
    let of = |token: TokenTree| match token {
        TokenTree::Group(group) => words(group.stream()),
        TokenTree::Ident(ident) => vec![ident.to_string()],
        TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    };
    tokens.into_iter().flat_map(of).collect()
}

/// Notes what is `pub`, and takes documentation out: what it names is not used there.
#[derive(Default)]
struct Public {
    found: Vec<String>,
}

impl Public {
    fn note(&mut self, visibility: &Visibility, name: &syn::Ident) {
        if matches!(visibility, Visibility::Public(_)) {
            self.found.push(name.to_string());
        }
    }
}

impl VisitMut for Public {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        attributes.retain(|attribute| !attribute.path().is_ident("doc"));
    }

    fn visit_item_fn_mut(&mut self, item: &mut ItemFn) {
        self.note(&item.vis, &item.sig.ident);
        visit_mut::visit_item_fn_mut(self, item);
    }

    fn visit_item_const_mut(&mut self, item: &mut ItemConst) {
        self.note(&item.vis, &item.ident);
        visit_mut::visit_item_const_mut(self, item);
    }

    fn visit_impl_item_fn_mut(&mut self, item: &mut ImplItemFn) {
        self.note(&item.vis, &item.sig.ident);
        visit_mut::visit_impl_item_fn_mut(self, item);
    }

    fn visit_impl_item_const_mut(&mut self, item: &mut ImplItemConst) {
        self.note(&item.vis, &item.ident);
        visit_mut::visit_impl_item_const_mut(self, item);
    }
}
