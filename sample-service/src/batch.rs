//! Stock taking: a job that goes over the whole catalogue now and then.
//!
//! Feature `batch`: innocent. It takes tens of megabytes, holds them for a while and gives all of them back. Its start
//! and end are logged, so that a soak can tell its steps from a leak's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use crate::catalogue::Item;
use crate::settings::Settings;
use crate::shop::Shop;

/// One sheet is filled, then the next: 1 MiB each.
const SHEET_LINES: usize = 1_024 * 1_024 / size_of::<Line>();

#[derive(Debug)]
pub struct StockTaking {
    bytes: usize,
    every: Duration,
    hold: Duration,
    runs: AtomicU64,
    value_cents: AtomicU64,
}

/// So many pieces of an item are in stock.
#[derive(Debug, Clone, Copy)]
struct Line {
    value_cents: u64,
    item: u32,
    pieces: u32,
}

impl StockTaking {
    pub fn new(settings: &Settings) -> Self {
        let ms = |ms: usize| Duration::from_millis(ms as u64);
        Self {
            bytes: settings.batch_bytes,
            every: ms(settings.batch_every_ms),
            hold: ms(settings.batch_hold_ms),
            runs: AtomicU64::new(0),
            value_cents: AtomicU64::new(0),
        }
    }

    /// Takes stock at every interval, for as long as the program runs.
    pub async fn repeat(&self, shop: &Arc<Shop>) {
        let mut interval = interval_at(Instant::now() + self.every, self.every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.take(shop).await;
        }
    }

    async fn take(&self, shop: &Arc<Shop>) {
        tracing::info!("batch job started");
        let lines = self.bytes / size_of::<Line>();
        let shop = Arc::clone(shop);
        // Tens of milliseconds of work: not for a thread that serves requests.
        let Ok(sheets) = tokio::task::spawn_blocking(move || sheets(shop.catalogue.items(), lines)).await else {
            tracing::error!("batch job failed");
            return;
        };
        sleep(self.hold).await;
        let value_cents = sheets.iter().flatten().filter(|line| line.pieces > 0).map(|line| line.value_cents).sum();
        self.value_cents.store(value_cents, Ordering::Relaxed);
        let last_item = sheets.last().and_then(|sheet| sheet.last()).map(|line| line.item);
        drop(sheets);
        self.runs.fetch_add(1, Ordering::Relaxed);
        tracing::info!(last_item, value_cents, "batch job finished");
    }

    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// What was in stock when it was last taken.
    pub fn value_cents(&self) -> u64 {
        self.value_cents.load(Ordering::Relaxed)
    }
}

/// So many lines, over the catalogue as often as that takes.
fn sheets(items: &[Item], lines: usize) -> Vec<Vec<Line>> {
    let mut counted = items.iter().cycle().zip(0..lines).map(|(item, line)| {
        let pieces = u32::try_from(line % 7).unwrap_or(0);
        Line { item: item.id, pieces, value_cents: u64::from(pieces) * u64::from(item.price_cents) }
    });
    (0..lines.div_ceil(SHEET_LINES)).map(|_| counted.by_ref().take(SHEET_LINES).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::Flags;

    #[test]
    fn a_run_takes_the_bytes_that_are_set() {
        let catalogue = crate::catalogue::Catalogue::with_items(100);
        let sheets = sheets(catalogue.items(), 200_000);
        assert_eq!(sheets.iter().map(Vec::len).sum::<usize>(), 200_000);
        assert!(sheets.iter().all(|sheet| sheet.len() <= SHEET_LINES));
    }

    #[tokio::test]
    async fn a_run_leaves_its_result() {
        let settings = Settings { items: 10, batch_bytes: 100_000, batch_hold_ms: 0, ..Settings::default() };
        let shop = Shop::open(&settings, Flags::default());
        shop.stock_taking.take(&shop).await;
        assert_eq!(shop.stock_taking.runs(), 1);
        assert!(shop.stock_taking.value_cents() > 0);
    }
}
