//! `JUnit`: a case for each flag, value of an axis and cell, which every CI shows.
//!
//! Each case is a suite of its own: schemas of `JUnit` know properties of suites, and few know those of cases.

use quick_junit::{NonSuccessKind, Property, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::super::Report;
use super::super::terminal::sentence;
use super::case::{Case, Kind, cases};
use crate::exit::Status;
use crate::visible::visible;

/// A finding is a failure, what was not done an error, what is open is skipped, with its reason.
pub(in crate::report) fn junit(report: &Report) -> Result<String, SerializeError> {
    let mut xml = quick_junit::Report::new(&*visible(&report.name));
    for case in cases(report) {
        xml.add_test_suite(suite(report, &case));
    }
    Ok(without_skipped(&xml.to_string()?))
}

fn suite(report: &Report, case: &Case) -> TestSuite {
    let name = called(case);
    let mut suite = TestSuite::new(format!("{}.{name}", visible(&report.name)));
    suite.add_property(Property::new(case.kind.name(), case.word));
    suite.add_property(Property::new("started", &*visible(&report.started)));
    suite.add_property(Property::new("steep", report.steep.as_str()));
    for figure in &case.figures {
        suite.add_property(Property::new(figure.name, figure.value.to_string()));
        if let Some((low, high)) = figure.bounds {
            suite.add_property(Property::new(format!("{}.low", figure.name), low.to_string()));
            suite.add_property(Property::new(format!("{}.high", figure.name), high.to_string()));
        }
    }
    let mut test = TestCase::new(name, status(case));
    test.set_classname(&*visible(&report.name));
    let details = visible(&case.details.join("\n")).into_owned();
    let said = if details.is_empty() { visible(&case.message).into_owned() } else { details };
    test.set_system_out(format!("{said}\n\n{}", visible(&sentence(report))));
    suite.add_test_case(test);
    suite
}

/// A cell by its name alone.
fn called(case: &Case) -> String {
    match case.kind {
        Kind::Cell => visible(&case.name).into_owned(),
        kind => format!("{} {}", kind.name(), visible(&case.name)),
    }
}

fn status(case: &Case) -> TestCaseStatus {
    let mut status = match case.status {
        Status::Clean => return TestCaseStatus::success(),
        Status::Finding => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::NotDone | Status::Usage => TestCaseStatus::non_success(NonSuccessKind::Error),
        Status::Undecided => TestCaseStatus::skipped(),
    };
    status.set_type(case.word).set_message(&*visible(&case.message));
    if let Some(place) = &case.place {
        status.set_description(format!("{}:{}", visible(&place.file), place.line));
    }
    status
}

/// The root has a count of its own for what is skipped, which the schemas of `JUnit` do not know there; it is the sum
/// of those of the suites.
fn without_skipped(xml: &str) -> String {
    let Some((head, rest)) = xml.split_once("<testsuites ") else { return xml.to_owned() };
    let Some((root, suites)) = rest.split_once('>') else { return xml.to_owned() };
    // A quote in a name is written as an entity: what looks like an attribute is one.
    let kept: String = match root.split_once(" skipped=\"") {
        Some((before, after)) => format!("{before}{}", after.split_once('"').map_or("", |(_, after)| after)),
        None => root.to_owned(),
    };
    format!("{head}<testsuites {kept}>{suites}")
}
