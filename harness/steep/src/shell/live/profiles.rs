//! What the stacks of a cell came to, in files for the tools of others.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::shell::files;
use steep_core::kept::{Folded, Series, folded, pprof};
use steep_core::visible::visible;

/// For `go tool pprof`, Pyroscope, Parca and others: what was allocated, and what was alive at the end.
const PPROF_FILE: &str = "heap.pb.gz";
/// For flame graphs: what was alive at the end.
const LIVE_FILE: &str = "heap.folded";
/// For flame graphs: what was alive at the end beyond what was alive when the steady time began.
const GROWTH_FILE: &str = "growth.folded";

/// Writes them into the folder of a cell.
///
/// # Errors
/// One cannot be written.
pub fn write_profiles(folder: &Path, series: &Series) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&pprof(series, i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)))?;
    files::replace(&folder.join(PPROF_FILE), &encoder.finish()?)?;
    // Names of functions are texts of others, and people look into these files.
    files::replace(&folder.join(LIVE_FILE), visible(&folded(series, Folded::Live)).as_bytes())?;
    files::replace(&folder.join(GROWTH_FILE), visible(&folded(series, Folded::Growth)).as_bytes())
}
