//! Which piece of a blob a request brings: `Content-Range: 0-1023`, both ends included. Pure.
//!
//! The specification writes it without the unit that HTTP has; clients that write the unit are understood.

use std::{fmt, str::FromStr};

/// From byte to byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// The text is no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a range is written `0-1023`, first and last byte")]
pub struct InvalidSpan;

impl Span {
    /// What is here of a blob of which so much came, as the specification says it: of nothing, too, that
    /// byte 0 is here.
    pub fn received(bytes: u64) -> Self {
        Self { from: 0, to: bytes.saturating_sub(1) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let plain = text.strip_prefix("bytes ").or(text.strip_prefix("bytes=")).unwrap_or(text);
        let plain = plain.split('/').next().unwrap_or_default();
        let (from, to) = plain.split_once('-').ok_or(InvalidSpan)?;
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain).ok_or(InvalidSpan)
        };
        let span = Self { from: number(from)?, to: number(to)? };
        if span.from <= span.to { Ok(span) } else { Err(InvalidSpan) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_and_without_a_unit() {
        for text in ["0-1023", "bytes 0-1023/*", "bytes=0-1023"] {
            assert_eq!(text.parse(), Ok(Span { from: 0, to: 1023 }), "{text}");
        }
        for bad in ["", "-", "5-4", "+1-2", "0-", "-1", "0-99999999999999999999999", "a-b"] {
            assert_eq!(bad.parse::<Span>(), Err(InvalidSpan), "{bad}");
        }
        assert_eq!(Span::received(0).to_string(), "0-0");
        assert_eq!(Span::received(10).to_string(), "0-9");
    }
}
