//! The way from a node's edge to instances: those of its own machine at their address, all others through
//! a door, behind which is the passage to their machine.
//!
//! The edge knows nothing of it. To it an instance is an address, and a table is made to lead it there. Whoever is
//! out of reach while the control is away is not in the table, so that no visitor tries him first.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    sync::Arc,
};

use proxy::{Service, Table, Upstream, UpstreamId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    door::{Behind, Door, Hall},
    hub::Known,
    passage::{Passage, Reach},
};
use crate::model::{ContainerId, NodeName};

/// Where the instances of a machine are, as its own engine says.
pub type Here = Arc<BTreeMap<UpstreamId, IpAddr>>;

/// The ways.
#[derive(Debug)]
pub struct Gateway {
    passage: Passage,
    reach: watch::Receiver<Reach>,
    here: watch::Receiver<Here>,
    known: Known,
    doors: BTreeMap<UpstreamId, Door>,
    hall: Hall,
}

impl Gateway {
    /// No doors yet; behind all of them is this passage, and `reach` says where it leads. Those who are inside
    /// are cut when `stop` says so.
    pub fn new(
        (passage, reach): (Passage, watch::Receiver<Reach>),
        here: watch::Receiver<Here>,
        stop: CancellationToken,
    ) -> Self {
        let (known, doors, hall) = (Known::default(), BTreeMap::new(), Hall::new(stop));
        Self { passage, reach, here, known, doors, hall }
    }

    /// The instances of this machine that tables have named, for as long as they exist.
    pub fn known(&self) -> Known {
        self.known.clone()
    }

    /// The nodes that are not reached straight.
    pub(super) fn apart(&self) -> BTreeSet<NodeName> {
        self.passage.apart()
    }

    /// Ends when an instance of this machine has come or gone since a table was led, or other machines have.
    pub(super) async fn moved(&mut self) {
        tokio::select! {
            Ok(()) = self.here.changed() => {}
            Ok(()) = self.reach.changed() => {}
            else => std::future::pending().await,
        }
    }

    /// The same table, leading to where instances are from here. Doors of the tables before it are kept
    /// where it names them, so that an instance is found where it was, and closed where it does not.
    pub async fn lead(&mut self, table: &Table) -> io::Result<Table> {
        let here = self.here.borrow_and_update().clone();
        let reach = self.reach.borrow_and_update().clone();
        let upstreams = table.upstreams().map(|upstream| &upstream.id);
        let elsewhere: BTreeSet<_> = upstreams.filter(|id| !here.contains_key(*id)).collect();
        for id in &elsewhere {
            if !self.doors.contains_key(id) {
                let target = id.as_str().to_owned();
                let behind = Behind { instance: ContainerId(target.clone()), target };
                let door = self.hall.open(self.passage.clone(), behind).await?;
                self.doors.insert((*id).clone(), door);
            }
        }
        self.doors.retain(|id, _| elsewhere.contains(id));
        let far = self.passage.reached(&reach);
        let reached = |id: &UpstreamId| {
            here.contains_key(id) || far.as_ref().is_none_or(|far| far.contains(id))
        };
        let led = |service: &Service| {
            let mut led = self.led(service, &here);
            leave_out(&mut led.upstreams, reached);
            Arc::new(led)
        };
        let services = table.services.iter().map(|(name, service)| (name.clone(), led(service)));
        let led = Table { services: services.collect(), ..table.clone() };
        self.known.learn(&led, |id| here.contains_key(id));
        Ok(led)
    }

    fn led(&self, service: &Service, here: &Here) -> Service {
        let mut service = service.clone();
        for upstream in service.all_mut() {
            if let Some(door) = self.doors.get(&upstream.id) {
                upstream.door = Some(door.address());
            } else if let Some(address) = here.get(&upstream.id) {
                upstream.address.set_ip(*address);
                upstream.door = None;
            }
        }
        service
    }
}

/// Leaves out whoever is not reached, unless nobody is: then whoever comes waits for them.
fn leave_out(upstreams: &mut Vec<Upstream>, reached: impl Fn(&UpstreamId) -> bool) {
    if upstreams.iter().any(|upstream| reached(&upstream.id)) {
        upstreams.retain(|upstream| reached(&upstream.id));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    #[track_caller]
    fn check(reached: &[&str], expected: &[&str]) {
        let upstream = |id: &str| Upstream {
            id: UpstreamId::new(id),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            door: None,
        };
        let mut upstreams = vec![upstream("a"), upstream("b"), upstream("c")];
        leave_out(&mut upstreams, |id| reached.contains(&id.as_str()));
        let left: Vec<_> = upstreams.iter().map(|upstream| upstream.id.as_str()).collect();
        assert_eq!(left, expected, "{reached:?} are reached");
    }

    #[test]
    fn nobody_is_led_to_whom_he_cannot_reach_if_there_is_another() {
        check(&["a", "b", "c"], &["a", "b", "c"]);
        check(&["b"], &["b"]);
        check(&[], &["a", "b", "c"]);
    }
}
