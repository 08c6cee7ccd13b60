//! What stands in a request: its templates, compiled so that writing one neither looks up names nor allocates. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::scenario::{Param, Request};
use crate::template::{Part, Template};

use super::ScheduleError;
use super::draw::Values;

/// The texts of one of the scenario's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestText {
    path: Text,
    headers: Vec<(String, Text)>,
    body: Option<Text>,
    params: Vec<usize>,
}

/// A text with places for values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Value { slot: usize, form: Form },
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Decimal,
    SixteenHexDigits,
}

impl RequestText {
    /// Compiles the templates of `request`.
    ///
    /// # Errors
    /// A name that is neither a parameter nor known to `cell_value`.
    pub fn compile(
        request: &Request,
        params: &BTreeMap<String, Param>,
        cell_value: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ScheduleError> {
        let mut slots = Vec::new();
        let mut text = |template: &Template| {
            Text::compile(template, params, &mut slots, cell_value)
                .map_err(|name| ScheduleError::UnknownName { request: request.name.clone(), name })
        };
        let path = text(&request.path)?;
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| Ok((name.clone(), text(value)?)))
            .collect::<Result<_, ScheduleError>>()?;
        let body = request.body.as_ref().map(text).transpose()?;
        Ok(Self { path, headers, body, params: slots })
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
    pub fn body(&self) -> Option<&Text> {
        self.body.as_ref()
    }

    /// The parameters whose values it needs, as places in the scenario's (ordered) map of parameters; each once.
    #[must_use]
    pub fn params(&self) -> &[usize] {
        &self.params
    }
}

impl Text {
    fn compile(
        template: &Template,
        params: &BTreeMap<String, Param>,
        slots: &mut Vec<usize>,
        cell_value: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut text = Self::default();
        for part in template.parts() {
            match part {
                Part::Text(fixed) => text.push_fixed(fixed),
                Part::Name(name) => match params.iter().enumerate().find(|(_, (param, _))| *param == name) {
                    Some((param, (_, kind))) => {
                        let slot = slots.iter().position(|used| *used == param).unwrap_or_else(|| {
                            slots.push(param);
                            slots.len() - 1
                        });
                        text.pieces.push(Piece::Value { slot, form: Form::of(kind) });
                    }
                    None => text.push_fixed(&cell_value(name).ok_or_else(|| name.clone())?),
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

    /// The text with some values, to see whether it can stand where it is to.
    #[must_use]
    pub fn sample(&self) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => out.push_str(text),
                Piece::Value { form, .. } => form.write(u64::MAX, &mut out),
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
            }
        }
    }
}

impl Form {
    fn of(param: &Param) -> Self {
        match param {
            Param::Uniform { .. } | Param::Sequential { .. } => Self::Decimal,
            Param::Unique => Self::SixteenHexDigits,
        }
    }

    fn write(self, value: u64, out: &mut String) {
        let written = match self {
            Self::Decimal => write!(out, "{value}"),
            Self::SixteenHexDigits => write!(out, "{value:016x}"),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
}
