//! The value of a flag with values, in texts.

/// Where the value of a flag with values stands in `on` and in `verify.contains`.
pub(in crate::scenario) const VALUE: &str = "{{value}}";

/// Whether `text` has a place for the value.
pub(in crate::scenario) fn names_value(text: &str) -> bool {
    text.contains(VALUE)
}

/// `text` with the value in its place, as it is.
pub(in crate::scenario) fn with_value(text: &str, value: &str) -> String {
    text.replace(VALUE, value)
}
