//! A [`Draft`] as the text of a scenario, with comments that say what is known, what is guessed, and what is left to
//! do.

use std::fmt::Write as _;

use toml_writer::ToTomlValue as _;

use super::draft::{Draft, Load, Param, Request};

/// What stands where a program is to be named. `steep check` takes it; `steep run` finds no such program and says so.
const PLACEHOLDER: &str = "CHANGE-ME";

/// How long a constant rate is held: enough to be judged (METHOD: minutes), short enough for a first try.
const FIRST_TRY: &str = "10m";

/// Characters of a line of comment.
const WIDTH: usize = 110;

/// The scenario file for `draft`.
#[must_use]
pub fn scenario_text(draft: &Draft) -> String {
    let mut text = String::new();
    draft.notes.iter().for_each(|note| comment(&mut text, note));
    entry(&mut text, "\nname", &draft.name);
    text.push('\n');
    comment(
        &mut text,
        "What to start: a program with its arguments, or a package of this cargo workspace (package = \"…\").",
    );
    comment(&mut text, "Nothing is known of it here. {{port}} is a free port that steep picks.");
    let _ = writeln!(text, "[service]\ncommand = [\"{PLACEHOLDER}\", \"--port\", \"{{{{port}}}}\"]");
    entry(&mut text, "url", &draft.url);
    text.push('\n');
    load(&mut text, &draft.load);
    draft.requests.iter().for_each(|each| request(&mut text, each));
    for (name, each) in &draft.params {
        let _ = writeln!(text, "\n[params.{name}]");
        param(&mut text, each);
    }
    text
}

/// Appends `note` as lines of comment.
fn comment(text: &mut String, note: &str) {
    let mut line = String::from("#");
    for word in note.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 1 {
            let _ = writeln!(text, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        // What is quoted from elsewhere may have any character; a comment may not have control characters.
        line.extend(word.chars().filter(|c| !c.is_control()));
    }
    let _ = writeln!(text, "{line}");
}

/// A text in quotes, as TOML has it.
fn quoted(value: &str) -> String {
    value.to_toml_value()
}

fn entry(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {}", quoted(value));
}

fn load(text: &mut String, load: &Load) {
    let (Load::Constant { note, .. } | Load::FromFile { note, .. }) = load;
    comment(text, note);
    let _ = match load {
        Load::Constant { rate, .. } => writeln!(
            text,
            "[[phases]]\nname = \"steady\"\nrole = \"steady\"\nshape = \"constant\"\nrate = {rate}\nduration = \"{FIRST_TRY}\""
        ),
        Load::FromFile { path, duration_s, .. } => writeln!(
            text,
            "[[phases]]\nname = \"as-logged\"\nrole = \"steady\"\nshape = \"from_file\"\npath = {}\nduration = \"{duration_s}s\"",
            quoted(path)
        ),
    };
}

fn request(text: &mut String, request: &Request) {
    text.push('\n');
    request.notes.iter().for_each(|note| comment(text, note));
    text.push_str("[[requests]]\n");
    entry(text, "name", &request.name);
    let _ = writeln!(text, "weight = {}", request.weight);
    if request.method != "GET" {
        entry(text, "method", &request.method);
    }
    entry(text, "path", &request.path);
    if !request.headers.is_empty() {
        let headers: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("{} = {}", quoted(name), quoted(value))).collect();
        let _ = writeln!(text, "headers = {{ {} }}", headers.join(", "));
    }
    if let Some(body) = &request.body {
        entry(text, "body", body);
    }
    if !request.statuses.is_empty() {
        let _ = writeln!(text, "expect = {{ status = {:?} }}", request.statuses);
    }
}

fn param(text: &mut String, param: &Param) {
    let _ = match param {
        Param::Uniform { min, max } => writeln!(text, "dist = \"uniform\"\nmin = {min}\nmax = {max}"),
        Param::Unique => writeln!(text, "dist = \"unique\""),
        Param::Choice(values) => {
            let values: String = values.iter().map(|value| format!("    {},\n", quoted(value))).collect();
            writeln!(text, "dist = \"choice\"\nvalues = [\n{values}]")
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::decode::decode;

    fn draft() -> Draft {
        Draft {
            name: "shop".to_owned(),
            notes: vec!["A scenario from somewhere.".to_owned(), "Two control characters: \u{7}\n.".to_owned()],
            url: "http://127.0.0.1:{{port}}".to_owned(),
            load: Load::Constant { rate: 12.5, note: "The mean of the log.".to_owned() },
            requests: vec![
                Request {
                    name: "get_items_id".to_owned(),
                    weight: 99.5,
                    method: "GET".to_owned(),
                    path: "/items/{{items_id}}".to_owned(),
                    statuses: vec![200, 302],
                    ..Request::default()
                },
                Request {
                    name: "post_orders".to_owned(),
                    notes: vec!["Any body.".to_owned()],
                    weight: 0.5,
                    method: "POST".to_owned(),
                    path: "/orders".to_owned(),
                    headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
                    body: Some("{\"note\":\"it's \\\"{{unique}}\\\"\"}\n".to_owned()),
                    ..Request::default()
                },
            ],
            params: [
                ("items_id".to_owned(), Param::Uniform { min: 1, max: 1000 }),
                ("unique".to_owned(), Param::Unique),
            ]
            .into(),
        }
    }

    #[test]
    fn a_draft_becomes_a_scenario_without_problems() {
        let text = scenario_text(&draft());
        let decoded = decode(&text);
        assert_eq!(decoded.problems, [], "{text}");
        let scenario = decoded.scenario.expect("a scenario");
        assert_eq!(scenario.requests[1].body.as_ref().map(ToString::to_string), draft().requests[1].body);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_choice_and_a_curve_are_written_as_the_reference_has_them() {
        let mut text = String::new();
        param(&mut text, &Param::Choice(vec!["asc".to_owned(), "it's \"so\"".to_owned()]));
        load(
            &mut text,
            &Load::FromFile { path: "a.rates.csv".to_owned(), duration_s: 3600, note: "As logged.".to_owned() },
        );
        insta::assert_snapshot!(text);
    }
}
