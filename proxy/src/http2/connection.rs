//! One HTTP/2 connection: it accepts streams, keeps count of them, and knows when to leave.
//!
//! What is in a stream is not its business. The invariant: it outlives every stream it began, so
//! that whoever waits for connections waits for requests.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::futures::OwnedNotified;

use crate::alarm::Alarm;
use crate::arrival::Arrival;
use crate::limits::Limits;
use crate::worker::Worker;

use super::guard::Breach;
use super::preface::{self, Begun};
use super::visit::{self, Kit};

/// What the streams of a connection share with it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) worker: Rc<Worker>,
    pub(crate) arrival: Arrival,
    /// Timers and buffers of requests that are over.
    pub(crate) kits: RefCell<Vec<Kit>>,
    active: Cell<usize>,
    begun: Cell<u64>,
    /// Streams that the client gave up itself.
    abandoned: Cell<u64>,
    /// When the last stream ended.
    quiet_since: Cell<Instant>,
    waker: RefCell<Option<Waker>>,
}

impl Session {
    /// Counts a stream that is over.
    pub(crate) fn ended(&self, how: Ended) {
        self.active.set(self.active.get().saturating_sub(1));
        if how == Ended::Abandoned {
            self.abandoned.set(self.abandoned.get() + 1);
        }
        if self.active.get() == 0 {
            self.quiet_since.set(Instant::now());
            if let Some(waker) = self.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// Opening streams only to reset them makes work for everybody but the client: more than a few,
    /// and more than half, is no browser that changed its mind (CVE-2023-44487).
    fn is_abused(&self) -> bool {
        let most = u64::from(self.worker.shared.limits.stream_resets);
        self.abandoned.get() > most && self.abandoned.get() * 2 > self.begun.get()
    }
}

/// How a stream ended, as far as the connection cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Properly,
    /// The client reset it.
    Abandoned,
}

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
    let session = Rc::new(Session {
        worker: Rc::clone(&worker),
        arrival,
        kits: RefCell::default(),
        active: Cell::new(0),
        begun: Cell::new(0),
        abandoned: Cell::new(0),
        quiet_since: Cell::new(Instant::now()),
        waker: RefCell::default(),
    });
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
    poll_fn(|cx| session.poll_empty(cx)).await;
}

impl Session {
    fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.active.get() == 0 {
            return Poll::Ready(());
        }
        self.watch(cx);
        Poll::Pending
    }

    fn watch(&self, cx: &mut Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

async fn shake_hands<S>(
    stream: Begun<S>,
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

type Connection<S> = h2::server::Connection<Begun<S>, Bytes>;

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
                Some(Ok((request, answer))) => self.begin(request, answer),
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
        if let Some(reason) = self.breach.take() {
            self.connection.abrupt_shutdown(reason);
            return self.linger(cx);
        }
        self.session.watch(cx);
        let worker = Rc::clone(&self.session.worker);
        let retiring = worker.is_retiring() || self.retire.as_mut().poll(cx).is_ready();
        let worn = self.session.begun.get() >= worker.shared.limits.connection_requests;
        if self.state == State::Serving && self.session.is_abused() {
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            return self.linger(cx);
        }
        if self.state == State::Serving && (retiring || worn) {
            self.leave(cx);
        }
        if self.state == State::Leaving && self.session.active.get() == 0 {
            return self.linger(cx);
        }
        while self.alarm.poll(cx).is_ready() {
            if self.check(cx) == Verdict::Over {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    fn begin(&mut self, request: Request<RecvStream>, answer: SendResponse<Bytes>) {
        if self.state == State::Lingering {
            self.state = State::Leaving; // it was on its way when the client was asked to leave
        }
        let session = &self.session;
        session.active.set(session.active.get() + 1);
        session.begun.set(session.begun.get() + 1);
        // In a box: a task is moved around as a whole before it first runs.
        tokio::task::spawn_local(Box::pin(visit::serve(request, answer, Rc::clone(session))));
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
        if self.session.active.get() == 0 {
            let left = idle.saturating_sub(self.session.quiet_since.get().elapsed());
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
