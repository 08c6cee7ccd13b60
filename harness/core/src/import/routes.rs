//! The routes of a service, learned from the paths that were asked for: segments that differ from request to request
//! become values.
//!
//! A tree of segments, in bounded memory. Numbers, UUIDs, long hexadecimal texts and names of static files are values
//! from the start; other segments are literal until one place has had too many of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::values::{Values, number};
use crate::scenario::LONGEST_PATH;

/// Different texts in one place beyond which they are values. A service has fewer routes below one prefix than a shop
/// has articles; the sample logs of the tests lie far from it on both sides.
const MAX_LITERALS: usize = 64;

/// The share of the requests in its place that keeps a text literal when the others there become values, as `me` in
/// `/users/me`.
const LITERAL_SHARE: f64 = 0.05;

/// Nodes of the tree, of less than 2 KiB each where no values are kept.
const MAX_NODES: usize = 20_000;

/// Methods and sets of query keys of one path.
const MAX_ENDS: usize = 32;

/// Query keys of one request.
const MAX_KEYS: usize = 32;

/// Segments of a path.
const MAX_SEGMENTS: usize = 24;

/// Digits of a hexadecimal text that is a value: object ids have 24, hashes 32 and more, words of `a` to `f` far fewer.
const FEWEST_HEX_DIGITS: usize = 16;

/// Endings of static files.
const STATIC: [&str; 20] = [
    "avif", "css", "eot", "gif", "ico", "jpeg", "jpg", "js", "map", "mjs", "mp4", "otf", "png", "svg", "ttf", "txt",
    "wasm", "webp", "woff", "woff2",
];

/// Words in a name whose values are nobody else's business.
const SECRET: [&str; 14] = [
    "auth", "code", "email", "hash", "jwt", "key", "pass", "phone", "pwd", "reset", "secret", "session", "sig", "token",
];

/// All routes seen.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) root: Node,
    nodes: usize,
}

/// What follows one prefix.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Requests here and below.
    asked: u64,
    pub(super) literals: BTreeMap<String, Node>,
    pub(super) values: BTreeMap<Kind, (Values, Node)>,
    /// Requests that end here, by method and query keys.
    pub(super) ends: BTreeMap<(String, Vec<String>), End>,
}

/// Why a segment is a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A number.
    Number,
    /// A UUID, or a long hexadecimal text.
    Hex,
    /// A static file.
    File,
    /// One of many texts.
    Text,
}

/// Requests of one method for one path with the same query keys.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Answered with a status below 400.
    pub(super) answered: u64,
    /// Answered with another.
    pub(super) failed: u64,
    /// How often each status below 400.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// What stood behind each query key.
    pub(super) query: BTreeMap<String, Values>,
}

/// Whether a request was learned.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// It was.
    Yes,
    /// It failed on a route that nothing else has asked for: it teaches nothing.
    Failed,
    /// There are more routes than are kept.
    TooMany,
}

/// Whether values of this name are kept to themselves.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|word| name.contains(word))
}

impl Routes {
    /// A request for `target` (path and query) that was answered with `status`.
    pub(super) fn learn(&mut self, method: &str, target: &str, status: u16) -> Learned {
        let target = target.split('#').next().unwrap_or_default();
        if target.len() > LONGEST_PATH {
            return if status < 400 { Learned::TooMany } else { Learned::Failed };
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<Cow<'_, str>> = path.trim_start_matches('/').split('/').map(decoded).collect();
        let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if segments.len() > MAX_SEGMENTS || query.len() > MAX_KEYS {
            return if status < 400 { Learned::TooMany } else { Learned::Failed };
        }
        let id = (method.to_owned(), query.keys().cloned().collect());
        if status >= 400 {
            if let Some(end) = self.root.find(&segments).and_then(|node| node.ends.get_mut(&id)) {
                end.failed += 1;
            }
            return Learned::Failed;
        }
        if self.root.grow(&segments, &mut self.nodes) {
            self.nodes = self.root.count();
        }
        let Some(node) = self.root.find(&segments) else { return Learned::TooMany };
        if node.ends.len() >= MAX_ENDS && !node.ends.contains_key(&id) {
            return Learned::TooMany;
        }
        let end = node.ends.entry(id).or_default();
        end.answered += 1;
        *end.statuses.entry(status).or_default() += 1;
        for (key, value) in query {
            let values = end.query.entry(key).or_insert_with_key(|_| Values::default());
            values.add(&value, 1);
        }
        Learned::Yes
    }
}

fn decoded(segment: &str) -> Cow<'_, str> {
    // A segment that is not UTF-8 keeps its percent signs, and is written as it was.
    percent_decode_str(segment).decode_utf8().unwrap_or(Cow::Borrowed(segment))
}

impl Kind {
    /// What `segment` is, if it is a value by its looks.
    fn of(segment: &str, is_last: bool) -> Option<Self> {
        let is_file = || segment.rsplit_once('.').is_some_and(|(_, ending)| STATIC.contains(&ending));
        if number(segment).is_some() {
            Some(Self::Number)
        } else if is_hex(segment) {
            Some(Self::Hex)
        } else if is_last && is_file() {
            Some(Self::File)
        } else {
            None
        }
    }
}

/// A UUID, or this many hexadecimal digits that it is not a word.
fn is_hex(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_hexdigit).count();
    let hyphens = segment.bytes().filter(|byte| *byte == b'-').count();
    digits >= FEWEST_HEX_DIGITS
        && digits + hyphens == segment.len()
        && segment.bytes().any(|byte| byte.is_ascii_digit())
}

impl Node {
    /// The node at the end of `segments`, as far as the tree knows it.
    fn find(&mut self, segments: &[Cow<'_, str>]) -> Option<&mut Self> {
        let Some((segment, rest)) = segments.split_first() else { return Some(self) };
        let kind = Kind::of(segment, rest.is_empty());
        if kind.is_none() && self.literals.contains_key(segment.as_ref()) {
            return self.literals.get_mut(segment.as_ref())?.find(rest);
        }
        self.values.get_mut(&kind.unwrap_or(Kind::Text))?.1.find(rest)
    }

    /// Counts a request for `segments` and adds the nodes that it needs, unless there are too many. True if nodes were
    /// merged, so that they must be counted anew.
    fn grow(&mut self, segments: &[Cow<'_, str>], nodes: &mut usize) -> bool {
        self.asked += 1;
        let Some((segment, rest)) = segments.split_first() else { return false };
        let segment = segment.as_ref();
        if let Some(literal) = self.literals.get_mut(segment) {
            return literal.grow(rest, nodes);
        }
        let kind =
            Kind::of(segment, rest.is_empty()).or_else(|| self.values.contains_key(&Kind::Text).then_some(Kind::Text));
        let is_new = kind.is_none_or(|kind| !self.values.contains_key(&kind));
        if is_new && *nodes >= MAX_NODES {
            return false;
        }
        *nodes += usize::from(is_new);
        if let Some(kind) = kind {
            let (values, node) = self.values.entry(kind).or_default();
            values.add(segment, 1);
            return node.grow(rest, nodes);
        }
        let has_merged = self.literals.entry(segment.to_owned()).or_default().grow(rest, nodes);
        self.merge_literals() || has_merged
    }

    /// Makes values of the literals, if there are too many.
    fn merge_literals(&mut self) -> bool {
        if self.literals.len() <= MAX_LITERALS {
            return false;
        }
        let most = self.asked as f64 * LITERAL_SHARE;
        for (text, node) in std::mem::take(&mut self.literals) {
            if node.asked as f64 >= most {
                self.literals.insert(text, node);
            } else {
                let (values, there) = self.values.entry(Kind::Text).or_default();
                values.add(&text, node.asked);
                there.merge(node);
            }
        }
        true
    }

    fn merge(&mut self, other: Self) {
        self.asked += other.asked;
        for (text, node) in other.literals {
            self.literals.entry(text).or_default().merge(node);
        }
        for (kind, (values, node)) in other.values {
            let there = self.values.entry(kind).or_default();
            there.0.merge(&values);
            there.1.merge(node);
        }
        for (id, end) in other.ends {
            self.ends.entry(id).or_default().merge(end);
        }
        self.merge_literals();
    }

    fn count(&self) -> usize {
        let below = self.literals.values().chain(self.values.values().map(|(_, node)| node));
        below.map(|node| 1 + node.count()).sum()
    }
}

impl End {
    fn merge(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (key, values) in other.query {
            self.query.entry(key).or_default().merge(&values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every route of `routes`, with `{kind}` for values.
    fn shown(routes: &Routes) -> Vec<String> {
        fn walk(node: &Node, path: &str, out: &mut Vec<String>) {
            for ((method, keys), end) in &node.ends {
                out.push(format!("{method} {path} {keys:?} {}+{}", end.answered, end.failed));
            }
            node.literals.iter().for_each(|(text, node)| walk(node, &format!("{path}/{text}"), out));
            node.values.iter().for_each(|(kind, (_, node))| walk(node, &format!("{path}/{{{kind:?}}}"), out));
        }
        let mut out = Vec::new();
        walk(&routes.root, "", &mut out);
        out
    }

    fn learned(targets: impl IntoIterator<Item = String>) -> Routes {
        let mut routes = Routes::default();
        for target in targets {
            assert_eq!(routes.learn("GET", &target, 200), Learned::Yes, "{target}");
        }
        routes
    }

    #[test]
    fn ids_become_values_by_their_looks() {
        let targets = [
            "/items/1",
            "/items/22",
            "/items/550e8400-e29b-41d4-a716-446655440000",
            "/items/507f1f77bcf86cd799439011",
            "/static/app.3f2a.js",
            "/decade/facade",
            "/007",
            "/",
        ];
        let routes = learned(targets.map(str::to_owned));
        insta::assert_snapshot!(shown(&routes).join("\n"));
    }

    #[test]
    fn many_texts_in_one_place_become_values_and_frequent_ones_stay() {
        let often = (0..100).map(|_| "/users/me/cart".to_owned());
        let many =
            (0..1000).map(|nth| format!("/users/name-{}/cart", ["a", "b", "c", "d"][nth % 4].repeat(1 + nth / 4)));
        let routes = learned(often.chain(many));
        assert_eq!(shown(&routes), ["GET /users/me/cart [] 100+0", "GET /users/{Text}/cart [] 1000+0"]);
    }

    #[test]
    fn query_keys_make_routes_and_their_values_are_kept() {
        let routes = learned(["/s?q=a+b&page=1", "/s?page=2&q=%C3%A9", "/s"].map(str::to_owned));
        assert_eq!(shown(&routes), ["GET /s [] 1+0", "GET /s [\"page\", \"q\"] 2+0"]);
    }

    #[test]
    fn failures_teach_no_route_and_count_on_known_ones() {
        let mut routes = learned(["/items/1".to_owned()]);
        assert_eq!(routes.learn("GET", "/wp-login.php", 404), Learned::Failed);
        assert_eq!(routes.learn("GET", "/items/999", 404), Learned::Failed);
        assert_eq!(shown(&routes), ["GET /items/{Number} [] 1+1"]);
    }

    #[test]
    fn memory_is_bounded_whatever_is_asked_for() {
        let mut routes = Routes::default();
        let mut too_many = 0;
        for nth in 0..60_000_u32 {
            // Every level has 64 texts, as many as are allowed.
            let (a, b, c) = (nth % 64, nth / 64 % 64, nth / 4096 % 64);
            too_many +=
                u32::from(routes.learn("GET", &format!("/x{a}/y{b}/z{c}?k{}=1", nth % 97), 200) != Learned::Yes);
        }
        assert!(routes.root.count() <= MAX_NODES && too_many > 0, "{} {too_many}", routes.root.count());
        assert_eq!(routes.learn("GET", &"/a".repeat(MAX_SEGMENTS + 1), 200), Learned::TooMany);
    }
}
