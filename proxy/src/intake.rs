//! The wait for a client's next request: a whole head, in time and in bounds.
//!
//! It finds where a head ends and understands nothing of it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::futures::OwnedNotified;

use crate::alarm::Alarm;
use crate::head::{self, Found, Malformed};
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::wire::Wire;
use crate::worker::Worker;

/// What the wait for a request ended with.
pub(crate) enum Next {
    Head(usize),
    Refused(Refusal),
    Closed,
}

/// Where the connection stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was sent yet: the client opened it in order to speak.
    Opened,
    /// Kept alive after an answer.
    Kept,
}

/// What the alarm is set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Unset,
    Head,
    Idle,
    Last,
}

/// Waits for a whole head.
pub(crate) async fn next<S>(
    wire: &mut Wire<S>,
    alarm: &mut Alarm,
    mut stop: Pin<&mut OwnedNotified>,
    worker: &Worker,
    stage: Stage,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &worker.shared.limits;
    let (mut seen, mut begun) = (0, false);
    // A new connection's alarm was set when it was accepted.
    let mut patience = if stage == Stage::Opened { Patience::Head } else { Patience::Unset };
    poll_fn(|cx| {
        loop {
            // Line ends too many after a body are an old client's habit (RFC 9112 section 2.2).
            while !begun && wire.input.bytes().starts_with(b"\r\n") {
                wire.input.consume(2);
            }
            let bytes = wire.input.bytes();
            begun = begun || !matches!(bytes, [] | [b'\r']);
            if begun {
                match look(bytes, seen, limits) {
                    Ok(Found::Whole(length)) => return Poll::Ready(Next::Head(length)),
                    Ok(Found::Partial { seen: next }) => seen = next,
                    Err(refusal) => return Poll::Ready(Next::Refused(refusal)),
                }
            }
            match wire.poll_fill(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::Closed),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
        let stopping = worker.is_stopping() || stop.as_mut().poll(cx).is_ready();
        let wanted = match stage {
            Stage::Kept if !begun && stopping => return Poll::Ready(Next::Closed),
            Stage::Kept if !begun => Patience::Idle,
            // It was opened in order to send something, which may be on its way.
            Stage::Opened if !begun && stopping => Patience::Last,
            Stage::Kept | Stage::Opened => Patience::Head,
        };
        if patience != wanted {
            alarm.set(match wanted {
                Patience::Unset | Patience::Head => limits.head_time,
                Patience::Idle => limits.idle,
                Patience::Last => limits.linger,
            });
            patience = wanted;
        }
        ready!(alarm.poll(cx));
        Poll::Ready(if begun { Next::Refused(Refusal::HeadTimeout) } else { Next::Closed })
    })
    .await
}

/// Looks for the end of a head, refusing what can be refused before it is whole.
fn look(bytes: &[u8], seen: usize, limits: &Limits) -> Result<Found, Refusal> {
    // A TLS greeting on a plain port would otherwise wait for a line end that never comes.
    if !bytes.first().is_some_and(u8::is_ascii_graphic) {
        return Err(Refusal::Malformed(Malformed::FirstLine));
    }
    let found = head::find(bytes, seen).map_err(Refusal::Malformed)?;
    let length = match found {
        Found::Whole(length) => length,
        Found::Partial { .. } => bytes.len(),
    };
    let line = memchr::memchr(b'\r', bytes.get(..limits.request_line).unwrap_or(bytes));
    if length > limits.request_line && line.is_none() {
        return Err(Refusal::TargetTooLong);
    }
    let full = matches!(found, Found::Partial { .. }) && length >= limits.head;
    if full || length > limits.head { Err(Refusal::HeadTooLong) } else { Ok(found) }
}
