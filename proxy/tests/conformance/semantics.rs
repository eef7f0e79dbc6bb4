//! What a proxy owes to either side beyond framing: RFC 9110 and RFC 9112, rule by rule.
//!
//! Each case is one request and what an origin says to it; both ends are looked at as bytes.

use std::io::Write as _;

use crate::stage::{Origin, Seen, Stage, Then};

/// One request through the edge to an origin that answers `reply` and closes.
struct Passage {
    /// All that the client got.
    answer: String,
    seen: Vec<Seen>,
}

fn pass(request: &str, reply: &str) -> Passage {
    let reply = reply.to_owned();
    let origin = Origin::start(move |_, stream| {
        stream.write_all(reply.as_bytes()).unwrap();
        Then::Close
    });
    let stage = Stage::new(&[&origin]);
    let answer = stage.exchange(request.replace('~', "Host: app.test\r\nConnection: close\r\n"));
    assert_eq!(origin.faults(), Vec::<String>::new());
    Passage { answer, seen: origin.seen() }
}

/// The request, the origin's reply, what the client's answer must have, what it must not have.
type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a [&'a str]);

fn check(cases: &[Case<'_>]) {
    for (rule, request, reply, present, absent) in cases {
        let Passage { answer, .. } = pass(request, reply);
        let lower = answer.to_ascii_lowercase();
        for text in *present {
            assert!(
                lower.contains(&text.to_ascii_lowercase()),
                "{rule}: no {text:?} in {answer:?}"
            );
        }
        for text in *absent {
            assert!(!lower.contains(&text.to_ascii_lowercase()), "{rule}: {text:?} in {answer:?}");
        }
    }
}

const GET: &str = "GET / HTTP/1.1\r\n~\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\n~\r\n";
const OLD: &str = "GET / HTTP/1.0\r\nHost: app.test\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn status_lines_and_dates() {
    check(&[
        ("9110 6.6.1 a date is added", GET, OK, &["\r\nDate: "], &[]),
        (
            "9110 6.6.1 a date is kept",
            GET,
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
            &["\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"],
            &["GMT\r\nDate: "],
        ),
        (
            "9110 2.5 our own version, not the origin's",
            GET,
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            &["HTTP/1.1 200 OK\r\n", "\r\n\r\nhi"],
            &["HTTP/1.0"],
        ),
        (
            "9112 4 a reason with obs-text",
            GET,
            "HTTP/1.1 200 D\u{e9}j\u{e0}\r\nContent-Length: 0\r\n\r\n",
            &["HTTP/1.1 200 "],
            &["HTTP/1.1 502"],
        ),
        (
            "9112 4 no space behind the status",
            GET,
            "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
            &["HTTP/1.1 200 \r\n"],
            &[],
        ),
        (
            "9110 15 an unknown status is of its class",
            GET,
            "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nhi",
            &["HTTP/1.1 299 Odd\r\n", "\r\n\r\nhi"],
            &[],
        ),
        (
            "9110 15 599",
            GET,
            "HTTP/1.1 599 No\r\nContent-Length: 0\r\n\r\n",
            &["HTTP/1.1 599 "],
            &[],
        ),
    ]);
}

#[test]
fn answers_without_a_body() {
    check(&[
        (
            "9110 9.3.2 HEAD that is not understood has no body either",
            "HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n",
            OK,
            &["HTTP/1.1 400 ", "\r\nContent-Length: "],
            &["\r\n\r\nT"],
        ),
        (
            "9110 9.3.2 HEAD keeps its length and has no body",
            HEAD,
            "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
            &["\r\nContent-Length: 500\r\n"],
            &["\r\n\r\nh"],
        ),
        (
            "9112 6.3 HEAD, and the origin sends a body all the same",
            HEAD,
            OK,
            &["\r\nContent-Length: 2\r\n"],
            &["\r\n\r\nhi"],
        ),
        (
            "9112 6.1 HEAD of what is chunked",
            HEAD,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            &["HTTP/1.1 200 OK\r\n"],
            &["\r\n0\r\n"],
        ),
        (
            "9110 8.6 no length in 204",
            GET,
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            &["HTTP/1.1 204 "],
            &["Content-Length", "Transfer-Encoding"],
        ),
        (
            "9112 6.1 no coding in 204",
            GET,
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            &["HTTP/1.1 204 "],
            &["Content-Length", "Transfer-Encoding"],
        ),
        (
            "9110 15.4.5 the length of 304 is of what it stands for",
            GET,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"a\"\r\n\r\n",
            &["HTTP/1.1 304 ", "\r\nContent-Length: 500\r\n", "\r\nETag: \"a\"\r\n"],
            &["Transfer-Encoding"],
        ),
        (
            "9112 6.1 no coding in 304 for whom it is not meant",
            GET,
            "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
            &["HTTP/1.1 304 "],
            &["\r\n0\r\n"],
        ),
        (
            "9110 15.3.6 205",
            GET,
            "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n",
            &["HTTP/1.1 205 ", "\r\nContent-Length: 0\r\n"],
            &[],
        ),
    ]);
}

#[test]
fn interim_answers() {
    check(&[
        (
            "9110 15.2 all are passed on, unknown ones too",
            GET,
            &format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n{OK}"),
            &[
                "HTTP/1.1 103 Early Hints\r\n",
                "\r\nLink: </a>\r\n",
                "HTTP/1.1 199 Odd\r\n",
                "200 OK",
            ],
            &[],
        ),
        (
            "9110 15.2 none to HTTP/1.0",
            OLD,
            &format!("HTTP/1.1 103 Early Hints\r\n\r\n{OK}"),
            &["HTTP/1.1 200 OK\r\n"],
            &["HTTP/1.1 103"],
        ),
        (
            "9110 15.2 and then nothing",
            GET,
            "HTTP/1.1 103 Early Hints\r\n\r\n",
            &["HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 502 "],
            &[],
        ),
        (
            "9110 15.2 and then nonsense",
            GET,
            "HTTP/1.1 103 Early Hints\r\n\r\nnonsense\r\n\r\n",
            &["HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 502 "],
            &[],
        ),
        (
            "9110 8.6 no length in 1xx",
            GET,
            &format!("HTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\n{OK}"),
            &["103 Early", "200 OK", "\r\n\r\nhi"],
            &["Content-Length: 9"],
        ),
        (
            "9112 6.1 no coding in 1xx",
            GET,
            &format!("HTTP/1.1 103 Early\r\nTransfer-Encoding: chunked\r\n\r\n{OK}"),
            &["103 Early", "200 OK", "\r\n\r\nhi"],
            &["Transfer-Encoding"],
        ),
    ]);
}

#[test]
fn lengths_unknown_to_the_client() {
    check(&[
        (
            "9112 6.1 no chunks to HTTP/1.0",
            OLD,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            &["\r\n\r\nhi", "\r\nConnection: close\r\n"],
            &["Transfer-Encoding", "Content-Length"],
        ),
        (
            "9112 6.3 until it closes becomes chunks",
            GET,
            "HTTP/1.0 200 OK\r\n\r\nhi",
            &["\r\nTransfer-Encoding: chunked\r\n", "\r\n\r\n2\r\nhi\r\n0\r\n\r\n"],
            &["Content-Length"],
        ),
        ("9112 9.6 close is said", GET, OK, &["\r\nConnection: close\r\n"], &["keep-alive"]),
        (
            "9112 9.3 HTTP/1.0 may be kept alive",
            "GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n\
             GET / HTTP/1.0\r\nHost: app.test\r\n\r\n",
            OK,
            &["\r\nConnection: keep-alive\r\n", "\r\nConnection: close\r\n"],
            &[],
        ),
    ]);
}

#[test]
fn fields_of_an_answer() {
    check(&[
        (
            "9110 15.5.22 to what the client must upgrade",
            GET,
            "HTTP/1.1 426 No\r\nConnection: upgrade\r\nUpgrade: x/2\r\nContent-Length: 0\r\n\r\n",
            &["\r\nConnection: upgrade\r\nUpgrade: x/2\r\n"],
            &[],
        ),
        (
            "9110 7.8 to what it might is for one hop",
            GET,
            "HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: x/2\r\nContent-Length: 0\r\n\r\n",
            &[],
            &["Upgrade"],
        ),
        (
            "9110 7.6.1 what is for one hop stops here",
            GET,
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n\
             Proxy-Connection: close\r\nContent-Length: 0\r\nX-Stays: 1\r\n\r\n",
            &["\r\nX-Stays: 1\r\n"],
            &["X-Hop", "timeout=5", "Proxy-Connection"],
        ),
        (
            "9110 5.3 the order of equal names is kept",
            GET,
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\nSet-Cookie: b=2\r\n\r\n",
            &["\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"],
            &[],
        ),
        (
            "9110 5.1 unknown fields pass",
            GET,
            "HTTP/1.1 200 OK\r\nX-Odd!: \"v\"; \u{e9}\r\nContent-Length: 0\r\n\r\n",
            &["\r\nX-Odd!: \"v\"; \u{e9}\r\n"],
            &[],
        ),
        (
            "9110 5.5 blanks around a value",
            GET,
            "HTTP/1.1 200 OK\r\nA: \t b c \t\r\nContent-Length: 0\r\n\r\n",
            &["\r\nA: b c\r\n"],
            &[],
        ),
        (
            "9112 6.3 the same length twice is one",
            GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
            &["\r\nContent-Length: 2\r\n"],
            &["Content-Length: 2\r\nContent-Length"],
        ),
    ]);
}

/// The request, and what the origin must see of it and must not.
type Told<'a> = (&'a str, &'a str, &'a [&'a str], &'a [&'a str]);

#[test]
fn what_an_origin_is_told() {
    check_told(&[
        ("9110 7.6.3 Via", GET, &["\r\nVia: 1.1 edge\r\n"], &[]),
        ("9110 7.6.3 Via of HTTP/1.0", OLD, &["GET / HTTP/1.1\r\n", "\r\nVia: 1.0 edge\r\n"], &[]),
        (
            "9110 7.6.3 Via is added to",
            "GET / HTTP/1.1\r\nVia: 1.0 fred\r\n~\r\n",
            &["\r\nVia: 1.0 fred\r\n", "\r\nVia: 1.1 edge\r\n"],
            &[],
        ),
        (
            "9110 7.6.1 what is for one hop stops here",
            "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\
             Keep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: close\r\nX-Stays: 1\r\n\r\n",
            &["\r\nX-Stays: 1\r\n"],
            &["X-Hop", "Keep-Alive", "Connection", "TE:"],
        ),
        (
            "9110 7.6.1 an empty Connection and odd commas",
            "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: , ,\tclose,,\r\nX-Stays: 1\r\n\r\n",
            &["\r\nX-Stays: 1\r\n"],
            &["Connection"],
        ),
        (
            "9110 10.1.1 an expectation is passed on",
            "PUT / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n~\r\nhi",
            &["\r\nExpect: 100-Continue\r\n"],
            &[],
        ),
        (
            "9110 10.1.1 but not one of HTTP/1.0",
            "PUT / HTTP/1.0\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            &["\r\nContent-Length: 2\r\n"],
            &["Expect"],
        ),
    ]);
}

#[test]
fn what_an_origin_gets_as_it_was() {
    check_told(&[
        (
            "9112 3.2.2 the host of an absolute target",
            "GET http://app.test:81/a?b HTTP/1.1\r\nHost: app.test:81\r\nConnection: close\r\n\r\n",
            &["GET /a?b HTTP/1.1\r\nHost: app.test:81\r\n"],
            &["http://"],
        ),
        (
            "9112 3.2.2 the host of an absolute target, not of the field",
            "GET http://APP.test:81/ HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n",
            &["GET / HTTP/1.1\r\nHost: APP.test:81\r\n", "X-Forwarded-Host: APP.test:81\r\n"],
            &["b.test"],
        ),
        (
            "9112 6.1 a coding among nothing",
            "POST / HTTP/1.1\r\n~Transfer-Encoding: ,\tChunked ,\r\n\r\n0\r\n\r\n",
            &["\r\nTransfer-Encoding: chunked\r\n"],
            &[],
        ),
        (
            "9110 7.6.2 counted down",
            "OPTIONS / HTTP/1.1\r\nMax-Forwards: 7\r\n~\r\n",
            &["\r\nMax-Forwards: 6\r\n"],
            &[],
        ),
        (
            "9112 3.2.4 OPTIONS of the whole server",
            "OPTIONS http://app.test HTTP/1.1\r\n~\r\n",
            &["OPTIONS * HTTP/1.1\r\nHost: app.test\r\n"],
            &[],
        ),
        (
            "9110 8.6 no body, no length",
            "POST / HTTP/1.1\r\n~Content-Length: 0\r\n\r\n",
            &["\r\nContent-Length: 0\r\n"],
            &["Transfer-Encoding"],
        ),
        (
            "9110 5.3 the order of equal names is kept",
            "GET / HTTP/1.1\r\nA: 1\r\nB: x\r\n~A: 2\r\n\r\n",
            &["\r\nA: 1\r\nB: x\r\nA: 2\r\n"],
            &[],
        ),
        (
            "9110 11.6.2 credentials pass",
            "GET / HTTP/1.1\r\nAuthorization: Basic YTpi\r\n~\r\n",
            &["\r\nAuthorization: Basic YTpi\r\n"],
            &[],
        ),
        (
            "9110 13, 14 conditions and ranges pass",
            "GET / HTTP/1.1\r\nIf-None-Match: \"a\"\r\nRange: bytes=0-1\r\nIf-Range: \"a\"\r\n~\r\n",
            &["\r\nIf-None-Match: \"a\"\r\nRange: bytes=0-1\r\nIf-Range: \"a\"\r\n"],
            &[],
        ),
        (
            "9110 9.1 an unknown method with a body",
            "X-FROB / HTTP/1.1\r\nContent-Length: 2\r\n~\r\nhi",
            &["X-FROB / HTTP/1.1\r\n", "\r\nContent-Length: 2\r\n"],
            &[],
        ),
    ]);
}

fn check_told(cases: &[Told<'_>]) {
    for (rule, request, present, absent) in cases {
        let Passage { seen, answer } = pass(request, OK);
        assert_eq!(seen.len(), 1, "{rule}: {answer}");
        let head = &seen[0].head;
        for text in *present {
            assert!(head.contains(text), "{rule}: no {text:?} in {head:?}");
        }
        for text in *absent {
            assert!(!head.contains(text), "{rule}: {text:?} in {head:?}");
        }
    }
}
