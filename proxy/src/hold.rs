//! Requests that wait because nobody can answer them yet.
//!
//! Not a queue of data: a held request is its own waiting task, its body unread in the client's
//! socket. Tasks are woken in the order in which they began to wait. The number held and the time
//! are bounded by the service's [`crate::Hold`].

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::alarm::Alarm;
use crate::party::Party;
use crate::view::Target;
use crate::worker::Worker;

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The table changed: look again.
    Changed,
    /// The deadline passed, or there was no room to wait.
    InVain,
    ClientGone,
}

/// Waits for another table, having `waited` already.
pub(crate) async fn wait(
    client: &mut impl Party,
    alarm: &mut Alarm,
    worker: &Worker,
    target: &Target,
    waited: Duration,
) -> Waited {
    let hold = target.service.hold;
    let Some(left) = hold.deadline.checked_sub(waited).filter(|left| !left.is_zero()) else {
        return Waited::InVain;
    };
    // Registered before the figures are seen, so that whoever reacts to them is not missed.
    let mut changed = pin!(worker.changed.notified());
    let Some(_held) = target.meter.hold(hold.most) else { return Waited::InVain };
    worker.shared.ledger.tick();
    alarm.set(left);
    poll_fn(|cx| {
        if changed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Waited::Changed);
        }
        if client.poll_gone(cx).is_ready() {
            return Poll::Ready(Waited::ClientGone);
        }
        alarm.poll(cx).map(|()| Waited::InVain)
    })
    .await
}
