//! What stands in a request, and in the answer that it expects: all its templates, compiled. Pure.

use bytes::Bytes;

use crate::scenario::{Flaw, Param, Request, Supplies, is_json_file};
use crate::template::Template;

use super::ScheduleError;
use super::capture::Captures;
use super::escape::Escape;
use super::expect::Expectation;
use super::grpc::{Call, DESCRIPTOR_HELP, Encoder, Reader, check_fit};
use super::text::{Names, Slots, Text};

/// The texts of one of the scenario's requests.
#[derive(Debug, Clone)]
pub struct RequestText {
    path: Text,
    headers: Vec<(String, Text)>,
    body: Option<Body>,
    expect: Expectation,
    captures: Captures,
    reader: Option<Reader>,
    params: Vec<usize>,
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// With places for values.
    Text(Text),
    /// The bytes of a file that is not a text, or a message that is the same in every request.
    Raw(Bytes),
    /// JSON with places for values, of which a message is made.
    Call(Text, Encoder),
}

impl RequestText {
    /// Compiles the templates of `request`. `file` is the body, where it is in a file, and `call` what of gRPC it is.
    ///
    /// # Errors
    /// A name that is neither a parameter nor known to the cell, or a value that cannot stand where it is to.
    pub fn compile(
        request: &Request,
        file: Option<FileBody>,
        call: Option<&Call>,
        names: &Names<'_, impl Fn(&str) -> Option<String>>,
    ) -> Result<Self, ScheduleError> {
        let mut slots = Slots::default();
        let mut text = |template: &Template, escape| {
            Text::compile(template, names, escape, &mut slots)
                .map_err(|name| ScheduleError::UnknownName { request: request.name.clone(), name })
        };
        let unfit = |key, flaw| ScheduleError::Unfit { request: request.name.clone(), key, flaw };
        let path = text(&request.path, Escape::Percent)?;
        path.check_length().map_err(|flaw| unfit("path", flaw))?;
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            names.check_header(name, value).map_err(|flaw| unfit("headers", flaw))?;
            headers.push((name.clone(), text(value, Escape::No)?));
        }
        let content_type = request.headers.get("content-type").map(ToString::to_string).unwrap_or_default();
        let escape = if call.is_some() { Escape::Json } else { Escape::of_content_type(&content_type) };
        let key = if file.is_some() { "body_file" } else { "body" };
        let body = match (file, &request.body) {
            (Some(FileBody::Raw(bytes)), _) => Some(Body::Raw(bytes)),
            (Some(FileBody::Template(template)), _) => Some(Body::Text(text(&template, escape)?)),
            (None, body) => body.as_ref().map(|body| text(body, escape)).transpose()?.map(Body::Text),
        };
        let expect = Expectation::compile(request, |template| text(template, Escape::No))?;
        let body = match call {
            Some(call) => Some(names.message(call, body, request, &slots.params).map_err(|flaw| unfit(key, flaw))?),
            None => body,
        };
        let captures = Captures::compile(request, names.variables)?;
        let reader = call.and_then(Call::reader);
        Ok(Self { path, headers, body, expect, captures, reader, params: slots.params })
    }

    /// Path and query.
    #[must_use]
    pub fn path(&self) -> &Text {
        &self.path
    }

    /// Headers by name.
    #[must_use]
    pub fn headers(&self) -> &[(String, Text)] {
        &self.headers
    }

    /// Body, where there is one.
    #[must_use]
    pub fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// What its answer must be.
    #[must_use]
    pub fn expect(&self) -> &Expectation {
        &self.expect
    }

    /// What is taken out of its answer.
    #[must_use]
    pub fn captures(&self) -> &Captures {
        &self.captures
    }

    /// Reads its answer's message, where that is one of a type that is known.
    #[must_use]
    pub fn reader(&self) -> Option<&Reader> {
        self.reader.as_ref()
    }

    /// The parameters whose values it needs, as places in the scenario's (ordered) map of parameters; each once.
    #[must_use]
    pub fn params(&self) -> &[usize] {
        &self.params
    }
}

/// What the file of a body holds.
#[derive(Debug, Clone, PartialEq)]
pub enum FileBody {
    /// Text.
    Template(Template),
    /// Anything else.
    Raw(Bytes),
}

/// All templates of `requests`, those in the files of their bodies included.
pub(super) fn templates<'t>(
    requests: &'t [Request],
    files: &'t [Option<FileBody>],
) -> impl Iterator<Item = &'t Template> {
    let given = requests.iter().flat_map(|request| request.templates().map(|(_, template)| template));
    given.chain(files.iter().filter_map(|file| match file {
        Some(FileBody::Template(template)) => Some(template),
        Some(FileBody::Raw(_)) | None => None,
    }))
}

impl FileBody {
    /// That of `request`, if its body is in a file.
    ///
    /// # Errors
    /// The file was not read, or is text with a `{{` that is not a template.
    pub fn of(request: &Request, supplies: &Supplies) -> Result<Option<Self>, Flaw> {
        let Some(path) = &request.body_file else { return Ok(None) };
        let bytes = supplies.bytes(path)?;
        if request.grpc.is_some() && !is_json_file(path) {
            return Ok(Some(Self::Raw(bytes.clone()))); // A message, also where its bytes are those of a text.
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return Ok(Some(Self::Raw(bytes.clone()))) };
        let template = Template::parse(text).map_err(|error| {
            Flaw::new(
                format!("{path} is not a template: {error}"),
                "write {{name}}; single braces are taken as they are",
            )
        })?;
        Ok(Some(Self::Template(template)))
    }
}

impl<F> Names<'_, F> {
    /// The message that `call` sends: the bytes of a file, or made of JSON, now or with each request's values.
    fn message(&self, call: &Call, body: Option<Body>, request: &Request, slots: &[usize]) -> Result<Body, Flaw> {
        let text = match body {
            None => return call.framed(b"", "an empty message").map(Body::Raw),
            Some(Body::Raw(bytes)) => {
                let path = request.body_file.as_deref().unwrap_or_default();
                return call.framed(&bytes, path).map(Body::Raw);
            }
            Some(Body::Text(text) | Body::Call(text, _)) => text,
        };
        let Some(encoder) = call.encoder() else {
            return Err(Flaw::new("the body is JSON, and nothing says of which type its message is", DESCRIPTOR_HELP));
        };
        let kinds: Vec<&Param> = self.params.values().collect();
        let slots: Vec<_> = slots.iter().map(|place| (kinds[*place], self.lists.rows(*place))).collect();
        check_fit(&text, &encoder, &slots, self.variables.count())?;
        match text.fixed() {
            Some(json) => encoder.frame(json).map(Body::Raw).map_err(|error| Flaw::new(error, "")),
            None => Ok(Body::Call(text, encoder)),
        }
    }
}
