//! A token: what proves to a server who asks. It never appears in output, not even in a debug one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What proves to a server who asks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Token(String);

impl Token {
    /// A token as it was typed or piped: the white space around it is nobody's intention.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let visible = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        visible.then(|| Self(text.to_owned()))
    }

    /// The token itself, for git, which asks for it as a password.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The header that carries it.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
