//! What stands in a request, and in the answer that it expects: templates, compiled so that writing one neither looks
//! up names nor allocates. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use crate::scenario::rows::Column;
use crate::scenario::{Flaw, LONGEST_PATH, Param, Request, Supplies, is_json_file};
use crate::template::{Part, Template};

use super::ScheduleError;
use super::capture::{Captures, Variables};
use super::draw::Values;
use super::escape::Escape;
use super::expect::Expectation;
use super::grpc::{Call, DESCRIPTOR_HELP, Encoder, Reader, check_fit};
use super::lists::Lists;

/// How many captured values a path may have: of their greatest length and all escaped, more would make it longer than
/// the 64 KiB that hyper sends.
const MAX_CAPTURED_IN_PATH: usize = 4;

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

/// A text with places for values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Value {
        slot: usize,
        form: Form,
    },
    /// What an answer before gave.
    Captured {
        variable: usize,
        escape: Escape,
    },
}

/// How a value is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Decimal,
    SixteenHexDigits,
    /// As the text of the row that it is the number of.
    Listed(Arc<Column>, Escape),
}

/// What the names in templates stand for.
#[derive(Debug)]
pub struct Names<'n, F> {
    /// The parameters.
    pub params: &'n BTreeMap<String, Param>,
    /// Their rows.
    pub lists: &'n Lists,
    /// What answers give.
    pub variables: &'n Variables,
    /// What is the same throughout a cell.
    pub cell_value: F,
}

/// The parameters of a request, each once, by the order in which they are used first.
#[derive(Debug, Default)]
struct Slots {
    params: Vec<usize>,
    by_param: BTreeMap<usize, usize>,
}

impl Slots {
    fn of(&mut self, param: usize) -> usize {
        *self.by_param.entry(param).or_insert_with(|| {
            self.params.push(param);
            self.params.len() - 1
        })
    }
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

impl Text {
    fn compile(
        template: &Template,
        names: &Names<'_, impl Fn(&str) -> Option<String>>,
        escape: Escape,
        slots: &mut Slots,
    ) -> Result<Self, String> {
        let mut text = Self::default();
        for part in template.parts() {
            match part {
                Part::Text(fixed) => text.push_fixed(fixed),
                Part::Name(name) => match names.form(name, escape) {
                    Some((param, form)) => {
                        let slot = slots.of(param);
                        text.pieces.push(Piece::Value { slot, form });
                    }
                    None => match names.variables.place(name) {
                        Some(variable) => text.pieces.push(Piece::Captured { variable, escape }),
                        None => text.push_fixed(&(names.cell_value)(name).ok_or_else(|| name.clone())?),
                    },
                },
            }
        }
        Ok(text)
    }

    fn push_fixed(&mut self, fixed: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Fixed(before)) => before.push_str(fixed),
            _ => self.pieces.push(Piece::Fixed(fixed.to_owned())),
        }
    }

    /// The text, where it is the same in every request.
    #[must_use]
    pub fn fixed(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Fixed(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with the longest of each value, to see whether it can stand where it is to.
    #[must_use]
    pub fn sample(&self) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => out.push_str(text),
                Piece::Value { form: Form::Listed(column, escape), .. } => {
                    let longest = column.iter().max_by_key(|text| text.len()).unwrap_or_default();
                    escape.write(longest, &mut out);
                }
                Piece::Value { form, .. } => form.write(u64::MAX, &mut out),
                // Any will do: it is escaped, and of one line where it must be.
                Piece::Captured { .. } => out.push('x'),
            }
        }
        out
    }

    /// Appends the text with `values` to `out`.
    pub fn write(&self, values: &Values, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => out.push_str(text),
                Piece::Value { slot, form } => form.write(values.get(*slot), out),
                Piece::Captured { variable, escape } => escape.write(values.captured(*variable), out),
            }
        }
    }

    /// Whether what an answer gave stands in it.
    #[must_use]
    pub fn has_captured(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Captured { .. }))
    }

    /// Whether the value of this slot stands in it.
    #[must_use]
    pub fn has_slot(&self, wanted: usize) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Value { slot, .. } if *slot == wanted))
    }

    fn columns(&self) -> impl Iterator<Item = &Column> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value { form: Form::Listed(column, _), .. } => Some(&**column),
            Piece::Fixed(_) | Piece::Value { .. } | Piece::Captured { .. } => None,
        })
    }

    /// Whether it is short enough for a path with all values.
    fn check_length(&self) -> Result<(), Flaw> {
        // Nothing is written longer than each byte as %XX.
        let values: usize =
            self.columns().map(|column| 3 * column.iter().map(str::len).max().unwrap_or_default()).sum();
        let captured = self.pieces.iter().filter(|piece| matches!(piece, Piece::Captured { .. })).count();
        if captured > MAX_CAPTURED_IN_PATH {
            let message = format!("{captured} captured values stand in the path, and {MAX_CAPTURED_IN_PATH} may");
            return Err(Flaw::new(message, "send the others in the body"));
        }
        let length = self.pieces.iter().map(Piece::fixed_length).sum::<usize>() + values;
        if values == 0 || length <= LONGEST_PATH {
            return Ok(());
        }
        let message =
            format!("the path may be {length} bytes long with the longest values, and {LONGEST_PATH} are the most");
        Err(Flaw::new(message, "send long values in the body"))
    }
}

impl Piece {
    fn fixed_length(&self) -> usize {
        match self {
            Self::Fixed(text) => text.len(),
            Self::Value { .. } | Self::Captured { .. } => 0,
        }
    }
}

impl<F> Names<'_, F> {
    /// The place of the parameter that `name` is about, and how its value is written.
    fn form(&self, name: &str, escape: Escape) -> Option<(usize, Form)> {
        let (param, column) = Param::named(self.params, name)?;
        let (place, kind) = (self.lists.place(param)?, self.params.get(param)?);
        let form = match (kind, self.lists.column(place, column)) {
            (Param::Uniform { .. } | Param::Zipf { .. } | Param::Sequential { .. }, _) => Form::Decimal,
            (Param::Unique, _) => Form::SixteenHexDigits,
            (_, column) => Form::Listed(Arc::clone(column?), escape),
        };
        Some((place, form))
    }

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

    /// Whether all values in `template` can stand in the header `header`.
    fn check_header(&self, header: &str, template: &Template) -> Result<(), Flaw> {
        let is_bad = |text: &str| text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
        for name in template.names() {
            let Some((_, Form::Listed(column, _))) = self.form(name, Escape::No) else { continue };
            if let Some(row) = column.iter().position(is_bad) {
                let message = format!(
                    "{{{{{name}}}}} has a line break or control character in row {}, and stands in header {header:?}",
                    row + 1
                );
                return Err(Flaw::new(
                    message,
                    "a header is one line: take the row out, or send the value in the body",
                ));
            }
        }
        Ok(())
    }
}

impl Form {
    fn write(&self, value: u64, out: &mut String) {
        let written = match self {
            Self::Decimal => write!(out, "{value}"),
            Self::SixteenHexDigits => write!(out, "{value:016x}"),
            Self::Listed(column, escape) => {
                escape.write(column.get(value), out);
                Ok(())
            }
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
}
