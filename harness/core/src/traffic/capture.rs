//! Takes values out of answers, for the later steps of a session. Pure.

use std::borrow::Cow;

use regex::bytes::Regex;
use serde_json::Value;

use crate::scenario::{CapturePlace, JsonPath, Request, variables};

use super::ScheduleError;
use super::excerpt::MAX_EXPECTED_BYTES;

/// The longest value that is captured. It is held for each session under way, and what servers take in a header at all
/// is 8 KiB.
const MAX_CAPTURED_BYTES: usize = 4 << 10;

/// The names that answers give values, in their order.
#[derive(Debug, Clone, Default)]
pub struct Variables(Vec<Variable>);

#[derive(Debug, Clone)]
struct Variable {
    name: String,
    /// It stands in a header of some request, and may have no line break.
    is_one_line: bool,
}

impl Variables {
    /// Those of `requests`.
    #[must_use]
    pub fn of(requests: &[Request]) -> Self {
        let in_headers = |name: &str| {
            let mut headers = requests.iter().flat_map(|request| request.headers.values());
            headers.any(|template| template.names().any(|used| used == name))
        };
        let variable = |name: &str| Variable { name: name.to_owned(), is_one_line: in_headers(name) };
        Self(variables(requests).into_iter().map(variable).collect())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The place of `name` among them.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|variable| variable.name.as_str().cmp(name)).ok()
    }
}

/// What is taken out of the answers to one kind of request.
#[derive(Debug, Clone, Default)]
pub struct Captures(Vec<Taken>);

/// A value that is taken.
#[derive(Debug, Clone)]
struct Taken {
    name: String,
    /// Its place in [`Variables`].
    variable: usize,
    is_one_line: bool,
    place: CapturePlace,
    regex: Option<Regex>,
}

impl Captures {
    /// Those of `request`.
    pub(super) fn compile(request: &Request, variables: &Variables) -> Result<Self, ScheduleError> {
        let mut taken = Vec::new();
        for (name, capture) in &request.capture {
            let regex = capture.regex.as_deref().map(Regex::new).transpose();
            let regex = regex.map_err(|error| ScheduleError::Capture {
                request: request.name.clone(),
                name: name.clone(),
                error: error.to_string(),
            })?;
            let Some(variable) = variables.place(name) else { continue };
            let is_one_line = variables.0[variable].is_one_line;
            taken.push(Taken { name: name.clone(), variable, is_one_line, place: capture.place.clone(), regex });
        }
        Ok(Self(taken))
    }

    /// Whether nothing is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the body is to be looked at.
    #[must_use]
    pub fn need_body(&self) -> bool {
        self.0.iter().any(|taken| !matches!(taken.place, CapturePlace::Header(_)))
    }

    /// The places of the values that are taken, in [`Variables`].
    pub fn variables(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|taken| taken.variable)
    }

    /// The values with their places; or, in words, the first that is not there. `header` gives the value of a header;
    /// the body is none where it is longer than [`MAX_EXPECTED_BYTES`].
    ///
    /// # Errors
    /// A value is not there, too long, or cannot stand where it is used.
    pub fn find<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a [u8]>,
        body: Option<&[u8]>,
    ) -> Result<Vec<(usize, String)>, String> {
        // Several values of one body are the rule: it is parsed once.
        let mut json: Option<Result<Value, String>> = None;
        let mut found = Vec::with_capacity(self.0.len());
        for taken in &self.0 {
            let described = |reason: String| format!("nothing to capture for {{{{{}}}}}: {reason}", taken.name);
            let looked_at = || body.ok_or_else(|| format!("the body is longer than {MAX_EXPECTED_BYTES} bytes"));
            let there = match &taken.place {
                CapturePlace::Header(name) => {
                    header(name).map(Cow::Borrowed).ok_or_else(|| format!("there is no header \"{name}\""))
                }
                CapturePlace::Json(place) => looked_at().and_then(|body| {
                    let parsed = json.get_or_insert_with(|| {
                        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))
                    });
                    scalar_of(place, parsed.as_ref().map_err(Clone::clone)?)
                }),
                CapturePlace::Body => looked_at().map(Cow::Borrowed),
            };
            found.push((taken.variable, there.and_then(|there| taken.value_in(&there)).map_err(described)?));
        }
        Ok(found)
    }
}

impl Taken {
    fn value_in(&self, there: &[u8]) -> Result<String, String> {
        let value = match &self.regex {
            Some(regex) => regex.captures(there).and_then(|groups| groups.get(1)).map(|group| group.as_bytes()),
            None => Some(there),
        };
        let Some(value) = value else {
            let place = match &self.place {
                CapturePlace::Header(name) => format!("header \"{name}\""),
                CapturePlace::Json(place) => format!("\"{place}\" of the body"),
                CapturePlace::Body => "the body".to_owned(),
            };
            let regex = self.regex.as_ref().map_or("", Regex::as_str);
            return Err(format!("{place} has no match of \"{regex}\""));
        };
        let value = std::str::from_utf8(value).map_err(|_| "it is not UTF-8 text".to_owned())?;
        if value.len() > MAX_CAPTURED_BYTES {
            return Err(format!("it has {} bytes, and {MAX_CAPTURED_BYTES} are the most", value.len()));
        }
        if self.is_one_line && value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Err("it has a line break or control character, and is to stand in a header".to_owned());
        }
        Ok(value.to_owned())
    }
}

fn scalar_of<'v>(place: &JsonPath, body: &'v Value) -> Result<Cow<'v, [u8]>, String> {
    match place.find(body) {
        Some(Value::String(text)) => Ok(Cow::Borrowed(text.as_bytes())),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Cow::Owned(value.to_string().into_bytes())),
        Some(_) => Err(format!("\"{place}\" of the body is not a text, number or boolean")),
        None => Err(format!("\"{place}\" of the body is not there")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Capture;
    use crate::template::Template;
    use crate::traffic::testing::request;

    const BODY: &str = r#"{"data":{"token":"a\"b","n":17,"list":[1],"lines":"a\nb"},"page":"id=42;"}"#;

    fn find(capture: Capture, header_of_a_request: &str, body: &str) -> Result<String, String> {
        let mut login = request("login", 1.0, "GET", "/", None);
        login.capture.insert("v".to_owned(), capture);
        login.headers.insert("x".to_owned(), Template::parse(header_of_a_request).expect("a template"));
        let variables = Variables::of(std::slice::from_ref(&login));
        let captures = Captures::compile(&login, &variables).expect("captures");
        let header = |name: &str| (name == "location").then_some(&b"/orders/7"[..]);
        let body = (body.len() <= MAX_EXPECTED_BYTES).then_some(body.as_bytes());
        captures.find(header, body).map(|found| found[0].1.clone())
    }

    fn json(place: &str) -> Capture {
        Capture { place: CapturePlace::Json(JsonPath::new(place)), regex: None }
    }

    fn header(name: &str) -> Capture {
        Capture { place: CapturePlace::Header(name.to_owned()), regex: None }
    }

    fn regex(regex: &str, capture: Option<Capture>) -> Capture {
        let place = capture.map_or(CapturePlace::Body, |capture| capture.place);
        Capture { place, regex: Some(regex.to_owned()) }
    }

    #[test]
    fn values_are_found_in_json_headers_and_text() {
        assert_eq!(find(json("data.token"), "", BODY).as_deref(), Ok("a\"b"));
        assert_eq!(find(json("data.n"), "", BODY).as_deref(), Ok("17"));
        assert_eq!(find(header("location"), "", "").as_deref(), Ok("/orders/7"));
        assert_eq!(find(regex(r"id=(\d+)", None), "", BODY).as_deref(), Ok("42"));
    }

    #[test]
    fn a_part_of_a_header_or_of_a_text_in_json_is_found() {
        assert_eq!(find(regex(r"/orders/(\d+)", Some(header("location"))), "", "").as_deref(), Ok("7"));
        assert_eq!(find(regex("id=(.*);", Some(json("page"))), "", BODY).as_deref(), Ok("42"));
        let nothing_to_capture = "nothing to capture for {{v}}: header \"location\" has no match of \"/items/(.)\"";
        assert_eq!(find(regex("/items/(.)", Some(header("location"))), "", ""), Err(nothing_to_capture.to_owned()));
    }

    #[test]
    fn what_is_not_there_is_reported() {
        let described = |capture, body: &str| find(capture, "", body).expect_err("nothing there");
        let begin = "nothing to capture for {{v}}: ";
        assert_eq!(described(json("data.no"), BODY), format!("{begin}\"data.no\" of the body is not there"));
        let list = format!("{begin}\"data.list\" of the body is not a text, number or boolean");
        assert_eq!(described(json("data.list"), BODY), list);
        assert!(described(json("a"), "<html>").starts_with(&format!("{begin}the body is not JSON: ")));
        assert_eq!(described(header("etag"), ""), format!("{begin}there is no header \"etag\""));
        let no_match = format!("{begin}the body has no match of \"id=(x+)\"");
        assert_eq!(described(regex("id=(x+)", None), BODY), no_match);
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_CAPTURED_BYTES + 1));
        assert_eq!(described(json("a"), &long), format!("{begin}it has 4097 bytes, and 4096 are the most"));
        let longer = "x".repeat(MAX_EXPECTED_BYTES + 1);
        assert_eq!(described(json("a"), &longer), format!("{begin}the body is longer than 1048576 bytes"));
    }

    #[test]
    fn a_value_of_several_lines_cannot_stand_in_a_header() {
        assert_eq!(find(json("data.lines"), "no name", BODY).as_deref(), Ok("a\nb"));
        assert!(find(json("data.lines"), "{{v}}", BODY).expect_err("two lines").ends_with("to stand in a header"));
    }
}
