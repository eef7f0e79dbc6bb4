//! The way from a node's edge to instances: those of its own machine at their address, all others through
//! a door that leads to the control.
//!
//! The edge knows nothing of it. To it an instance is an address, and a table is made to lead it there.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use proxy::{Service, Table, UpstreamId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    door::{Door, Hall},
    link::Link,
};

/// Where the instances of a machine are, as its own engine says.
pub type Here = Arc<BTreeMap<UpstreamId, IpAddr>>;

/// The ways.
#[derive(Debug)]
pub struct Gateway {
    link: Link,
    here: watch::Receiver<Here>,
    doors: BTreeMap<UpstreamId, Door>,
    hall: Hall,
}

impl Gateway {
    /// No doors yet; behind all of them is this link. Those who are inside are cut when `stop` says so.
    pub fn new(link: Link, here: watch::Receiver<Here>, stop: CancellationToken) -> Self {
        Self { link, here, doors: BTreeMap::new(), hall: Hall::new(stop) }
    }

    /// Ends when an instance of this machine has come or gone since a table was led.
    pub(super) async fn moved(&mut self) {
        if self.here.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The same table, leading to where instances are from here. Doors of the tables before it are kept
    /// where it names them, so that an instance is found where it was, and closed where it does not.
    pub async fn lead(&mut self, table: &Table) -> io::Result<Table> {
        let here = self.here.borrow_and_update().clone();
        let upstreams = table.upstreams().map(|upstream| &upstream.id);
        let elsewhere: BTreeSet<_> = upstreams.filter(|id| !here.contains_key(*id)).collect();
        for id in &elsewhere {
            if !self.doors.contains_key(id) {
                let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let target = id.as_str().to_owned();
                let door = self.hall.open(anywhere, self.link.clone(), target).await?;
                self.doors.insert((*id).clone(), door);
            }
        }
        self.doors.retain(|id, _| elsewhere.contains(id));
        let services = table.services.iter();
        let services =
            services.map(|(name, service)| (name.clone(), Arc::new(self.led(service, &here))));
        Ok(Table { services: services.collect(), ..table.clone() })
    }

    fn led(&self, service: &Service, here: &Here) -> Service {
        let mut service = service.clone();
        for upstream in service.all_mut() {
            if let Some(door) = self.doors.get(&upstream.id) {
                (upstream.address, upstream.door) = (door.address(), true);
            } else if let Some(address) = here.get(&upstream.id) {
                upstream.address.set_ip(*address);
                upstream.door = false;
            }
        }
        service
    }
}
