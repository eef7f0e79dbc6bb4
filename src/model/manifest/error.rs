//! What is wrong with a `paas.toml`, where, and what was probably meant.

use std::ops::Range;

/// A fault of a `paas.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("paas.toml line {line}: {fault}")]
pub struct ManifestError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl ManifestError {
    pub(super) fn at(text: &str, span: &Range<usize>, fault: String) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        Self { line: before.matches('\n').count() + 1, fault, hint: None }
    }

    pub(super) fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }
}
