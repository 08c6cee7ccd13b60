//! The families of live bytes.

use std::fmt;

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $leaks:literal;)+) => {
        /// How the live bytes of a simulated service behave.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LiveFamily { $($(#[$doc])* $variant,)+ }

        impl LiveFamily {
            const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it stands in tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Whether it leaks.
            #[must_use]
            pub const fn is_leaking(self) -> bool {
                match self { $(Self::$variant => $leaks,)+ }
            }
        }
    };
}

families! {
    /// Constant to some hundred bytes.
    Filled = "filled", false;
    /// A cache of keys that are asked for at random.
    Fill = "one fill", false;
    /// Two to four of them.
    Fills = "several fills", false;
    /// Caches whose tables double beside their values.
    Tables = "tables that double until full", false;
    /// A pool of connections that grows with the most at once.
    Connections = "connection buffers", false;
    /// Connections that come and go, each with a buffer.
    Reconnects = "connections that come and go", false;
    /// Much memory in flight.
    InFlight = "in-flight swings", false;
    /// A batch every some seconds.
    Batches = "periodic batches", false;
    /// Sessions that expire, each by itself.
    Sessions = "sessions that expire", false;
    /// Sessions that are swept every some seconds.
    Sweeps = "sessions that are swept", false;
    /// A full cache that evicts and inserts entries of many sizes.
    Churn = "full cache that churns", false;
    /// A cache that fills at one rate to a cap.
    Capped = "cache with a cap", false;
    /// What is made when it is first wanted, and buffers that are flushed.
    Lazy = "lazy buffers", false;
    /// Buffers that a collector frees, every so often.
    Collector = "collector", false;
    /// A worker that is replaced.
    Restarts = "worker replaced", false;
    /// A cache that fills for longer than the run.
    SlowCache = "slow cache", false;

    /// On [`Self::Filled`].
    LeakFilled = "leak, filled", true;
    /// On [`Self::Fill`].
    LeakFill = "leak, one fill", true;
    /// On [`Self::Fills`].
    LeakFills = "leak, several fills", true;
    /// On [`Self::Tables`].
    LeakTables = "leak, tables", true;
    /// On [`Self::Connections`].
    LeakConnections = "leak, connection buffers", true;
    /// On [`Self::InFlight`].
    LeakInFlight = "leak, in-flight swings", true;
    /// On [`Self::Batches`].
    LeakBatches = "leak, periodic batches", true;
    /// On [`Self::Sessions`].
    LeakSessions = "leak, sessions that expire", true;
    /// On [`Self::Sweeps`].
    LeakSweeps = "leak, sessions that are swept", true;
    /// On [`Self::Churn`].
    LeakChurn = "leak, full cache that churns", true;
    /// On [`Self::Capped`].
    LeakCapped = "leak, cache with a cap", true;
    /// On [`Self::Restarts`].
    LeakRestarts = "leak, worker replaced", true;
    /// Of one request in ten to five hundred.
    LeakRare = "leak of rare requests", true;
    /// By the clock.
    LeakTime = "leak by the clock", true;
    /// That begins within the first half.
    LeakLate = "leak that starts late", true;
    /// A vector that doubles.
    LeakVector = "vector that doubles", true;
    /// A hash table that doubles, and had entries before.
    LeakTable = "table that doubles", true;
    /// A slab, each chunk of which is twice the last.
    LeakSlab = "slab that doubles", true;
}

impl LiveFamily {
    /// All families.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
    }

    /// Whether growth comes in steps that double, so that there is no slope to speak of.
    #[must_use]
    pub const fn has_steps(self) -> bool {
        matches!(self, Self::LeakVector | Self::LeakTable | Self::LeakSlab)
    }
}

impl fmt::Display for LiveFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
