//! What is done to several things by as many threads as there are CPUs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Things that are worked on at once, whatever CPUs there are: a cell of a day that is read holds 100 MB.
const MOST_AT_ONCE: usize = 4;

/// What `work` makes of each of `items`, in their order.
pub(super) fn at_once<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, made) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MOST_AT_ONCE).min(items.len());
    let worker = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return };
            let result = work(item);
            // Nobody panics while it is held.
            made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((place, result));
        }
    };
    thread::scope(|scope| {
        // Whoever cannot be started is not missed: this thread works as well.
        let started: Vec<_> =
            (1..workers).filter_map(|_| thread::Builder::new().spawn_scoped(scope, worker).ok()).collect();
        worker();
        drop(started);
    });
    let mut made = made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    made.sort_by_key(|(place, _)| *place);
    made.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_stands_in_the_order_of_what_it_is_made_of() {
        let items: Vec<u32> = (0..1_000).collect();
        assert_eq!(at_once(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(at_once(&[] as &[u32], |item| *item).is_empty());
    }
}
