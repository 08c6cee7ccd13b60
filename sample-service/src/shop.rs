//! The state of the service: one field per subsystem.

use std::sync::Arc;

use crate::audit::Trail;
use crate::batch::StockTaking;
use crate::cache::PageCache;
use crate::catalogue::Catalogue;
use crate::flag::{Flag, Flags};
use crate::jobs::Jobs;
use crate::labels::Labels;
use crate::metrics::Metrics;
use crate::orders::Orders;
use crate::render::Renderer;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::tenants::Tenants;
use crate::views::Views;

/// Everything that handlers share.
#[derive(Debug)]
pub struct Shop {
    pub(crate) flags: Flags,
    pub(crate) catalogue: Catalogue,
    pub(crate) renderer: Renderer,
    pub(crate) pages: PageCache,
    pub(crate) labels: Labels,
    pub(crate) views: Views,
    pub(crate) sessions: Sessions,
    pub(crate) orders: Orders,
    pub(crate) jobs: Jobs,
    pub(crate) trail: Trail,
    pub(crate) tenants: Tenants,
    pub(crate) metrics: Metrics,
    pub(crate) stock_taking: StockTaking,
}

impl Shop {
    /// Stocks the shop. Nothing runs yet.
    #[must_use]
    pub fn open(settings: &Settings, flags: Flags) -> Arc<Self> {
        Arc::new(Self {
            flags,
            catalogue: Catalogue::with_items(settings.items),
            renderer: Renderer::new(settings, flags),
            pages: PageCache::new(settings, flags),
            labels: Labels::new(settings, flags),
            views: Views::new(settings, flags),
            sessions: Sessions::new(settings, flags),
            orders: Orders::new(settings, flags),
            jobs: Jobs::new(settings, flags),
            trail: Trail::new(settings, flags),
            tenants: Tenants::new(settings, flags),
            metrics: Metrics::new(settings, flags),
            stock_taking: StockTaking::new(settings),
        })
    }

    /// Starts what goes on without requests: the worker of the job queue, and the batch job if it is on.
    ///
    /// # Panics
    /// Outside a tokio runtime, whose end is also theirs.
    pub fn start_background_work(self: &Arc<Self>) {
        let shop = Arc::clone(self);
        tokio::spawn(async move { shop.jobs.work().await });
        if self.flags.has(Flag::Batch) {
            let shop = Arc::clone(self);
            tokio::spawn(async move { shop.stock_taking.repeat(&shop).await });
        }
    }
}
