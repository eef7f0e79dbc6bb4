//! One HTTP/2 stream as the client of an exchange.
//!
//! It knows frames and windows, and nothing of upstreams. What is read is passed on from where
//! `h2` put it, and its window is given back only when the upstream took it; what is written waits
//! for the client's window. The invariant: a stream whose answer has begun ends with `END_STREAM`
//! only if the answer came across whole.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::body::{self, Body};
use crate::control::Persistence;
use crate::field::put;
use crate::head::Malformed;
use crate::pages;
use crate::party::{Client, Party, Told};
use crate::pump::Encoding;
use crate::response::Head;

use super::request::has_blanks_around;

/// A request's stream.
#[derive(Debug)]
pub(crate) struct Stream {
    incoming: RecvStream,
    /// What was read and not consumed.
    piece: Bytes,
    /// The trailer section that came behind the body, with its empty line.
    trailers: Vec<u8>,
    answer: Answer,
    output: Vec<u8>,
    end: End,
    moved: u64,
    kind: Asked,
}

/// What the request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Answer,
    /// Extended CONNECT (RFC 8441): success means a tunnel, and only then.
    Tunnel,
}

/// How far the answer is.
#[derive(Debug)]
enum Answer {
    Awaited(SendResponse<Bytes>),
    Begun(SendStream<Bytes>),
}

/// How far the end of the answer is.
#[derive(Debug)]
enum End {
    Open,
    /// It is to be sent behind the output, with these fields if any.
    Due(Option<HeaderMap>),
    Sent,
}

impl Stream {
    pub(crate) fn new(incoming: RecvStream, answer: SendResponse<Bytes>) -> Self {
        Self {
            incoming,
            piece: Bytes::new(),
            trailers: Vec::new(),
            answer: Answer::Awaited(answer),
            output: Vec::new(),
            end: End::Open,
            moved: 0,
            kind: Asked::Answer,
        }
    }

    /// Says what the request turned out to be for.
    pub(crate) fn asks(&mut self, kind: Asked) {
        self.kind = kind;
    }

    /// Ends the stream without, or in the middle of, an answer.
    pub(crate) fn reset(&mut self, reason: Reason) {
        match &mut self.answer {
            Answer::Awaited(answer) => answer.send_reset(reason),
            Answer::Begun(stream) => stream.send_reset(reason),
        }
        self.end = End::Sent;
    }

    /// Puts a whole answer of the edge's own.
    pub(crate) fn put_answer(&mut self, answer: &pages::Answer) -> Result<(), Malformed> {
        let mut response = Response::new(());
        let status = StatusCode::from_u16(answer.status);
        *response.status_mut() = status.map_err(|_| Malformed::FirstLine)?;
        for field in &answer.fields {
            add(response.headers_mut(), field.name.as_bytes(), field.value.as_bytes())
                .ok_or(Malformed::Field)?;
        }
        self.begin(response, if answer.body.is_empty() { Last::Head } else { Last::None })?;
        self.output.extend_from_slice(answer.body.as_bytes());
        self.put_end(Encoding::Plain, &[])
    }

    fn begin(&mut self, response: Response<()>, last: Last) -> Result<(), Malformed> {
        let Answer::Awaited(answer) = &mut self.answer else { return Err(Malformed::Interim) };
        // It fails only if the client has reset the stream; whoever polls it next will see that.
        if let Ok(stream) = answer.send_response(response, last == Last::Head) {
            self.answer = Answer::Begun(stream);
            if last == Last::Head {
                self.end = End::Sent;
            }
        }
        Ok(())
    }

    /// Waits for room in the client's window; returns how much of `wanted` there is.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let Answer::Begun(stream) = &mut self.answer else { return Poll::Ready(Err(gone())) };
        stream.reserve_capacity(wanted);
        loop {
            let room = stream.capacity();
            if room > 0 {
                return Poll::Ready(Ok(room.min(wanted)));
            }
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(gone())),
            }
        }
    }

    fn send(&mut self, data: Bytes, last: Last) -> io::Result<()> {
        let Answer::Begun(stream) = &mut self.answer else { return Err(gone()) };
        self.moved += data.len() as u64;
        stream.send_data(data, last == Last::Data).map_err(io::Error::other)
    }

    /// Sends the output as far as there is room.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let room = ready!(self.poll_room(cx, self.output.len()))?;
            if room < self.output.len() {
                let data = self.output.drain(..room).collect::<Bytes>();
                self.send(data, Last::None)?;
                continue;
            }
            let data = Bytes::from(std::mem::take(&mut self.output));
            let last = if matches!(self.end, End::Due(None)) { Last::Data } else { Last::None };
            self.send(data, last)?;
            if last == Last::Data {
                self.end = End::Sent;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// What carries the flag that ends the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    None,
    Head,
    Data,
}

impl Party for Stream {
    fn unread(&self) -> &[u8] {
        &self.piece
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.piece.len());
        self.piece.advance(count);
        // It fails only on a stream that is over.
        let _ = self.incoming.flow_control().release_capacity(count);
    }

    fn has_room(&self) -> bool {
        self.piece.is_empty()
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match ready!(self.incoming.poll_data(cx)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    let count = piece.len();
                    self.moved += count as u64;
                    self.piece = piece;
                    return Poll::Ready(Ok(count));
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => break,
            }
        }
        let trailers = ready!(self.incoming.poll_trailers(cx)).map_err(io::Error::other)?;
        if let Some(trailers) = trailers {
            for (name, value) in &trailers {
                // A line without a name is refused, as such a value must be.
                let name = if has_blanks_around(value.as_bytes()) { "" } else { name.as_str() };
                put(&mut self.trailers, name, value.as_bytes());
            }
            self.trailers.extend_from_slice(b"\r\n");
        }
        Poll::Ready(Ok(0))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.incoming.is_end_stream() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(_)) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_output(cx))?;
        let room = ready!(self.poll_room(cx, data.len()))?;
        let taken = data.get(..room).unwrap_or_default();
        self.send(Bytes::copy_from_slice(taken), Last::None)?;
        Poll::Ready(Ok(taken.len()))
    }

    fn put_end(&mut self, _: Encoding, trailers: &[u8]) -> Result<(), Malformed> {
        if matches!(self.end, End::Open) {
            let mut lines = Vec::new();
            body::put_trailers(trailers, &mut lines)?;
            self.end = End::Due(fields(&lines)?);
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_output(cx))?;
        if let End::Due(trailers) = &mut self.end {
            let trailers = trailers.take();
            self.end = End::Sent;
            let Answer::Begun(stream) = &mut self.answer else { return Poll::Ready(Err(gone())) };
            let sent = match trailers {
                Some(trailers) => stream.send_trailers(trailers),
                None => stream.send_data(Bytes::new(), true),
            };
            sent.map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.end, End::Open) {
            self.end = End::Due(None);
        }
        self.poll_flush(cx)
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.answer {
            Answer::Awaited(answer) => answer.poll_reset(cx).map(drop),
            Answer::Begun(stream) => stream.poll_reset(cx).map(drop),
        }
    }

    fn moved(&self) -> u64 {
        self.moved
    }
}

impl Client for Stream {
    fn put_interim(&mut self, head: &Head<'_, '_>) -> Result<(), Malformed> {
        if let Answer::Awaited(answer) = &mut self.answer {
            // As with a final head: the next poll sees a stream that is gone.
            let _ = answer.send_informational(response(head)?);
        }
        Ok(())
    }

    fn put_switched(&mut self, head: &Head<'_, '_>, _: &str) -> Result<(), Malformed> {
        let mut response = response(head)?;
        *response.status_mut() = StatusCode::OK;
        // It answers the key that the edge made up.
        response.headers_mut().remove(http::header::SEC_WEBSOCKET_ACCEPT);
        self.begin(response, Last::None)
    }

    fn put_final(&mut self, head: &Head<'_, '_>, body: Body) -> Result<Told, Malformed> {
        if self.kind == Asked::Tunnel && (200..300).contains(&head.status) {
            return Err(Malformed::Switch);
        }
        let mut response = response(head)?;
        if let Some(size) = head.size() {
            response.headers_mut().insert(http::header::CONTENT_LENGTH, size.into());
        }
        self.begin(response, if body == Body::EMPTY { Last::Head } else { Last::None })?;
        Ok(Told { encoding: Encoding::Plain, persistence: Persistence::KeepAlive })
    }
}

/// The head in the types that `h2` takes.
fn response(head: &Head<'_, '_>) -> Result<Response<()>, Malformed> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(|_| Malformed::FirstLine)?;
    let map = response.headers_mut();
    map.reserve(TYPICAL);
    let mut valid = true;
    head.each_field(|name, value| valid &= add(map, name.as_bytes(), value).is_some());
    if valid { Ok(response) } else { Err(Malformed::Field) }
}

/// The fields of an answer that an app sends as a rule, with those of the edge.
const TYPICAL: usize = 12;

fn add(map: &mut HeaderMap, name: &[u8], value: &[u8]) -> Option<()> {
    let mut value = HeaderValue::from_bytes(value).ok()?;
    let name = if name.eq_ignore_ascii_case(REQUEST_ID.as_bytes()) {
        // Not a secret, but no two are alike: in the table of fields that both ends remember, it
        // would only push out what comes again.
        value.set_sensitive(true);
        HeaderName::from_static(REQUEST_ID)
    } else {
        HeaderName::from_bytes(name).ok()?
    };
    map.try_append(name, value).ok()?;
    Some(())
}

const REQUEST_ID: &str = "x-request-id";

/// Lines of fields as a map; `None` if there are none.
fn fields(lines: &[u8]) -> Result<Option<HeaderMap>, Malformed> {
    if lines.is_empty() {
        return Ok(None);
    }
    let mut map = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = memchr::memchr(b':', line).ok_or(Malformed::Trailer)?;
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b": ").unwrap_or_default();
        add(&mut map, name, value).ok_or(Malformed::Trailer)?;
    }
    Ok(Some(map))
}

fn gone() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}
