//! Doors on this machine to instances on others: each is a port of the loopback address, behind which
//! the bytes go through a tunnel of the link.
//!
//! The edge knows nothing of it. To it an instance is an address, and a table is made to lead it here.
//! A door that no table names any more lets nobody in, and whoever is inside goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use proxy::{Service, Table, UpstreamId};
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::link::Link;

/// The doors.
#[derive(Debug)]
pub struct Gateway {
    link: Link,
    doors: BTreeMap<UpstreamId, Door>,
    inside: TaskTracker,
    stop: CancellationToken,
}

/// One of them. It closes when it is dropped.
#[derive(Debug)]
struct Door {
    address: SocketAddr,
    closed: CancellationToken,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Gateway {
    /// No doors yet; behind all of them is this link. Those who are inside are cut when `stop` says so.
    pub fn new(link: Link, stop: CancellationToken) -> Self {
        Self { link, doors: BTreeMap::new(), inside: TaskTracker::new(), stop }
    }

    /// The same table, leading through doors. Those of the tables before it are kept where it names
    /// them, so that an instance is found where it was, and closed where it does not.
    pub async fn lead(&mut self, table: &Table) -> io::Result<Table> {
        let named: BTreeSet<&UpstreamId> = table.upstreams().map(|upstream| &upstream.id).collect();
        for id in &named {
            if !self.doors.contains_key(id) {
                let door = self.open((*id).clone()).await?;
                self.doors.insert((*id).clone(), door);
            }
        }
        self.doors.retain(|id, _| named.contains(id));
        let services = table.services.iter();
        let services = services.map(|(name, service)| (name.clone(), Arc::new(self.led(service))));
        Ok(Table { services: services.collect(), ..table.clone() })
    }

    fn led(&self, service: &Service) -> Service {
        let mut service = service.clone();
        for upstream in service.all_mut() {
            if let Some(door) = self.doors.get(&upstream.id) {
                upstream.address = door.address;
            }
        }
        service
    }

    async fn open(&self, id: UpstreamId) -> io::Result<Door> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let closed = self.stop.child_token();
        let (link, inside, stop) = (self.link.clone(), self.inside.clone(), self.stop.clone());
        let until = closed.clone();
        self.inside.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    biased;
                    () = until.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((visitor, _)) => {
                        let (link, id, stop) = (link.clone(), id.clone(), stop.clone());
                        inside.spawn(async move {
                            tokio::select! {
                                biased;
                                () = stop.cancelled() => {}
                                () = pass(visitor, &link, &id) => {}
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a door to another machine lets nobody in");
                        sleep(AFTER_FAULT).await;
                    }
                }
            }
        });
        Ok(Door { address, closed })
    }
}

/// Takes bytes both ways until both sides have ended. A visitor for whom there is no tunnel is turned
/// away with a reset, by which the edge knows that nothing of a request has arrived.
async fn pass(mut visitor: TcpStream, link: &Link, id: &UpstreamId) {
    let _ = visitor.set_nodelay(true);
    match link.tunnel(id.as_str()).await {
        Ok(mut tunnel) => {
            // How it ended, both sides know by themselves.
            let _ = copy_bidirectional_with_sizes(&mut visitor, &mut tunnel, PIECE, PIECE).await;
        }
        Err(error) => {
            tracing::debug!(instance = id.as_str(), %error, "an instance cannot be reached");
            let _ = visitor.set_zero_linger();
        }
    }
}

/// Taken at once.
const PIECE: usize = 64 << 10;
/// When nobody could be let in, for want of file descriptors for example.
const AFTER_FAULT: Duration = Duration::from_millis(100);
