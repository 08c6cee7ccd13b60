//! Reads the files that are rendered before each start, and sees that they are templates of what is known then: a run
//! would find that out after its builds.

use std::path::Path;

use crate::shell::files;
use steep_core::problem::{Problem, Spans, listed};
use steep_core::scenario::{RenderedFile, Scenario};
use steep_core::template::Template;

/// The largest file that is rendered: configuration is written by hand.
const LARGEST_FILE: u64 = 16 << 20;

/// What is wrong with the files that `scenario` renders, relative to `folder`. One that is not there has been told.
pub(super) fn examine(scenario: &Scenario, spans: &Spans, folder: &Path) -> Vec<Problem> {
    let mut known: Vec<String> = ["port", "dir"].map(str::to_owned).to_vec();
    let mut problems = Vec::new();
    for (index, dependency) in scenario.dependencies.iter().enumerate() {
        problems.extend(of(&format!("dependencies[{index}].files"), &dependency.files, &known, spans, folder));
        // Those that come later may use the ports of those before.
        known.push(format!("{}.port", dependency.name));
    }
    problems.extend(of("service.files", &scenario.service.files, &known, spans, folder));
    problems
}

fn of(key: &str, files: &[RenderedFile], known: &[String], spans: &Spans, folder: &Path) -> Vec<Problem> {
    let there = files.iter().enumerate().filter(|(_, file)| folder.join(&file.from).is_file());
    let problem = |(index, file): (usize, &RenderedFile)| {
        let (message, help) = wrong(&folder.join(&file.from), known)?;
        let message = format!("{}: {message}", file.from.display());
        Some(Problem::error(message, spans.of(&format!("{key}[{index}].from"))).help(help))
    };
    there.filter_map(problem).collect()
}

/// What is wrong with the file at `path`, and what to do.
fn wrong(path: &Path, known: &[String]) -> Option<(String, String)> {
    let text = match files::read_text(path, LARGEST_FILE) {
        Ok(text) => text,
        Err(error) => {
            return Some((
                format!("cannot be read: {error}"),
                "a file that is rendered is a text of at most 16 MiB".to_owned(),
            ));
        }
    };
    let template = match Template::parse(&text) {
        Err(error) => {
            let help = "write {{name}}; single braces are taken as they are".to_owned();
            return Some((format!("is not a template: {error}"), help));
        }
        Ok(template) => template,
    };
    let unknown = template.names().find(|name| !known.iter().any(|known| known == name))?;
    let help = format!("known here: {}", listed(known.iter().map(String::as_str)));
    Some((format!("nothing defines {{{{{unknown}}}}}"), help))
}
