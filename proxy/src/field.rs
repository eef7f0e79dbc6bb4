//! Which header field is which, for the few that a proxy must know.
//!
//! Values are not looked at here. The invariant: a name that differs from a known one only by `_`
//! for `-` is never passed on, because CGI-like servers cannot tell the two apart.

/// A field this crate treats specially, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    Upgrade,
    Expect,
    Accept,
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

const KNOWN: &[(&str, Field)] = &[
    ("host", Field::Host),
    ("connection", Field::Connection),
    ("content-length", Field::ContentLength),
    ("transfer-encoding", Field::TransferEncoding),
    ("upgrade", Field::Upgrade),
    ("expect", Field::Expect),
    ("accept", Field::Accept),
    ("date", Field::Date),
    ("via", Field::Via),
    ("max-forwards", Field::MaxForwards),
    ("te", Field::Hop),
    ("keep-alive", Field::Hop),
    ("proxy-connection", Field::Hop),
    ("forwarded", Field::Forwarded),
    ("x-forwarded-for", Field::ForwardedFor),
    ("x-forwarded-proto", Field::ForwardedProto),
    ("x-forwarded-host", Field::ForwardedHost),
    ("x-forwarded-port", Field::ForwardedPort),
    ("x-forwarded-prefix", Field::ForwardedPrefix),
    ("x-real-ip", Field::RealIp),
    ("x-request-start", Field::RequestStart),
    ("x-request-id", Field::RequestId),
    ("proxy", Field::Disguised),
];

impl Field {
    pub(crate) fn of(name: &str) -> Self {
        let Some((known, field)) = KNOWN.iter().find(|(known, _)| same(known, name)) else {
            return Self::Other;
        };
        if known.eq_ignore_ascii_case(name) { *field } else { Self::Disguised }
    }

    /// Whether a trailer section may carry it: nothing that frames, routes or identifies.
    pub(crate) fn may_trail(self) -> bool {
        matches!(self, Self::Other)
    }
}

/// Equal but for case and `_` for `-`. Cheap to say no: lengths differ most of the time.
fn same(known: &str, name: &str) -> bool {
    known.len() == name.len()
        && known.bytes().zip(name.bytes()).all(|(known, byte)| {
            known == byte.to_ascii_lowercase() || (known == b'-' && byte == b'_')
        })
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
    }
}
