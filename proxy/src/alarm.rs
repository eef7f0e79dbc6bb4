//! One timer per connection, moved from wait to wait.
//!
//! Not a timeout around futures: a connection waits for several things at once and its patience
//! changes with each byte. One timer that is moved costs far less than one per wait, and least if
//! it is not moved: nearly every wait ends long before its time, so a later time is only
//! remembered, and the runtime's timer wakes once too early instead of being set for every request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// A timer that is always set.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// Wakes no later than `due`.
    sleep: Pin<Box<Sleep>>,
    due: Instant,
}

impl Alarm {
    pub(crate) fn new(after: Duration) -> Self {
        let sleep = Box::pin(sleep(after));
        Self { due: sleep.deadline(), sleep }
    }

    /// Moves the alarm to `after` from now.
    pub(crate) fn set(&mut self, after: Duration) {
        self.due = Instant::now() + after;
        if self.due < self.sleep.deadline() {
            self.sleep.as_mut().reset(self.due);
        }
    }

    /// Ready once the time has come.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.due <= self.sleep.deadline() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_hours(1);

    /// That it rings at all, after it was set to each of these in turn, and not before the last.
    fn check(times: &[Duration]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut alarm = Alarm::new(LONG);
            let mut due = Instant::now();
            for after in times {
                due = Instant::now() + *after;
                alarm.set(*after);
            }
            poll_fn(|cx| alarm.poll(cx)).await;
            assert!(Instant::now() >= due, "rang too early: {times:?}");
        });
    }

    #[test]
    fn it_rings_when_it_was_set_to_last() {
        check(&[SHORT]);
        check(&[LONG, SHORT]);
        check(&[SHORT, LONG, SHORT]);
        check(&[SHORT, SHORT * 3]);
        check(&[LONG, SHORT, SHORT * 5, SHORT * 3]);
    }
}
