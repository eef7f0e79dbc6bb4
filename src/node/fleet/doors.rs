//! Where instances of nodes are reached from this machine: each has a door for the port that is asked for.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::{
    model::ContainerId,
    node::{
        door::{Behind, Door, Hall},
        link::Link,
        passage::Passage,
    },
};

/// The doors.
#[derive(Debug)]
pub(super) struct Doors {
    hall: Hall,
    open: Mutex<BTreeMap<(ContainerId, u16), Door>>,
}

impl Doors {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { hall: Hall::new(stop), open: Mutex::default() }
    }

    /// Has a door to each of these ports, and none besides; says where they are. One that there was stays
    /// where it is.
    pub(super) async fn reach(
        &self,
        wanted: &BTreeMap<(ContainerId, u16), Link>,
    ) -> BTreeMap<ContainerId, SocketAddr> {
        self.open().retain(|key, _| wanted.contains_key(key));
        for (key, link) in wanted {
            if self.open().contains_key(key) {
                continue;
            }
            let (id, port) = key;
            let behind = Behind { instance: id.clone(), target: format!("{}:{port}", id.0) };
            match self.hall.open(Passage::by(link.clone()), behind).await {
                Ok(door) => drop(self.open().insert(key.clone(), door)),
                Err(error) => {
                    tracing::warn!(instance = %id, %error, "no door to another machine");
                }
            }
        }
        self.open().iter().map(|((id, _), door)| (id.clone(), door.address())).collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<(ContainerId, u16), Door>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
