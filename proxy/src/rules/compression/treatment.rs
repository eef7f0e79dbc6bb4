//! What becomes of one response: nothing, a word to caches, or another coding.
//!
//! It sees a head and compresses nothing. Whether a response varies is said with the plain variant
//! too, as a cache must not give one client what another asked for (RFC 9110 section 12.5.5).

use httparse::Header;

use crate::rules::compression::{Coding, Offer};

/// What is done to a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It passes as it is.
    Untouched,
    /// It could be compressed for another client.
    Varies,
    Coded(Coding),
}

/// What a treated field says to the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    Same(&'a [u8]),
    Changed(Vec<u8>),
    Nothing,
}

/// Not worth it below this size, in bytes: a smaller one fits a packet or two as it is.
const LEAST: u64 = 1024;

/// What to do with a response of this status and length, if it is known.
pub(crate) fn treat(
    offer: Offer,
    status: u16,
    length: Option<u64>,
    fields: &[Header<'_>],
) -> Treatment {
    // 206: a part of the coded bytes is not the coding of a part. 204 and 304 have no body, and a
    // 304 leaves what a cache knows as it is.
    let coded = status >= 200 && !matches!(status, 204 | 205 | 206 | 304);
    let large = length.is_none_or(|length| length > LEAST);
    let values = |name: &'static str| {
        let named = fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value)
    };
    let mut directives = values("cache-control").flat_map(tokens);
    if offer == Offer::Off
        || !coded
        || !large
        || values("content-encoding").next().is_some()
        || values("content-range").next().is_some()
        || !values("content-type").next().is_some_and(is_text)
        || directives.any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
    {
        return Treatment::Untouched;
    }
    match offer {
        Offer::In(coding) => Treatment::Coded(coding),
        Offer::Plain | Offer::Off => Treatment::Varies,
    }
}

/// Whether a media type is text that gets smaller, and not one that is waited for event by event.
fn is_text(media_type: &[u8]) -> bool {
    let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    if essence == b"text/event-stream" || essence.starts_with(b"application/grpc") {
        return false;
    }
    essence.starts_with(b"text/")
        || essence.ends_with(b"+json")
        || essence.ends_with(b"+xml")
        || OTHER_TEXT.contains(&&*essence)
}

const OTHER_TEXT: &[&[u8]] = &[
    b"application/json",
    b"application/javascript",
    b"application/x-javascript",
    b"application/ecmascript",
    b"application/xml",
    b"application/x-ndjson",
    b"application/graphql",
    b"application/toml",
    b"application/yaml",
    b"application/x-yaml",
];

fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

impl Treatment {
    /// Whether the body will be another than the upstream's.
    pub(crate) fn is_coded(self) -> bool {
        matches!(self, Self::Coded(_))
    }

    /// What a field of the upstream says after the treatment.
    pub(crate) fn field<'a>(self, name: &str, value: &'a [u8]) -> Said<'a> {
        if !self.is_coded() {
            return Said::Same(value);
        }
        // The same page in two codings is not the same bytes (RFC 9110 section 8.8.1).
        if name.eq_ignore_ascii_case("etag") && !value.starts_with(b"W/") {
            return Said::Changed([b"W/", value].concat());
        }
        // Ranges and digests are those of the plain bytes.
        let of_plain = ["accept-ranges", "content-md5", "content-digest"];
        if of_plain.iter().any(|plain| name.eq_ignore_ascii_case(plain)) {
            return Said::Nothing;
        }
        Said::Same(value)
    }

    /// The fields that the treatment adds.
    pub(crate) fn added(self, fields: &[Header<'_>]) -> impl Iterator<Item = Added> {
        let coding = match self {
            Self::Coded(coding) => Some(("Content-Encoding", coding.name())),
            Self::Untouched | Self::Varies => None,
        };
        let vary = Some(("Vary", "Accept-Encoding"))
            .filter(|_| self != Self::Untouched && !is_said_to_vary(fields));
        coding.into_iter().chain(vary)
    }
}

/// A field of ours: its name and its value.
pub(crate) type Added = (&'static str, &'static str);

fn is_said_to_vary(fields: &[Header<'_>]) -> bool {
    let mut vary = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("vary"));
    vary.any(|field| {
        let mut names = tokens(field.value);
        names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, length: Option<u64>, fields: &str, expected: bool) {
        let fields: Vec<Header<'_>> = fields
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| Header { name, value: value.as_bytes() })
            .collect();
        let found = treat(Offer::In(Coding::Gzip), status, length, &fields);
        assert_eq!(found.is_coded(), expected, "{status} {length:?} {fields:?}");
        let varies = treat(Offer::Plain, status, length, &fields) == Treatment::Varies;
        assert_eq!(varies, expected, "what could be coded varies: {fields:?}");
        assert_eq!(treat(Offer::Off, status, length, &fields), Treatment::Untouched);
    }

    #[test]
    fn only_large_plain_text_is_compressed() {
        let html = "content-type: text/html; charset=utf-8";
        check(200, None, html, true);
        check(404, Some(1025), html, true);
        check(200, Some(1024), html, false);
        for status in [101, 103, 204, 205, 206, 304] {
            check(status, None, html, false);
        }
        for (media_type, expected) in [
            ("Application/JSON", true),
            ("application/problem+json", true),
            ("image/svg+xml", true),
            ("application/wasm", false),
            ("text/event-stream", false),
            ("TEXT/event-stream;charset=utf-8", false),
            ("application/grpc", false),
            ("application/grpc+json", false),
            ("application/octet-stream", false),
            ("image/png", false),
            ("", false),
        ] {
            check(200, None, &format!("Content-Type: {media_type}"), expected);
        }
        check(200, None, "X: y", false);
        check(200, None, &format!("{html}\nContent-Encoding: gzip"), false);
        check(200, None, &format!("{html}\ncontent-encoding: identity"), false);
        check(200, None, &format!("{html}\nCache-Control: public, No-Transform"), false);
        check(200, None, &format!("{html}\nCache-Control: public"), true);
        check(200, None, &format!("{html}\nContent-Range: bytes 0-1/2"), false);
    }

    #[test]
    fn a_coded_head_is_true_of_its_body() {
        let coded = Treatment::Coded(Coding::Brotli);
        assert_eq!(coded.field("ETag", b"\"a\""), Said::Changed(b"W/\"a\"".to_vec()));
        assert_eq!(coded.field("etag", b"W/\"a\""), Said::Same(b"W/\"a\""));
        assert_eq!(coded.field("accept-RANGES", b"bytes"), Said::Nothing);
        assert_eq!(Treatment::Varies.field("ETag", b"\"a\""), Said::Same(b"\"a\""));
        let added = |treatment: Treatment, vary: &str| -> Vec<Added> {
            treatment.added(&[Header { name: "vary", value: vary.as_bytes() }]).collect()
        };
        let both = [("Content-Encoding", "br"), ("Vary", "Accept-Encoding")];
        assert_eq!(added(coded, "Cookie"), both);
        assert_eq!(added(coded, "Cookie, accept-encoding"), both[..1]);
        assert_eq!(added(Treatment::Varies, "*"), []);
        assert_eq!(added(Treatment::Varies, "Cookie"), both[1..]);
        assert_eq!(added(Treatment::Untouched, "Cookie"), []);
    }
}
