//! Reads the files that a scenario's traffic is made of, once and within a bound, and examines them.

use std::io;
use std::path::Path;

use crate::shell::files;
use steep_core::problem::{Problem, Severity, Spans, any_error};
use steep_core::scenario::supplies::MAX_SUPPLIES_BYTES;
use steep_core::scenario::{Scenario, Supplies};
use steep_core::traffic::supplied;

/// The files that `scenario` names, relative to `folder`; what is drawn of them is drawn into the scenario.
pub(super) fn read(scenario: &mut Scenario, spans: &Spans, folder: &Path, problems: &mut Vec<Problem>) -> Supplies {
    let mut supplies = Supplies::default();
    let mut left = MAX_SUPPLIES_BYTES;
    let mut is_whole = true;
    for (key, path) in scenario.traffic_files().filter(|(key, _)| spans.has(key)) {
        if supplies.bytes(path).is_ok() {
            continue; // Named by another key too.
        }
        match contents(&folder.join(path), left) {
            Ok(contents) => {
                left -= contents.len() as u64;
                supplies.insert(path.to_owned(), contents);
            }
            Err(problem) => {
                is_whole = false;
                problems.push(Problem { span: spans.of(&key), ..problem });
            }
        }
    }
    let flaws = scenario.supply(&supplies);
    if is_whole && scenario.traffic_files().all(|(key, _)| spans.has(&key)) {
        let flaws = flaws.into_iter();
        problems.extend(flaws.map(|(key, flaw)| Problem::error(flaw.message, spans.of(&key)).help(flaw.help)));
        problems.extend(supplied::problems(scenario, spans, &supplies));
    }
    if any_error(problems) {
        // A warning may be about what is missing because of an error.
        problems.retain(|problem| problem.severity == Severity::Error);
    }
    supplies
}

/// What stands at `path` instead of a file.
pub(super) fn no_file(path: &Path) -> Problem {
    if path.exists() {
        let what = files::not_a_file(path).unwrap_or("something else");
        let problem = Problem::error(format!("{} is not a regular file but {what}", path.display()), None);
        return problem.help("a folder, a pipe or a device cannot be read here: name a file");
    }
    Problem::error(format!("there is no file {}", path.display()), None).help("paths are relative to the scenario file")
}

/// The contents of a file of at most `most` bytes.
fn contents(path: &Path, most: u64) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: io::Error| {
        Problem::error(format!("cannot read {}: {error}", path.display()), None)
            .help("paths are relative to the scenario file")
    };
    if !path.is_file() {
        return Err(no_file(path));
    }
    files::read(path, most).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => {
            let (path, most) = (path.display(), MAX_SUPPLIES_BYTES);
            let message = format!("with {path} the files of this scenario have more than {most} bytes");
            Problem::error(message, None).help("steep holds them in memory beside the service: use fewer rows")
        }
        _ => unreadable(error),
    })
}
