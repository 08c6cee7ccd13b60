//! Traces of soaks that are over, compressed: `trace.jsonl.zst` in place of `trace.jsonl`. Whoever reads a trace finds
//! either.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use super::{LARGEST_TRACE, StoreError, TRACE_FILE};
use crate::shell::files;

/// The trace of a cell, compressed; `zstdcat` prints it.
pub const PACKED_TRACE_FILE: &str = "trace.jsonl.zst";
/// What a trace is called that was compressed.
pub(super) const PACKED_SUFFIX: &str = "zst";
/// The level of zstd: of the trace of a minute 3 leaves 12 %, as much as gzip does.
const LEVEL: i32 = 3;
/// A run compresses traces from this length on when it ends, that of a quarter of an hour; shorter ones are looked at
/// by hand more often than they are in the way, and `steep clean` compresses them.
pub const WORTH_PACKING: u64 = 1 << 20;
/// A window of 8 MiB is what a reader holds at most, whatever the file asks for; level 3 writes 2 MiB.
const LARGEST_WINDOW_LOG: u32 = 23;

/// The file in the folder of a cell that has its trace: the compressed one only where no other is there, as a trace is
/// removed after its compressed copy is whole.
#[must_use]
pub fn trace_in(cell: &Path) -> PathBuf {
    let (plain, packed) = (cell.join(TRACE_FILE), cell.join(PACKED_TRACE_FILE));
    if !plain.exists() && packed.exists() { packed } else { plain }
}

/// Whether the name of a file is that of a trace, compressed or not.
#[must_use]
pub fn is_trace_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = name.strip_suffix(&format!(".{PACKED_SUFFIX}")).unwrap_or(&name);
    Path::new(plain).extension().is_some_and(|extension| extension == "jsonl")
}

/// The text of a trace, compressed or not.
///
/// # Errors
/// It cannot be opened, or is not a regular file.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = files::open(path)?;
    if path.extension().is_some_and(|extension| extension == PACKED_SUFFIX) {
        let mut decoder = zstd::Decoder::new(file)?;
        decoder.window_log_max(LARGEST_WINDOW_LOG)?;
        Ok(Box::new(decoder))
    } else {
        Ok(Box::new(file))
    }
}

/// Compresses the trace in the folder of a cell that is over, if it is `least` bytes long; and says how many bytes that
/// saves. The trace is removed when its compressed copy is on the disk and was read back.
///
/// # Errors
/// The disk is full, or what was written is not what was read: the trace is there as before.
pub fn pack(cell: &Path, least: u64) -> Result<u64, StoreError> {
    let (plain, packed) = (cell.join(TRACE_FILE), cell.join(PACKED_TRACE_FILE));
    let is_plain = fs::symlink_metadata(&plain).is_ok_and(|there| there.is_file() && there.len() >= least);
    if !is_plain {
        return Ok(0);
    }
    let temporary = cell.join(format!("{PACKED_TRACE_FILE}.new"));
    let saved = written(&plain, &temporary).and_then(|saved| {
        fs::rename(&temporary, &packed)?;
        fs::remove_file(&plain)?;
        Ok(saved)
    });
    if saved.is_err() {
        // Half a file helps nobody.
        let _ = fs::remove_file(&temporary);
    }
    saved.map_err(|source| StoreError::File { path: packed, source })
}

/// Writes `plain` to `packed`, and reads it back.
fn written(plain: &Path, packed: &Path) -> io::Result<u64> {
    let mut encoder = zstd::Encoder::new(files::begin(packed)?, LEVEL)?;
    encoder.include_checksum(true)?;
    let length = io::copy(&mut files::open(plain)?.take(LARGEST_TRACE), &mut encoder)?;
    let mut file: File = encoder.finish()?;
    file.flush()?;
    file.sync_all()?;
    // The checksum of the content is looked at by the decoder.
    let back = io::copy(&mut zstd::Decoder::new(files::open(packed)?)?, &mut io::sink())?;
    if back != length || length != fs::metadata(plain)?.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "what was written is not what was read"));
    }
    Ok(length.saturating_sub(file.metadata()?.len()))
}
