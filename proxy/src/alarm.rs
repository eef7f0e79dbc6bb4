//! One timer per connection, moved from wait to wait.
//!
//! Not a timeout around futures: a connection waits for several things at once and its patience
//! changes with each byte. One timer that is moved costs far less than one per wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// A timer that is always set.
#[derive(Debug)]
pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(crate) fn new(after: Duration) -> Self {
        Self(Box::pin(sleep(after)))
    }

    /// Moves the alarm to `after` from now.
    pub(crate) fn set(&mut self, after: Duration) {
        self.0.as_mut().reset(Instant::now() + after);
    }

    /// Ready once the time has come.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
