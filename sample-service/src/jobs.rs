//! Letters that are written after the customer has been answered.
//!
//! Feature `jobs`: a leak. The worker takes one job for each time it is woken. That was right while an order meant one
//! letter; since it means two, confirmation and invoice, the queue is fed twice as fast as it drains. The fix: wake the
//! worker for both, as happens without the feature.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use crate::dose::Dose;
use crate::flag::{Flag, Flags};
use crate::guarded::Guarded;
use crate::prose;
use crate::settings::Settings;

const SMALLEST_BYTES: usize = 128;

#[derive(Debug)]
pub struct Jobs {
    queue: Guarded<VecDeque<Box<Letter>>>,
    calls: Semaphore,
    written: AtomicU64,
    dose: Dose,
    forgets_to_call: bool,
}

#[derive(Debug)]
struct Letter {
    order: u64,
    text: Box<str>,
}

impl Jobs {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self {
            queue: Guarded::default(),
            calls: Semaphore::new(0),
            written: AtomicU64::new(0),
            dose: Dose::new(settings.job_bytes, SMALLEST_BYTES),
            forgets_to_call: flags.has(Flag::Jobs),
        }
    }

    /// Queues the confirmation and the invoice of an order.
    pub fn post_letters(&self, order: u64) {
        self.post(order);
        self.calls.add_permits(1);
        self.post(order);
        if !(self.forgets_to_call && self.dose.is_due()) {
            self.calls.add_permits(1);
        }
    }

    fn post(&self, order: u64) {
        let text = prose::of_length(self.dose.filler_bytes(size_of::<Letter>()), order).into();
        self.queue.lock().push_back(Box::new(Letter { order, text }));
    }

    /// Takes a letter from the queue for each call, for as long as the program runs.
    pub async fn work(&self) {
        while let Ok(call) = self.calls.acquire().await {
            call.forget();
            let letter = self.queue.lock().pop_front();
            if let Some(letter) = letter {
                tracing::trace!(order = letter.order, bytes = letter.text.len(), "letter written");
                self.written.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub fn queued(&self) -> usize {
        self.queue.lock().len()
    }

    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// How many letters are left when the worker has done all it was called for.
    async fn left_after(orders: u64, job_bytes: usize, flags: Flags) -> usize {
        let jobs = Arc::new(Jobs::new(&Settings { job_bytes, ..Settings::default() }, flags));
        let worker = tokio::spawn({
            let jobs = Arc::clone(&jobs);
            async move { jobs.work().await }
        });
        for order in 0..orders {
            jobs.post_letters(order);
        }
        while jobs.calls.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        worker.abort();
        assert_eq!(jobs.written() + jobs.queued() as u64, 2 * orders);
        jobs.queued()
    }

    #[tokio::test]
    async fn a_sound_queue_runs_empty() {
        assert_eq!(left_after(1_000, 512, Flags::default()).await, 0);
    }

    #[tokio::test]
    async fn a_flawed_queue_keeps_a_letter_for_each_order() {
        assert_eq!(left_after(1_000, 512, [Flag::Jobs].into_iter().collect()).await, 1_000);
    }

    #[tokio::test]
    async fn a_small_leak_keeps_a_letter_now_and_then() {
        assert_eq!(left_after(3_200, 4, [Flag::Jobs].into_iter().collect()).await, 100);
    }
}
