//! Turns the ledger into figures to answer a request with.

use std::fmt::{self, Display, Formatter};

use crate::ledger;

/// The counts of this process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The process that was counted: a restart is distinguished from a drop.
    pub pid: u32,
    /// `None` where no [`Counted`](crate::Counted) is the global allocator: not known is not zero.
    pub counts: Option<Counts>,
}

/// Sizes as the program asked for them, without what the allocator adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that are allocated and not yet freed.
    pub live_bytes: u64,
    /// Blocks that are allocated and not yet freed.
    pub live_objects: u64,
    /// Bytes ever allocated; a block that was grown in place or moved counts with the difference.
    pub allocated_bytes_total: u64,
    /// Bytes ever freed; a block that was shrunk counts with the difference.
    pub freed_bytes_total: u64,
}

/// Reads the counts. Takes about a microsecond, stops no thread, and does not allocate.
#[must_use]
pub fn snapshot() -> Snapshot {
    let ((allocated_bytes, allocated_objects), (freed_bytes, freed_objects)) = ledger::totals();
    // The runtime allocates before `main`: an installed counter that has seen nothing does not exist.
    let counts = (allocated_objects > 0).then(|| Counts {
        live_bytes: allocated_bytes.wrapping_sub(freed_bytes),
        live_objects: allocated_objects.wrapping_sub(freed_objects),
        allocated_bytes_total: allocated_bytes,
        freed_bytes_total: freed_bytes,
    });
    Snapshot { pid: std::process::id(), counts }
}

impl Snapshot {
    /// One line of JSON, as steep expects it on the `probe` path of a scenario:
    ///
    /// ```json
    /// {"schema":1,"pid":7,"live_bytes":4096,"live_objects":12,"allocated_bytes_total":9000,"freed_bytes_total":4904}
    /// ```
    ///
    /// Numbers that are not known are `null`.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.to_string()
    }
}

/// The same JSON as [`Snapshot::to_json`].
impl Display for Snapshot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"schema":1,"pid":{}"#, self.pid)?;
        for (name, value) in [
            ("live_bytes", self.counts.map(|counts| counts.live_bytes)),
            ("live_objects", self.counts.map(|counts| counts.live_objects)),
            ("allocated_bytes_total", self.counts.map(|counts| counts.allocated_bytes_total)),
            ("freed_bytes_total", self.counts.map(|counts| counts.freed_bytes_total)),
        ] {
            match value {
                Some(value) => write!(f, r#","{name}":{value}"#)?,
                None => write!(f, r#","{name}":null"#)?,
            }
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_counts_are_numbers() {
        let counts =
            Counts { live_bytes: 4_096, live_objects: 12, allocated_bytes_total: 9_000, freed_bytes_total: 4_904 };
        assert_eq!(
            Snapshot { pid: 7, counts: Some(counts) }.to_json(),
            r#"{"schema":1,"pid":7,"live_bytes":4096,"live_objects":12,"allocated_bytes_total":9000,"freed_bytes_total":4904}"#
        );
    }

    #[test]
    fn unknown_counts_are_null_and_never_zero() {
        assert_eq!(
            Snapshot { pid: 7, counts: None }.to_json(),
            r#"{"schema":1,"pid":7,"live_bytes":null,"live_objects":null,"allocated_bytes_total":null,"freed_bytes_total":null}"#
        );
    }
}
