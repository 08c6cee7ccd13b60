//! Growth in the words of a reason.

use crate::growth::Growth;
use crate::units::{BytesPerHour, BytesPerRequest};

/// The estimate per request where requests are known, else per hour.
pub(super) fn estimate(growth: &Growth) -> String {
    growth.per_request.map_or_else(
        || format!("{} per hour", growth.per_hour.compact()),
        |growth| format!("{} per request", growth.compact()),
    )
}

/// δ: the smallest growth that is worth finding.
pub(super) fn worth(growth: &Growth) -> String {
    in_its_unit(growth, growth.worth_finding)
}

/// What growth is at most.
pub(super) fn bound(growth: &Growth) -> String {
    in_its_unit(growth, BytesPerHour::new(growth.ceiling.get().max(0.0)))
}

/// An amount of growth per request where requests are known, else per hour.
fn in_its_unit(growth: &Growth, amount: BytesPerHour) -> String {
    let rps = growth.rate.get();
    if rps > 0.0 { BytesPerRequest::new(amount.get_per_second() / rps).to_string() } else { amount.to_string() }
}
