//! `steep import`: a first scenario from an access log or an OpenAPI description.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::output::{print, status_of, tell};
use crate::cli::{Import, ImportTarget};
use crate::shell::files;
use steep_core::exit::Status;
use steep_core::import::access_log::{AccessLog, LONGEST_LINE};
use steep_core::import::openapi;
use steep_core::import::{Curve, Draft, scenario_text};
use steep_core::visible::visible;

/// The largest description that is read: those of the largest public APIs have 12 MB.
const LARGEST_DESCRIPTION: u64 = 64 << 20;

/// The first bytes of a file that gzip made.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Imports what the command line names.
#[must_use]
pub fn import(import: &Import) -> Status {
    status_of(match import {
        Import::AccessLog { log, target } => access_log(log, target),
        Import::Openapi { description, target } => from_openapi(description, target),
    })
}

fn access_log(path: &Path, target: &ImportTarget) -> Result<Status, anyhow::Error> {
    let curve = target.output.as_ref().map(|output| output.with_extension("rates.csv"));
    refuse_to_overwrite(target.output.iter().chain(&curve))?;
    let mut reader = open(path)?;
    let starts_with = reader.fill_buf().with_context(|| format!("read {}", path.display()))?;
    if starts_with.starts_with(GZIP) {
        bail!("{0} is compressed: zcat {0} | steep import access-log -", path.display());
    }
    let mut log = AccessLog::default();
    read_lines(reader, |line| log.read(line)).with_context(|| format!("read {}", path.display()))?;
    let curve_name = curve.as_ref().and_then(|curve| curve.file_name()).and_then(|name| name.to_str());
    let name = name(target.output.as_deref().unwrap_or(path), "access-log");
    let made = log.finish(name, target.url.clone(), curve_name).with_context(|| path.display().to_string())?;
    made.said.iter().for_each(|said| tell(said));
    write(&made.draft, made.curve.as_ref().zip(curve.as_deref()), target)
}

fn from_openapi(path: &Path, target: &ImportTarget) -> Result<Status, anyhow::Error> {
    refuse_to_overwrite(&target.output)?;
    let mut text = String::new();
    let read = open(path)?.take(LARGEST_DESCRIPTION + 1).read_to_string(&mut text);
    read.with_context(|| format!("read {}", path.display()))?;
    ensure!(
        text.len() as u64 <= LARGEST_DESCRIPTION,
        "{} has more than {LARGEST_DESCRIPTION} bytes: that is not a description of an API",
        path.display()
    );
    let name = name(target.output.as_deref().unwrap_or(path), "api");
    let made = openapi::import(&text, &name, target.url.clone()).with_context(|| path.display().to_string())?;
    made.said.iter().for_each(|said| tell(said));
    write(&made.draft, None, target)
}

/// The file at `path`, or stdin.
fn open(path: &Path) -> Result<Box<dyn BufRead>, anyhow::Error> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = files::open(path).with_context(|| format!("open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Gives each line to `each`; of one that is longer than [`LONGEST_LINE`] only its beginning.
fn read_lines(mut reader: impl BufRead, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let bytes = reader.by_ref().take(LONGEST_LINE as u64).read_until(b'\n', &mut line)?;
        if bytes == 0 {
            return Ok(());
        }
        each(&line);
        if bytes == LONGEST_LINE && !line.ends_with(b"\n") {
            reader.skip_until(b'\n')?;
        }
    }
}

/// What the user may have changed since is worth more than a new import.
fn refuse_to_overwrite<'p>(files: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), anyhow::Error> {
    for file in files {
        ensure!(!files::is_there(file), "{} exists already: name another file, or take it away first", file.display());
    }
    Ok(())
}

/// The name of a scenario in `path`, as far as a name may have its characters.
fn name(path: &Path, otherwise: &str) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name: String = stem.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let is_name = name.contains(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 100;
    if is_name { name } else { otherwise.to_owned() }
}

/// Writes the scenario, and the rates beside it.
fn write(draft: &Draft, curve: Option<(&Curve, &Path)>, target: &ImportTarget) -> Result<Status, anyhow::Error> {
    if let Some((curve, path)) = curve {
        write_new(path, &curve.csv())?;
    }
    let text = scenario_text(draft);
    match &target.output {
        Some(path) => {
            write_new(path, &text)?;
            let path = path.display();
            tell(&format!("{path} is written: say in [service] what to start, then steep check {path}"));
        }
        None => print(&text, None)?,
    }
    Ok(Status::Clean)
}

fn write_new(path: &Path, text: &str) -> Result<(), anyhow::Error> {
    let written = files::create_new(path).and_then(|mut file| file.write_all(visible(text).as_bytes()));
    written.with_context(|| format!("write {}", path.display()))
}
