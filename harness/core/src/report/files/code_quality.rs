//! Code quality of GitLab: findings beside the lines of a merge request.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::super::Report;
use super::case::{Case, cases};
use crate::exit::Status;
use crate::visible::visible;
use steep_judge::ids::hex;

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// An issue for each finding; an empty list where there is none.
pub(in crate::report) fn code_quality(report: &Report) -> Result<String, serde_json::Error> {
    let is_said = |case: &Case| case.status != Status::Clean && !(case.is_explained && case.status == Status::Finding);
    let issues: Vec<Issue> = cases(report).into_iter().filter(is_said).map(|case| issue(&report.name, &case)).collect();
    Ok(serde_json::to_string_pretty(&issues)? + "\n")
}

fn issue(scenario: &str, case: &Case) -> Issue {
    // GitLab takes no issue without a place.
    let (path, begin) = match &case.place {
        Some(place) => (visible(&place.file).into_owned(), place.line),
        None => (format!("{}.toml", visible(scenario)), 1),
    };
    // The line is not a part of it: an issue stays the same when lines move.
    let identity = [scenario, case.kind.name(), &case.name].join("\0");
    Issue {
        description: visible(&case.message).into_owned(),
        check_name: format!("steep/{}", case.word.replace(' ', "-")),
        fingerprint: hex(&Sha256::digest(identity.as_bytes())),
        severity: match case.status {
            Status::Finding => "critical",
            Status::NotDone | Status::Usage => "major",
            Status::Undecided | Status::Clean => "minor",
        },
        location: Location { path, lines: Lines { begin } },
    }
}
