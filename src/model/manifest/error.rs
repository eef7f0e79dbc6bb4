//! What is wrong with a manifest, where, and what was probably meant.

/// A fault of a `paas.toml`, or of that of an environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} line {line}: {fault}")]
pub struct ManifestError {
    /// In which file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl ManifestError {
    pub(super) fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }
}
