//! From apps and their instances to the private names that containers look up, and to the ways that what they
//! send is carried.
//!
//! On the machine that controls, [`PrivateNames`] makes the directory, which all others are told; on each of
//! those [`FollowedNames`] follows it. What a machine's own containers are answered with, a [`Desk`] says on
//! both alike.

mod desk;
mod directory;
mod followed;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    mem::replace,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

pub use desk::{Desk, answers};
pub use directory::directory;
pub use followed::FollowedNames;

use crate::{
    control::{apps::state::AppState, task::Task, zones::NamingError},
    model::{App, AppName, ContainerId, Directory, NodeName, Observation, Observed},
    node::Place,
    store::{Store, View},
};

/// Keeps the private names as they should be, on the machine that controls.
#[derive(Debug)]
pub struct PrivateNames {
    /// This machine's name.
    pub here: NodeName,
    /// Records.
    pub store: Store,
    /// Its changes.
    pub commits: watch::Receiver<u64>,
    /// What was seen of instances.
    pub observation: watch::Receiver<Arc<Observation>>,
    /// What other machines are told.
    pub directory: watch::Sender<Arc<Directory>>,
    /// What this one answers.
    pub desk: Desk,
}

impl Task for PrivateNames {
    const NAME: &'static str = "private names";
    type Error = NamingError;

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.commits.changed() => {}
            Ok(()) = self.observation.changed() => {}
            () = sleep(PERIOD) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), NamingError> {
        self.commits.mark_unchanged();
        let seen = self.observation.borrow_and_update().clone();
        let snapshot = self.store.snapshot();
        let mut states = Vec::new();
        for app in snapshot.scan::<App>(&())? {
            let observed = seen.apps.get(&app.name).into_iter().flatten();
            let releases = observed.map(|observed| observed.instance.incarnation.release);
            states.push(AppState::load(&snapshot, app, releases)?);
        }
        let made = directory(&self.here, &states, &seen.apps);
        // The ways are there before anybody on another machine is told of them.
        self.desk.follow(&made, &places(&seen.apps)).await?;
        let made = Arc::new(made);
        self.directory.send_if_modified(|before| replace(before, made.clone()) != made);
        Ok(())
    }
}

/// Where instances are from here: an instance of a node is behind a door.
fn places(seen: &BTreeMap<AppName, Vec<Observed>>) -> BTreeMap<ContainerId, Place> {
    let place = |observed: &Observed| {
        let instance = &observed.instance;
        let place = match &instance.node {
            Some(_) => Place::Door(instance.door?),
            None => Place::Here(v4(instance.address?)?),
        };
        Some((instance.id.clone(), place))
    };
    seen.values().flatten().filter_map(place).collect()
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// Nothing changes without a word; this is for words that were missed.
const PERIOD: Duration = Duration::from_secs(30);
