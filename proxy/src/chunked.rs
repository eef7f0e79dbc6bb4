//! The chunked coding, read strictly (RFC 9112 section 7.1).
//!
//! It sees bytes and says what they are; it copies and keeps nothing. The invariant: no byte is
//! called data before the line that announces it was found valid, to its last CR LF.

use memchr::memchr;

use crate::body::Step;
use crate::control::is_token;
use crate::head::{self, Found, Malformed};

/// Where in a chunked body the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunked {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

/// A chunk's size line with its extensions; extensions are dropped, so they need no more.
const LONGEST_LINE: usize = 1024;
/// The whole trailer section.
const LONGEST_TRAILERS: usize = 8 * 1024;
/// More digits, but for zeros in front, than any body needs, and few enough not to overflow.
const MOST_DIGITS: usize = 15;

impl Chunked {
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<Step, Malformed> {
        match *self {
            Self::Size => self.size(input),
            Self::Data(left) => {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                if here == 0 {
                    return Ok(Step::More);
                }
                let left = left - here as u64;
                *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                Ok(Step::Data(here))
            }
            Self::DataEnd => match input {
                [b'\r', b'\n', ..] => {
                    *self = Self::Size;
                    Ok(Step::Skip(2))
                }
                [] | [b'\r'] => Ok(Step::More),
                _ => Err(Malformed::Chunk),
            },
            Self::Trailers => trailers(input),
        }
    }

    fn size(&mut self, input: &[u8]) -> Result<Step, Malformed> {
        let Some(end) = memchr(b'\n', input) else {
            let digits_may_follow = input.first().is_none_or(u8::is_ascii_hexdigit);
            // A CR that ends no line will not end one later.
            let (_, before) = input.split_last().unwrap_or((&0, &[]));
            let ok =
                digits_may_follow && input.len() < LONGEST_LINE && memchr(b'\r', before).is_none();
            return if ok { Ok(Step::More) } else { Err(Malformed::Chunk) };
        };
        let line = input.get(..end).and_then(|line| line.strip_suffix(b"\r"));
        let line = line.filter(|line| line.len() < LONGEST_LINE).ok_or(Malformed::Chunk)?;
        *self = match size(line)? {
            0 => Self::Trailers,
            size => Self::Data(size),
        };
        Ok(Step::Skip(end + 1))
    }
}

/// The number in a size line. What follows it must be extensions.
fn size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extensions) = line.split_at_checked(digits).ok_or(Malformed::Chunk)?;
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed::Chunk)?;
    let number = digits.trim_start_matches('0');
    if digits.is_empty() || number.len() > MOST_DIGITS || !are_extensions(extensions) {
        return Err(Malformed::Chunk);
    }
    if number.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(number, 16).map_err(|_| Malformed::Chunk)
}

/// Whether this is `; name`, `; name = token` or `; name = "text"`, any number of times: what
/// another reader could take for the end of the line is not (RFC 9112 section 7.1.1).
fn are_extensions(text: &[u8]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let Some(named) = unblank(rest).strip_prefix(b";").map(unblank) else { return false };
        let (name, after) = token(named);
        if name == 0 {
            return false;
        }
        rest = after;
        let Some(value) = unblank(after).strip_prefix(b"=").map(unblank) else { continue };
        rest = if let Some(inside) = value.strip_prefix(b"\"") {
            let Some(after) = behind_quote(inside) else { return false };
            after
        } else {
            let (length, after) = token(value);
            if length == 0 {
                return false;
            }
            after
        };
    }
    true
}

/// Without the blanks in front.
fn unblank(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text.get(blanks..).unwrap_or_default()
}

/// How long the token in front is, and what follows it.
fn token(text: &[u8]) -> (usize, &[u8]) {
    let length = text.iter().take_while(|byte| is_token(**byte)).count();
    (length, text.get(length..).unwrap_or_default())
}

/// What follows a quoted text whose opening quote was read; `None` if it does not end.
fn behind_quote(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'\t' | b' '..=b'~' | 0x80.., after @ ..]
            | [b'\t' | b' '..=b'[' | b']'..=b'~' | 0x80.., after @ ..] => rest = after,
            _ => return None,
        }
    }
}

fn trailers(input: &[u8]) -> Result<Step, Malformed> {
    match input {
        [b'\r', b'\n', ..] => return Ok(Step::End { skip: 2, trailers: 0 }),
        [] | [b'\r'] => return Ok(Step::More),
        _ => {}
    }
    match head::find(input, 0).map_err(|_| Malformed::Trailer)? {
        Found::Whole(length) if length <= LONGEST_TRAILERS => {
            Ok(Step::End { skip: length, trailers: length })
        }
        Found::Partial { .. } if input.len() < LONGEST_TRAILERS => Ok(Step::More),
        Found::Whole(_) | Found::Partial { .. } => Err(Malformed::Trailer),
    }
}
