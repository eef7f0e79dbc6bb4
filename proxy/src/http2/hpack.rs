//! Why a header block could not be read. RFC 9113 section 4.3 wants that called `COMPRESSION_ERROR`,
//! and a field that no message may have something else; `h2` has one word for both.
//!
//! Not a decoder: it is asked only when `h2` has given up, and knows what a block says of itself,
//! not what is in the dynamic table.

use crate::control::is_token;

/// What a block says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is no header block (RFC 7541).
    Unreadable,
    /// It has a field that no message may have.
    BadField,
    /// It depends on what the dynamic table has.
    Depends,
    Nothing,
}

/// Whether a block is here to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Beginning,
}

/// Entries of the static table.
const STATIC: usize = 61;
/// The most entries of a dynamic table of 4096 bytes, and its size, which is what we allow.
const DYNAMIC: usize = 128;
const TABLE_SIZE: usize = 4096;

/// Why reading ends.
enum Stop {
    Unreadable,
    BadField,
    /// It is not all here.
    More,
}

pub(crate) fn look(block: &[u8], part: Part) -> Finding {
    let mut reader = Reader { rest: block, fields: false, depends: false };
    while !reader.rest.is_empty() {
        match reader.step() {
            Ok(()) => {}
            Err(Stop::BadField) => return Finding::BadField,
            Err(Stop::More) if part == Part::Beginning => break,
            Err(Stop::Unreadable | Stop::More) => return Finding::Unreadable,
        }
    }
    if reader.depends { Finding::Depends } else { Finding::Nothing }
}

struct Reader<'b> {
    rest: &'b [u8],
    /// A field was read: the size of the table may not change any more.
    fields: bool,
    depends: bool,
}

impl Reader<'_> {
    fn step(&mut self) -> Result<(), Stop> {
        let first = self.rest.first().copied().ok_or(Stop::More)?;
        if first & 0xe0 == 0x20 {
            let size = self.integer(5)?;
            return if self.fields || size > TABLE_SIZE { Err(Stop::Unreadable) } else { Ok(()) };
        }
        self.fields = true;
        let indexed = first & 0x80 != 0;
        let index = self.integer(if indexed { 7 } else { 6 - u32::from(first & 0x40 == 0) * 2 })?;
        if index > STATIC + DYNAMIC || indexed && index == 0 {
            return Err(Stop::Unreadable);
        }
        self.depends |= index > STATIC;
        if indexed {
            return Ok(());
        }
        let name = if index == 0 { Some(self.text()?) } else { None };
        let value = self.text()?;
        let valid = match name.as_deref() {
            Some(b":method") => is_word(&value),
            Some(b":authority" | b":scheme" | b":path" | b":protocol") => true,
            Some(name) => {
                is_word(name) && !name.iter().any(u8::is_ascii_uppercase) && is_value(&value)
            }
            None if matches!(index, 2 | 3) => is_word(&value),
            None => is_value(&value),
        };
        if valid { Ok(()) } else { Err(Stop::BadField) }
    }

    /// An integer with a prefix of so many bits (RFC 7541 section 5.1).
    fn integer(&mut self, prefix: u32) -> Result<usize, Stop> {
        let most = (1_usize << prefix) - 1;
        let (first, rest) = self.rest.split_first().ok_or(Stop::More)?;
        self.rest = rest;
        let mut number = usize::from(*first) & most;
        if number < most {
            return Ok(number);
        }
        for shift in (0..28).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Stop::More)?;
            self.rest = rest;
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Stop::Unreadable)
    }

    /// A string, decoded (RFC 7541 section 5.2).
    fn text(&mut self) -> Result<Vec<u8>, Stop> {
        let coded = self.rest.first().ok_or(Stop::More)? & 0x80 != 0;
        let length = self.integer(7)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Stop::More)?;
        self.rest = rest;
        if coded { decoded(text).ok_or(Stop::Unreadable) } else { Ok(text.to_vec()) }
    }
}

fn is_word(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token)
}

fn is_value(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

/// Undoes the Huffman code; `None` if it is not valid, or not padded as it must be.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut code, mut bits) = (0_u32, 0_u8);
    for byte in text {
        for at in (0..8).rev() {
            code = code << 1 | u32::from(byte >> at & 1);
            bits += 1;
            if let Some(symbol) = symbol(code, bits) {
                // The 257th symbol is the end, which nobody may send.
                out.push(u8::try_from(symbol).ok()?);
                (code, bits) = (0, 0);
            }
            if bits > 30 {
                return None;
            }
        }
    }
    (bits < 8 && code == (1 << bits) - 1).then_some(out)
}

/// The symbol with this code. Codes of a length are numbers in a row, given to symbols in order.
fn symbol(code: u32, bits: u8) -> Option<usize> {
    let mut first = 0_u32;
    for length in 1..bits {
        let count: u32 = LENGTHS.iter().map(|found| u32::from(*found == length)).sum();
        first = (first + count) << 1;
    }
    let nth = usize::try_from(code.checked_sub(first)?).ok()?;
    let mut those = LENGTHS.iter().enumerate().filter(|(_, length)| **length == bits);
    those.nth(nth).map(|(symbol, _)| symbol)
}

/// How long the code of each symbol is (RFC 7541 appendix B).
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
     6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,
     5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
    13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
     7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
    15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
     6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_complete() {
        let sum: u64 = LENGTHS.iter().map(|length| 1_u64 << (30 - length)).sum();
        assert_eq!(sum, 1 << 30);
    }

    #[test]
    fn coded_texts_are_read() {
        // RFC 7541 appendix C.4 and C.6.
        let cases: [(&[u8], &[u8]); 4] = [
            (b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", b"www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", b"no-cache"),
            (b"\xae\xc3\x77\x1a\x4b", b"private"),
            (
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                b"Mon, 21 Oct 2013 20:13:21 GMT",
            ),
        ];
        for (coded, text) in cases {
            assert_eq!(decoded(coded).as_deref(), Some(text));
        }
        for wrong in [&b"\xff\xff\xff\xff"[..], b"\x18", b"\x1f\xff"] {
            assert_eq!(decoded(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn blocks_are_told_apart() {
        let check = |block: &[u8], expected| assert_eq!(look(block, Part::Whole), expected);
        check(b"\x82\x84\x00\x01a\x01b", Finding::Nothing);
        check(b"\x82\xbe", Finding::Depends);
        check(b"\x80", Finding::Unreadable);
        check(b"\x82\x20", Finding::Unreadable);
        check(b"\x40", Finding::Unreadable);
        check(b"\xff\xff\xff\xff\xff\xff", Finding::Unreadable);
        check(b"\x00\x01A\x01b", Finding::BadField);
        check(b"\x00\x01a\x01\n", Finding::BadField);
        check(b"\x00\x04:abc\x01b", Finding::BadField);
        assert_eq!(look(b"\x82\x40", Part::Beginning), Finding::Nothing);
    }
}
