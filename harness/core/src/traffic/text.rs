//! A text with places for values: a template, compiled so that writing it neither looks up names nor allocates. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::scenario::rows::Column;
use crate::scenario::{Flaw, LONGEST_PATH, Param};
use crate::template::{Part, Template};

use super::capture::Variables;
use super::draw::Values;
use super::escape::Escape;
use super::lists::Lists;

/// How many captured values a path may have: of their greatest length and all escaped, more would make it longer than
/// the 64 KiB that hyper sends.
const MAX_CAPTURED_IN_PATH: usize = 4;

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
pub(super) struct Slots {
    pub(super) params: Vec<usize>,
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

impl Text {
    pub(super) fn compile(
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
    pub(super) fn check_length(&self) -> Result<(), Flaw> {
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

    /// Whether all values in `template` can stand in the header `header`.
    pub(super) fn check_header(&self, header: &str, template: &Template) -> Result<(), Flaw> {
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
