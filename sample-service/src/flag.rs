//! Which subsystems have their flaw, or their appetite, switched on.

#[cfg(all(feature = "jemalloc", feature = "mimalloc"))]
compile_error!("the features `jemalloc` and `mimalloc` exclude each other: a program has one global allocator");

/// The allocator that the program was built with.
pub const ALLOCATOR: &str = if cfg!(feature = "jemalloc") {
    "jemalloc"
} else if cfg!(feature = "mimalloc") {
    "mimalloc"
} else {
    "system"
};

/// A cargo feature that changes what a subsystem does with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Leak: remembered sessions never expire.
    Sessions,
    /// Leak: an order and its parcel own each other.
    Orders,
    /// Leak: price labels are made `'static`.
    Labels,
    /// Leak: the job queue is fed faster than it drains.
    Jobs,
    /// Leak in steps: the audit trail doubles when full.
    Audit,
    /// Metrics are labelled by tenant: bounded alone, a leak together with `Tenants`.
    MetricsLabels,
    /// Tenants are told apart: bounded alone.
    Tenants,
    /// Innocent: rendered pages are cached up to a cap.
    Cache,
    /// Innocent: pages are rendered with many clones.
    Render,
    /// Innocent, but hard on the allocator: mixed sizes and lifetimes in a fixed budget.
    Fragment,
    /// Innocent: a periodic job takes tens of MB and gives them back.
    Batch,
}

impl Flag {
    /// Every flag, in the order of the README.
    pub const ALL: [Self; 11] = [
        Self::Sessions,
        Self::Orders,
        Self::Labels,
        Self::Jobs,
        Self::Audit,
        Self::MetricsLabels,
        Self::Tenants,
        Self::Cache,
        Self::Render,
        Self::Fragment,
        Self::Batch,
    ];

    /// The name of the cargo feature.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Orders => "orders",
            Self::Labels => "labels",
            Self::Jobs => "jobs",
            Self::Audit => "audit",
            Self::MetricsLabels => "metrics-labels",
            Self::Tenants => "tenants",
            Self::Cache => "cache",
            Self::Render => "render",
            Self::Fragment => "fragment",
            Self::Batch => "batch",
        }
    }

    const fn is_compiled(self) -> bool {
        match self {
            Self::Sessions => cfg!(feature = "sessions"),
            Self::Orders => cfg!(feature = "orders"),
            Self::Labels => cfg!(feature = "labels"),
            Self::Jobs => cfg!(feature = "jobs"),
            Self::Audit => cfg!(feature = "audit"),
            Self::MetricsLabels => cfg!(feature = "metrics-labels"),
            Self::Tenants => cfg!(feature = "tenants"),
            Self::Cache => cfg!(feature = "cache"),
            Self::Render => cfg!(feature = "render"),
            Self::Fragment => cfg!(feature = "fragment"),
            Self::Batch => cfg!(feature = "batch"),
        }
    }
}

/// A set of flags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// Those of the cargo features that this was built with.
    #[must_use]
    pub fn compiled() -> Self {
        Flag::ALL.into_iter().filter(|flag| flag.is_compiled()).collect()
    }

    /// Whether `flag` is on.
    #[must_use]
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & 1 << flag as u16 != 0
    }

    /// The names of those that are on.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        Flag::ALL.into_iter().filter(|flag| self.has(*flag)).map(Flag::name).collect()
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        Self(flags.into_iter().fold(0, |set, flag| set | 1 << flag as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_flags_it_was_made_of() {
        let flags: Flags = [Flag::Batch, Flag::Sessions].into_iter().collect();
        assert_eq!(flags.names(), ["sessions", "batch"]);
        assert!(!flags.has(Flag::Orders));
        assert_eq!(Flags::default().names(), [""; 0]);
    }
}
