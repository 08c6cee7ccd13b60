//! Price labels.
//!
//! Feature `labels`: a leak. Labels were made `&'static str` with `Box::leak`, for an interface that asks for one, when
//! there was one label per item. Since then each carries the number of its quote, so no two are the same and every view
//! leaks one. The fix is what happens without the feature: an owned string that is dropped with the response.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::catalogue::Item;
use crate::dose::Dose;
use crate::flag::{Flag, Flags};
use crate::prose;
use crate::settings::Settings;

/// Price and quote alone; a leaked label is not smaller.
const SMALLEST_BYTES: usize = 48;

#[derive(Debug)]
pub struct Labels {
    quotes: AtomicU64,
    interned: Option<Dose>,
}

impl Labels {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self {
            quotes: AtomicU64::new(0),
            interned: flags.has(Flag::Labels).then(|| Dose::new(settings.label_bytes, SMALLEST_BYTES)),
        }
    }

    pub fn of(&self, item: &Item) -> Cow<'static, str> {
        let quote = self.quotes.fetch_add(1, Ordering::Relaxed);
        let (euros, cents) = (item.price_cents / 100, item.price_cents % 100);
        let mut label = format!("EUR {euros}.{cents:02}, quote {quote:08}. ");
        match &self.interned {
            Some(dose) if dose.is_due() => {
                label.push_str(&prose::of_length(dose.filler_bytes(label.len()), quote));
                Cow::Borrowed(Box::leak(label.into_boxed_str()))
            }
            Some(_) | None => Cow::Owned(label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(flags: Flags) -> Cow<'static, str> {
        let settings = Settings { label_bytes: 200, ..Settings::default() };
        Labels::new(&settings, flags).of(&Item { id: 1, price_cents: 1_205, name: "Oak Bench 1".into() })
    }

    #[test]
    fn a_sound_label_is_owned() {
        assert!(matches!(label(Flags::default()), Cow::Owned(label) if label == "EUR 12.05, quote 00000000. "));
    }

    #[test]
    fn a_flawed_label_of_the_set_size_is_leaked() {
        assert!(matches!(label([Flag::Labels].into_iter().collect()), Cow::Borrowed(label) if label.len() == 200));
    }
}
