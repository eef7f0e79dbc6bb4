//! Where a body ends, and what of the bytes before that is data.
//!
//! It copies nothing and waits for nothing: it is given the unread bytes and says what the next of
//! them are. The caller must consume what it is told before it asks again.

use httparse::{EMPTY_HEADER, Status};

use crate::chunked::Chunked;
use crate::field::{self, Field};
use crate::head::Malformed;

/// A body being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// This many bytes are left; 0 is the end.
    Sized(u64),
    Chunked(Chunked),
    /// Everything until the peer closes.
    UntilClose,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Framing: drop them.
    Skip(usize),
    /// Data: pass them on.
    Data(usize),
    /// The end of the body: drop `skip` bytes, of which the first `trailers` are trailer fields.
    End { skip: usize, trailers: usize },
    /// Nothing can be said before more is read.
    More,
}

/// How much of a body is here already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, in this many raw bytes.
    Whole(usize),
    Partial,
}

impl Body {
    pub(crate) const EMPTY: Self = Self::Sized(0);
    pub(crate) const CHUNKED: Self = Self::Chunked(Chunked::Size);

    pub(crate) fn step(&mut self, input: &[u8]) -> Result<Step, Malformed> {
        match self {
            Self::Sized(0) => Ok(Step::End { skip: 0, trailers: 0 }),
            Self::Chunked(chunked) => chunked.step(input),
            Self::Sized(_) | Self::UntilClose if input.is_empty() => Ok(Step::More),
            Self::Sized(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= here as u64;
                Ok(Step::Data(here))
            }
            Self::UntilClose => Ok(Step::Data(input.len())),
        }
    }

    /// Looks at what is here without reading it. A body that is malformed in its first bytes is
    /// thus refused before anything of the request was sent.
    pub(crate) fn extent(mut self, input: &[u8]) -> Result<Extent, Malformed> {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            match self.step(rest)? {
                Step::Skip(count) | Step::Data(count) => at += count,
                Step::End { skip, trailers } => {
                    put_trailers(rest.get(..trailers).unwrap_or_default(), &mut Vec::new())?;
                    return Ok(Extent::Whole(at + skip));
                }
                Step::More => return Ok(Extent::Partial),
            }
        }
    }
}

/// The most trailer fields one body may have.
const MOST_TRAILERS: usize = 32;

/// Checks a trailer section (with its empty line, or nothing) and writes the fields that may
/// travel on, without the empty line.
pub(crate) fn put_trailers(section: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    if section.is_empty() {
        return Ok(());
    }
    let mut fields = [EMPTY_HEADER; MOST_TRAILERS];
    let Ok(Status::Complete((_, fields))) = httparse::parse_headers(section, &mut fields) else {
        return Err(Malformed::Trailer);
    };
    for field in fields.iter().filter(|field| Field::of(field.name).may_trail()) {
        field::put(out, field.name, field.value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a chunked body, read in pieces of `piece` bytes.
    fn decode(text: &[u8], piece: usize) -> Result<(Vec<u8>, usize), Malformed> {
        let mut body = Body::CHUNKED;
        let (mut data, mut at, mut end) = (Vec::new(), 0, 0);
        loop {
            match body.step(&text[at..end])? {
                Step::Skip(count) => at += count,
                Step::Data(count) => {
                    data.extend_from_slice(&text[at..at + count]);
                    at += count;
                }
                Step::End { skip, .. } => return Ok((data, at + skip)),
                Step::More if end == text.len() => return Err(Malformed::Truncated),
                Step::More => end = (end + piece).min(text.len()),
            }
        }
    }

    fn check(text: &[u8], expected: Result<(&[u8], usize), Malformed>) {
        for piece in [1, 2, 3, 1000] {
            let found = decode(text, piece);
            let found = found.as_ref().map(|(data, end)| (&data[..], *end)).map_err(|e| *e);
            assert_eq!(found, expected, "{:?} in pieces of {piece}", text.escape_ascii());
        }
    }

    #[test]
    fn chunked_bodies_are_read_however_they_are_cut() {
        check(b"0\r\n\r\n", Ok((b"", 5)));
        check(b"5\r\nhello\r\n0\r\n\r\nGET", Ok((b"hello", 15)));
        check(b"5;a=b\r\nhello\r\n1;x=\"y\"\r\n!\r\n00\r\nT: v\r\n\r\n", Ok((b"hello!", 38)));
        check(b"A\r\n0123456789\r\n0\r\n\r\n", Ok((b"0123456789", 20)));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for text in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"+5\r\n",
            b"0x5\r\n",
            b"5 \r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"5\nhello\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5;\x01\r\nhello\r\n",
            b"5;\r\nhello\r\n",
            b"5;;a\r\nhello\r\n",
            b"5;a\rb\r\nhello\r\n",
            b"1234567890123456\r\n",
        ] {
            check(text, Err(Malformed::Chunk));
        }
        check(b"0\r\nX\n\r\n", Err(Malformed::Trailer));
        assert_eq!(Body::CHUNKED.extent(b"0\r\nA : b\r\n\r\n"), Err(Malformed::Trailer));
        let long = [b"5;".to_vec(), vec![b'a'; 2000]].concat();
        assert_eq!(Body::CHUNKED.extent(&long), Err(Malformed::Chunk));
    }

    #[test]
    fn the_extent_of_a_body_is_seen_without_reading_it() {
        assert_eq!(Body::EMPTY.extent(b"GET"), Ok(Extent::Whole(0)));
        assert_eq!(Body::Sized(3).extent(b"abcd"), Ok(Extent::Whole(3)));
        assert_eq!(Body::Sized(3).extent(b"ab"), Ok(Extent::Partial));
        assert_eq!(Body::CHUNKED.extent(b"1\r\na\r\n0\r\n\r\n"), Ok(Extent::Whole(11)));
    }

    #[test]
    fn trailers_that_would_frame_or_route_are_dropped() {
        let mut out = Vec::new();
        put_trailers(b"Sum: 1\r\nHost: evil\r\nContent-Length: 3\r\n\r\n", &mut out).unwrap();
        assert_eq!(out, b"Sum: 1\r\n");
    }
}
