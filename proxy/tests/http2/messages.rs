//! What RFC 9113 section 8 asks of requests, and RFC 7541 of their compression.

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, HEADERS, POST, WHOLE, block, frame, open,
    request,
};
use super::outcome::Expected::{self, Connection, Ok as Fine, Refused, Stream};
use super::outcome::{COMPRESSION_ERROR, PROTOCOL_ERROR, check, with};

#[test]
fn section_8_1_1_lengths() {
    let trailers = |fields: &[(&str, &str)]| frame(HEADERS, WHOLE, 1, &block(fields));
    check(&[
        (
            "8.1.1 trailers before the length is reached",
            vec![
                open(1, &[POST, &[("content-length", "2")]].concat()),
                frame(DATA, 0, 1, b"x"),
                trailers(&[("sum", "1")]),
            ],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1.1 a length that is too large",
            vec![
                open(1, &[POST, &[("content-length", "2")]].concat()),
                frame(DATA, END_STREAM, 1, b"x"),
            ],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1.1 a length and no body",
            vec![request(1, &[POST, &[("content-length", "1")]].concat())],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1.1 two lengths",
            vec![open(1, &[POST, &[("content-length", "1"), ("content-length", "2")]].concat())],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1.1 a length that is no number",
            vec![open(1, &[POST, &[("content-length", "+1")]].concat())],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1.1 a length that is too small",
            vec![
                open(1, &[POST, &[("content-length", "1")]].concat()),
                frame(DATA, 0, 1, b"x"),
                frame(DATA, END_STREAM, 1, b"x"),
            ],
            Stream(PROTOCOL_ERROR),
        ),
    ]);
}

#[test]
fn section_8_1_1_ends() {
    check(&[
        (
            "8.1.1 a length of none, and a body",
            vec![
                open(1, &[POST, &[("content-length", "0")]].concat()),
                frame(DATA, END_STREAM, 1, b"GET / HTTP/1.1\r\n\r\n"),
            ],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1.1 a length of none, and an end of its own",
            vec![
                open(1, &[POST, &[("content-length", "0")]].concat()),
                frame(DATA, END_STREAM, 1, b""),
            ],
            Fine,
        ),
        (
            "8.1.1 a length, and an end of its own",
            vec![
                open(1, &[POST, &[("content-length", "2")]].concat()),
                frame(DATA, 0, 1, b"a"),
                frame(DATA, 0, 1, b"b"),
                frame(DATA, END_STREAM, 1, b""),
            ],
            Fine,
        ),
        (
            "8.1.1 a length, and an end by trailers",
            vec![
                open(1, &[POST, &[("content-length", "1")]].concat()),
                frame(DATA, 0, 1, b"x"),
                request(1, &[("sum", "1")]),
            ],
            Fine,
        ),
    ]);
}

#[test]
fn section_8_1_messages() {
    let trailers = |fields: &[(&str, &str)]| frame(HEADERS, WHOLE, 1, &block(fields));
    check(&[
        ("8.1 a body", vec![open(1, POST), frame(DATA, END_STREAM, 1, b"x")], Fine),
        (
            "8.1 trailers",
            vec![open(1, POST), frame(DATA, 0, 1, b"x"), trailers(&[("sum", "1")])],
            Fine,
        ),
        (
            "8.1 a second head that does not end the stream",
            vec![open(1, POST), frame(DATA, 0, 1, b"x"), open(1, POST)],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1 a pseudo-header field in trailers",
            vec![
                open(1, POST),
                frame(DATA, 0, 1, b"x"),
                trailers(&[("a", "b"), (":method", "GET")]),
            ],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1 trailers with a pseudo-header field first",
            vec![open(1, POST), frame(DATA, 0, 1, b"x"), trailers(&[(":path", "/")])],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1 the same from the static table",
            vec![open(1, POST), frame(DATA, 0, 1, b"x"), frame(HEADERS, WHOLE, 1, &[0x84])],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1 the same, its name coded",
            vec![open(1, POST), frame(HEADERS, WHOLE, 1, b"\0\x84\xb9\x58\xd3\x3f\x01/")],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1 capitals in trailers",
            vec![open(1, POST), frame(DATA, 0, 1, b"x"), trailers(&[("A", "b")])],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.1 CR LF in trailers",
            vec![open(1, POST), frame(DATA, 0, 1, b"x"), trailers(&[("a", "b\r\nc: d")])],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.2.1 a blank in trailers",
            vec![open(1, POST), frame(DATA, 0, 1, b"x"), trailers(&[("a", " b")])],
            Stream(PROTOCOL_ERROR),
        ),
        (
            "8.2.2 a connection's field in trailers",
            vec![open(1, POST), frame(DATA, 0, 1, b"x"), trailers(&[("connection", "b")])],
            Stream(PROTOCOL_ERROR),
        ),
        ("8.1 trailers and no body", vec![open(1, POST), trailers(&[("sum", "1")])], Fine),
        ("8.1 no field at all", vec![frame(HEADERS, WHOLE, 1, &[])], Stream(PROTOCOL_ERROR)),
    ]);
}

#[test]
fn section_8_2_fields() {
    let cases: &[(&str, (&str, &str), Expected)] = &[
        ("8.2", ("accept", "*/*"), Fine),
        ("8.2.1 capitals in a name", ("X-Test", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 a blank in a name", ("x test", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 a colon in a name", ("x:test", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 not ASCII in a name", ("x\u{e9}", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 no name", ("", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 a quotation mark in a name", ("x\"", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 a comma in a name", ("x,", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 DEL in a name", ("x\u{7f}", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 only a blank", ("x", " "), Stream(PROTOCOL_ERROR)),
        ("8.2.1 nothing", ("x", ""), Fine),
        ("8.2.1 a tab inside", ("x", "a\tb"), Fine),
        ("8.2.1 NUL in a value", ("x", "a\0b"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 LF in a value", ("x", "a\nb"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 CR in a value", ("x", "a\rb"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 a smuggled field", ("x", "a\r\nhost: evil"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 a blank before a value", ("x", " a"), Stream(PROTOCOL_ERROR)),
        ("8.2.1 a tab behind a value", ("x", "a\t"), Stream(PROTOCOL_ERROR)),
        ("8.2.2 connection", ("connection", "keep-alive"), Stream(PROTOCOL_ERROR)),
        ("8.2.2 keep-alive", ("keep-alive", "5"), Stream(PROTOCOL_ERROR)),
        ("8.2.2 proxy-connection", ("proxy-connection", "close"), Stream(PROTOCOL_ERROR)),
        ("8.2.2 transfer-encoding", ("transfer-encoding", "chunked"), Stream(PROTOCOL_ERROR)),
        ("8.2.2 upgrade", ("upgrade", "websocket"), Stream(PROTOCOL_ERROR)),
        ("8.2.2 te", ("te", "trailers, deflate"), Stream(PROTOCOL_ERROR)),
        ("8.2.2 te: trailers", ("te", "trailers"), Fine),
        ("8.3 an unknown pseudo-header field", (":test", "ok"), Stream(PROTOCOL_ERROR)),
        ("8.3 one of an answer", (":status", "200"), Stream(PROTOCOL_ERROR)),
        ("8.3 one behind a field", (":path", "/"), Stream(PROTOCOL_ERROR)),
        ("8.3.1 the same host", ("host", "app.test"), Fine),
        ("8.3.1 another host", ("host", "evil.test"), Stream(PROTOCOL_ERROR)),
    ];
    for (name, field, expected) in cases {
        check(&[(name, vec![request(1, &with(&[*field]))], *expected)]);
    }
}

/// A name, the fields of a request, and what must become of it.
type Case = (&'static str, Vec<(&'static str, &'static str)>, Expected);

const METHOD: (&str, &str) = (":method", "GET");
const SCHEME: (&str, &str) = (":scheme", "https");
const PATH: (&str, &str) = (":path", "/");
const AUTHORITY: (&str, &str) = (":authority", "app.test");

fn check_requests(cases: &[Case]) {
    for (name, fields, expected) in cases {
        check(&[(name, vec![request(1, fields)], *expected)]);
    }
}

#[test]
fn section_8_3_requests() {
    let path = |path: &'static str| vec![METHOD, SCHEME, (":path", path), AUTHORITY];
    check_requests(&[
        ("8.3 behind a field", vec![METHOD, SCHEME, AUTHORITY, ("a", "b"), PATH], Stream(1)),
        ("8.3.1 no method", vec![SCHEME, PATH, AUTHORITY], Stream(1)),
        ("8.3.1 no scheme", vec![METHOD, PATH, AUTHORITY], Stream(1)),
        ("8.3.1 no path", vec![METHOD, SCHEME, AUTHORITY], Stream(1)),
        ("8.3.1 no scheme to speak of", vec![METHOD, (":scheme", ""), PATH, AUTHORITY], Stream(1)),
        ("8.3.1 another scheme", vec![METHOD, (":scheme", "ftp"), PATH, AUTHORITY], Stream(1)),
        (
            "8.3.1 a URL as a scheme",
            vec![METHOD, (":scheme", "https://evil.test/?"), PATH, AUTHORITY],
            Stream(1),
        ),
        ("8.3.1 no method to speak of", vec![(":method", ""), SCHEME, PATH, AUTHORITY], Stream(1)),
        ("8.3.1 capitals", vec![(":METHOD", "GET"), SCHEME, PATH, AUTHORITY], Stream(1)),
        ("8.3.1 a query as a path", path("?a"), Stream(1)),
        ("8.3.1 NUL in a path", path("/\0"), Stream(1)),
        ("8.3.1 a tab in a path", path("/\t"), Stream(1)),
        ("8.3.1 DEL in a path", path("/\u{7f}"), Stream(1)),
        (
            "8.3.1 * of OPTIONS",
            vec![(":method", "OPTIONS"), SCHEME, (":path", "*"), AUTHORITY],
            Fine,
        ),
        ("8.3.1 an empty authority", vec![METHOD, SCHEME, PATH, (":authority", "")], Stream(1)),
        (
            "8.3.1 CR LF in an authority",
            vec![METHOD, SCHEME, PATH, (":authority", "app.test\r\nx: y")],
            Stream(1),
        ),
        (
            "8.3.1 two hosts",
            vec![METHOD, SCHEME, PATH, ("host", "app.test"), ("host", "app.test")],
            Stream(1),
        ),
        ("8.5 CONNECT to nowhere", vec![(":method", "CONNECT")], Stream(1)),
        ("8.5 CONNECT with a scheme", vec![(":method", "CONNECT"), SCHEME, AUTHORITY], Stream(1)),
        ("8.3.1 an empty path", path(""), Stream(1)),
        ("8.3.1 two methods", vec![METHOD, METHOD, SCHEME, PATH, AUTHORITY], Stream(1)),
        ("8.3.1 two schemes", vec![METHOD, SCHEME, SCHEME, PATH, AUTHORITY], Stream(1)),
        ("8.3.1 two paths", vec![METHOD, SCHEME, PATH, PATH, AUTHORITY], Stream(1)),
        ("8.3.1 two authorities", vec![METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY], Stream(1)),
        ("8.3.1 a host and no authority", vec![METHOD, SCHEME, PATH, ("host", "app.test")], Fine),
        ("8.3.1 neither", vec![METHOD, SCHEME, PATH], Stream(1)),
        ("8.3.1 a user name", vec![METHOD, SCHEME, PATH, (":authority", "a@app.test")], Stream(1)),
        ("8.3.1 a path without a slash", path("a"), Stream(1)),
        ("8.3.1 a URL as a path", path("http://evil.test/"), Stream(1)),
        ("8.3.1 * of GET", path("*"), Stream(1)),
        ("8.3.1 a blank in a path", path("/a b"), Stream(1)),
        ("8.3.1 CR LF in a path", path("/ HTTP/1.1\r\nhost: evil"), Stream(1)),
        ("8.3.1 not ASCII in a path", path("/\u{e9}"), Stream(1)),
    ]);
}

#[test]
fn section_8_3_targets_and_connect() {
    check_requests(&[
        (
            "8.3.1 a blank in a method",
            vec![(":method", "GET /"), SCHEME, PATH, AUTHORITY],
            Stream(1),
        ),
        ("8.3.1 an unknown host", vec![METHOD, SCHEME, PATH, (":authority", "b.test")], Refused),
        ("8.5 CONNECT", vec![(":method", "CONNECT"), (":authority", "app.test:80")], Refused),
        (
            "8.5 CONNECT with a path",
            vec![(":method", "CONNECT"), SCHEME, PATH, AUTHORITY],
            Stream(1),
        ),
        (
            "8441 4 another protocol",
            vec![(":method", "CONNECT"), (":protocol", "foo"), SCHEME, PATH, AUTHORITY],
            Refused,
        ),
        (
            "8441 4 a protocol and no CONNECT",
            vec![METHOD, (":protocol", "websocket"), SCHEME, PATH, AUTHORITY],
            Stream(1),
        ),
    ]);
}

#[test]
fn rfc_7541_tables() {
    let bad = |more: &[u8]| vec![frame(HEADERS, WHOLE, 1, &[&block(GET), more].concat())];
    let error = Connection(COMPRESSION_ERROR);
    check(&[
        ("2.3.3 an index beyond the tables", bad(&[0xff, 0x00]), error),
        ("6.1 index 0", bad(&[0x80]), error),
        ("4.2 a size update at the end of a block", bad(&[0x21]), error),
        (
            "4.2 a size update in front",
            vec![frame(HEADERS, WHOLE, 1, &[&[0x20][..], &block(GET)].concat())],
            Fine,
        ),
        (
            "6.3 a size above the setting",
            vec![frame(HEADERS, WHOLE, 1, &[&[0x3f, 0xe1, 0xff, 3][..], &block(GET)].concat())],
            error,
        ),
        (
            "4.2 a size update inside a block",
            vec![frame(
                HEADERS,
                WHOLE,
                1,
                &[&block(&GET[..1])[..], &[0x20], &block(&GET[1..])].concat(),
            )],
            error,
        ),
        (
            "4.2 two size updates in front",
            vec![frame(HEADERS, WHOLE, 1, &[&[0x20, 0x3f, 0xe1, 0x1f][..], &block(GET)].concat())],
            Fine,
        ),
        (
            "4.2 a size of one more than the setting",
            vec![frame(HEADERS, WHOLE, 1, &[&[0x3f, 0xe2, 0x1f][..], &block(GET)].concat())],
            error,
        ),
        (
            "4.4 an entry that was evicted",
            vec![
                frame(HEADERS, WHOLE, 1, &[&block(GET)[..], b"\x40\x01x\x01y"].concat()),
                frame(HEADERS, WHOLE, 3, &[b"\x20\xbe", &block(GET)[..]].concat()),
            ],
            error,
        ),
        (
            "4.4 an entry larger than the table empties it",
            bad(&[b"\x40\x01x\x01y\x40\x01z\x7f\xa9\x27", &[b'a'; 5032][..], b"\xbe"].concat()),
            error,
        ),
        ("2.3.2 an entry that was added", bad(b"\x40\x01x\x01y\xbe"), Fine),
        ("2.3.3 one beyond the static table", bad(&[0xbe]), error),
        ("2.3.3 a name beyond the static table", bad(b"\x7e\x01a"), error),
        ("6.2.3 never indexed", bad(b"\x10\x01x\x01y"), Fine),
        ("4.3 of a trailer section", vec![open(1, POST), frame(HEADERS, WHOLE, 1, &[0x80])], error),
        (
            "4.3 in a CONTINUATION",
            vec![
                frame(HEADERS, END_STREAM, 1, &block(GET)),
                frame(CONTINUATION, END_HEADERS, 1, &[0x80]),
            ],
            error,
        ),
    ]);
}

#[test]
fn rfc_7541_integers_and_strings() {
    let bad = |more: &[u8]| vec![frame(HEADERS, WHOLE, 1, &[&block(GET), more].concat())];
    let error = Connection(COMPRESSION_ERROR);
    check(&[
        ("5.2 a name beyond the block", bad(b"\0\x7e"), error),
        ("5.2 a literal without a value", bad(b"\0\x01a"), error),
        ("5.2 a coded string of nothing", bad(b"\0\x01x\x80"), Fine),
        ("5.1 an integer without an end", bad(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), error),
        ("5.2 padding of more than 7 bits", bad(b"\0\x01x\x82\x1f\xff"), error),
        ("5.2 padding of zeros", bad(b"\0\x01x\x81\x18"), error),
        ("5.2 an EOS in a string", bad(b"\0\x01x\x84\xff\xff\xff\xff"), error),
        ("5.2 a string beyond the block", bad(b"\0\x01x\x7e"), error),
    ]);
}
