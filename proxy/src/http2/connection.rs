//! One HTTP/2 connection: it accepts streams and knows when to leave.
//!
//! What is in a stream is not its business. The invariant: it outlives every stream it began, so
//! that whoever waits for connections waits for requests.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::Builder;
use h2::{Ping, PingPong, Reason};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::futures::OwnedNotified;

use crate::alarm::Alarm;
use crate::arrival::Arrival;
use crate::limits::Limits;
use crate::worker::Worker;

use super::guard::Breach;
use super::guarded::Guarded;
use super::preface;
use super::session::{Accepted, Session};

/// Serves a client that agreed on HTTP/2 until it is done, misbehaves, is idle for too long, or the
/// edge retires.
pub(crate) async fn serve<S>(stream: S, arrival: Arrival, worker: Rc<Worker>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = &worker.shared.limits;
    let mut alarm = Alarm::new(limits.head_time);
    let Some(stream) = preface::read(stream, &mut alarm, limits).await else { return };
    let breach = stream.breach();
    let Some(mut connection) = shake_hands(stream, &mut alarm, limits).await else { return };
    let session = Rc::new(Session::new(arrival, Rc::clone(&worker)));
    alarm.set(limits.idle.min(limits.ping));
    let mut keeper = Keeper {
        pings: connection.ping_pong(),
        connection,
        breach,
        session: Rc::clone(&session),
        retire: Box::pin(worker.retire_notice()),
        alarm,
        state: State::Serving,
        ping: Pings::None,
    };
    poll_fn(|cx| keeper.poll(cx)).await;
    // What was sent is read by nobody any more; the streams see that and end.
    drop(keeper);
    poll_fn(|cx| session.poll_quiet(cx)).await;
    session.dismiss();
}

async fn shake_hands<S>(
    stream: Guarded<S>,
    alarm: &mut Alarm,
    limits: &Limits,
) -> Option<Connection<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = std::pin::pin!(
        Builder::new()
            .initial_window_size(limits.stream_window)
            .initial_connection_window_size(limits.connection_window)
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
            .max_send_buffer_size(limits.buffer)
            .enable_connect_protocol()
            .handshake::<_, Bytes>(stream)
    );
    poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Ready(connection) => Poll::Ready(connection.ok()),
        Poll::Pending => alarm.poll(cx).map(|()| None),
    })
    .await
}

type Connection<S> = h2::server::Connection<Guarded<S>, Bytes>;

/// A connection being served.
struct Keeper<S> {
    connection: Connection<S>,
    /// What the guard found.
    breach: Breach,
    session: Rc<Session>,
    retire: Pin<Box<OwnedNotified>>,
    alarm: Alarm,
    state: State,
    pings: Option<PingPong>,
    ping: Pings,
}

/// Where a connection stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Serving,
    /// GOAWAY was sent; streams that are open may end.
    Leaving,
    /// No stream is left; the client has a moment to take what it was sent.
    Lingering,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pings {
    None,
    Unanswered,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Keeper<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(next) = self.connection.poll_accept(cx) {
            match next {
                Some(Ok((request, answer))) => self.begin(Accepted { request, answer }),
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
        if let Some(reason) = self.breach.take() {
            self.connection.abrupt_shutdown(reason);
            return self.linger(cx);
        }
        let quiet = self.session.poll_quiet(cx).is_ready();
        let worker = Rc::clone(&self.session.worker);
        let retiring = worker.is_retiring() || self.retire.as_mut().poll(cx).is_ready();
        let worn = self.session.begun() >= worker.shared.limits.connection_requests;
        if self.state == State::Serving && self.session.is_abused() {
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            return self.linger(cx);
        }
        if self.state == State::Serving && (retiring || worn) {
            self.leave(cx);
        }
        if self.state == State::Leaving && quiet {
            return self.linger(cx);
        }
        while self.alarm.poll(cx).is_ready() {
            if self.check(cx) == Verdict::Over {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    fn begin(&mut self, accepted: Accepted) {
        if self.state == State::Lingering {
            self.state = State::Leaving; // it was on its way when the client was asked to leave
        }
        self.session.begin(accepted);
    }

    /// Says that no more streams will be served.
    fn leave(&mut self, cx: &mut Context<'_>) {
        self.state = State::Leaving;
        self.connection.graceful_shutdown();
        cx.waker().wake_by_ref(); // to send it
    }

    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.state != State::Lingering {
            self.state = State::Lingering;
            self.alarm.set(self.session.worker.shared.limits.linger);
            cx.waker().wake_by_ref(); // to send what is left
        }
        self.alarm.poll(cx)
    }

    /// Looks after a client that may have gone to sleep, or for good.
    fn check(&mut self, cx: &mut Context<'_>) -> Verdict {
        let Limits { idle, ping, .. } = self.session.worker.shared.limits;
        if self.state == State::Lingering {
            return Verdict::Over;
        }
        if self.session.is_quiet() {
            self.session.dismiss();
            let left = idle.saturating_sub(self.session.quiet_for());
            if left.is_zero() {
                self.leave(cx);
            }
            self.alarm.set(left.clamp(SHORTEST_CHECK, ping.max(SHORTEST_CHECK)));
            return Verdict::GoOn;
        }
        self.alarm.set(ping.max(SHORTEST_CHECK));
        let Some(pings) = &mut self.pings else { return Verdict::GoOn };
        if self.ping == Pings::Unanswered && pings.poll_pong(cx).is_pending() {
            return Verdict::Over;
        }
        self.ping = match pings.send_ping(Ping::opaque()) {
            Ok(()) => Pings::Unanswered,
            Err(_) => Pings::None,
        };
        cx.waker().wake_by_ref(); // to send it
        Verdict::GoOn
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    GoOn,
    Over,
}

/// An idle time of zero must not keep a thread busy.
const SHORTEST_CHECK: Duration = Duration::from_millis(10);
