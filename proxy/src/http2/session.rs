//! What the streams of one connection share: where they came from, how many there are, and the
//! tasks that serve them.
//!
//! A task that has served a stream waits for the next one: a new task for every stream would cost
//! more than routing it. The invariant: each call comes with one stream, so a task that is called
//! and finds none knows that it is dismissed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use tokio::sync::Notify;

use crate::arrival::Arrival;
use crate::worker::Worker;

use super::visit::{self, Kit};

/// A connection as its streams see it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) worker: Rc<Worker>,
    pub(crate) arrival: Arrival,
    /// Streams that a task was called or begun for.
    accepted: RefCell<VecDeque<Accepted>>,
    call: Notify,
    /// Tasks that wait for a call.
    idle: Cell<usize>,
    active: Cell<usize>,
    begun: Cell<u64>,
    /// Streams that the client gave up itself.
    abandoned: Cell<u64>,
    /// When the last stream ended.
    quiet_since: Cell<Instant>,
    waker: RefCell<Option<Waker>>,
}

/// A stream that nobody serves yet.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) request: Request<RecvStream>,
    pub(crate) answer: SendResponse<Bytes>,
}

/// How a stream ended, as far as the connection cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Properly,
    /// The client reset it.
    Abandoned,
}

impl Session {
    pub(crate) fn new(arrival: Arrival, worker: Rc<Worker>) -> Self {
        Self {
            worker,
            arrival,
            accepted: RefCell::default(),
            call: Notify::new(),
            idle: Cell::new(0),
            active: Cell::new(0),
            begun: Cell::new(0),
            abandoned: Cell::new(0),
            quiet_since: Cell::new(Instant::now()),
            waker: RefCell::default(),
        }
    }

    /// Has a stream served, by the task that was busy last or by a new one.
    pub(crate) fn begin(self: &Rc<Self>, accepted: Accepted) {
        self.active.set(self.active.get() + 1);
        self.begun.set(self.begun.get() + 1);
        self.accepted.borrow_mut().push_back(accepted);
        match self.idle.get().checked_sub(1) {
            Some(others) => {
                self.idle.set(others);
                self.call.notify_last();
            }
            None => {
                // In a box: a task is moved around as a whole before it first runs.
                tokio::task::spawn_local(Box::pin(Rc::clone(self).attend()));
            }
        }
    }

    /// Serves streams until it is dismissed.
    async fn attend(self: Rc<Self>) {
        let mut kit = Kit::new(&self.worker.shared.limits);
        while let Some(accepted) = self.next() {
            let how = visit::serve(accepted, &self, &mut kit).await;
            self.ended(how);
            self.idle.set(self.idle.get() + 1);
            self.call.notified().await;
        }
    }

    fn next(&self) -> Option<Accepted> {
        self.accepted.borrow_mut().pop_front()
    }

    /// Counts a stream that is over.
    fn ended(&self, how: Ended) {
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

    /// Ends the tasks that wait, to give their memory back.
    pub(crate) fn dismiss(&self) {
        self.idle.set(0);
        self.call.notify_waiters();
    }

    /// Streams that were ever begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.get()
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.active.get() == 0
    }

    /// How long there has been no stream, if there is none.
    pub(crate) fn quiet_for(&self) -> Duration {
        self.quiet_since.get().elapsed()
    }

    /// Opening streams only to reset them makes work for everybody but the client: more than a few,
    /// and more than half, is no browser that changed its mind (CVE-2023-44487).
    pub(crate) fn is_abused(&self) -> bool {
        let most = u64::from(self.worker.shared.limits.stream_resets);
        self.abandoned.get() > most && self.abandoned.get() * 2 > self.begun.get()
    }

    /// Ready when no stream is left.
    pub(crate) fn poll_quiet(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_quiet() {
            return Poll::Ready(());
        }
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}
