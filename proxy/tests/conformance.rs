//! What is valid HTTP/1.1 passes, what is not is refused, and nothing malformed gets through.
//!
//! Each case names the rule it comes from, is sent as raw bytes through the edge to a recording
//! origin, and says what the client is answered and how many requests the origin may have seen.
//! The origin judges what it gets by rules of its own.

use crate::stage::{Client, Origin, Stage, status};

/// The rule, what is sent, the first status, how many requests reach the origin.
type Case<'a> = (&'a str, &'a str, u16, usize);

const H: &str = "Host: app.test\r\nConnection: close\r\n";

/// Sends each case (with `~` for the usual fields) and reports all that went wrong, not the first.
fn check(cases: &[Case<'_>]) {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let mut wrong = Vec::new();
    let mut before = 0;
    for (rule, request, expected, requests) in cases {
        let answer = stage.exchange(request.replace('~', H));
        let seen = origin.seen().len();
        let found = (status(&answer), seen - before);
        before = seen;
        if found != (*expected, *requests) {
            wrong.push(format!(
                "{rule}: {request:?}\n    {found:?}, not {:?}",
                (expected, requests)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(origin.faults(), Vec::<String>::new());
}

#[test]
fn request_lines() {
    check(&[
        ("9112 3", "GET / HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.1 any token is a method", "PURGE / HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.1 methods keep their case", "get / HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 2.2 an empty line first", "\r\nGET / HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3 two spaces", "GET  / HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3 two spaces", "GET /  HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3 a tab", "GET\t/ HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3 a space at the end", "GET / HTTP/1.1 \r\n~\r\n", 400, 0),
        ("9112 3 a space first", " GET / HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3 no version", "GET /\r\n~\r\n", 400, 0),
        ("9112 3 no target", "GET HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3 no method", "/ HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 2.3 a version in small letters", "GET / http/1.1\r\n~\r\n", 400, 0),
        ("9112 2.3 a later version", "GET / HTTP/2.0\r\n~\r\n", 505, 0),
        ("9112 2.3 a later version", "GET / HTTP/1.2\r\n~\r\n", 505, 0),
        ("9112 2.3 a long version", "GET / HTTP/1.10\r\n~\r\n", 400, 0),
        ("9113 3.4 the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0),
        ("9110 9.1 a method that is no token", "G(T / HTTP/1.1\r\n~\r\n", 400, 0),
        ("9110 9.1 a method that is no token", "G\u{e9}T / HTTP/1.1\r\n~\r\n", 400, 0),
        ("9110 9.3.6 CONNECT", "CONNECT app.test:80 HTTP/1.1\r\n~\r\n", 501, 0),
        ("not HTTP: a TLS greeting", "\u{16}\u{3}\u{1}\u{0}", 400, 0),
    ]);
}

#[test]
fn request_targets() {
    check(&[
        ("9112 3.2.1", "GET /a/b;c?d=e&f={g}|h HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.2.1 an encoded slash stays", "GET /a%2Fb HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.2.2 absolute form", "GET http://app.test/x HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.2.2 absolute form, no path", "GET http://app.test HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.2.2 absolute form, capitals", "GET HTTP://APP.TEST/ HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.2.2 another host", "GET http://evil.test/ HTTP/1.1\r\n~\r\n", 400, 0),
        ("9110 4.2.4 a user name", "GET http://u@app.test/ HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3.2.2 another scheme", "GET ftp://app.test/ HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3.2.2 no authority", "GET http:///x HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3.2.4", "OPTIONS * HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.2.4 only for OPTIONS", "GET * HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3.2 no leading slash", "GET a HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3.2.3 authority form", "GET app.test:80 HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3.2 a fragment", "GET /a#b HTTP/1.1\r\n~\r\n", 400, 0),
        ("3986 2 not ASCII", "GET /\u{e9} HTTP/1.1\r\n~\r\n", 400, 0),
        ("3986 2 a control character", "GET /\u{1} HTTP/1.1\r\n~\r\n", 400, 0),
        ("3986 2 NUL", "GET /\u{0} HTTP/1.1\r\n~\r\n", 400, 0),
        ("3986 2 DEL", "GET /\u{7f} HTTP/1.1\r\n~\r\n", 400, 0),
    ]);
}

#[test]
fn hosts() {
    check(&[
        ("9112 3.2", "GET / HTTP/1.1\r\nHost:app.test\r\nConnection: close\r\n\r\n", 200, 1),
        (
            "9110 4.2.3 capitals",
            "GET / HTTP/1.1\r\nhOST: APP.Test\r\nConnection: close\r\n\r\n",
            200,
            1,
        ),
        (
            "9110 7.2 a port",
            "GET / HTTP/1.1\r\nHost: app.test:81\r\nConnection: close\r\n\r\n",
            200,
            1,
        ),
        (
            "3986 3.2.2 IPv6",
            "GET / HTTP/1.1\r\nHost: [0::1]:9\r\nConnection: close\r\n\r\n",
            200,
            1,
        ),
        (
            "3986 3.2.2 a final dot",
            "GET / HTTP/1.1\r\nHost: app.test.\r\nConnection: close\r\n\r\n",
            200,
            1,
        ),
        ("an unknown host", "GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n", 404, 0),
        ("9112 3.2 none", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400, 0),
        ("9112 3.2 two", "GET / HTTP/1.1\r\nHost: app.test\r\nHost: b\r\n\r\n", 400, 0),
        (
            "9112 3.2 twice the same",
            "GET / HTTP/1.1\r\nHost: app.test\r\nHost: app.test\r\n\r\n",
            400,
            0,
        ),
        ("9112 3.2 empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, 0),
        ("9112 3.2 a list", "GET / HTTP/1.1\r\nHost: app.test, b\r\n\r\n", 400, 0),
        ("9112 3.2 a list", "GET / HTTP/1.1\r\nHost: app.test,b\r\n\r\n", 400, 0),
        ("9110 4.2.4 a user name", "GET / HTTP/1.1\r\nHost: u@app.test\r\n\r\n", 400, 0),
        ("9110 7.2 a path", "GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n", 400, 0),
        ("9110 7.2 a scheme", "GET / HTTP/1.1\r\nHost: http://app.test\r\n\r\n", 400, 0),
        ("9110 7.2 a blank inside", "GET / HTTP/1.1\r\nHost: app .test\r\n\r\n", 400, 0),
        ("9110 7.2 a bad port", "GET / HTTP/1.1\r\nHost: app.test:x\r\n\r\n", 400, 0),
        ("9110 7.2 a bad port", "GET / HTTP/1.1\r\nHost: app.test:99999\r\n\r\n", 400, 0),
        ("9110 7.2 two ports", "GET / HTTP/1.1\r\nHost: app.test:80:80\r\n\r\n", 400, 0),
        ("3986 3.2.2 no brackets", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400, 0),
        ("3986 3.2.2 bad brackets", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, 0),
        ("9112 3.2 HTTP/1.0 without one", "GET / HTTP/1.0\r\n\r\n", 400, 0),
        ("9112 3.2 disguised", "GET / HTTP/1.1\r\nHost : app.test\r\n\r\n", 400, 0),
    ]);
}

#[test]
fn fields() {
    check(&[
        ("9112 5", "GET / HTTP/1.1\r\n~A: b\r\n\r\n", 200, 1),
        ("9112 5.1 blanks around a value", "GET / HTTP/1.1\r\n~A: \t b \t\r\n\r\n", 200, 1),
        ("9110 5.5 an empty value", "GET / HTTP/1.1\r\n~A:\r\n\r\n", 200, 1),
        ("9110 5.5 obs-text", "GET / HTTP/1.1\r\n~A: \u{e9}\r\n\r\n", 200, 1),
        ("9110 5.1 every token letter", "GET / HTTP/1.1\r\n~!#$%&'*+-.^`|z: b\r\n\r\n", 200, 1),
        ("9112 5.1 a blank before the colon", "GET / HTTP/1.1\r\n~A : b\r\n\r\n", 400, 0),
        ("9112 5.1 a tab before the colon", "GET / HTTP/1.1\r\n~A\t: b\r\n\r\n", 400, 0),
        ("9112 5 an empty name", "GET / HTTP/1.1\r\n~: b\r\n\r\n", 400, 0),
        ("9112 5 no colon", "GET / HTTP/1.1\r\n~Ab\r\n\r\n", 400, 0),
        ("9112 5.2 folding", "GET / HTTP/1.1\r\n~A: b\r\n c\r\n\r\n", 400, 0),
        ("9112 5.2 folding by tab", "GET / HTTP/1.1\r\n~A: b\r\n\tc\r\n\r\n", 400, 0),
        ("9112 2.2 a blank before the first", "GET / HTTP/1.1\r\n A: b\r\n~\r\n", 400, 0),
        ("9112 2.2 bare LF", "GET / HTTP/1.1\n~\r\n", 400, 0),
        ("9112 2.2 bare LF", "GET / HTTP/1.1\r\n~A: b\n\r\n", 400, 0),
        ("9112 2.2 bare LF at the end", "GET / HTTP/1.1\r\n~\n", 400, 0),
        ("9112 2.2 bare CR", "GET / HTTP/1.1\r\n~A: b\rc\r\n\r\n", 400, 0),
        ("9112 2.2 CR CR LF", "GET / HTTP/1.1\r\n~A: b\r\r\n\r\n", 400, 0),
        ("9110 5.5 NUL", "GET / HTTP/1.1\r\n~A: b\u{0}c\r\n\r\n", 400, 0),
        ("9110 5.5 a control character", "GET / HTTP/1.1\r\n~A: b\u{1}c\r\n\r\n", 400, 0),
        ("9110 5.5 DEL", "GET / HTTP/1.1\r\n~A: b\u{7f}c\r\n\r\n", 400, 0),
        ("9110 5.1 a name that is no token", "GET / HTTP/1.1\r\n~A(b: c\r\n\r\n", 400, 0),
        ("9110 5.1 not ASCII", "GET / HTTP/1.1\r\n~\u{e9}: c\r\n\r\n", 400, 0),
        ("9110 5.1 NUL in a name", "GET / HTTP/1.1\r\n~A\u{0}b: c\r\n\r\n", 400, 0),
        ("9110 10.1.1", "GET / HTTP/1.1\r\n~Expect: 200-ok\r\n\r\n", 417, 0),
    ]);
}

#[test]
fn body_lengths() {
    const GHOST: &str = "GET /ghost HTTP/1.1\r\nHost: app.test\r\n\r\n";
    let ghost = |request: &str| format!("{request}{GHOST}");
    let clte = ghost(
        "POST / HTTP/1.1\r\n~Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    let tecl = ghost(
        "POST / HTTP/1.1\r\n~Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    );
    check(&[
        ("9112 6.2", "POST / HTTP/1.1\r\n~Content-Length: 5\r\n\r\nhello", 200, 1),
        ("9112 6.2 none", "POST / HTTP/1.1\r\n~Content-Length: 0\r\n\r\n", 200, 1),
        ("9112 6.3 unsaid is none", "POST / HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 6.3 a GET with a body", "GET / HTTP/1.1\r\n~Content-Length: 2\r\n\r\nab", 200, 1),
        (
            "9112 6.3 twice the same",
            "POST / HTTP/1.1\r\n~Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
            200,
            1,
        ),
        ("9112 6.1", "POST / HTTP/1.1\r\n~Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, 1),
        (
            "9112 7 any case",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
            200,
            1,
        ),
        ("9112 6.1 both", &clte, 400, 0),
        ("9112 6.1 both", &tecl, 400, 0),
        (
            "9112 6.3 different",
            "POST / HTTP/1.1\r\n~Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            400,
            0,
        ),
        ("9112 6.3 a list", "POST / HTTP/1.1\r\n~Content-Length: 5, 5\r\n\r\nhello", 400, 0),
        ("9110 8.6 a sign", "POST / HTTP/1.1\r\n~Content-Length: +5\r\n\r\nhello", 400, 0),
        ("9110 8.6 negative", "POST / HTTP/1.1\r\n~Content-Length: -1\r\n\r\n", 400, 0),
        ("9110 8.6 hexadecimal", "POST / HTTP/1.1\r\n~Content-Length: 0x5\r\n\r\nhello", 400, 0),
        ("9110 8.6 a blank inside", "POST / HTTP/1.1\r\n~Content-Length: 1 1\r\n\r\nhello", 400, 0),
        ("9110 8.6 empty", "POST / HTTP/1.1\r\n~Content-Length:\r\n\r\n", 400, 0),
        ("9110 8.6 a fraction", "POST / HTTP/1.1\r\n~Content-Length: 5.0\r\n\r\nhello", 400, 0),
        (
            "9110 8.6 too large",
            "POST / HTTP/1.1\r\n~Content-Length: 18446744073709551616\r\n\r\n",
            400,
            0,
        ),
        ("9112 6.1 not chunked", "POST / HTTP/1.1\r\n~Transfer-Encoding: gzip\r\n\r\n", 400, 0),
        (
            "9112 6.1 not last",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: chunked, gzip\r\n\r\n",
            400,
            0,
        ),
        (
            "9112 6.1 another first",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        ("9112 7 identity", "POST / HTTP/1.1\r\n~Transfer-Encoding: identity\r\n\r\n", 400, 0),
        (
            "9112 6.1 twice",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        (
            "9112 6.1 twice",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        (
            "9112 6.1 quoted",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        ("9112 6.1 empty", "POST / HTTP/1.1\r\n~Transfer-Encoding:\r\n\r\n0\r\n\r\n", 400, 0),
        (
            "9112 6.1 a parameter",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        (
            "9112 6.1 a vertical tab",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        (
            "9112 6.1 in HTTP/1.0",
            "POST / HTTP/1.0\r\n~Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        ("a name in disguise is dropped", "POST / HTTP/1.1\r\n~Content_Length: 3\r\n\r\n", 200, 1),
        (
            "a name in disguise is dropped",
            "POST / HTTP/1.1\r\n~Transfer_Encoding: chunked\r\n\r\n",
            200,
            1,
        ),
    ]);
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
    let texts: Vec<String> = cases.iter().map(|case| format!("{P}{}", case.1)).collect();
    let cases: Vec<Case<'_>> = cases
        .iter()
        .zip(&texts)
        .map(|(case, text)| (case.0, text.as_str(), case.2, case.3))
        .collect();
    check(&cases);
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

#[test]
fn several_requests_on_one_connection() {
    let last = "GET /3 HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
    let text = format!(
        "GET /1 HTTP/1.1\r\nHost: app.test\r\n\r\nPOST /2 HTTP/1.1\r\nHost: app.test\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n{last}"
    );
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let answers = stage.exchange(text);
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    let paths: Vec<_> =
        origin.seen().iter().map(|seen| seen.head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(paths, ["/1", "/2", "/3"]);

    // 9112 section 9.3.2: what follows a bad request is not believed.
    let answers = stage.exchange(
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\nGET /ghost HTTP/1.1\r\nHost: app.test\r\n\r\n",
    );
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1);
    // 9112 section 9.6: what follows `close` is not read.
    let answers = stage.exchange(format!("{last}GET /ghost HTTP/1.1\r\nHost: app.test\r\n\r\n"));
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1);
    assert!(origin.seen().iter().all(|seen| !seen.head.contains("ghost")));
}

#[test]
fn every_head_may_arrive_byte_by_byte() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let mut client = stage.client();
    for byte in b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: v\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(origin.seen()[0].body, b"a");
}

/// The rule, what the origin says before it closes, the status and the body a client then gets.
type Reply<'a> = (&'a str, &'a str, u16, &'a str);

#[test]
fn responses() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    let replies: &[Reply<'_>] = &[
        ("9112 6.3", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
        ("9112 4 no reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
        ("9112 7.1", "~Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, "hi"),
        (
            "9112 7.1.1",
            "~Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nT: v\r\n\r\n",
            200,
            "hi",
        ),
        ("9112 6.3 until it closes", "~\r\nhi", 200, "hi"),
        ("9112 6.3 HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", 200, "hi"),
        ("9110 15.3.5", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("9110 15.4.5", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""),
        (
            "9110 15.2 interim first",
            "HTTP/1.1 103 Early Hints\r\n\r\n~Content-Length: 2\r\n\r\nhi",
            103,
            "hi",
        ),
        (
            "9112 6.1 both lengths",
            "~Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            502,
            "",
        ),
        ("9112 6.3 different", "~Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", 502, ""),
        ("9112 6.3 a list", "~Content-Length: 2, 2\r\n\r\nhi", 502, ""),
        ("9112 6.3 no number", "~Content-Length: two\r\n\r\nhi", 502, ""),
        ("9112 6.1 not chunked", "~Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502, ""),
        (
            "9112 6.1 in HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            502,
            "",
        ),
        ("9112 2.2 bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 502, ""),
        ("9112 2.2 bare CR", "~A: b\rc\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9110 5.5 NUL", "~A: b\u{0}\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 5.1 a blank before the colon", "~A : b\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 5.2 folding", "~A: b\r\n c\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 5 an empty name", "~: b\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 4 no status", "HTTP/1.1 OK\r\n\r\n", 502, ""),
        ("9112 4 a short status", "HTTP/1.1 20 OK\r\n\r\n", 502, ""),
        ("9110 15 out of range", "HTTP/1.1 600 OK\r\n\r\n", 502, ""),
        ("9112 2.3 a later version", "HTTP/2.0 200 OK\r\n\r\n", 502, ""),
        ("not HTTP", "SSH-2.0-OpenSSH_9\r\n\r\n", 502, ""),
        (
            "9110 7.8 nobody asked",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            502,
            "",
        ),
        ("9112 8 nothing at all", "", 502, ""),
        ("9112 8 half a head", "HTTP/1.1 200 OK\r\nA: b\r\n", 502, ""),
    ];
    for (rule, reply, expected, body) in replies {
        let reply = reply.replace('~', OK);
        let origin = Origin::start(move |_, stream| {
            std::io::Write::write_all(stream, reply.as_bytes()).unwrap();
            crate::stage::Then::Close
        });
        let stage = Stage::new(&[&origin]);
        let mut client = stage.client();
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
        check_reply(rule, &mut client, *expected, body);
        assert_eq!(origin.seen().len(), 1, "{rule}");
    }
}

fn check_reply(rule: &str, client: &mut Client, expected: u16, body: &str) {
    let mut head = client.head().unwrap_or_default();
    assert_eq!(status(&head), expected, "{rule}: {head}");
    if expected == 103 {
        head = client.head().unwrap();
    }
    let rest = client.rest();
    if expected == 502 {
        assert!(head.contains("no-store"), "{rule}");
        return;
    }
    let chunked = head.contains("Transfer-Encoding: chunked");
    let rest =
        if chunked { rest.replace("2\r\nhi\r\n0\r\n", "hi").replace("\r\n", "") } else { rest };
    assert_eq!(rest.replace("T: v", ""), body, "{rule}: {head}");
}

#[test]
fn a_response_that_breaks_off_does_not_look_whole() {
    for reply in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiXX0\r\n\r\n",
    ] {
        let origin = Origin::start(move |_, stream| {
            std::io::Write::write_all(stream, reply.as_bytes()).unwrap();
            crate::stage::Then::Close
        });
        let stage = Stage::new(&[&origin]);
        let mut client = stage.client();
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        assert!(client.answer().is_none(), "{reply:?}");
    }
}
