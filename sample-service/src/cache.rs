//! Keeps rendered pages for the next customer.
//!
//! Feature `cache`: innocent. Memory grows with every new page until the cap is reached, and then no more: a plateau.
//! How soon depends on how many *different* items are asked for.

use std::sync::Arc;

use crate::flag::Flags;
use crate::settings::Settings;

#[derive(Debug)]
pub struct PageCache {
    #[cfg(feature = "cache")]
    pages: Option<moka::sync::Cache<u32, Arc<str>>>,
}

#[cfg(feature = "cache")]
impl PageCache {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        let pages = flags.has(crate::flag::Flag::Cache).then(|| moka::sync::Cache::new(settings.cache_entries as u64));
        Self { pages }
    }

    pub fn get_or_render(&self, id: u32, render: impl FnOnce() -> Arc<str>) -> Arc<str> {
        match &self.pages {
            Some(pages) => pages.get_with(id, render),
            None => render(),
        }
    }

    pub fn entries(&self) -> u64 {
        self.pages.as_ref().map_or(0, moka::sync::Cache::entry_count)
    }
}

/// Without moka every page is rendered anew.
#[cfg(not(feature = "cache"))]
#[expect(clippy::unused_self, reason = "the same calls as with the cache")]
impl PageCache {
    pub fn new(_: &Settings, _: Flags) -> Self {
        Self {}
    }

    pub fn get_or_render(&self, _: u32, render: impl FnOnce() -> Arc<str>) -> Arc<str> {
        render()
    }

    pub fn entries(&self) -> u64 {
        0
    }
}

#[cfg(all(test, feature = "cache"))]
mod tests {
    use super::*;
    use crate::flag::Flag;

    fn cache_of(cache_entries: usize) -> PageCache {
        PageCache::new(&Settings { cache_entries, ..Settings::default() }, [Flag::Cache].into_iter().collect())
    }

    #[test]
    fn a_page_is_rendered_once() {
        let cache = cache_of(10);
        let first = cache.get_or_render(1, || "first".into());
        let second = cache.get_or_render(1, || "second".into());
        assert_eq!((&*first, &*second), ("first", "first"));
    }

    #[test]
    fn the_cache_never_holds_more_than_its_cap() {
        let cache = cache_of(100);
        for id in 0..5_000 {
            cache.get_or_render(id, || "page".into());
        }
        cache.pages.as_ref().expect("the cache is on").run_pending_tasks();
        assert_eq!(cache.entries(), 100);
    }
}
