//! The link to whoever leads: it is turned to one machine after the other of those that may, until one does.
//!
//! So a node finds its leader even if that cannot call it. Whoever is heard to lead meanwhile is called at once.
//! Through all of them it goes without a pause; then it waits, longer each time, and goes through them again.

use std::{
    mem::replace,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    leading::Leading,
    link::{Credentials, Keeper, Link, Target, back_off},
};
use crate::model::{NodeName, Roster};

/// What keeps it up, and turns it.
#[derive(Debug)]
pub struct Seek {
    link: Link,
    keeper: Keeper,
    turns: Turns,
}

/// What turns it.
#[derive(Debug)]
struct Turns {
    target: watch::Sender<Target>,
    /// Where the machine is that this one joined, the likeliest first.
    joined: Vec<Target>,
    leading: Leading,
    roster: watch::Receiver<Arc<Roster>>,
    /// Since when the target is what it is.
    turned: Instant,
    /// How many targets in a row were of no use.
    failed: usize,
    /// When the next one's turn is, if this one is of no use either.
    due: Option<(Instant, Useless)>,
}

/// Why a target is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Useless {
    /// It is not reached.
    Missed,
    /// It does not lead.
    Denied,
}

impl Seek {
    /// That of a machine that has joined this one at these addresses, and shows these credentials.
    pub fn new(
        (joined, addresses): (NodeName, &[SocketAddr]),
        (leading, roster): (Leading, watch::Receiver<Arc<Roster>>),
        credentials: Credentials,
    ) -> Self {
        let at = |at: &SocketAddr| Target { name: joined.clone(), at: *at };
        let joined: Vec<_> = addresses.iter().map(at).collect();
        let first = targets(&joined, &leading, &roster.borrow()).into_iter().next();
        let (target, called) = watch::channel(first.unwrap_or_else(|| at(&NOWHERE)));
        let (link, keeper) = Link::new(called, credentials);
        let (turned, failed, due) = (Instant::now(), 0, None);
        let turns = Turns { target, joined, leading, roster, turned, failed, due };
        Self { link, keeper, turns }
    }

    /// The link.
    pub fn link(&self) -> Link {
        self.link.clone()
    }

    /// Keeps it up and turns it until it is told to stop.
    pub async fn keep(self, stop: CancellationToken) {
        let Self { link, keeper, turns } = self;
        tokio::join!(keeper.run(stop.clone()), turns.turn(&link, stop));
    }
}

impl Turns {
    async fn turn(mut self, link: &Link, stop: CancellationToken) {
        let (mut missed, mut denials) = (link.missed(), self.leading.denials());
        let (mut leaders, mut roster) = (self.leading.changes(), self.roster.clone());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Ok(()) = leaders.changed() => {
                    // Who leads now may have been asked before it did.
                    denials.mark_unchanged();
                    self.settle();
                }
                Ok(()) = roster.changed() => self.settle(),
                Ok(()) = missed.changed() => {
                    if missed.borrow_and_update().as_ref() == Some(&self.now()) {
                        self.fails(Useless::Missed);
                    }
                }
                Ok(()) = denials.changed() => {
                    if denials.borrow_and_update().as_ref() == Some(&self.now().name) {
                        self.fails(Useless::Denied);
                    }
                }
                () = until(self.due) => match self.due.take() {
                    // It was reached while the next one waited.
                    Some((_, Useless::Missed)) if link.is_up() => {}
                    _ => self.onward(),
                },
            }
        }
    }

    fn now(&self) -> Target {
        self.target.borrow().clone()
    }

    /// Calls whoever leads where it is now; or, if nobody knows where, somebody who may know.
    fn settle(&mut self) {
        let (now, targets) = (self.now(), self.targets());
        let leads = now.name == self.leading.leader().name;
        (self.failed, self.due) = (0, None);
        if !(leads && targets.contains(&now)) {
            self.call(targets.first());
        }
    }

    /// The target is of no use; the next one's turn comes.
    fn fails(&mut self, why: Useless) {
        let at = match self.due {
            Some((at, _)) => at,
            None => {
                let steady = self.turned.elapsed() >= STEADY;
                self.failed = if steady { 1 } else { self.failed + 1 };
                Instant::now() + pause(self.failed, self.targets().len())
            }
        };
        self.due = Some((at, why));
    }

    fn onward(&mut self) {
        let targets = self.targets();
        self.call(next(&targets, &self.now()));
    }

    fn call(&mut self, target: Option<&Target>) {
        let Some(target) = target else { return };
        self.turned = Instant::now();
        self.target.send_if_modified(|before| replace(before, target.clone()) != *target);
    }

    fn targets(&self) -> Vec<Target> {
        targets(&self.joined, &self.leading, &self.roster.borrow())
    }
}

/// All that may lead, where they are: whoever does first, then the machine that was joined.
fn targets(joined: &[Target], leading: &Leading, roster: &Roster) -> Vec<Target> {
    let (leader, candidates) = (leading.leader().name, leading.candidates());
    let listed = roster.0.iter().map(|(name, one)| Target { name: name.clone(), at: one.address });
    let listed: Vec<_> = listed.collect();
    let leads = listed.iter().chain(joined).filter(|target| target.name == leader);
    let others = joined.iter().chain(&listed).filter(|target| target.name != leader);
    let mut all = Vec::new();
    for target in leads.chain(others).filter(|target| candidates.contains(&target.name)) {
        if !all.contains(target) {
            all.push(target.clone());
        }
    }
    all
}

/// The one whose turn it is after this one.
fn next<'a>(targets: &'a [Target], now: &Target) -> Option<&'a Target> {
    let after = targets.iter().position(|target| target == now).map_or(0, |at| at + 1);
    targets.get(after).or_else(|| targets.first())
}

/// How long to wait after so many failures in a row: not at all until all of them have failed.
fn pause(failed: usize, all: usize) -> Duration {
    let all = all.max(1);
    if failed.is_multiple_of(all) {
        back_off(u32::try_from(failed / all).unwrap_or(u32::MAX))
    } else {
        Duration::ZERO
    }
}

/// Ends then, or never.
async fn until(due: Option<(Instant, Useless)>) {
    match due {
        Some((at, _)) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The target of somebody who knows of none.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// A target that was called for so long was none that failed at once.
const STEADY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
