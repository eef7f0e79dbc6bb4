//! The chunked coding, read strictly (RFC 9112 section 7.1).
//!
//! It sees bytes and says what they are; it copies and keeps nothing. The invariant: no byte is
//! called data before the line that announces it was found valid, to its last CR LF.

use memchr::memchr;

use crate::body::Step;
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
/// More digits than any body needs, and few enough not to overflow.
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
            let ok = digits_may_follow && input.len() < LONGEST_LINE;
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

/// The number in a size line. What follows it must look like extensions.
fn size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extensions) = line.split_at_checked(digits).ok_or(Malformed::Chunk)?;
    if digits.is_empty() || digits.len() > MOST_DIGITS {
        return Err(Malformed::Chunk);
    }
    let printable = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    let named = |rest: &[u8]| rest.trim_ascii_start().first().is_some_and(|byte| *byte != b';');
    match extensions {
        [] => {}
        [b';', rest @ ..] if named(rest) && extensions.iter().all(printable) => {}
        _ => return Err(Malformed::Chunk),
    }
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed::Chunk)?;
    u64::from_str_radix(digits, 16).map_err(|_| Malformed::Chunk)
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
