//! What is known of a simulated service.

use crate::ids::FlagSet;
use crate::units::BytesPerRequest;

/// What leaks in a simulated service: sets of flags that must all be on, and what each then adds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// One flag, or two that leak only together.
    pub culprits: Vec<(FlagSet, BytesPerRequest)>,
}

/// Standard deviation of the growth of innocent flags, and of what differs between cells, where 4 B/request are worth
/// finding (docs/isolation.md, where the numbers come from).
pub(super) const CREEP: f64 = 0.3 / 4.0;

impl Truth {
    pub(super) fn at(&self, flags: &FlagSet) -> f64 {
        let leaks = self.culprits.iter().filter(|(needed, _)| needed.iter().all(|flag| flags.contains(flag)));
        leaks.map(|(_, growth)| growth.get()).sum()
    }
}
