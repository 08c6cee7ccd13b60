//! The tables of growth that is filed already.

use super::Known;
use crate::problem::Problem;
use crate::scenario::read::{Reader, Section};
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest};

pub(in crate::scenario) fn known(reader: &mut Reader, section: &Section<'_>) -> Known {
    let one = reader.text(section, "flag");
    let several = reader.texts(section, "flags");
    if Reader::has(section, "flag") == Reader::has(section, "flags") {
        let says = if Reader::has(section, "flag") { "both \"flag\" and" } else { "neither \"flag\" nor" };
        say(reader, section, &format!("says {says} \"flags\""), "flag = \"labels\", or flags that leak only together");
    }
    let per_request = reader.size(section, "max_growth_per_request");
    let per_hour = reader.size(section, "max_growth_per_hour");
    if !Reader::has(section, "max_growth_per_request") && !Reader::has(section, "max_growth_per_hour") {
        say(
            reader,
            section,
            "lacks \"max_growth_per_request\"",
            "what is known has a size: max_growth_per_request = \"64B\", or max_growth_per_hour",
        );
    }
    Known {
        flags: several.unwrap_or_else(|| one.into_iter().collect()),
        issue: reader.text(section, "issue").unwrap_or_else(|| "unnamed".to_owned()),
        max_growth_bytes_per_request: per_request.map(|most: Bytes| BytesPerRequest::new(most.as_f64())),
        max_growth_bytes_per_hour: per_hour.map(|most: Bytes| BytesPerHour::new(most.as_f64())),
        expires: reader.date(section, "expires").unwrap_or_default(),
    }
}

fn say(reader: &mut Reader, section: &Section<'_>, message: &str, help: &str) {
    let problem = Problem::error(format!("[{}] {message}", section.path), reader.spans.of(&section.path));
    reader.problems.push(problem.help(help));
}
