//! What is valid HTTP/1.1 passes, what is not is refused, and nothing malformed gets through.
//!
//! Each case names the rule it comes from, is sent as raw bytes through the edge to a recording
//! origin, and says what the client is answered and how many requests the origin may have seen.
//! The origin judges what it gets by rules of its own.

mod bodies;
mod mutations;
mod responses;
mod semantics;

use crate::stage::{Origin, Stage, status};

/// The rule, what is sent, the first status, how many requests reach the origin.
type Case<'a> = (&'a str, &'a str, u16, usize);

const H: &str = "Host: app.test\r\nConnection: close\r\n";

/// How a case gets to the edge. It must make no difference.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Whole,
    ByteByByte,
    /// In one piece with an ordinary request in front.
    Pipelined,
}

impl Sent {
    /// Everything that is answered, but for the ordinary request.
    fn exchange(self, stage: &Stage, request: &str) -> String {
        let mut client = stage.client();
        match self {
            Self::Whole => client.send(request),
            Self::ByteByByte => request.bytes().for_each(|byte| client.send([byte])),
            Self::Pipelined => {
                client.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n{request}"));
                assert_eq!(client.answer().expect("the ordinary answer").status, 200);
            }
        }
        client.rest()
    }

    /// Requests of its own.
    fn more(self) -> usize {
        usize::from(matches!(self, Self::Pipelined))
    }
}

/// Sends each case (with `~` for the usual fields) and reports all that went wrong, not the first.
fn check(cases: &[Case<'_>]) {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let mut wrong = Vec::new();
    let mut before = 0;
    for (rule, request, expected, requests) in cases {
        for sent in [Sent::Whole, Sent::ByteByByte, Sent::Pipelined] {
            let answer = sent.exchange(&stage, &request.replace('~', H));
            let seen = origin.seen().len();
            let found = (status(&answer), seen - before);
            before = seen;
            let wanted = (*expected, requests + sent.more());
            if found != wanted {
                wrong.push(format!("{rule}, {sent:?}: {request:?}\n    {found:?}, not {wanted:?}"));
            }
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
        ("9112 2.2 empty lines first", "\r\n\r\n\r\nGET / HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 2.2 a bare LF first", "\nGET / HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 2.2 a bare CR first", "\rGET / HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3 a vertical tab", "GET\u{b}/ HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3 a form feed", "GET / \u{c}HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3 three spaces", "GET / a HTTP/1.1\r\n~\r\n", 400, 0),
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
        ("9112 2.3 a later version", "GET / HTTP/3.0\r\n~\r\n", 505, 0),
        ("9112 2.3 an earlier version", "GET / HTTP/0.9\r\n~\r\n", 505, 0),
        ("9110 2.5 a later minor version is read as ours", "GET / HTTP/1.2\r\n~\r\n", 200, 1),
        ("9110 2.5 the same, malformed", "GET  / HTTP/1.9\r\n~\r\n", 400, 0),
        ("9112 2.3 no minor version", "GET / HTTP/1\r\n~\r\n", 400, 0),
        ("9112 2.3 a long major version", "GET / HTTP/11.1\r\n~\r\n", 400, 0),
        ("9112 2.3 another protocol", "GET / HTTPS/1.1\r\n~\r\n", 400, 0),
        ("9112 2.3 a long version", "GET / HTTP/1.10\r\n~\r\n", 400, 0),
        ("9113 3.4 the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0),
        ("9110 9.1 a method that is no token", "G(T / HTTP/1.1\r\n~\r\n", 400, 0),
        ("9110 9.1 a method that is no token", "G\u{e9}T / HTTP/1.1\r\n~\r\n", 400, 0),
        ("9110 9.3.6 CONNECT", "CONNECT app.test:80 HTTP/1.1\r\n~\r\n", 501, 0),
        ("9110 9.3.8 TRACE", "TRACE / HTTP/1.1\r\n~\r\n", 200, 1),
        ("9110 9.3.8 TRACE with a body", "TRACE / HTTP/1.1\r\n~Content-Length: 1\r\n\r\na", 400, 0),
        (
            "9110 9.3.8 TRACE with a chunked body",
            "TRACE / HTTP/1.1\r\n~Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        (
            "9110 7.6.2 TRACE goes no further",
            "TRACE / HTTP/1.1\r\nMax-Forwards: 0\r\n~\r\n",
            405,
            0,
        ),
        (
            "9110 7.6.2 OPTIONS goes no further",
            "OPTIONS / HTTP/1.1\r\nMax-Forwards: 0\r\n~\r\n",
            200,
            0,
        ),
        ("9110 7.6.2 one step further", "OPTIONS / HTTP/1.1\r\nMax-Forwards: 1\r\n~\r\n", 200, 1),
        (
            "9110 7.6.2 two values",
            "OPTIONS / HTTP/1.1\r\nMax-Forwards: 0\r\nMax-Forwards: 5\r\n~\r\n",
            400,
            0,
        ),
        ("9110 7.6.2 of no meaning to GET", "GET / HTTP/1.1\r\nMax-Forwards: 0\r\n~\r\n", 200, 1),
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
        ("9112 3.2.2 the target's host counts", "GET http://b.test/ HTTP/1.1\r\n~\r\n", 404, 0),
        (
            "9112 3.2.2 not the field's",
            "GET http://app.test/ HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n",
            200,
            1,
        ),
        (
            "9112 3.2 which must be there",
            "GET http://app.test/ HTTP/1.1\r\nConnection: close\r\n\r\n",
            400,
            0,
        ),
        (
            "9112 3.2 and valid",
            "GET http://app.test/ HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
            400,
            0,
        ),
        ("9112 3.2.2 in HTTP/1.0", "GET http://app.test/ HTTP/1.0\r\n\r\n", 200, 1),
        ("9110 7.4 not secured", "GET https://app.test/ HTTP/1.1\r\n~\r\n", 421, 0),
        ("9112 3.2.2 a fragment", "GET http://app.test/#a HTTP/1.1\r\n~\r\n", 400, 0),
        ("9112 3.2.1 two slashes are a path", "GET //b.test/x HTTP/1.1\r\n~\r\n", 200, 1),
        ("9112 3.2.3 authority form, no port", "GET app.test HTTP/1.1\r\n~\r\n", 400, 0),
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
        ("9112 3.2 two in HTTP/1.0", "GET / HTTP/1.0\r\nHost: app.test\r\nHost: b\r\n\r\n", 400, 0),
        ("9110 7.2 a query", "GET / HTTP/1.1\r\nHost: app.test?x\r\n\r\n", 400, 0),
        ("9110 7.2 a fragment", "GET / HTTP/1.1\r\nHost: app.test#x\r\n\r\n", 400, 0),
        ("9110 7.2 a backslash", "GET / HTTP/1.1\r\nHost: app\\.test\r\n\r\n", 400, 0),
        ("9110 7.2 NUL", "GET / HTTP/1.1\r\nHost: app.test\u{0}\r\n\r\n", 400, 0),
        ("9110 7.2 not ASCII", "GET / HTTP/1.1\r\nHost: app.test\u{e9}\r\n\r\n", 400, 0),
        ("3986 3.2.3 a negative port", "GET / HTTP/1.1\r\nHost: app.test:-1\r\n\r\n", 400, 0),
        ("6874 2 a zone", "GET / HTTP/1.1\r\nHost: [fe80::1%25e]\r\n\r\n", 400, 0),
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
        ("9110 10.1.1 a list", "GET / HTTP/1.1\r\n~Expect: 100-continue, x\r\n\r\n", 417, 0),
        ("9110 10.1.1 two", "GET / HTTP/1.1\r\n~Expect: 100-continue\r\nExpect: x\r\n\r\n", 417, 0),
        ("9110 7.8 two offers", "GET / HTTP/1.1\r\n~Upgrade: a\r\nUpgrade: b\r\n\r\n", 200, 1),
        ("9112 5 only a colon", "GET / HTTP/1.1\r\n~:\r\n\r\n", 400, 0),
        ("9112 5 only a blank", "GET / HTTP/1.1\r\n~ \r\n\r\n", 400, 0),
        ("9110 5.5 a vertical tab", "GET / HTTP/1.1\r\n~A: b\u{b}c\r\n\r\n", 400, 0),
        ("9110 5.1 a quoted name", "GET / HTTP/1.1\r\n~\"A\": b\r\n\r\n", 400, 0),
        ("9110 5.1 CR in a name", "GET / HTTP/1.1\r\n~A\rb: c\r\n\r\n", 400, 0),
        ("9110 5.1 a blank in a name", "GET / HTTP/1.1\r\n~A b: c\r\n\r\n", 400, 0),
        ("9110 7.6.1 not ASCII", "GET / HTTP/1.1\r\n~Connection: \u{e9}\u{0}\r\n\r\n", 400, 0),
    ]);
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
