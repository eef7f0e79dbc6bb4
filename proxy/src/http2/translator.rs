//! One exchange with an upstream that speaks HTTP/2 (h2c), seen as an HTTP/1.1 connection.
//!
//! HTTP/1.1 is what the rest of the edge writes and reads on the upstream's side; here its bytes
//! become frames and frames become its bytes, for one request and one response. It decides nothing
//! that `exchange` decides. It is polled from one task only. The invariant: what it is given is
//! our own writing, and it is parsed as strictly as anybody's.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::{Body, Step};
use crate::head::{self, Found};

use super::fields;
use super::message;
use super::request::Ending;

/// An exchange on a stream of an upstream's connection.
#[derive(Debug)]
pub(crate) struct Translator {
    sender: SendRequest<Bytes>,
    /// Counts this exchange among those on the connection.
    _place: Rc<()>,
    up: Up,
    /// Written to us and not sent yet.
    written: Vec<u8>,
    down: Down,
    /// For our reader.
    unread: Vec<u8>,
    read: usize,
    refused: bool,
}

/// How far the request is.
#[derive(Debug)]
enum Up {
    Head,
    Body { body: Body, stream: SendStream<Bytes> },
    Ended,
}

/// How far the response is.
#[derive(Debug)]
enum Down {
    /// Nothing was asked yet.
    Unasked,
    Head {
        response: ResponseFuture,
        asked: message::Asked,
    },
    Body {
        stream: RecvStream,
        framing: message::Framing,
    },
    Ended,
}

/// How much may be written ahead of what the upstream takes.
const MOST_WRITTEN: usize = 64 * 1024;

impl Translator {
    pub(crate) fn new(sender: SendRequest<Bytes>, place: Rc<()>) -> Self {
        Self {
            sender,
            _place: place,
            up: Up::Head,
            written: Vec::new(),
            down: Down::Unasked,
            unread: Vec::new(),
            read: 0,
            refused: false,
        }
    }

    /// Whether the upstream said that it has done nothing with the request (RFC 9113 section 8.7).
    pub(crate) fn was_refused(&self) -> bool {
        self.refused
    }

    /// Sends what was written as far as the upstream takes it; ready when nothing is left that
    /// could be sent without more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.up {
                Up::Head => match head::find(&self.written, 0) {
                    Ok(Found::Whole(length)) => ready!(self.poll_ask(cx, length))?,
                    Ok(Found::Partial { .. }) => return Poll::Ready(Ok(())),
                    Err(why) => return Poll::Ready(Err(io::Error::other(why))),
                },
                Up::Body { body, stream } => {
                    // A step is only taken once there is room for what it finds.
                    stream.reserve_capacity(self.written.len().min(MOST_WRITTEN));
                    let mut next = *body;
                    match next.step(&self.written).map_err(io::Error::other)? {
                        Step::Skip(count) => {
                            *body = next;
                            self.written.drain(..count);
                        }
                        Step::Data(count) => {
                            let room = ready!(poll_room(stream, cx))?.min(count);
                            let piece = self.written.get(..room).unwrap_or_default();
                            body.step(piece).map_err(io::Error::other)?;
                            let data = Bytes::copy_from_slice(piece);
                            self.written.drain(..room);
                            stream.send_data(data, false).map_err(io::Error::other)?;
                        }
                        Step::End { skip, trailers } => {
                            let lines = self.written.get(..trailers).unwrap_or_default();
                            match fields::of_lines(lines).map_err(io::Error::other)? {
                                Some(fields) => stream.send_trailers(fields),
                                None => stream.send_data(Bytes::new(), true),
                            }
                            .map_err(io::Error::other)?;
                            self.written.drain(..skip);
                            self.up = Up::Ended;
                        }
                        Step::More => return Poll::Ready(Ok(())),
                    }
                }
                Up::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Sends the head of the request.
    fn poll_ask(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<()>> {
        if let Err(error) = ready!(self.sender.poll_ready(cx)) {
            self.refused = true;
            return Poll::Ready(Err(io::Error::other(error)));
        }
        let head = self.written.get(..length).unwrap_or_default();
        let message::Ask { request, body, asked } =
            message::request(head).map_err(io::Error::other)?;
        self.written.drain(..length);
        match self.sender.send_request(request, body == Body::EMPTY) {
            Ok((response, stream)) => {
                self.down = Down::Head { response, asked };
                self.up = if body == Body::EMPTY { Up::Ended } else { Up::Body { body, stream } };
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                self.refused = true;
                Poll::Ready(Err(io::Error::other(error)))
            }
        }
    }

    /// Fetches more for our reader. Leaves it empty at the end of the response.
    fn poll_fetch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        self.unread.clear();
        self.read = 0;
        match &mut self.down {
            Down::Unasked => Poll::Pending,
            Down::Head { response, asked } => {
                if let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
                    message::put_interim(&interim?, &mut self.unread);
                    return Poll::Ready(Ok(()));
                }
                let (parts, stream) = ready!(Pin::new(response).poll(cx))?.into_parts();
                let ending = Ending::of(&stream);
                let framing = message::put_response(&parts, *asked, ending, &mut self.unread);
                self.down = Down::Body { stream, framing };
                Poll::Ready(Ok(()))
            }
            Down::Body { stream, framing } => {
                if let Some(piece) = ready!(stream.poll_data(cx)) {
                    let piece = piece?;
                    framing.put(&piece, &mut self.unread);
                    return Poll::Ready(stream.flow_control().release_capacity(piece.len()));
                }
                let trailers = ready!(stream.poll_trailers(cx))?;
                framing.put_end(trailers.as_ref(), &mut self.unread);
                self.down = Down::Ended;
                Poll::Ready(Ok(()))
            }
            Down::Ended => Poll::Ready(Ok(())),
        }
    }
}

fn poll_room(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    loop {
        let room = stream.capacity();
        if room > 0 {
            return Poll::Ready(Ok(room));
        }
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

/// Whether the error says that nothing was done with the request.
fn is_refusal(error: &h2::Error) -> bool {
    let unprocessed = error.is_go_away() && error.is_remote();
    error.reason() == Some(Reason::REFUSED_STREAM) || unprocessed
}

impl AsyncRead for Translator {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.read == this.unread.len() {
            if matches!(this.down, Down::Ended) {
                return Poll::Ready(Ok(()));
            }
            let unanswered = matches!(this.down, Down::Head { .. });
            if let Err(error) = ready!(this.poll_fetch(cx)) {
                this.refused |= unanswered && is_refusal(&error);
                return Poll::Ready(Err(io::Error::other(error)));
            }
        }
        let rest = this.unread.get(this.read..).unwrap_or_default();
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        this.read += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Translator {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = self.poll_send(cx)?;
        let room = MOST_WRITTEN.saturating_sub(self.written.len());
        if sent.is_pending() && room == 0 {
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        self.written.extend_from_slice(bytes.get(..count).unwrap_or_default());
        // What cannot be sent now is sent by the flush that follows every write.
        let _ = self.poll_send(cx)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
