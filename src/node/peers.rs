//! The links of a node to all others: whoever the roster names is called and let in, and nobody else.
//!
//! The roster is the last that the control told. While the control is away nobody joins and nobody is removed, and
//! those who are there go on.

use std::{collections::BTreeMap, mem::replace, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    link::{Admitted, Calls, Credentials, Keys, Link},
    passage::{Links, Reach},
};
use crate::model::{NodeName, Roster};

/// Whoever keeps them.
#[derive(Debug)]
pub struct Peers {
    own: NodeName,
    control: Link,
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
    /// Those of this node, which shows these credentials, beside its link to the control.
    pub fn new(
        (own, credentials): (NodeName, Credentials),
        (control, roster): (Link, watch::Receiver<Arc<Roster>>),
        told: Told,
    ) -> Self {
        Self { own, control, roster, calls: Calls::new(credentials), told }
    }

    /// Keeps to the roster until it is told to stop.
    pub async fn keep(mut self, stop: CancellationToken) {
        let mut control = self.control.state();
        loop {
            let roster = self.others();
            self.keep_to(&roster, &stop);
            let reach = reach(&self.control, &self.calls);
            self.told.reach.send_if_modified(|before| replace(before, reach.clone()) != reach);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Ok(()) = self.roster.changed() => {}
                Ok(()) = control.changed() => {}
                () = self.calls.moved() => {}
            }
        }
    }

    /// The roster without this node itself, and without any that has the control's name.
    fn others(&mut self) -> Roster {
        let mut roster = Roster::clone(&self.roster.borrow_and_update());
        roster.0.retain(|name, _| *name != self.own && name != self.control.peer());
        roster
    }

    fn keep_to(&mut self, roster: &Roster, stop: &CancellationToken) {
        let admitted = Arc::new(admitted(self.control.peer(), roster));
        let admit = &self.told.admitted;
        admit.send_if_modified(|before| replace(before, admitted.clone()) != admitted);
        let at: BTreeMap<_, _> =
            roster.0.iter().map(|(name, enrolled)| (name.clone(), enrolled.address)).collect();
        self.calls.keep_to(&at, stop);
        let links = self.calls.links().map(|(name, link)| (name.clone(), link.clone()));
        self.told.links.send_replace(Arc::new(links.collect()));
    }
}

/// Who may come in to a node: the control by any key that the authority has signed for it, and others by the
/// key that is on record. What they may there, [`super::Gatekeeper`] says.
pub fn admitted(control: &NodeName, roster: &Roster) -> Admitted {
    let key = |key: &str| Keys::These([key.to_owned()].into());
    let others = roster.0.iter().map(|(name, one)| (name.clone(), key(one.key.as_str())));
    Admitted(others.chain([(control.clone(), Keys::Any)]).collect())
}

fn reach(control: &Link, calls: &Calls) -> Reach {
    if control.is_up() {
        return Reach::All;
    }
    let up = calls.links().filter(|(_, link)| link.is_up());
    Reach::Nodes(up.map(|(name, _)| name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Enrolled, node::link::Peer};

    #[test]
    fn nodes_come_in_by_the_keys_on_record_and_the_control_by_its_own() {
        let enrolled = Enrolled {
            address: "203.0.113.9:7600".parse().unwrap(),
            key: "ab".repeat(32).parse().unwrap(),
        };
        let roster = Roster([("edge-2".parse().unwrap(), enrolled)].into());
        let admitted = admitted(&"box".parse().unwrap(), &roster);
        let comes_in = |name: &str, key: &str| {
            let (name, key) = (name.parse().unwrap(), key.repeat(32));
            let address = "203.0.113.9:1".parse().unwrap();
            admitted.admits(&Peer { name, key, address, version: None })
        };
        assert!(comes_in("edge-2", "ab"));
        assert!(!comes_in("edge-2", "cd"), "one that joined before under the same name");
        assert!(!comes_in("edge-3", "ab"));
        assert!(comes_in("box", "cd"));
    }
}
