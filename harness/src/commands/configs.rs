//! Reads the files that flags change, once and within a bound, and tries what is to be written into them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::problem::{Problem, Spans};
use crate::scenario::Scenario;
use crate::scenario::config::{changed_files, problems};

/// The largest file that is examined: configuration is written by hand.
const LARGEST_FILE: u64 = 16 << 20;

/// What is wrong with the files that flags of `scenario` change, relative to `folder`. One that is not there has been told.
pub(super) fn examine(scenario: &Scenario, spans: &Spans, folder: &Path) -> Vec<Problem> {
    let mut texts = BTreeMap::new();
    let mut unread = Vec::new();
    for from in changed_files(scenario) {
        let path = folder.join(&from);
        if !path.is_file() {
            continue;
        }
        let mut text = String::new();
        // The file may grow while it is read.
        let read = File::open(&path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_string(&mut text));
        let reason = match read {
            Err(error) => error.to_string(),
            Ok(length) if length as u64 > LARGEST_FILE => format!("it has more than {LARGEST_FILE} bytes"),
            Ok(_) => {
                texts.insert(from, text);
                continue;
            }
        };
        unread.push(Problem::error(format!("cannot read {}: {reason}", path.display()), spans.of("service.files")));
    }
    unread.extend(problems(scenario, spans, &texts));
    unread
}
