//! Where instances of nodes are reached from this machine: each has a loopback address of its own, and on
//! it a door for each port that is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::{
    model::ContainerId,
    node::{
        door::{Door, Hall},
        link::Link,
    },
};

/// The doors.
#[derive(Debug)]
pub(super) struct Doors {
    hall: Hall,
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    last: u32,
    addresses: BTreeMap<ContainerId, Ipv4Addr>,
    open: BTreeMap<(ContainerId, u16), Door>,
}

impl Doors {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { hall: Hall::new(stop), rooms: Mutex::default() }
    }

    /// The address of an instance, which stays its own for as long as it is kept.
    pub(super) fn address(&self, id: &ContainerId) -> Option<IpAddr> {
        let mut rooms = self.rooms();
        if let Some(address) = rooms.addresses.get(id) {
            return Some((*address).into());
        }
        let taken: BTreeSet<Ipv4Addr> = rooms.addresses.values().copied().collect();
        let after = (1..ROOMS).map(|step| (rooms.last + step) % ROOMS);
        let number = after.into_iter().find(|number| !taken.contains(&address(*number)))?;
        rooms.last = number;
        rooms.addresses.insert(id.clone(), address(number));
        Some(address(number).into())
    }

    /// These are all that there are.
    pub(super) fn keep(&self, there: &BTreeSet<&ContainerId>) {
        let mut rooms = self.rooms();
        rooms.addresses.retain(|id, _| there.contains(id));
        rooms.open.retain(|(id, _), _| there.contains(id));
    }

    /// Has a door at each of these ports, and none besides.
    pub(super) async fn reach(&self, wanted: Vec<(ContainerId, u16, Link)>) {
        let named: BTreeSet<(&ContainerId, u16)> =
            wanted.iter().map(|(id, port, _)| (id, *port)).collect();
        self.rooms().open.retain(|(id, port), _| named.contains(&(id, *port)));
        for (id, port, link) in &wanted {
            let key = (id.clone(), *port);
            let address = {
                let rooms = self.rooms();
                let closed = !rooms.open.contains_key(&key);
                rooms.addresses.get(id).copied().filter(|_| closed)
            };
            let Some(address) = address else { continue };
            let (at, target) = (SocketAddr::from((address, *port)), format!("{}:{port}", id.0));
            match self.hall.open(at, link.clone(), target).await {
                Ok(door) => drop(self.rooms().open.insert(key, door)),
                Err(error) => {
                    tracing::warn!(instance = %id, %at, %error, "no door to another machine");
                }
            }
        }
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address with that number; all of them are this machine's own, by RFC 1122 section 3.2.1.3.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST.to_bits() + number)
}

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 96, 0, 0);
/// Addresses that there are.
const ROOMS: u32 = 1 << 20;
