//! What type it is that is allocated, where the calls of the standard library say so.

use super::Frame;

/// Where in the sources of the standard library (and of hashbrown, which its maps are made of) which container stands,
/// and how many of the types that its functions are for are its own.
const CONTAINERS: [(&str, &str, usize); 15] = [
    ("/collections/btree/map", "BTreeMap", 2),
    ("/collections/btree/set", "BTreeSet", 1),
    ("/collections/hash/map", "HashMap", 2),
    ("/collections/hash/set", "HashSet", 1),
    ("hashbrown-", "HashMap", 2),
    ("/collections/vec_deque/", "VecDeque", 1),
    ("/collections/binary_heap/", "BinaryHeap", 1),
    ("/collections/linked_list", "LinkedList", 1),
    ("/alloc/src/string.rs", "String", 0),
    ("/alloc/src/vec/", "Vec", 1),
    ("/alloc/src/boxed/iter.rs", "Box<[]>", 1),
    ("/alloc/src/boxed", "Box", 1),
    ("/alloc/src/sync.rs", "Arc", 1),
    ("/alloc/src/rc.rs", "Rc", 1),
    ("/alloc/src/ffi/c_str.rs", "CString", 0),
];

/// The same by the paths of functions, where a name has them.
const BY_PATH: [(&str, &str); 9] = [
    ("alloc::vec::Vec<", "Vec"),
    ("alloc::boxed::Box<", "Box"),
    ("alloc::sync::Arc<", "Arc"),
    ("alloc::rc::Rc<", "Rc"),
    ("hashbrown::map::HashMap<", "HashMap"),
    ("std::collections::hash::map::HashMap<", "HashMap"),
    ("std::collections::hash::set::HashSet<", "HashSet"),
    ("alloc::collections::vec_deque::VecDeque<", "VecDeque"),
    ("alloc::collections::btree::map::BTreeMap<", "BTreeMap"),
];

/// The container that `frames` allocate for, the innermost call first: of the calls before that `by` which the chain
/// begins the outermost that says it, for a map is made of tables, and an `Arc` of a box.
pub(super) fn container_of(frames: &[&Frame], by: Option<&&Frame>) -> Option<String> {
    let libraries: Vec<&&Frame> = frames.iter().take_while(|frame| Some(*frame) != by).collect();
    libraries.into_iter().rev().find_map(|frame| by_file(frame).or_else(|| by_path(&frame.function)))
}

/// `Box<Session>` of `new<shop::Session>` in `alloc/src/boxed.rs`.
fn by_file(frame: &Frame) -> Option<String> {
    let (_, name, own) = CONTAINERS.iter().find(|(place, ..)| frame.file.contains(place))?;
    if *own == 0 {
        return Some((*name).to_owned());
    }
    let (_, types) = frame.function.split_once('<')?;
    let types: Vec<String> = listed(types.strip_suffix('>')?).into_iter().take(*own).map(without_paths).collect();
    let is_whole = types.len() == *own && types.iter().all(|kind| is_type(kind));
    // What is collected into a box is a slice.
    let slice = name.strip_suffix("<[]>").map(|name| format!("{name}<[{}]>", types.join(", ")));
    is_whole.then(|| slice.unwrap_or_else(|| format!("{name}<{}>", types.join(", "))))
}

/// `Vec<Order>` of `<alloc::vec::Vec<shop::Order>>::push`.
fn by_path(function: &str) -> Option<String> {
    let name = function.strip_prefix('<').unwrap_or(function);
    let (start, short) = BY_PATH.iter().find(|(start, _)| name.starts_with(start))?;
    let own = if short.ends_with("Map") { 2 } else { 1 };
    let inner = &name[start.len()..];
    let mut depth = 1_usize;
    let end = inner.char_indices().find_map(|(at, letter)| {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    let types: Vec<String> = listed(&inner[..end]).into_iter().take(own).map(without_paths).collect();
    types.iter().all(|kind| is_type(kind)).then(|| format!("{short}<{}>", types.join(", ")))
}

/// Whether it is a type, and not the letter that stands for any, the allocator, or what an iterator is made of.
fn is_type(name: &str) -> bool {
    let inner = name.trim_matches(['[', ']']);
    let is_letter = inner.len() == 1 && inner.chars().all(|letter| letter.is_ascii_uppercase());
    !name.is_empty() && !is_letter && name != "Global" && !name.contains("closure") && !name.contains("{impl")
}

/// The parts of `text` between the commas that stand in no brackets.
fn listed(text: &str) -> Vec<&str> {
    let (mut depth, mut from) = (0_i32, 0);
    let mut parts = Vec::new();
    for (at, letter) in text.char_indices() {
        match letter {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' | ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

/// `Box<Order>` of `alloc::boxed::Box<shop::Order, alloc::alloc::Global>`.
fn without_paths(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars() {
        if letter.is_alphanumeric() || letter == '_' || letter == ':' {
            word.push(letter);
        } else {
            out.push_str(word.rsplit("::").next().unwrap_or_default());
            word.clear();
            out.push(letter);
        }
    }
    out.push_str(word.rsplit("::").next().unwrap_or_default());
    out.replace(", Global>", ">")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str) -> Frame {
        Frame { function: function.to_owned(), file: file.to_owned(), ..Frame::default() }
    }

    fn named(frames: &[Frame]) -> Option<String> {
        let frames: Vec<&Frame> = frames.iter().collect();
        container_of(&frames, frames.iter().find(|frame| frame.is_own))
    }

    #[test]
    fn the_outermost_call_of_the_library_says_what_it_is() {
        let alloc = frame("alloc", "/rustc/ab/library/alloc/src/alloc.rs");
        let boxed = frame("new<shop::sessions::Session>", "/rustc/ab/library/alloc/src/boxed.rs");
        assert_eq!(named(&[alloc.clone(), boxed]).as_deref(), Some("Box<Session>"));
        let inner = frame("new<alloc::sync::ArcInner<shop::Order>>", "/rustc/ab/library/alloc/src/boxed.rs");
        let arc = frame("new<shop::Order>", "/rustc/ab/library/alloc/src/sync.rs");
        assert_eq!(named(&[alloc.clone(), inner, arc]).as_deref(), Some("Arc<Order>"));
        let node = "new<u64, alloc::boxed::Box<shop::Session, alloc::alloc::Global>, alloc::alloc::Global>";
        let insert = "insert<u64, alloc::boxed::Box<shop::Session, alloc::alloc::Global>, alloc::alloc::Global>";
        let map = [
            frame(node, "/rustc/ab/library/alloc/src/collections/btree/node.rs"),
            frame(insert, "/rustc/ab/library/alloc/src/collections/btree/map.rs"),
        ];
        assert_eq!(named(&map).as_deref(), Some("BTreeMap<u64, Box<Session>>"));
        let text = [
            frame("with_capacity<u8>", "/rustc/ab/library/alloc/src/vec/mod.rs"),
            frame("with_capacity", "/rustc/ab/library/alloc/src/string.rs"),
        ];
        assert_eq!(named(&text).as_deref(), Some("String"));
        let table = frame(
            "reserve_rehash<(alloc::string::String, shop::Session), alloc::alloc::Global>",
            "hashbrown-0.16.0/src/raw.rs",
        );
        let map = frame(
            "insert<alloc::string::String, shop::Session, std::hash::random::RandomState>",
            "/rustc/ab/library/std/src/collections/hash/map.rs",
        );
        assert_eq!(named(&[table, map]).as_deref(), Some("HashMap<String, Session>"));
        let deque = frame(
            "push_back<alloc::boxed::Box<shop::Letter, alloc::alloc::Global>, alloc::alloc::Global>",
            "/rustc/ab/library/alloc/src/collections/vec_deque/mod.rs",
        );
        assert_eq!(named(&[deque]).as_deref(), Some("VecDeque<Box<Letter>>"));
        let array = frame("push<[u8; 64], alloc::alloc::Global>", "/rustc/ab/library/alloc/src/vec/mod.rs");
        assert_eq!(named(&[array]).as_deref(), Some("Vec<[u8; 64]>"));
        let slice = frame("from_iter<shop::Bucket, shop::Buckets>", "/rustc/ab/library/alloc/src/boxed/iter.rs");
        assert_eq!(named(&[slice]).as_deref(), Some("Box<[Bucket]>"));
    }

    #[test]
    fn names_with_paths_say_it_without_files() {
        let name = "<alloc::vec::Vec<shop::orders::Order>>::push";
        assert_eq!(by_path(name).as_deref(), Some("Vec<Order>"));
        let map = "<std::collections::hash::map::HashMap<alloc::string::String, shop::Session>>::insert";
        assert_eq!(by_path(map).as_deref(), Some("HashMap<String, Session>"));
        assert_eq!(by_path("<alloc::vec::Vec<T,A> as core::iter::Extend>::extend"), None, "the letter of a generic");
    }

    #[test]
    fn what_says_nothing_is_no_container() {
        let own = Frame { is_own: true, ..frame("push<shop::Order>", "/alloc/src/vec/mod.rs") };
        assert_eq!(named(&[frame("alloc", "/rustc/ab/library/alloc/src/alloc.rs"), own]), None);
        assert_eq!(
            named(&[frame("grow_one<alloc::alloc::Global>", "/rustc/ab/library/alloc/src/raw_vec/mod.rs")]),
            None
        );
        assert_eq!(named(&[frame("new<[T]>", "/rustc/ab/library/alloc/src/boxed.rs")]), None);
        assert_eq!(named(&[]), None);
    }
}
