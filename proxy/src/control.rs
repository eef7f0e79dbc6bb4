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
        let mut coding = None;
        let mut upgrade = None;
        for (known, field) in fields.iter() {
            match known {
                Field::Connection => found.add(field.value)?,
                Field::ContentLength => {
                    let value = number(field.value).ok_or(Malformed::Length)?;
                    if length.replace(value).is_some_and(|before| before != value) {
                        return Err(Malformed::Length);
                    }
                }
                Field::TransferEncoding if coding.replace(field.value).is_some() => {
                    return Err(Malformed::Coding);
                }
                Field::Upgrade if upgrade.replace(field.value).is_some() => {
                    return Err(Malformed::Field);
                }
                _ => {}
            }
        }
        let length = match (length, coding) {
            (None, None) => Length::Unsaid,
            (Some(size), None) => Length::Sized(size),
            (Some(_), Some(_)) => return Err(Malformed::TwoLengths),
            // HTTP/1.0 does not know it; whoever sends it there is confused or an attacker.
            (None, Some(_)) if version == Version::Http10 => return Err(Malformed::Coding),
            (None, Some(value)) if value.eq_ignore_ascii_case(b"chunked") => Length::Chunked,
            (None, Some(_)) => return Err(Malformed::Coding),
        };
        let upgrade = match upgrade {
            Some(value) if found.upgrade => Some(text(value)?),
            Some(_) | None => None,
        };
        Ok(Self { persistence: found.persistence(version), length, upgrade, listed: found.others })
    }

    /// Whether `Connection` lists this field, so that it must not travel further.
    pub(crate) fn lists(&self, name: &str) -> bool {
        self.listed.iter().any(|listed| listed.eq_ignore_ascii_case(name))
    }
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
        check(Http11, &[(TE, "gzip, chunked")], Err(Malformed::Coding));
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
