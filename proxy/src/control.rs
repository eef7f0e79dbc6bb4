//! What a head says about its connection and its body: the part that smuggling is made of.
//!
//! Used for requests and responses alike. It decides nothing that depends on a method or a status.
//! The invariant: a head whose length could be read in two ways is malformed.

use crate::field::{Field, Fields};
use crate::head::Malformed;

/// The version of HTTP that a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
    Http2,
}

impl Version {
    pub(crate) fn of(minor: Option<u8>) -> Self {
        if minor == Some(0) { Self::Http10 } else { Self::Http11 }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// What becomes of a connection after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    KeepAlive,
    Close,
}

/// How long the body says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Unsaid,
    Sized(u64),
    Chunked,
}

/// The connection-level facts of one head.
#[derive(Debug)]
pub(crate) struct Control<'b> {
    pub(crate) persistence: Persistence,
    pub(crate) length: Length,
    /// `Connection` lists `upgrade` and an `Upgrade` field says to what.
    pub(crate) upgrade: Option<&'b str>,
    /// Fields that `Connection` says are for one hop.
    listed: Vec<&'b str>,
}

impl<'b> Control<'b> {
    pub(crate) fn read(version: Version, fields: &Fields<'_, 'b>) -> Result<Self, Malformed> {
        let mut found = Tokens::default();
        let mut length = None;
        let mut coding = Coding::Unsaid;
        let mut upgrade = Upgrade::Unsaid;
        for (known, field) in fields.iter() {
            match known {
                Field::Connection => found.add(field.value)?,
                Field::ContentLength => {
                    let value = number(field.value).ok_or(Malformed::Length)?;
                    if length.replace(value).is_some_and(|before| before != value) {
                        return Err(Malformed::Length);
                    }
                }
                Field::TransferEncoding => coding = coding.and(field.value),
                Field::Upgrade => upgrade = upgrade.and(field.value),
                _ => {}
            }
        }
        let length = match (length, coding) {
            (None, Coding::Unsaid) => Length::Unsaid,
            (Some(size), Coding::Unsaid) => Length::Sized(size),
            (Some(_), _) => return Err(Malformed::TwoLengths),
            // HTTP/1.0 does not know it; whoever sends it there is confused or an attacker.
            (None, _) if version == Version::Http10 => return Err(Malformed::Coding),
            (None, Coding::Chunked) => Length::Chunked,
            (None, Coding::ThenChunked) => return Err(Malformed::UnknownCoding),
            (None, Coding::Empty | Coding::Other | Coding::Wrong) => {
                return Err(Malformed::Coding);
            }
        };
        let upgrade = match upgrade {
            Upgrade::To(value) if found.upgrade => Some(text(value)?),
            Upgrade::To(_) | Upgrade::Unsaid | Upgrade::Unclear => None,
        };
        Ok(Self { persistence: found.persistence(version), length, upgrade, listed: found.others })
    }

    /// Whether `Connection` lists this field, so that it must not travel further.
    pub(crate) fn lists(&self, name: &str) -> bool {
        self.listed.iter().any(|listed| listed.eq_ignore_ascii_case(name))
    }
}

/// What all `Transfer-Encoding` fields say together, as far as they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Unsaid,
    /// There is a field, and nothing in it.
    Empty,
    /// Exactly `chunked`.
    Chunked,
    /// Codings that we do not know, and no `chunked`.
    Other,
    /// The same, and then `chunked`: it would end where it says.
    ThenChunked,
    /// `chunked` is not the last, or said twice, or there is something that is no coding.
    Wrong,
}

impl Coding {
    /// Reads another field. Empty elements of a list are nothing (RFC 9110 section 5.6.1.2).
    fn and(self, value: &[u8]) -> Self {
        if self == Self::Unsaid && value.eq_ignore_ascii_case(b"chunked") {
            return Self::Chunked;
        }
        let start = if self == Self::Unsaid { Self::Empty } else { self };
        value.split(|byte| *byte == b',').fold(start, |so_far, element| {
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
            let from = element.iter().position(|byte| !blank(byte)).unwrap_or(element.len());
            let to = element.iter().rposition(|byte| !blank(byte)).map_or(from, |last| last + 1);
            match (so_far, element.get(from..to).unwrap_or_default()) {
                (_, []) => so_far,
                (Self::Empty, word) if word.eq_ignore_ascii_case(b"chunked") => Self::Chunked,
                (Self::Other, word) if word.eq_ignore_ascii_case(b"chunked") => Self::ThenChunked,
                (Self::Empty | Self::Other, word) if word.iter().copied().all(is_token) => {
                    Self::Other
                }
                _ => Self::Wrong,
            }
        })
    }
}

/// What all `Upgrade` fields say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upgrade<'b> {
    Unsaid,
    To(&'b [u8]),
    /// In several fields: an offer that may be ignored (RFC 9110 section 7.8), and is.
    Unclear,
}

impl<'b> Upgrade<'b> {
    fn and(self, value: &'b [u8]) -> Self {
        if self == Self::Unsaid { Self::To(value) } else { Self::Unclear }
    }
}

/// A letter of a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    ) || byte.is_ascii_alphanumeric()
}

/// The options of all `Connection` fields.
#[derive(Default)]
struct Tokens<'b> {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    others: Vec<&'b str>,
}

impl<'b> Tokens<'b> {
    fn add(&mut self, value: &'b [u8]) -> Result<(), Malformed> {
        for token in text(value)?.split(',').map(str::trim).filter(|token| !token.is_empty()) {
            if token.eq_ignore_ascii_case("close") {
                self.close = true;
            } else if token.eq_ignore_ascii_case("keep-alive") {
                self.keep_alive = true;
            } else if token.eq_ignore_ascii_case("upgrade") {
                self.upgrade = true;
            } else {
                self.others.push(token);
            }
        }
        Ok(())
    }

    fn persistence(&self, version: Version) -> Persistence {
        match version {
            _ if self.close => Persistence::Close,
            Version::Http11 | Version::Http2 => Persistence::KeepAlive,
            Version::Http10 if self.keep_alive => Persistence::KeepAlive,
            Version::Http10 => Persistence::Close,
        }
    }
}

/// Digits only: no sign, no list, no blanks inside, nothing that overflows.
fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

fn text(value: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(value).map_err(|_| Malformed::Field)
}

#[cfg(test)]
mod tests {
    use httparse::Header;

    use super::*;

    fn check(version: Version, fields: &[(&str, &str)], expected: Result<Length, Malformed>) {
        let fields: Vec<Header<'_>> =
            fields.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        let found = Control::read(version, &Fields::of(&fields)).map(|control| control.length);
        assert_eq!(found, expected, "{fields:?}");
    }

    #[test]
    fn a_length_has_one_reading_or_none() {
        use Version::{Http10, Http11};
        const CL: &str = "Content-Length";
        const TE: &str = "Transfer-Encoding";
        check(Http11, &[], Ok(Length::Unsaid));
        check(Http11, &[(CL, "5")], Ok(Length::Sized(5)));
        check(Http11, &[(CL, "5"), (CL, "5")], Ok(Length::Sized(5)));
        check(Http11, &[(TE, "Chunked")], Ok(Length::Chunked));
        check(Http11, &[(CL, "5"), (CL, "6")], Err(Malformed::Length));
        check(Http11, &[(CL, "5, 5")], Err(Malformed::Length));
        check(Http11, &[(CL, "+5")], Err(Malformed::Length));
        check(Http11, &[(CL, "")], Err(Malformed::Length));
        check(Http11, &[(CL, "0x5")], Err(Malformed::Length));
        check(Http11, &[(CL, "99999999999999999999")], Err(Malformed::Length));
        check(Http11, &[(CL, "5"), (TE, "chunked")], Err(Malformed::TwoLengths));
        check(Http11, &[(TE, ", chunked,")], Ok(Length::Chunked));
        check(Http11, &[(TE, "gzip, chunked")], Err(Malformed::UnknownCoding));
        check(Http11, &[(TE, "gzip"), (TE, "chunked")], Err(Malformed::UnknownCoding));
        check(Http11, &[(TE, "gzip")], Err(Malformed::Coding));
        check(Http11, &[(TE, "chunked, gzip")], Err(Malformed::Coding));
        check(Http11, &[(TE, "chunked, chunked")], Err(Malformed::Coding));
        check(Http11, &[(TE, "gzip, chunked, chunked")], Err(Malformed::Coding));
        check(Http11, &[(TE, "\"chunked\", chunked")], Err(Malformed::Coding));
        check(Http11, &[(TE, " ")], Err(Malformed::Coding));
        check(Http11, &[(TE, "chunked"), (TE, "chunked")], Err(Malformed::Coding));
        check(Http11, &[(TE, "\u{b}chunked")], Err(Malformed::Coding));
        check(Http10, &[(TE, "chunked")], Err(Malformed::Coding));
    }

    #[test]
    fn connection_options_are_heard() {
        let fields = [
            Header { name: "Connection", value: b"Upgrade, X-Secret ,close" },
            Header { name: "Upgrade", value: b"websocket" },
        ];
        let control = Control::read(Version::Http11, &Fields::of(&fields)).unwrap();
        assert_eq!(control.persistence, Persistence::Close);
        assert_eq!(control.upgrade, Some("websocket"));
        assert!(control.lists("x-secret") && !control.lists("close"));
    }
}
