//! Which header field is which, for the few that a proxy must know.
//!
//! Values are not looked at here. The invariant: a name that differs from a known one only by `_`
//! for `-` is never passed on, because CGI-like servers cannot tell the two apart.

use httparse::Header;

/// A field this crate treats specially, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    Upgrade,
    Expect,
    Date,
    Via,
    MaxForwards,
    /// Meant for one hop only, whatever its value.
    Hop,
    /// About the client and the way here; only a trusted peer may set it.
    Forwarded,
    ForwardedFor,
    ForwardedProto,
    ForwardedHost,
    ForwardedPort,
    ForwardedPrefix,
    RealIp,
    RequestStart,
    RequestId,
    /// A known name spelt with `_`, or `Proxy`, which CGI turns into an environment variable that
    /// HTTP clients obey.
    Disguised,
    Other,
}

/// The names that are this long: most names are told apart from all of these by their length alone.
fn known(length: usize) -> &'static [(&'static str, Field)] {
    match length {
        2 => &[("te", Field::Hop)],
        3 => &[("via", Field::Via)],
        4 => &[("host", Field::Host), ("date", Field::Date)],
        5 => &[("proxy", Field::Disguised)],
        6 => &[("expect", Field::Expect)],
        7 => &[("upgrade", Field::Upgrade)],
        9 => &[("forwarded", Field::Forwarded), ("x-real-ip", Field::RealIp)],
        10 => &[("connection", Field::Connection), ("keep-alive", Field::Hop)],
        12 => &[("max-forwards", Field::MaxForwards), ("x-request-id", Field::RequestId)],
        14 => &[("content-length", Field::ContentLength)],
        15 => &[("x-forwarded-for", Field::ForwardedFor), ("x-request-start", Field::RequestStart)],
        16 => &[
            ("proxy-connection", Field::Hop),
            ("x-forwarded-host", Field::ForwardedHost),
            ("x-forwarded-port", Field::ForwardedPort),
        ],
        17 => &[
            ("transfer-encoding", Field::TransferEncoding),
            ("x-forwarded-proto", Field::ForwardedProto),
        ],
        18 => &[("x-forwarded-prefix", Field::ForwardedPrefix)],
        _ => &[],
    }
}

impl Field {
    pub(crate) fn of(name: &str) -> Self {
        for (known, field) in known(name.len()) {
            if alike(known, name) {
                return *field;
            }
            if same(known, name) {
                return Self::Disguised;
            }
        }
        Self::Other
    }

    /// Whether a trailer section may carry it: nothing that frames, routes or identifies.
    pub(crate) fn may_trail(self) -> bool {
        matches!(self, Self::Other)
    }
}

/// The fields of one head, each of them looked up once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'h, 'b> {
    pub(crate) lines: &'h [Header<'b>],
    known: [Field; MOST_FIELDS],
}

/// The most header fields of one head.
pub(crate) const MOST_FIELDS: usize = 100;

impl<'h, 'b> Fields<'h, 'b> {
    /// Of no more than [`MOST_FIELDS`] lines.
    pub(crate) fn of(lines: &'h [Header<'b>]) -> Self {
        debug_assert!(lines.len() <= MOST_FIELDS, "the parsers have no room for more");
        let mut known = [Field::Other; MOST_FIELDS];
        for (known, line) in known.iter_mut().zip(lines) {
            *known = Field::of(line.name);
        }
        Self { lines, known }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Field, &'h Header<'b>)> {
        self.known.iter().copied().zip(self.lines)
    }
}

/// Equal but for case, if they are equally long. The name is a token, in which case is one bit; in
/// `-` that bit is set.
fn alike(known: &str, name: &str) -> bool {
    known.bytes().zip(name.bytes()).all(|(known, byte)| known == byte | 0x20)
}

/// Equal but for case and `_` for `-`, if they are equally long.
fn same(known: &str, name: &str) -> bool {
    known
        .bytes()
        .zip(name.bytes())
        .all(|(known, byte)| known == byte.to_ascii_lowercase() || (known == b'-' && byte == b'_'))
}

/// Appends `name: value` and a line end.
pub(crate) fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A field of the edge's own for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(Field::of("HOST"), Field::Host);
        assert_eq!(Field::of("Content-Length"), Field::ContentLength);
        assert_eq!(Field::of("Content_Length"), Field::Disguised);
        assert_eq!(Field::of("X_Forwarded_For"), Field::Disguised);
        assert_eq!(Field::of("Proxy"), Field::Disguised);
        assert_eq!(Field::of("X-Custom"), Field::Other);
        assert_eq!(Field::of("TE"), Field::Hop);
        assert_eq!(Field::of(""), Field::Other);
        for length in 0..64 {
            assert!(known(length).iter().all(|(name, _)| name.len() == length));
        }
        for byte in 0x21..=0x7e {
            let name = char::from(byte).to_string();
            for known in ["-", "a", "m", "z"] {
                assert_eq!(
                    alike(known, &name),
                    known.eq_ignore_ascii_case(&name),
                    "{known} {name}"
                );
            }
        }
    }
}
