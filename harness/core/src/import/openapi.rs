//! An OpenAPI description (3.0 or 3.1, JSON or YAML) as a draft of a scenario: a request for each operation.
//!
//! Descriptions are often wrong in places. What cannot be understood costs its own part and is reported; the rest
//! stands.

mod body;
mod document;
mod operation;
mod value;

use std::collections::BTreeSet;

use thiserror::Error;

use self::document::Document;
use self::operation::{METHODS, Operations};
use super::draft::{Draft, Load, Request, name_of};
use crate::template::Template;
use steep_judge::units::counted;

/// A rate that no service minds: a description says nothing of load.
const FIRST_RATE: f64 = 10.0;

/// A text that no scenario can be made from.
#[derive(Debug, Error)]
pub enum OpenApiError {
    /// It is not JSON.
    #[error("the file begins like JSON and is none: {0}")]
    Json(#[from] serde_json::Error),
    /// It is not YAML.
    #[error("the file is neither JSON nor YAML: {0}")]
    Yaml(String),
    /// It is a description in another format, or something else.
    #[error("the file is not a description in OpenAPI 3.0 or 3.1: {0}")]
    Version(String),
    /// There is nothing to ask for.
    #[error(
        "the description has no operation that can be used: \"paths\" should have entries such as \"/items\": {{ \"get\": … }}{0}"
    )]
    NoOperation(String),
}

/// What a description comes to.
#[derive(Debug)]
pub struct Import {
    /// The scenario.
    pub draft: Draft,
    /// What was read, and what could not be understood.
    pub said: Vec<String>,
}

/// The scenario for a service at `url` that the description `text` gives. `name` is for a description without a title.
///
/// # Errors
/// See [`OpenApiError`].
pub fn import(text: &str, name: &str, url: String) -> Result<Import, OpenApiError> {
    let document = Document::parse(text)?;
    let mut operations = Operations::new(&document);
    let mut requests = Vec::new();
    for (path, item) in document.paths() {
        for method in METHODS {
            requests.extend(operations.request(path, item, method));
        }
    }
    let (mut params, problems) = operations.finish();
    // Of what was left out.
    let used: BTreeSet<String> = requests.iter().flat_map(names_in).collect();
    params.retain(|name, _| used.contains(name));
    if requests.is_empty() {
        return Err(OpenApiError::NoOperation(problems.iter().map(|problem| format!("\n{problem}")).collect()));
    }
    if requests.iter().all(|request| request.method == "DELETE") {
        // Nothing would be sent otherwise.
        for request in &mut requests {
            request.weight = 1.0;
        }
    }
    let mut said = vec![format!("{}, one for each operation.", counted(requests.len(), "request"))];
    said.extend(problems);
    let mut notes = vec!["From an OpenAPI description, by `steep import openapi`.".to_owned()];
    notes.extend(said.iter().cloned());
    notes.push(
        "A description says what may be asked, and neither how often nor which ids exist: weights, rate and [params] are guesses."
            .to_owned(),
    );
    let title = name_of([document.title().unwrap_or(name)]);
    let name = if title.is_empty() { "api".to_owned() } else { title };
    let load = Load::Constant { rate: FIRST_RATE, note: "A rate to begin with: take that of production.".to_owned() };
    Ok(Import { draft: Draft { name, notes, url, load, requests, params }, said })
}

/// The names in the templates of `request`.
fn names_in(request: &Request) -> Vec<String> {
    let texts = std::iter::once(&request.path).chain(request.headers.values()).chain(&request.body);
    let templates: Vec<Template> = texts.filter_map(|text| Template::parse(text).ok()).collect();
    templates.iter().flat_map(Template::names).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::scenario_text;
    use crate::scenario::decode::decode;

    const SHOP: &str = include_str!("openapi/shop.yaml");

    fn made(text: &str) -> Import {
        import(text, "api", "http://127.0.0.1:{{port}}".to_owned()).expect("a scenario")
    }

    fn error(text: &str) -> String {
        import(text, "api", String::new()).expect_err("no scenario").to_string()
    }

    #[test]
    fn a_description_becomes_a_scenario() {
        let import = made(SHOP);
        insta::assert_snapshot!(format!("{}\n\n{}", import.said.join("\n"), scenario_text(&import.draft)));
    }

    #[test]
    fn yaml_and_json_give_the_same() {
        let json = Document::parse(SHOP).expect("a description").to_json();
        assert_eq!(made(&json).draft, made(SHOP).draft);
    }

    #[test]
    fn without_a_choice_the_scenario_has_no_problem() {
        let text = r#"{"openapi": "3.1.0", "paths": {"/a/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": ["null", "integer"]}}],
            "post": {"requestBody": {"content": {"application/json": {"schema": {"properties": {"s": {"type": "string"}}}}}},
                     "responses": {"201": {}, "404": {}}}}}}"#;
        let text = scenario_text(&made(text).draft);
        assert_eq!(decode(&text).problems, [], "{text}");
    }

    #[test]
    fn what_is_not_a_description_is_reported() {
        let texts = [
            "",
            "\u{0}\u{1}binary",
            "{\"openapi\": ",
            "a: [1",
            "just a text",
            "swagger: '2.0'\npaths: {}\n",
            "openapi: 4.0.0\n",
            "openapi: 3.0.0\n",
            "openapi: 3.0.0\npaths: {}\n",
            "openapi: 3.0.0\npaths: {/a: {$ref: '#/nowhere'}, /b: 3}\n",
        ];
        insta::assert_snapshot!(texts.map(error).join("\n\n"));
    }

    #[test]
    fn references_that_lead_nowhere_or_in_circles_end() {
        let import = made(include_str!("openapi/circles.yaml"));
        insta::assert_snapshot!(format!("{}\n\n{}", import.said.join("\n"), scenario_text(&import.draft)));
    }

    #[test]
    fn aliases_that_multiply_are_refused_and_depth_is_bounded() {
        let mut laughs = String::from("openapi: 3.0.0\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let all = vec![format!("*a{}", level - 1); 10].join(",");
            laughs.push_str(&format!("a{level}: &a{level} [{all}]\n"));
        }
        assert!(error(&laughs).contains("neither JSON nor YAML"), "{}", error(&laughs));
        assert!(error(&format!("{{\"openapi\": {}", "[".repeat(100_000))).contains("begins like JSON"));
        assert!(error(&format!("openapi: {}", "[".repeat(100_000))).contains("neither JSON nor YAML"));
    }

    proptest::proptest! {
        /// Whatever is broken in a description, it gives a scenario or an error.
        #[test]
        fn no_edit_makes_it_panic(at in 0_usize..SHOP.len(), cut in 0_usize..40, insert in "[a-z0-9 :{}$#/\n\\[\\]-]{0,8}") {
            let start = (0..=at).rev().find(|at| SHOP.is_char_boundary(*at)).unwrap_or(0);
            let end = (start + cut..=SHOP.len()).find(|at| SHOP.is_char_boundary(*at)).unwrap_or(SHOP.len());
            let text = format!("{}{insert}{}", &SHOP[..start], &SHOP[end..]);
            if let Ok(import) = import(&text, "api", "http://127.0.0.1:1".to_owned()) {
                let decoded = decode(&scenario_text(&import.draft));
                // A key of a later version is reported as one of the keys; broken TOML has no draft.
                proptest::prop_assert!(decoded.draft.is_some(), "{}", scenario_text(&import.draft));
            }
        }
    }
}
