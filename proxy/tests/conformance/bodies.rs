//! Where a body ends, and what a body that lies about it costs: the connection.

use super::{Case, H, check};
use crate::stage::{Origin, Stage, status};

/// Checks cases that begin alike; each says only how it goes on.
fn check_after(start: &str, cases: &[Case<'_>]) {
    let texts: Vec<String> = cases.iter().map(|case| format!("{start}{}", case.1)).collect();
    let cases = cases.iter().zip(&texts);
    let cases: Vec<Case<'_>> =
        cases.map(|(case, text)| (case.0, text.as_str(), case.2, case.3)).collect();
    check(&cases);
}

#[test]
fn body_lengths() {
    check(&[(
        "9112 6.3 a GET with a body",
        "GET / HTTP/1.1\r\n~Content-Length: 2\r\n\r\nab",
        200,
        1,
    )]);
    check_after(
        &format!("POST / HTTP/1.1\r\n{H}Content-Length"),
        &[
            ("9112 6.2", ": 5\r\n\r\nhello", 200, 1),
            ("9112 6.2 none", ": 0\r\n\r\n", 200, 1),
            ("9112 6.3 twice the same", ": 1\r\nContent-Length: 1\r\n\r\na", 200, 1),
            ("9112 6.3 different", ": 1\r\nContent-Length: 2\r\n\r\nab", 400, 0),
            ("9112 6.3 a list", ": 5, 5\r\n\r\nhello", 400, 0),
            ("9112 6.3 a list that ends early", ": 5,\r\n\r\nhello", 400, 0),
            (
                "9112 6.3 the third is different",
                ": 5\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                400,
                0,
            ),
            ("9110 8.6 a parameter", ": 5;a\r\n\r\nhello", 400, 0),
            ("9110 8.6 digits of another script", ": \u{665}\r\n\r\nhello", 400, 0),
            ("9110 8.6 a vertical tab", ": \u{b}5\r\n\r\nhello", 400, 0),
            ("9110 8.6 a sign", ": +5\r\n\r\nhello", 400, 0),
            ("9110 8.6 negative", ": -1\r\n\r\n", 400, 0),
            ("9110 8.6 hexadecimal", ": 0x5\r\n\r\nhello", 400, 0),
            ("9110 8.6 a blank inside", ": 1 1\r\n\r\nhello", 400, 0),
            ("9110 8.6 empty", ":\r\n\r\n", 400, 0),
            ("9110 8.6 a fraction", ": 5.0\r\n\r\nhello", 400, 0),
            ("9110 8.6 too large", ": 18446744073709551616\r\n\r\n", 400, 0),
            ("9112 5.1 a blank before the colon", " : 5\r\n\r\nhello", 400, 0),
        ],
    );
}

#[test]
fn transfer_codings() {
    const GHOST: &str = "0\r\n\r\nGET /ghost HTTP/1.1\r\nHost: app.test\r\n\r\n";
    let first = format!(": chunked\r\nContent-Length: 4\r\n\r\n{GHOST}");
    let second = format!("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n{GHOST}");
    check_after(
        &format!("POST / HTTP/1.1\r\n{H}"),
        &[
            ("9112 6.3 unsaid is none", "\r\n", 200, 1),
            ("9112 6.1 both", &second, 400, 0),
            ("a name in disguise is dropped", "Content_Length: 3\r\n\r\n", 200, 1),
            ("a name in disguise is dropped", "Transfer_Encoding: chunked\r\n\r\n", 200, 1),
        ],
    );
    check_after(
        &format!("POST / HTTP/1.1\r\n{H}Transfer-Encoding"),
        &[
            ("9112 6.1", ": chunked\r\n\r\n0\r\n\r\n", 200, 1),
            ("9112 7 any case", ": CHUNKED\r\n\r\n0\r\n\r\n", 200, 1),
            ("9112 6.1 both", &first, 400, 0),
            ("9112 6.1 not chunked", ": gzip\r\n\r\n", 400, 0),
            ("9112 6.1 not last", ": chunked, gzip\r\n\r\n", 400, 0),
            ("9112 6.1 another first", ": gzip, chunked\r\n\r\n0\r\n\r\n", 501, 0),
            ("9112 6.1 an unknown one first", ": x, chunked\r\n\r\n0\r\n\r\n", 501, 0),
            (
                "9112 6.1 the same in two fields",
                ": gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                501,
                0,
            ),
            ("9112 6.1 unknown", ": x\r\n\r\n", 400, 0),
            ("9112 6.1 two words", ": chunked x\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 6.1 another word", ": xchunked\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 6.1 NUL", ": chunked\u{0}\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 5.2 folded", ":\r\n chunked\r\n\r\n0\r\n\r\n", 400, 0),
            ("9110 5.6.1 empty elements", ": ,chunked,\r\n\r\n0\r\n\r\n", 200, 1),
            ("9110 5.6.1 nothing but", ": ,\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 7 identity", ": identity\r\n\r\n", 400, 0),
            ("9112 6.1 twice", ": chunked, chunked\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 6.1 twice", ": chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 6.1 quoted", ": \"chunked\"\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 6.1 empty", ":\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 6.1 a parameter", ": chunked;a=b\r\n\r\n0\r\n\r\n", 400, 0),
            ("9112 6.1 a vertical tab", ": \u{b}chunked\r\n\r\n0\r\n\r\n", 400, 0),
        ],
    );
    let old = "POST / HTTP/1.0\r\n~Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let both =
        "POST / HTTP/1.0\r\n~Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    check(&[("9112 6.1 in HTTP/1.0", old, 400, 0), ("9112 6.1 in HTTP/1.0", both, 400, 0)]);
}

#[test]
fn chunked_bodies() {
    const P: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        ("9112 7.1", "5\r\nhello\r\n0\r\n\r\n", 200, 1),
        ("9112 7.1 small digits", "a\r\n0123456789\r\n0\r\n\r\n", 200, 1),
        ("9112 7.1 leading zeros", "0005\r\nhello\r\n000\r\n\r\n", 200, 1),
        ("9112 7.1.1 an extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n", 200, 1),
        ("9112 7.1.1 a quoted extension", "5;a=\"b c\"\r\nhello\r\n0\r\n\r\n", 200, 1),
        ("9112 7.1 many zeros", "00000000000000000005\r\nhello\r\n0\r\n\r\n", 200, 1),
        ("9110 5.6.3 bad blanks", "5 ; a = b\r\nhello\r\n0\r\n\r\n", 200, 1),
        ("9112 7.1.1 several", "5;a;b=c;d=\"\\\";e\"\r\nhello\r\n0\r\n\r\n", 200, 1),
        ("9112 7.1.1 a quote without end", "5;a=\"b\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 a line end in quotes", "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 no name", "5;=b\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 no value", "5;a=\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 NUL in an extension", "5;a\u{0}\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 a tab first", "\t5\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 a tab last", "5\t\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 an underscore", "1_0\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 bare CR everywhere", "5\rhello\r0\r\r", 400, 0),
        ("9112 7.1 bare LF everywhere", "5\nhello\n0\n\n", 400, 0),
        ("9112 7.1 no end of the data", "5\r\nhello0\r\n\r\n", 400, 0),
        ("9112 7.1 all bits", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 CR CR LF", "0\r\r\n\r\n", 400, 0),
        ("9112 7.1.2 a blank first", "0\r\n A: b\r\n\r\n", 400, 0),
        ("9112 7.1.2 NUL", "0\r\nA: b\u{0}\r\n\r\n", 400, 0),
        ("9112 7.1.2 no name", "0\r\n: b\r\n\r\n", 400, 0),
        ("9112 7.1.2 a trailer", "5\r\nhello\r\n0\r\nSum: x\r\n\r\n", 200, 1),
        ("9110 6.5.1 a trailer that frames", "0\r\nContent-Length: 5\r\nHost: b\r\n\r\n", 200, 1),
        ("9112 7.1 no size", "\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 no digit", "g\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 a sign", "+5\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 negative", "-5\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 0x", "0x5\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 a blank first", " 5\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 a blank last", "5 \r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 too large", "10000000000000000\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 bare LF after the size", "5\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 bare CR after the size", "5\rhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 bare LF after the data", "5\r\nhello\n0\r\n\r\n", 400, 0),
        ("9112 7.1 data too long", "5\r\nhello!\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1 data too short", "6\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 an empty extension", "5;\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 a control character", "5;a=\u{1}\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.1 not ASCII", "5;a=\u{e9}\r\nhello\r\n0\r\n\r\n", 400, 0),
        ("9112 7.1.2 a blank before the colon", "0\r\nA : b\r\n\r\n", 400, 0),
        ("9112 7.1.2 bare LF", "0\r\nA: b\n\r\n", 400, 0),
        ("9112 7.1.2 folding", "0\r\nA: b\r\n c\r\n\r\n", 400, 0),
        ("9112 7.1.2 no colon", "0\r\nGET / HTTP/1.1\r\n\r\n", 400, 0),
        ("9112 7.1 bare LF at the end", "0\r\n\n", 400, 0),
    ];
    check_after(P, &cases);
    let long = format!("{P}5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(2000));
    check(&[("9112 7.1.1 a long extension", &long, 400, 0)]);
}

#[test]
fn a_body_that_turns_bad_late_is_never_finished() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let mut client = stage.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    );
    stage.await_traffic("the request to be on its way", |traffic| {
        traffic.upstreams.values().any(|upstream| upstream.in_flight == 1)
    });
    client.send("zz\r\n");
    let answer = client.rest();
    assert_eq!(status(&answer), 400, "{answer}");
    assert!(origin.seen().is_empty(), "the origin never saw the end of the body");
}
