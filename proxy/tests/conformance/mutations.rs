//! Valid requests with a few bytes changed at random: whatever they mean now, an origin sees only
//! what is valid. The seed of a failing case is in the message; it is the whole case.

use std::io::Write as _;
use std::net::Shutdown;

use crate::stage::{Origin, Stage};

const CASES: u64 = 1_000;

const STARTS: [&str; 4] = [
    "GET /a?b=c HTTP/1.1\r\nHost: app.test\r\nCookie: a=b\r\nConnection: close\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    "POST /p HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
    "GET http://app.test/x HTTP/1.1\r\nHost: app.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: app.test\r\n\r\n",
];

/// Bytes that parsers disagree about.
const NASTY: &[u8] = b"\r\n\0 :;,\t\x0b\x7f\x80\xff\"#@/0159afxX-_";

/// A start with one to four bytes replaced, put in or taken out.
fn mutate(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = random.choice(STARTS).unwrap().as_bytes().to_vec();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(..bytes.len());
        let nasty = *random.choice(NASTY).unwrap();
        match random.u8(..4) {
            0 => bytes.insert(at, nasty),
            1 => drop(bytes.remove(at)),
            _ => bytes[at] = nasty,
        }
    }
    bytes
}

#[test]
fn an_origin_sees_nothing_malformed() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    for seed in 0..CASES {
        let bytes = mutate(seed);
        let mut client = stage.client();
        let _ = client.stream.write_all(&bytes);
        let _ = client.stream.shutdown(Shutdown::Write);
        client.rest();
        let faults = origin.faults();
        assert!(faults.is_empty(), "seed {seed}: {:?}\n{faults:#?}", bytes.escape_ascii());
    }
    assert!(origin.seen().len() > 100, "most cases would otherwise prove nothing");
    assert_eq!(stage.client().get("/").unwrap().status, 200, "the edge still serves");
}
