//! One HTTP/2 stream as the client of an exchange.
//!
//! It knows frames and windows, and nothing of upstreams. What is written waits for the client's
//! window. The invariant: a stream whose answer has begun ends with `END_STREAM`
//! only if the answer came across whole.

use std::io;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response, StatusCode};

use crate::body::{self, Body};
use crate::control::Persistence;
use crate::head::Malformed;
use crate::pages;
use crate::party::{Client, Party, Told};
use crate::pump::Encoding;
use crate::response::Head;

use super::fields;
use super::incoming::Incoming;

/// A request's stream.
#[derive(Debug)]
pub(crate) struct Stream {
    incoming: Incoming,
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
            incoming: Incoming::new(incoming),
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
        self.begin(
            fields::of_answer(answer)?,
            if answer.body.is_empty() { Last::Head } else { Last::None },
        )?;
        self.output.extend_from_slice(answer.body.as_bytes());
        self.put_end(Encoding::Plain, &[])
    }

    fn begin(&mut self, response: Response<()>, last: Last) -> Result<(), Malformed> {
        let Answer::Awaited(answer) = &mut self.answer else { return Err(Malformed::Interim) };
        // It fails only if the client has reset the stream; whoever polls it next will see that.
        if let Ok(mut stream) = answer.send_response(response, last == Last::Head) {
            // As a rule there is room for what follows, and then nobody is waiting: whoever finds
            // it must not be woken by that.
            let _ = stream.poll_reset(&mut Context::from_waker(Waker::noop()));
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
        self.incoming.unread()
    }

    fn consume(&mut self, count: usize) {
        self.incoming.consume(count);
    }

    fn has_room(&self) -> bool {
        self.incoming.unread().is_empty()
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let filled = self.incoming.poll_fill(cx);
        if let Poll::Ready(Ok(count)) = filled {
            self.moved += count as u64;
        }
        filled
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.incoming.poll_end(cx)
    }

    fn trailers(&self) -> &[u8] {
        self.incoming.trailers()
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
            self.end = End::Due(fields::of_lines(&lines)?);
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
            let _ = answer.send_informational(fields::of_head(head)?);
        }
        Ok(())
    }

    fn put_switched(&mut self, head: &Head<'_, '_>, _: &str) -> Result<(), Malformed> {
        let mut response = fields::of_head(head)?;
        *response.status_mut() = StatusCode::OK;
        // It answers the key that the edge made up.
        response.headers_mut().remove(http::header::SEC_WEBSOCKET_ACCEPT);
        self.begin(response, Last::None)
    }

    fn put_final(&mut self, head: &Head<'_, '_>, body: Body) -> Result<Told, Malformed> {
        if self.kind == Asked::Tunnel && (200..300).contains(&head.status) {
            return Err(Malformed::Switch);
        }
        let mut response = fields::of_head(head)?;
        if let Some(size) = head.size() {
            fields::put_length(response.headers_mut(), size)?;
        }
        self.begin(response, if body == Body::EMPTY { Last::Head } else { Last::None })?;
        Ok(Told { encoding: Encoding::Plain, persistence: Persistence::KeepAlive })
    }
}

fn gone() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}
