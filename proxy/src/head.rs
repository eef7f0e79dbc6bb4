//! Where a message head ends, and everything that can be wrong with a message.
//!
//! The parser behind it (`httparse`) forgives bare line feeds; two parties that disagree about
//! line ends is how requests are smuggled, so line ends are checked here, before it sees a byte.

use memchr::memchr2;

/// Why a message is not valid HTTP/1.1. The same rules hold for clients and for upstreams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// RFC 9112 section 2.2.
    #[error("a line does not end in CR LF")]
    LineEnd,
    /// RFC 9112 sections 3 and 4.
    #[error("the first line is not valid")]
    FirstLine,
    /// A method, a path or a status that no sender may use.
    #[error("the request target is not valid")]
    Target,
    /// RFC 9112 section 5: a bad name, a blank before the colon, folding, a control character.
    #[error("a header field is not valid")]
    Field,
    /// RFC 9112 section 3.2.
    #[error("there is no Host field")]
    HostMissing,
    /// RFC 9112 section 3.2.
    #[error("there is more than one Host field")]
    HostRepeated,
    /// RFC 9112 section 3.2.
    #[error("the Host field is not a valid host")]
    HostInvalid,
    /// RFC 9113 section 8.3.1.
    #[error("the URL and the Host field name different hosts")]
    HostDiffers,
    /// RFC 9110 section 7.6.2.
    #[error("there is more than one Max-Forwards field")]
    ReachRepeated,
    /// RFC 9110 section 9.3.8.
    #[error("a TRACE request has a body")]
    TraceBody,
    /// RFC 9112 section 6.3.
    #[error("the Content-Length is not one number")]
    Length,
    /// RFC 9112 section 6.1.
    #[error("both Content-Length and Transfer-Encoding are given")]
    TwoLengths,
    /// RFC 9112 section 6.1.
    #[error("the Transfer-Encoding is not exactly `chunked`")]
    Coding,
    /// RFC 9112 section 6.1.
    #[error("the Transfer-Encoding names a coding that is not known here")]
    UnknownCoding,
    /// RFC 9112 section 7.1.
    #[error("the chunked body is not valid")]
    Chunk,
    /// RFC 9112 section 7.1.2.
    #[error("the fields after the chunked body are not valid")]
    Trailer,
    /// RFC 9110 section 7.8 and RFC 9931.
    #[error("bytes were sent before the protocol was switched")]
    Optimistic,
    /// RFC 9110 section 7.8.
    #[error("the protocol was switched to one that was not asked for")]
    Switch,
    /// RFC 9110 section 15.2.
    #[error("too many interim responses")]
    Interim,
    /// RFC 9112 section 8.
    #[error("the connection was closed in the middle of the message")]
    Truncated,
}

/// A head that may still be arriving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The head, with its empty line, is this long.
    Whole(usize),
    /// More must be read. Everything before `seen` needs no second look.
    Partial { seen: usize },
}

/// Looks for the empty line that ends a head, from byte `seen` on.
///
/// `seen` is a value this function returned earlier for the same bytes, or 0.
pub(crate) fn find(bytes: &[u8], seen: usize) -> Result<Found, Malformed> {
    let mut at = seen;
    while let Some(next) = memchr2(b'\r', b'\n', bytes.get(at..).unwrap_or_default()) {
        at += next;
        match bytes.get(at..).unwrap_or_default() {
            [b'\r', b'\n', b'\r', b'\n', ..] => return Ok(Found::Whole(at + 4)),
            [b'\r', b'\n', ..] => at += 2,
            [b'\r'] => break,
            _ => return Err(Malformed::LineEnd),
        }
    }
    // An empty line may have begun in the last three bytes.
    Ok(Found::Partial { seen: last_line_end(bytes, seen) })
}

/// The place to begin again: the last line end, if it might be the start of an empty line.
fn last_line_end(bytes: &[u8], seen: usize) -> usize {
    let from = bytes.len().saturating_sub(3).max(seen);
    let tail = bytes.get(from..).unwrap_or_default();
    tail.iter().position(|byte| *byte == b'\r').map_or(bytes.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_found_however_it_is_cut() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
        for cut in 0..text.len() {
            let mut seen = 0;
            for end in [cut, text.len()] {
                match find(&text[..end], seen).unwrap() {
                    Found::Whole(length) => assert_eq!(length, 27, "cut at {cut}"),
                    Found::Partial { seen: next } => {
                        assert!(end < 27, "cut at {cut}");
                        seen = next;
                    }
                }
            }
        }
    }

    #[test]
    fn byte_by_byte_it_is_found_once() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut seen = 0;
        for end in 1..text.len() {
            match find(&text[..end], seen).unwrap() {
                Found::Whole(_) => panic!("too early at {end}"),
                Found::Partial { seen: next } => seen = next,
            }
        }
        assert_eq!(find(text, seen), Ok(Found::Whole(text.len())));
    }

    #[test]
    fn bare_line_ends_are_refused() {
        for text in [&b"GET / HTTP/1.1\nHost: a"[..], b"\n", b"A\rB", b"A: b\r\n\n", b"A\r\r\n"] {
            assert_eq!(find(text, 0), Err(Malformed::LineEnd), "{:?}", text.escape_ascii());
        }
    }
}
