//! What the shop sells: made up, the same in every run, and all in memory.

use std::collections::BTreeMap;

const ADJECTIVES: [&str; 16] = [
    "Walnut", "Copper", "Linen", "Slate", "Amber", "Birch", "Cobalt", "Felt", "Granite", "Hazel", "Indigo", "Jade",
    "Marble", "Oak", "Pewter", "Willow",
];
const NOUNS: [&str; 16] = [
    "Teapot", "Lantern", "Basket", "Chair", "Blanket", "Clock", "Vase", "Tray", "Mirror", "Bench", "Kettle", "Pillow",
    "Shelf", "Stool", "Bowl", "Candle",
];

/// How many items a search shows.
const HITS: usize = 10;

/// Items by number, from 1, and an index of the words in their names.
#[derive(Debug)]
pub struct Catalogue {
    items: Vec<Item>,
    by_word: BTreeMap<String, Vec<u32>>,
}

#[derive(Debug)]
pub struct Item {
    pub id: u32,
    pub price_cents: u32,
    pub name: Box<str>,
}

impl Catalogue {
    pub fn with_items(count: usize) -> Self {
        let mut items = Vec::with_capacity(count);
        let mut by_word: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for id in (1..=u32::MAX).take(count) {
            let number = scrambled(id);
            let (adjective, noun) = (ADJECTIVES[number as usize % 16], NOUNS[(number >> 4) as usize % 16]);
            for word in [adjective, noun] {
                by_word.entry(word.to_ascii_lowercase()).or_default().push(id);
            }
            let name = format!("{adjective} {noun} {id}").into_boxed_str();
            items.push(Item { id, price_cents: 199 + (number >> 8) % 20_000, name });
        }
        Self { items, by_word }
    }

    pub fn item(&self, id: u32) -> Option<&Item> {
        self.items.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The first items of whose names each word of `query` starts a word, in either case.
    pub fn search(&self, query: &str) -> Vec<&Item> {
        let words: Vec<String> = query.split_whitespace().map(str::to_ascii_lowercase).collect();
        let Some(first) = words.first() else {
            return Vec::new();
        };
        self.by_word
            .range(first.clone()..)
            .take_while(|(word, _)| word.starts_with(first.as_str()))
            .flat_map(|(_, ids)| ids)
            .filter_map(|id| self.item(*id))
            .filter(|item| words[1..].iter().all(|word| item.has_word(word)))
            .take(HITS)
            .collect()
    }
}

impl Item {
    fn has_word(&self, start: &str) -> bool {
        self.name.split(' ').filter_map(|word| word.get(..start.len())).any(|word| word.eq_ignore_ascii_case(start))
    }
}

/// Neighbouring numbers get different names and prices (the finaliser of `MurmurHash3`).
fn scrambled(id: u32) -> u32 {
    let mut number = id;
    number = (number ^ number >> 16).wrapping_mul(0x85eb_ca6b);
    number = (number ^ number >> 13).wrapping_mul(0xc2b2_ae35);
    number ^ number >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_numbered_from_one_and_the_same_every_time() {
        let (catalogue, again) = (Catalogue::with_items(100), Catalogue::with_items(100));
        assert!(catalogue.item(0).is_none());
        assert!(catalogue.item(101).is_none());
        assert_eq!(catalogue.item(100).map(|item| item.id), Some(100));
        assert_eq!(catalogue.item(7).map(|item| &item.name), again.item(7).map(|item| &item.name));
    }

    #[test]
    fn a_search_finds_items_with_every_word() {
        let catalogue = Catalogue::with_items(5_000);
        let hits = catalogue.search("TEA walnut");
        assert!(!hits.is_empty());
        assert!(hits.iter().all(|item| item.name.starts_with("Walnut Teapot ")));
    }

    #[test]
    fn a_search_for_nothing_or_for_the_unknown_finds_nothing() {
        let catalogue = Catalogue::with_items(100);
        assert!(catalogue.search("  ").is_empty());
        assert!(catalogue.search("submarine").is_empty());
        assert!(catalogue.search("walnut submarine").is_empty());
    }
}
