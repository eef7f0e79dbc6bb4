//! Two connections joined after a protocol was switched: bytes, both ways, until both sides end.
//!
//! Not a protocol: what is inside is between the two. The invariant: it begins only after the
//! upstream's 101, and it ends when nothing was said for long enough.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::alarm::Alarm;
use crate::body::Body;
use crate::party::Party;
use crate::pump::{Encoding, Leak, Pump};
use crate::record::Abort;

/// What went through a tunnel and how it ended.
#[derive(Debug)]
pub(crate) struct Passed {
    /// Bytes from the client to the upstream.
    pub(crate) up: u64,
    /// Bytes from the upstream to the client.
    pub(crate) down: u64,
    pub(crate) abort: Option<Abort>,
}

/// One direction: bytes, then the end of bytes passed on.
#[derive(Debug)]
struct Way {
    pump: Pump,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Flowing,
    Closing,
    Closed,
}

/// Joins the two until both directions have ended, one breaks, or both are silent for `idle`.
pub(crate) async fn join<C, U>(
    client: &mut C,
    upstream: &mut U,
    alarm: &mut Alarm,
    idle: Duration,
) -> Passed
where
    C: Party,
    U: Party,
{
    let (mut up, mut down) = (Way::new(), Way::new());
    alarm.set(idle);
    let abort = poll_fn(|cx| {
        let before = client.moved() + upstream.moved();
        let upward = up.poll(cx, client, upstream);
        let downward = down.poll(cx, upstream, client);
        if client.moved() + upstream.moved() != before {
            alarm.set(idle);
        }
        match (upward, downward) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(None),
            (Poll::Ready(Err(Leak::Source(_))), _) | (_, Poll::Ready(Err(Leak::Sink(_)))) => {
                Poll::Ready(Some(Abort::ClientGone))
            }
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => {
                Poll::Ready(Some(Abort::UpstreamClosed))
            }
            _ => alarm.poll(cx).map(|()| Some(Abort::TunnelIdle)),
        }
    })
    .await;
    Passed { up: up.pump.moved(), down: down.pump.moved(), abort }
}

impl Way {
    fn new() -> Self {
        Self { pump: Pump::new(Body::UntilClose, Encoding::Plain), stage: Stage::Flowing }
    }

    fn poll<S, T>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut S,
        sink: &mut T,
    ) -> Poll<Result<(), Leak>>
    where
        S: Party,
        T: Party,
    {
        if self.stage == Stage::Flowing {
            std::task::ready!(self.pump.poll(cx, source, sink))?;
            self.stage = Stage::Closing;
        }
        if self.stage == Stage::Closing {
            std::task::ready!(sink.poll_shutdown(cx)).map_err(Leak::Sink)?;
            self.stage = Stage::Closed;
        }
        Poll::Ready(Ok(()))
    }
}
