//! The table of what counts as a finding.

use super::{Judge, Strictness};
use crate::scenario::read::{Reader, Section};
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest};

pub(in crate::scenario) fn judge(reader: &mut Reader, top: &Section<'_>) -> Judge {
    let section = &reader.table(top, "judge");
    let per_request = reader.size(section, "min_growth_per_request").unwrap_or(Bytes::new(1));
    let per_hour = reader.size(section, "min_growth_per_hour").unwrap_or(Bytes::new(1));
    Judge {
        min_growth_bytes_per_request: BytesPerRequest::new(per_request.as_f64()),
        min_growth_bytes_per_hour: BytesPerHour::new(per_hour.as_f64()),
        strictness: reader.choice(section, "strictness").unwrap_or(Strictness::Normal),
        stop_early: reader.choice(section, "stop_early").unwrap_or_default(),
        confirm: reader.choice(section, "confirm").unwrap_or_default(),
        rerun: reader.choice(section, "rerun").unwrap_or_default(),
        fail_on: reader.choices(section, "fail_on").unwrap_or_default(),
    }
}
