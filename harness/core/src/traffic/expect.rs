//! What the answer to a request must be, beside arriving in time. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::scenario::{JsonPath, Request, Wanted};
use crate::template::Template;

use super::ScheduleError;
use super::draw::Values;
use super::excerpt::{MAX_EXPECTED_BYTES, shown};
use super::grpc::CallExpectation;
use super::text::Text;

/// What an answer must be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectation {
    status: Vec<u16>,
    headers: Vec<(String, Text)>,
    trailers: Vec<(String, Text)>,
    call: CallExpectation,
    body_contains: Option<Text>,
    json: Vec<(JsonPath, Written)>,
}

/// What is to stand at a place of a JSON body.
#[derive(Debug, Clone, PartialEq)]
enum Written {
    Text(Text),
    Scalar(Value),
}

impl Expectation {
    /// Compiles the templates of what `request` expects.
    pub(super) fn compile(
        request: &Request,
        mut text: impl FnMut(&Template) -> Result<Text, ScheduleError>,
    ) -> Result<Self, ScheduleError> {
        let expect = &request.expect;
        let mut texts = |templates: &BTreeMap<String, Template>| {
            templates.iter().map(|(name, value)| Ok((name.clone(), text(value)?))).collect::<Result<_, _>>()
        };
        let (headers, trailers) = (texts(&expect.headers)?, texts(&expect.trailers)?);
        let body_contains = expect.body_contains.as_ref().map(&mut text).transpose()?;
        let mut wanted = |(place, wanted): (&JsonPath, &Wanted)| {
            let written = match wanted {
                Wanted::Text(template) => Written::Text(text(template)?),
                Wanted::Scalar(scalar) => Written::Scalar(scalar.clone()),
            };
            Ok((place.clone(), written))
        };
        let json = expect.json.iter().map(&mut wanted).collect::<Result<_, _>>()?;
        let call = CallExpectation::of(request);
        Ok(Self { status: expect.status.clone(), headers, trailers, call, body_contains, json })
    }

    /// Whether an answer with this status can be a success.
    #[must_use]
    pub fn allows(&self, status: u16) -> bool {
        match self.status.as_slice() {
            [] => (200..400).contains(&status),
            expected => expected.contains(&status),
        }
    }

    /// Whether the body is to be looked at.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        self.body_contains.is_some() || !self.json.is_empty()
    }

    /// How the call must end, where the answer is one of gRPC.
    #[must_use]
    pub fn call(&self) -> &CallExpectation {
        &self.call
    }

    /// What of the answer's headers is not as expected, in words. `values` are those of the request; `has_header` tells
    /// whether a header of a name contains a text.
    #[must_use]
    pub fn unmet_by_head(&self, values: &Values, has_header: impl Fn(&str, &str) -> bool) -> Option<String> {
        unmet_fields(&self.headers, "header", values, has_header)
    }

    /// The same of its trailers.
    #[must_use]
    pub fn unmet_by_trailers(&self, values: &Values, has_trailer: impl Fn(&str, &str) -> bool) -> Option<String> {
        unmet_fields(&self.trailers, "trailer", values, has_trailer)
    }

    /// What of the answer's body is not as expected, in words; it is none where it is longer than
    /// [`MAX_EXPECTED_BYTES`].
    #[must_use]
    pub fn unmet_by_body(&self, values: &Values, body: Option<&[u8]>) -> Option<String> {
        if !self.needs_body() {
            return None;
        }
        let Some(body) = body else {
            return Some(format!("the body is longer than the {MAX_EXPECTED_BYTES} bytes that are looked at"));
        };
        if let Some(wanted) = &self.body_contains {
            let wanted = wanted.written(values);
            if !contains(body, wanted.as_bytes()) {
                let found = described(&String::from_utf8_lossy(body), values);
                return Some(format!("the body does not contain {}; it is {found}", described(&wanted, values)));
            }
        }
        if self.json.is_empty() {
            return None;
        }
        let value: Value = match serde_json::from_slice(body) {
            Ok(value) => value,
            Err(error) => return Some(format!("the body is not JSON: {error}")),
        };
        self.json.iter().find_map(|(place, wanted)| {
            let found = place.find(&value);
            let wanted = match wanted {
                Written::Text(text) if found.is_some_and(|found| text.equals(values, found)) => return None,
                Written::Scalar(scalar) if found.is_some_and(|found| equal(scalar, found)) => return None,
                Written::Text(text) => described(&Value::String(text.written(values)).to_string(), values),
                Written::Scalar(scalar) => scalar.to_string(),
            };
            let found = found.map_or_else(|| "not there".to_owned(), |found| described(&found.to_string(), values));
            Some(format!("\"{place}\" of the body is {found}, and not {wanted}"))
        })
    }
}

fn unmet_fields(
    fields: &[(String, Text)],
    kind: &str,
    values: &Values,
    has: impl Fn(&str, &str) -> bool,
) -> Option<String> {
    fields.iter().find_map(|(name, wanted)| {
        let wanted = wanted.written(values);
        let is_unmet = !has(name, &wanted);
        is_unmet.then(|| format!("{kind} \"{name}\" does not contain {}", described(&wanted, values)))
    })
}

impl Text {
    fn written(&self, values: &Values) -> String {
        let mut text = String::new();
        self.write(values, &mut text);
        text
    }

    /// Whether `found` is this text; where values stand in it, also whether it is written so.
    fn equals(&self, values: &Values, found: &Value) -> bool {
        let wanted = self.written(values);
        match found {
            Value::String(text) => *text == wanted,
            Value::Number(_) | Value::Bool(_) if self.fixed().is_none() => {
                let written = found.to_string();
                written == wanted
            }
            _ => false,
        }
    }
}

/// 17 and 17.0 are the same number.
fn equal(wanted: &Value, found: &Value) -> bool {
    wanted == found
        || wanted.as_f64().zip(found.as_f64()).is_some_and(|(wanted, found)| wanted.total_cmp(&found).is_eq())
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(body, wanted).is_some()
}

fn described(text: &str, values: &Values) -> String {
    format!("`{}`", shown(text, values))
}

#[cfg(test)]
mod tests {
    use super::super::tests::text_of;
    use super::*;
    use crate::scenario::Expect;
    use crate::traffic::testing::request;

    fn expectation(build: impl FnOnce(&mut Expect)) -> Expectation {
        let mut request = request("r", 1.0, "GET", "/", None);
        build(&mut request.expect);
        Expectation::compile(&request, |template| Ok(text_of(template))).expect("an expectation")
    }

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    fn unmet(expectation: &Expectation, body: &str) -> Option<String> {
        let values: Values = std::iter::once(17).collect();
        let header = |name: &str, wanted: &str| name == "content-type" && "application/json".contains(wanted);
        expectation.unmet_by_head(&values, header).or_else(|| expectation.unmet_by_body(&values, Some(body.as_bytes())))
    }

    #[test]
    fn any_status_of_success_will_do_unless_some_are_named() {
        let any = expectation(|_| {});
        assert!(any.allows(200) && any.allows(399) && !any.allows(404) && !any.needs_body());
        let named = expectation(|expect| expect.status = vec![404]);
        assert!(named.allows(404) && !named.allows(200));
    }

    #[test]
    fn headers_contain_what_is_expected() {
        let header = |name: &str, value: &str| {
            let (name, value) = (name.to_owned(), template(value));
            expectation(|expect| drop(expect.headers.insert(name, value)))
        };
        assert_eq!(unmet(&header("content-type", "json"), ""), None);
        assert_eq!(unmet(&header("content-type", ""), ""), None);
        let missing = unmet(&header("etag", "x{{item}}"), "");
        assert_eq!(missing.as_deref(), Some("header \"etag\" does not contain `x17`"));
    }

    #[test]
    fn bodies_contain_what_is_expected() {
        let expectation = expectation(|expect| expect.body_contains = Some(template("item {{item}}")));
        assert_eq!(unmet(&expectation, "this is item 17."), None);
        let other = unmet(&expectation, "this is\nitem 1");
        assert_eq!(other.as_deref(), Some("the body does not contain `item 17`; it is `this is\\nitem 1`"));
        let long = expectation.unmet_by_body(&Values::default(), None);
        assert_eq!(long.as_deref(), Some("the body is longer than the 1048576 bytes that are looked at"));
    }

    #[test]
    fn places_of_json_are_equal() {
        let json = |place: &str, wanted: Wanted| {
            let place = JsonPath::new(place);
            expectation(|expect| drop(expect.json.insert(place, wanted)))
        };
        let text = |text: &str| Wanted::Text(template(text));
        let body = r#"{"id":17,"name":"ann","ok":true,"items":[{"price":2.0}]}"#;
        assert_eq!(unmet(&json("ok", Wanted::Scalar(true.into())), body), None);
        assert_eq!(unmet(&json("items.0.price", Wanted::Scalar(2.into())), body), None);
        assert_eq!(unmet(&json("name", text("ann")), body), None);
        assert_eq!(unmet(&json("id", text("{{item}}")), body), None);
        let described = |place: &str, wanted: Wanted| unmet(&json(place, wanted), body).expect("unmet");
        assert_eq!(described("id", text("17")), "\"id\" of the body is `17`, and not `\\\"17\\\"`");
        assert_eq!(described("id", Wanted::Scalar(18.into())), "\"id\" of the body is `17`, and not 18");
        assert_eq!(described("no", Wanted::Scalar(18.into())), "\"no\" of the body is not there, and not 18");
        let no_json = unmet(&json("id", Wanted::Scalar(17.into())), "<html>").expect("unmet");
        assert!(no_json.starts_with("the body is not JSON: "), "{no_json}");
    }
}
