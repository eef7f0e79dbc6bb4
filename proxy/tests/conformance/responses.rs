//! Upstreams are held to the same rules: a response that could be read in two ways is not passed on.

use std::io::Write as _;

use crate::stage::{Client, Origin, Stage, Then, status};

/// The rule, what the origin says before it closes, the status and the body a client then gets.
type Reply<'a> = (&'a str, &'a str, u16, &'a str);

/// What `~` stands for.
const OK: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn responses() {
    check(&[
        ("9112 6.3", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
        ("9112 4 no reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
        ("9112 7.1", "~Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, "hi"),
        (
            "9112 7.1.1",
            "~Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nT: v\r\n\r\n",
            200,
            "hi",
        ),
        (
            "9110 5.6.3 bad blanks",
            "~Transfer-Encoding: , chunked\r\n\r\n2 ; a = \"b\"\r\nhi\r\n0\r\n\r\n",
            200,
            "hi",
        ),
        ("9110 2.5 a later one", "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
        ("9112 8 more than was said", "~Content-Length: 2\r\n\r\nhi~\r\nevil", 200, "hi"),
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
    ]);
}

#[test]
fn lengths_that_could_be_read_in_two_ways() {
    check(&[
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
    ]);
}

#[test]
fn heads_that_are_not_valid() {
    check(&[
        ("9112 2.2 bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 502, ""),
        ("9112 2.2 bare CR", "~A: b\rc\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9110 5.5 NUL", "~A: b\u{0}\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 5.1 a blank before the colon", "~A : b\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 5.2 folding", "~A: b\r\n c\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 5 an empty name", "~: b\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 6.3 a sign", "~Content-Length: +2\r\n\r\nhi", 502, ""),
        ("9112 6.3 empty", "~Content-Length:\r\n\r\nhi", 502, ""),
        ("9112 6.1 gzip", "~Transfer-Encoding: gzip\r\n\r\nhi", 502, ""),
        ("9112 6.1 twice", "~Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 502, ""),
        (
            "9112 5.1 a blank before the colon",
            "~Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            502,
            "",
        ),
        ("9110 5.1 no token", "~A b: c\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 5 no colon", "~Abc\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 4 two blanks", "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 4 a long status", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 4 no blank", "HTTP/1.1 200OK\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 4 a blank first", " HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 4 NUL", "HTTP/1.1 200 O\u{0}K\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 4 CR", "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 2.3 small letters", "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9112 2.3 a long version", "HTTP/1.10 200 OK\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        ("9110 15 too low", "HTTP/1.1 099 No\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
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
    ]);
}

fn check(replies: &[Reply<'_>]) {
    for (rule, reply, expected, body) in replies {
        let reply = reply.replace('~', OK);
        let origin = Origin::start(move |_, stream| {
            stream.write_all(reply.as_bytes()).unwrap();
            Then::Close
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
            stream.write_all(reply.as_bytes()).unwrap();
            Then::Close
        });
        let stage = Stage::new(&[&origin]);
        let mut client = stage.client();
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        assert!(client.answer().is_none(), "{reply:?}");
    }
}
