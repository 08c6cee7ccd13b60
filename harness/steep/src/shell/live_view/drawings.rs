//! The page, drawn now and then: one drawing at a time, on a thread of its own, for all who look.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::shell::clock::own_cpu;

/// The page is drawn this often at most.
const EVERY: Duration = Duration::from_secs(5);

/// After a drawing there is a rest of this many times the processor time that it took, so that it takes 5 % of a
/// processor at most, at the lowest priority. A night of sixteen long cells takes seconds.
const REST: u32 = 20;

/// Draws the page; or why it cannot be.
pub type Draw = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// The last drawing, and who makes the next.
pub(super) struct Drawings {
    draw: Draw,
    last: Mutex<Option<Drawing>>,
}

struct Drawing {
    page: Result<Bytes, String>,
    /// When the next one may be made.
    next: Instant,
}

impl Drawings {
    pub(super) fn new(draw: Draw) -> Self {
        Self { draw, last: Mutex::new(None) }
    }

    /// The page, drawn anew if the last drawing is old enough; and whether it was. Whoever asks meanwhile waits for the
    /// same drawing.
    pub(super) async fn page(&self) -> (Result<Bytes, String>, bool) {
        let mut last = self.last.lock().await;
        let now = Instant::now();
        if let Some(drawing) = last.as_ref().filter(|drawing| now < drawing.next) {
            return (drawing.page.clone(), false);
        }
        let draw = Arc::clone(&self.draw);
        let before = own_cpu();
        let drawn = tokio::task::spawn_blocking(move || draw()).await;
        let page = drawn.unwrap_or_else(|_| Err("the page could not be drawn: a mistake of steep".to_owned()));
        let page = page.map(Bytes::from);
        *last = Some(Drawing { page: page.clone(), next: now + EVERY.max(own_cpu().saturating_sub(before) * REST) });
        (page, true)
    }

    /// The page as it is from now on, whatever was drawn before.
    pub(super) async fn finish(&self, page: Result<String, String>) {
        let never = Instant::now() + Duration::from_hours(1);
        *self.last.lock().await = Some(Drawing { page: page.map(Bytes::from), next: never });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn all_who_ask_within_some_seconds_share_a_drawing() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let drawings = Drawings::new(Arc::new(move || Ok(counted.fetch_add(1, Ordering::Relaxed).to_string())));
        let (one, other) = tokio::join!(drawings.page(), drawings.page());
        assert_eq!((one.0.as_deref(), one.1), (Ok(&b"0"[..]), true));
        assert_eq!((other.0.as_deref(), other.1), (Ok(&b"0"[..]), false));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        drawings.finish(Ok("the report".to_owned())).await;
        assert_eq!(drawings.page().await.0.as_deref(), Ok(&b"the report"[..]));
    }
}
