//! A record of every request, in memory.
//!
//! Feature `audit`: a leak in steps. The trail is a vector of fixed-width records that doubles when it is full, and
//! nobody ever writes it out and clears it. Because the new half is blanked at once, resident memory steps as live
//! bytes do. The fix: start over when full, as happens without the feature.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::dose::Dose;
use crate::flag::{Flag, Flags};
use crate::guarded::Guarded;
use crate::settings::Settings;
use crate::shop::Shop;

const FIRST_BYTES: usize = 64 * 1_024;
const SMALLEST_RECORD: usize = 64;

/// Records the request that passes.
pub async fn record(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let (method, uri, start) = (request.method().clone(), request.uri().clone(), Instant::now());
    let response = next.run(request).await;
    let (path, status, us) = (uri.path(), response.status().as_u16(), start.elapsed().as_micros());
    shop.trail.write(format_args!("{status} {us}us {method} {path}"));
    response
}

#[derive(Debug)]
pub struct Trail {
    records: Guarded<Records>,
    dose: Dose,
    doubles: bool,
}

#[derive(Debug)]
struct Records {
    bytes: Vec<u8>,
    used: usize,
}

impl Trail {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self {
            records: Guarded::new(Records { bytes: vec![b' '; FIRST_BYTES], used: 0 }),
            dose: Dose::new(settings.audit_bytes, SMALLEST_RECORD),
            doubles: flags.has(Flag::Audit),
        }
    }

    fn write(&self, text: std::fmt::Arguments<'_>) {
        if !self.dose.is_due() {
            return;
        }
        let width = self.dose.filler_bytes(0);
        let mut records = self.records.lock();
        if records.used + width > records.bytes.len() {
            if self.doubles {
                records.double_until(width);
            } else {
                records.used = 0;
            }
        }
        let start = records.used;
        // A record that does not fit the trail at all is cut, as is one that is too wide.
        let end = records.bytes.len().min(start + width);
        let mut field = &mut records.bytes[start..end];
        let _ = field.write_fmt(text);
        field.fill(b' ');
        records.used = end;
    }

    pub fn bytes(&self) -> usize {
        self.records.lock().bytes.len()
    }
}

impl Records {
    fn double_until(&mut self, width: usize) {
        let mut room = self.bytes.len();
        while self.used + width > room {
            room *= 2;
        }
        self.bytes.resize(room, b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail_after(requests: usize, audit_bytes: usize, flags: Flags) -> Trail {
        let trail = Trail::new(&Settings { audit_bytes, ..Settings::default() }, flags);
        for request in 0..requests {
            trail.write(format_args!("200 {request}us GET /items/1"));
        }
        trail
    }

    #[test]
    fn a_sound_trail_starts_over_when_it_is_full() {
        assert_eq!(trail_after(10_000, 256, Flags::default()).bytes(), FIRST_BYTES);
        assert_eq!(trail_after(10, 1_024 * 1_024, Flags::default()).bytes(), FIRST_BYTES);
    }

    #[test]
    fn a_flawed_trail_doubles_and_keeps_every_record() {
        let trail = trail_after(1_000, 256, [Flag::Audit].into_iter().collect());
        let records = trail.records.lock();
        assert_eq!((records.used, records.bytes.len()), (256_000, 4 * FIRST_BYTES));
        assert!(records.bytes[999 * 256..].starts_with(b"200 999us GET /items/1  "));
    }

    #[test]
    fn a_small_leak_keeps_the_record_of_every_nth_request() {
        let trail = trail_after(32_000, 4, [Flag::Audit].into_iter().collect());
        assert_eq!(trail.records.lock().used, 128_000);
    }
}
