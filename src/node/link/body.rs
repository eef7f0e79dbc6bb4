//! Bodies of calls, in pieces, as the far side's window allows.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use h2::{Reason, RecvStream, SendStream};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body as _, Frame};
use tokio_util::task::AbortOnDropHandle;

use super::wire::{given_up, send};

/// A body, whatever it is made of.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body ends before its end.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is there as a whole.
pub fn full(data: impl Into<Bytes>) -> Body {
    Full::new(data.into()).map_err(|never| match never {}).boxed_unsync()
}

/// All of a body that is to have so many bytes at most.
pub async fn whole(mut body: Body, most: usize) -> Result<Bytes, BodyError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        all.extend_from_slice(frame?.data_ref().map_or(&[][..], Bytes::as_ref));
        if all.len() > most {
            return Err(format!("it is longer than {most} bytes").into());
        }
    }
    Ok(all.freeze())
}

/// The same body, which breaks off with what this says as soon as it says it.
pub fn until(body: Body, broken: impl Future<Output = BodyError> + Send + 'static) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let frames = stream::unfold(Some((body, Box::pin(broken))), |going| async move {
        let (mut body, mut broken) = going?;
        tokio::select! {
            biased;
            why = &mut broken => Some((Err(why), None)),
            frame = body.frame() => frame.map(|frame| (frame, Some((body, broken)))),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

/// A body that comes over the link; what is not read is not sent, beyond a window.
#[derive(Debug)]
pub(super) struct Incoming {
    stream: RecvStream,
    /// The sending of the request that this answers; it ends with whoever wanted the answer.
    _upload: Option<AbortOnDropHandle<()>>,
}

impl Incoming {
    pub(super) fn request(stream: RecvStream) -> Body {
        Self { stream, _upload: None }.boxed_unsync()
    }

    pub(super) fn answer(stream: RecvStream, upload: Option<AbortOnDropHandle<()>>) -> Body {
        Self { stream, _upload: upload }.boxed_unsync()
    }
}

impl hyper::body::Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = loop {
            break match ready!(self.stream.poll_data(cx)) {
                // The end of a body may come alone.
                Some(Ok(data)) if data.is_empty() => continue,
                Some(Ok(data)) => {
                    // It fails only for more than there was.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    Some(Ok(Frame::data(data)))
                }
                Some(Err(error)) if is_end(&error) => None,
                Some(Err(error)) => Some(Err(error.into())),
                None => match ready!(self.stream.poll_trailers(cx)) {
                    Ok(trailers) => trailers.map(Frame::trailers).map(Ok),
                    Err(error) if is_end(&error) => None,
                    Err(error) => Some(Err(error.into())),
                },
            };
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}

/// Whether a stream was reset after its end, by who wants no more of us (RFC 9113 section 8.1).
pub(super) fn is_end(error: &h2::Error) -> bool {
    error.is_remote() && error.reason() == Some(Reason::NO_ERROR)
}

/// Sends a body to its end. One that breaks resets the stream: half of it must not look whole.
pub(super) async fn send_body(
    stream: &mut SendStream<Bytes>,
    mut body: Body,
) -> Result<(), BodyError> {
    loop {
        let frame = tokio::select! {
            biased;
            error = given_up(stream) => return Err(error.into()),
            frame = body.frame() => frame,
        };
        let frame = match frame {
            None => return Ok(stream.send_data(Bytes::new(), true)?),
            Some(Err(error)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Err(error);
            }
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => send(stream, data).await?,
            Err(other) => {
                if let Ok(trailers) = other.into_trailers() {
                    return Ok(stream.send_trailers(trailers)?);
                }
            }
        }
    }
}
