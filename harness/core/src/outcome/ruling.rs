//! What a rule answers when it is asked about a soak, and decides.

/// What a rule says of a soak.
pub(super) struct Said {
    pub(super) reason: String,
    /// What to do; `None`: what the end of the soak asks for.
    pub(super) advice: Option<&'static str>,
}

impl Said {
    pub(super) const fn because(reason: String) -> Self {
        Self { reason, advice: None }
    }
}
