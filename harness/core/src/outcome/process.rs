//! What ran in a cell, whatever the cell is called.

use sha2::{Digest as _, Sha256};

use crate::trace::Header;
use steep_judge::ids::hex;

/// A hash over the program and what flags and axes add to its start: equal in two cells that ran the same. None where
/// either is not known: in traces of older versions, and where nothing was built.
pub(super) fn process(header: &Header) -> Option<String> {
    let (program, settings) = (&header.provenance.binary_sha256, &header.settings_sha256);
    let is_known = !program.is_empty() && !settings.is_empty();
    is_known.then(|| hex(&Sha256::digest(format!("{program} {settings}"))))
}
