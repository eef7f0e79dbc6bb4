//! The private names on a machine that has joined: what its control told last, and its own instances.
//!
//! While the control is away names lead to the instances of this one, and of the nodes that it reaches straight.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use super::{Desk, v4};
use crate::{
    control::{routes::upstream_id, task::Task, zones::NamingError},
    model::{ContainerId, Directory, Listed},
    node::{Here, Place, Reach},
};

/// Keeps them.
#[derive(Debug)]
pub struct FollowedNames {
    /// What the control told last.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// Where the instances of this machine are.
    pub here: watch::Receiver<Here>,
    /// Which others are reached.
    pub reach: watch::Receiver<Reach>,
    /// What this machine answers.
    pub desk: Desk,
}

impl Task for FollowedNames {
    const NAME: &'static str = "private names";
    type Error = NamingError;

    async fn wait(&mut self) {
        tokio::select! {
            Ok(()) = self.directory.changed() => {}
            Ok(()) = self.here.changed() => {}
            Ok(()) = self.reach.changed() => {}
            else => std::future::pending().await,
        }
    }

    async fn pass(&mut self) -> Result<(), NamingError> {
        let directory = self.directory.borrow_and_update().clone();
        let here = self.here.borrow_and_update().clone();
        let reach = self.reach.borrow_and_update().clone();
        self.desk.follow(&directory, &places(&directory, &here, &reach)).await
    }
}

/// Where instances are from here, if these other machines are reached.
pub(super) fn places(
    directory: &Directory,
    here: &Here,
    reach: &Reach,
) -> BTreeMap<ContainerId, Place> {
    let all = directory.0.values().flat_map(|listing| &listing.instances);
    let place = |(id, listed): (&ContainerId, &Listed)| {
        let place = match here.get(&upstream_id(id)) {
            Some(address) => Place::Here(v4(*address)?),
            None if reach.includes(listed.node.as_ref()) => Place::Beyond,
            None => return None,
        };
        Some((id.clone(), place))
    };
    all.filter_map(place).collect()
}
