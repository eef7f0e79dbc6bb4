//! The links of a node to all others: whoever the roster names is called and let in, and nobody else.
//!
//! The roster is the last that whoever leads told. While the control is away nobody joins and nobody is removed, and
//! those who are there go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::replace,
    sync::Arc,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    leading::Leading,
    link::{Admitted, Calls, Credentials, Keys, Link},
    passage::{Links, Reach},
};
use crate::model::{NodeName, Roster};

/// Whoever keeps them.
#[derive(Debug)]
pub struct Peers {
    own: NodeName,
    control: Link,
    leading: Leading,
    roster: watch::Receiver<Arc<Roster>>,
    calls: Calls,
    told: Told,
}

/// Whom it tells.
#[derive(Debug)]
pub struct Told {
    /// The listener: who may come in.
    pub admitted: watch::Sender<Arc<Admitted>>,
    /// Whoever wants to pass: the links.
    pub links: watch::Sender<Arc<Links>>,
    /// Whoever leads somewhere: what is reached.
    pub reach: watch::Sender<Reach>,
}

impl Peers {
    /// Those of this node, which shows these credentials, beside its link to whoever leads.
    pub fn new(
        (own, credentials): (NodeName, Credentials),
        (control, leading): (Link, Leading),
        roster: watch::Receiver<Arc<Roster>>,
        told: Told,
    ) -> Self {
        Self { own, control, leading, roster, calls: Calls::new(credentials), told }
    }

    /// Keeps to the roster until it is told to stop.
    pub async fn keep(mut self, stop: CancellationToken) {
        let (mut control, mut leaders) = (self.control.state(), self.leading.changes());
        loop {
            let leader = leaders.borrow_and_update().name.clone();
            let roster = self.others(&leader);
            self.keep_to(&roster, &stop);
            let leads = self.control.is_up() && self.control.peer() == leader;
            let reach = if leads { Reach::All } else { reached(&self.calls) };
            self.told.reach.send_if_modified(|before| replace(before, reach.clone()) != reach);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Ok(()) = self.roster.changed() => {}
                Ok(()) = control.changed() => {}
                Ok(()) = leaders.changed() => {}
                () = self.calls.moved() => {}
            }
        }
    }

    /// The roster without this node itself, and without any that has the name of who leads; unless that is one of
    /// several that keep the records: links to these stay when another leads, and so do visitors on them.
    fn others(&mut self, leader: &NodeName) -> Roster {
        let mut roster = Roster::clone(&self.roster.borrow_and_update());
        roster.0.retain(|name, one| *name != self.own && (one.keeps || name != leader));
        roster
    }

    fn keep_to(&mut self, roster: &Roster, stop: &CancellationToken) {
        let admitted = Arc::new(admitted(self.leading.candidates(), roster));
        let admit = &self.told.admitted;
        admit.send_if_modified(|before| replace(before, admitted.clone()) != admitted);
        let at: BTreeMap<_, _> =
            roster.0.iter().map(|(name, enrolled)| (name.clone(), enrolled.address)).collect();
        self.calls.keep_to(&at, stop);
        let links = self.calls.links().map(|(name, link)| (name.clone(), link.clone()));
        self.told.links.send_replace(Arc::new(links.collect()));
    }
}

/// Who may come in to a node: those that lead or may lead by any key that the authority has signed for them, and
/// others by the key that is on record. What they may there, [`super::Gatekeeper`] says.
pub fn admitted(candidates: BTreeSet<NodeName>, roster: &Roster) -> Admitted {
    let key = |key: &str| Keys::These([key.to_owned()].into());
    let others = roster.0.iter().map(|(name, one)| (name.clone(), key(one.key.as_str())));
    Admitted(others.chain(candidates.into_iter().map(|name| (name, Keys::Any))).collect())
}

/// Those that are reached while nobody who leads is.
fn reached(calls: &Calls) -> Reach {
    let up = calls.links().filter(|(_, link)| link.is_up());
    Reach::Nodes(up.map(|(name, _)| name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{
        leading::tests::{leading, roster},
        link::Peer,
    };

    /// Who comes in to machine `here`, which joined `box`, by the key on the roster and by another.
    #[track_caller]
    fn check(names: &[&str], expected: &[(&str, bool, bool)]) {
        let admitted = admitted(leading(names).candidates(), &roster(names));
        for (name, by_that, by_another) in expected {
            let comes_in = |key: &str| {
                let address = "203.0.113.9:1".parse().unwrap();
                let (name, key) = (name.parse().unwrap(), key.repeat(32));
                admitted.admits(&Peer { name, key, address, version: None, term: None })
            };
            assert_eq!((comes_in("ab"), comes_in("cd")), (*by_that, *by_another), "{name}");
        }
    }

    #[test]
    fn nodes_come_in_by_the_keys_on_record_and_whoever_may_lead_by_its_own() {
        // One that joined before under the same name has another key.
        let alone = [("edge-2", true, false), ("edge-3", false, false), ("box", true, true)];
        check(&["edge-2"], &alone);
        let several = [("edge-1", true, true), ("edge-2", true, false), ("box", true, true)];
        check(&["edge-1*", "edge-2"], &several);
    }
}
