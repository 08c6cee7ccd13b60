//! Reads the files that flags change, once and within a bound, and tries what is to be written into them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::shell::files::{self, LARGEST_TEXT};
use steep_core::problem::{Problem, Spans};
use steep_core::scenario::Scenario;
use steep_core::scenario::config::{changed_files, problems};

/// What is wrong with the files that flags of `scenario` change, relative to `folder`. One that is not there has been
/// told.
pub(super) fn examine(scenario: &Scenario, spans: &Spans, folder: &Path) -> Vec<Problem> {
    let mut texts = BTreeMap::new();
    let mut unread = Vec::new();
    for from in changed_files(scenario) {
        let path = folder.join(&from);
        if !path.is_file() {
            continue;
        }
        match files::read_text(&path, LARGEST_TEXT) {
            Ok(text) => drop(texts.insert(from, text)),
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                unread.push(Problem::error(message, spans.of("service.files")));
            }
        }
    }
    unread.extend(problems(scenario, spans, &texts));
    unread
}
