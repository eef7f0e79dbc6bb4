//! The name by which one request is found in every log it touches.
//!
//! Not a secret and not a trace context. A client's own id is kept if it is harmless.

use std::fmt;

use crate::digits;

/// A request id that is safe in a header, a log line and an HTML page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(Text);

/// Most ids are our own, and those need no memory elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Text {
    Fresh([u8; 32]),
    Kept(Box<str>),
}

/// Longer ids than any tracing system makes.
const LONGEST: usize = 128;

impl RequestId {
    /// Keeps a client's id if it is sane.
    pub(crate) fn keep(value: &[u8]) -> Option<Self> {
        let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
        if value.is_empty() || value.len() > LONGEST || !value.iter().all(sane) {
            return None;
        }
        std::str::from_utf8(value).ok().map(|text| Self(Text::Kept(text.into())))
    }

    pub(crate) fn fresh() -> Self {
        Self(Text::Fresh(digits::hex(fastrand::u128(..))))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Fresh(digits) => digits,
            Text::Kept(text) => text.as_bytes(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_kept() {
        assert!(RequestId::keep(b"0af7651916cd43dd-8448:eb2").is_some());
        for id in [&b""[..], b"a b", b"<b>", b"a\x80", &[b'a'; 129]] {
            assert_eq!(RequestId::keep(id), None);
        }
        assert_eq!(RequestId::fresh().as_str().len(), 32);
    }
}
