//! What came back of a request, before it is held against what the scenario expects.

use hyper::StatusCode;

/// How an exchange ended, as its connection saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// With this status and this many bytes of body.
    Whole(StatusCode, u64),
    /// Not in time, after this many bytes.
    TooLate(u64),
    /// Cut off, garbled or too large, after this many bytes.
    Broken(u64),
    /// The client went away, as the scenario wants it, after this many bytes.
    Left(u64),
    /// No connection was available, for a request that wants one of its own.
    NotConnected,
}

impl Answer {
    /// Bytes of its body.
    pub(super) fn received(self) -> u64 {
        match self {
            Self::Whole(_, received) | Self::TooLate(received) | Self::Broken(received) | Self::Left(received) => {
                received
            }
            Self::NotConnected => 0,
        }
    }
}
