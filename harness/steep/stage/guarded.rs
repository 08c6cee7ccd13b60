//! What a guarded service wants to be asked with. The service and the test that keeps these secrets know them.

/// Stands in a header.
pub(super) const KEY: &str = "hush-key-4711";

/// User and password as they are sent.
pub(super) const BASIC: &str = "dTpodXNoLXdvcmQtMDgxNQ==";
