//! Doors for the fuzz targets in `fuzz/`: bytes in, and what the edge makes of them, as bytes.
//!
//! It exists only with the feature `fuzzing`, checks nothing itself, and is no part of the API.

use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use crate::arrival::{Arrival, Trust};
use crate::body::{Body, Step, put_trailers};
use crate::control::Persistence;
use crate::head::{self, Found};
use crate::host::Host;
use crate::http2::Guard;
use crate::limits::Limits;
use crate::pattern::{ByHost, Pattern};
use crate::policy::{Key, Sticky};
use crate::pool::Side;
use crate::preface::{self, Progress};
use crate::pump::{Encoding, put_whole};
use crate::request::Request;
use crate::response::{self, Circumstances, Uploading, Withheld};
use crate::rules::Passage;
use crate::rules::compression::Offer;
use crate::sticky::{Binding, Bond};
use crate::table::{ServiceName, UpstreamId};
use crate::wire::Wire;

/// The head an upstream gets for the head that these bytes begin with; `None` if it is refused.
pub fn request(bytes: &[u8]) -> Option<Vec<u8>> {
    read(bytes).map(|(_, forwarded)| forwarded)
}

fn read(bytes: &[u8]) -> Option<(Request, Vec<u8>)> {
    let peer = SocketAddr::from(([192, 0, 2, 1], 50_000));
    let arrival = Arrival::plain(peer, 80, Trust::Trusted);
    let mut out = Vec::new();
    let request =
        Request::read(first_head(bytes)?, &arrival, UNIX_EPOCH, &Limits::default(), &mut out);
    Some((request.ok()?, out))
}

/// The head a client gets for a response that begins with these bytes; `None` if it is refused,
/// or if nothing is passed on.
pub fn response(bytes: &[u8]) -> Option<Vec<u8>> {
    let asked = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let (request, _) = read(asked)?;
    let around = Circumstances {
        request: &request,
        added: &[],
        passage: &Passage::unknown(),
        withheld: Withheld::None,
        persistence: Persistence::KeepAlive,
        uploading: Uploading::Done,
        encoders: Limits::default().encoders,
        clock: || UNIX_EPOCH,
    };
    let mut client = Wire::new(tokio::io::empty(), 0);
    response::pass(first_head(bytes)?, &around, &mut client).ok()?;
    Some(client.output)
}

fn first_head(bytes: &[u8]) -> Option<&[u8]> {
    match head::find(bytes, 0) {
        Ok(Found::Whole(length)) => bytes.get(..length),
        Ok(Found::Partial { .. }) | Err(_) => None,
    }
}

/// The data of a chunked body that arrives in pieces, and how many bytes it is long.
pub fn chunked(bytes: &[u8], piece: usize) -> Option<(Vec<u8>, usize)> {
    let mut body = Body::CHUNKED;
    let (mut data, mut at, mut end) = (Vec::new(), 0, 0);
    loop {
        match body.step(bytes.get(at..end)?).ok()? {
            Step::Skip(count) => at += count,
            Step::Data(count) => {
                data.extend_from_slice(bytes.get(at..at + count)?);
                at += count;
            }
            Step::End { skip, trailers } => {
                put_trailers(bytes.get(at..at + trailers)?, &mut Vec::new()).ok()?;
                return Some((data, at + skip));
            }
            Step::More if end == bytes.len() => return None,
            Step::More => end = end.saturating_add(piece).min(bytes.len()),
        }
    }
}

/// A chunked body that is here as a whole, as it is written for an upstream.
pub fn rewritten(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    put_whole(Body::CHUNKED, Encoding::Chunked, bytes, &mut out).ok()?;
    Some(out)
}

/// The coding that a client is sent whose `Accept-Encoding` fields, one a line, these are.
pub fn accept_encoding(lines: &[u8]) -> Option<&'static str> {
    match Offer::read(lines.split(|byte| *byte == b'\n')) {
        Offer::In(coding) => Some(coding.name()),
        Offer::Plain | Offer::Off => None,
    }
}

/// The host in the value of a `Host` field.
pub fn host(text: &str) -> Option<String> {
    Host::with_port(text).ok().map(|(host, _)| host.as_str().to_owned())
}

/// How long a PROXY protocol preface is that a connection begins with, read as the listener reads
/// it: only as many bytes as were asked for.
pub fn preface(bytes: &[u8]) -> Option<usize> {
    let mut taken = 0;
    loop {
        match preface::look(bytes.get(..taken)?).ok()? {
            Progress::Partial(0) => unreachable!("a look that asks for nothing would never end"),
            Progress::Partial(count) => taken += count,
            Progress::Whole(_) => return Some(taken),
        }
    }
}

/// For what a connection of HTTP/2 that begins with these bytes, a preface and frames, is ended, by
/// the code of RFC 9113 section 7; how many bytes were let through; and whether a failure of the
/// header blocks is all that is left.
pub fn frames(bytes: &[u8], piece: usize) -> (Option<u32>, usize, bool) {
    let mut guard = Guard::new(PREFACE.min(bytes.len()));
    let breach = guard.breach();
    let mut passed = 0;
    for piece in bytes.chunks(piece.max(1)) {
        passed += guard.pass(piece);
    }
    (breach.get().map(u32::from), passed, guard.is_unreadable())
}

/// Which of these patterns, added in this order, answers for a host.
pub fn lookup(patterns: &[Pattern], host: &Host) -> Option<usize> {
    let mut by_host = ByHost::default();
    for (index, pattern) in patterns.iter().enumerate() {
        by_host.insert(pattern.clone(), index);
    }
    by_host.get(host).copied()
}

/// Whether the cookies in a head bind the client to the one upstream there is, and the head
/// without the cookie that does so.
pub fn sticky(head: &[u8]) -> (bool, Vec<u8>) {
    let cookie = Sticky { cookie: "bound".into(), key: Key::new([7; 32]) };
    let Some(mut binding) = Binding::new(&cookie, &ServiceName::new("app")) else {
        return (false, Vec::new());
    };
    binding.know(&UpstreamId::new("one"), Side::Main);
    let mut rest = Vec::new();
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        binding.put_line(line, &mut rest);
    }
    (binding.read(head) != Bond::None, rest)
}

/// The bytes before the first frame (RFC 9113 section 3.4).
const PREFACE: usize = 24;
