//! Keeps one connection to a node up.
//!
//! It dials until there is one, waits for its end, and dials again: at once when another node is to be called, or
//! the same at another address, else after a pause that grows. A connection that is left for another one serves
//! what goes over it to its end.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    sync::watch,
    task::{Id, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Credentials, LinkState,
    dial::{Dialled, Line, Lost, NoLink, dial},
};
use crate::{clock, model::NodeName, telemetry::chain};

/// Who is called, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The node, as its certificate has to say.
    pub name: NodeName,
    /// Where its link listens.
    pub at: SocketAddr,
}

/// What keeps a [`Link`](super::Link) up, while it runs.
#[derive(Debug)]
pub struct Keeper {
    target: watch::Receiver<Target>,
    credentials: Credentials,
    states: watch::Sender<LinkState>,
    missed: watch::Sender<Option<Target>>,
    lines: watch::Sender<Option<Line>>,
}

/// What a keeper tells.
#[derive(Debug)]
pub(super) struct Kept {
    /// How the link is.
    pub(super) states: watch::Receiver<LinkState>,
    /// Whom it did not reach last, or lost.
    pub(super) missed: watch::Receiver<Option<Target>>,
    /// What takes requests.
    pub(super) lines: watch::Receiver<Option<Line>>,
}

/// Why a connection is no longer used.
enum Over {
    Lost(Lost),
    Moved,
    /// It lives, and takes no more requests: the far side is about to end.
    Spent,
}

impl Keeper {
    pub(super) fn new(target: watch::Receiver<Target>, credentials: Credentials) -> (Self, Kept) {
        let why = "it has not been called yet".to_owned();
        let (states, state) = watch::channel(LinkState::Down { since: clock::now(), why });
        let (missed, miss) = watch::channel(None);
        let (lines, line) = watch::channel(None);
        let kept = Kept { states: state, missed: miss, lines: line };
        (Self { target, credentials, states, missed, lines }, kept)
    }

    /// Keeps the link up until it is told to stop, and then closes it.
    pub async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.keep() => {}
        }
        let target = self.target.borrow().clone();
        self.down(&target, "the link is closed".to_owned());
    }

    async fn keep(&mut self) {
        let mut connections = JoinSet::new();
        let mut failures = 0;
        loop {
            let target = self.target.borrow_and_update().clone();
            let identity = self.credentials.borrow_and_update().clone();
            let dialled = tokio::select! {
                biased;
                Ok(()) = self.target.changed() => {
                    failures = 0;
                    continue;
                }
                dialled = timeout(DIAL, dial(&target, &identity)) => dialled,
            };
            match dialled.unwrap_or(Err(NoLink::Slow { address: target.at })) {
                Err(error) => self.miss(&target, chain(&error)),
                Ok(Dialled { line, version, connection }) => {
                    let begun = Instant::now();
                    let current = connections.spawn(connection).id();
                    let spent = line.spent.clone();
                    self.up(&target, line, version);
                    match self.over(&mut connections, current, &spent).await {
                        Over::Moved => {
                            self.down(&target, "another is called, or elsewhere".to_owned());
                            failures = 0;
                            continue;
                        }
                        Over::Spent => self.down(&target, "it is about to end".to_owned()),
                        Over::Lost(why) => self.miss(&target, chain(&why)),
                    }
                    if begun.elapsed() >= STEADY {
                        failures = 0;
                    }
                }
            }
            failures += 1;
            if self.pause(failures).await == Pause::Interrupted {
                failures = 0;
            }
        }
    }

    /// Waits until the current connection ends or is spent, or the target is another.
    async fn over(
        &mut self,
        connections: &mut JoinSet<Lost>,
        current: Id,
        spent: &CancellationToken,
    ) -> Over {
        loop {
            tokio::select! {
                biased;
                Ok(()) = self.target.changed() => return Over::Moved,
                () = spent.cancelled() => return Over::Spent,
                Some(ended) = connections.join_next_with_id() => match ended {
                    Ok((id, why)) if id == current => return Over::Lost(why),
                    Err(error) if error.id() == current => return Over::Lost(Lost::Closed),
                    // One that was left for another has come to its end.
                    Ok(_) | Err(_) => {}
                },
            }
        }
    }

    /// Waits before the next attempt, unless something has changed that may make it succeed.
    async fn pause(&mut self, failures: u32) -> Pause {
        tokio::select! {
            biased;
            Ok(()) = self.target.changed() => Pause::Interrupted,
            Ok(()) = self.credentials.changed() => Pause::Interrupted,
            () = sleep(back_off(failures)) => Pause::Over,
        }
    }

    fn up(&self, target: &Target, line: Line, version: Option<String>) {
        tracing::info!(node = %target.name, at = %target.at, "link up");
        self.lines.send_replace(Some(line));
        self.states.send_replace(LinkState::Up { since: clock::now(), version });
    }

    /// The target was not reached, or is lost.
    fn miss(&self, target: &Target, why: String) {
        self.down(target, why);
        self.missed.send_replace(Some(target.clone()));
    }

    /// Says why; how long it has been so does not begin anew.
    fn down(&self, target: &Target, why: String) {
        let node = &target.name;
        self.lines.send_replace(None);
        self.states.send_if_modified(|state| match state {
            LinkState::Down { why: said, .. } if *said == why => false,
            LinkState::Down { why: said, .. } => {
                tracing::debug!(%node, why, "link still down");
                *said = why;
                true
            }
            LinkState::Up { .. } => {
                tracing::warn!(%node, why, "link down");
                *state = LinkState::Down { since: clock::now(), why };
                true
            }
        });
    }
}

/// How a pause ended.
#[derive(PartialEq, Eq)]
enum Pause {
    Over,
    Interrupted,
}

/// How long to wait after so many failures in a row.
pub(in crate::node) fn back_off(failures: u32) -> Duration {
    jittered(pause(failures))
}

/// The same, at most.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE)
}

/// Between a half and all of it, so that nodes that lost the same peer do not come back in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

/// For TCP, TLS and the first answer together.
const DIAL: Duration = Duration::from_secs(5);
/// After the first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// After many.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A connection that lasted so long was none that failed.
const STEADY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound() {
        let millis = [1, 2, 3, 5, 6, 1000].map(|failures| pause(failures).as_millis());
        assert_eq!(millis, [100, 200, 400, 1600, 2000, 2000]);
        for _ in 0..100 {
            let pause = jittered(LONGEST_PAUSE);
            assert!(pause >= LONGEST_PAUSE / 2 && pause <= LONGEST_PAUSE, "{pause:?}");
        }
    }
}
