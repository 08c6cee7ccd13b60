//! Makes the page of an item.
//!
//! Feature `render`: innocent. Every paragraph clones all that is known about the item, as templates do whose context
//! is passed by value: hundreds of allocations a page, and none outlives it. Memory must come out as stable, however
//! busy the allocator is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::Item;
use crate::flag::{Flag, Flags};
use crate::prose;
use crate::settings::Settings;

#[derive(Debug)]
pub struct Renderer {
    page_bytes: usize,
    paragraphs: usize,
    clones_context: bool,
}

type Context = BTreeMap<String, String>;

impl Renderer {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self {
            page_bytes: settings.page_bytes,
            paragraphs: settings.render_clones,
            clones_context: flags.has(Flag::Render),
        }
    }

    /// A page of always the same size, whichever way it is made.
    pub fn page(&self, item: &Item) -> Arc<str> {
        if !self.clones_context {
            return prose::of_length(self.page_bytes, u64::from(item.id)).into();
        }
        let context = context(item);
        let paragraph_bytes = self.page_bytes / self.paragraphs;
        let mut page: String =
            (0..self.paragraphs).map(|number| paragraph(context.clone(), number, paragraph_bytes)).collect();
        let missing_bytes = self.page_bytes - page.len();
        page.push_str(&prose::of_length(missing_bytes, 0));
        page.into()
    }
}

fn context(item: &Item) -> Context {
    [
        ("name", item.name.to_string()),
        ("number", item.id.to_string()),
        ("price", item.price_cents.to_string()),
        ("delivery", "three to five working days".to_owned()),
        ("returns", "thirty days, no questions asked".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

#[expect(clippy::needless_pass_by_value, reason = "the context of its own is what makes this a hot spot of clones")]
fn paragraph(context: Context, number: usize, bytes: usize) -> String {
    let facts: Vec<String> = context.iter().map(|(key, value)| format!("{key}: {value}. ")).collect();
    let mut text = facts.concat();
    text.push_str(&prose::of_length(bytes, number as u64));
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_rendering_fill_the_page() {
        let item = Item { id: 7, price_cents: 250, name: "Oak Bench 7".into() };
        for (page_bytes, render_clones) in [(4_096, 20), (256, 1), (300, 299), (300, 700)] {
            let settings = Settings { page_bytes, render_clones, ..Settings::default() };
            for flags in [Flags::default(), [Flag::Render].into_iter().collect()] {
                assert_eq!(Renderer::new(&settings, flags).page(&item).len(), page_bytes);
            }
        }
    }
}
