//! A mutex for state that every request touches for some microseconds.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Never held across an await. A panic in one request does not close the shop: what is guarded here is consistent after
/// every statement, so the next one goes on with it.
#[derive(Debug, Default)]
pub struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
