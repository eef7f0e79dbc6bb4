//! What one machine's containers are answered, and what of theirs is carried: both follow the directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::replace,
    sync::Arc,
};

use tokio::sync::watch;

use crate::{
    control::zones::NamingError,
    dns::{AppNames, Names},
    engine::docker::{Docker, Subnet},
    model::{AppName, ContainerId, Directory},
    node::{Place, Rooms, Ways, ways},
    telemetry::chain,
};

/// Where it is published.
#[derive(Debug)]
pub struct Desk {
    docker: Docker,
    networks: BTreeMap<Subnet, AppName>,
    rooms: Rooms,
    ways: watch::Sender<Arc<Ways>>,
    names: watch::Sender<Arc<Names>>,
    answered: Vec<AppNames>,
}

impl Desk {
    /// The machine of this Docker; nothing is known yet of where anybody is.
    pub fn new(
        docker: Docker,
        ways: watch::Sender<Arc<Ways>>,
        names: watch::Sender<Arc<Names>>,
    ) -> Self {
        let (networks, answered) = (BTreeMap::new(), Vec::new());
        Self { docker, networks, rooms: ways::rooms(), ways, names, answered }
    }

    /// Publishes what follows from the directory where instances are in these places: the ways first, since
    /// whoever is told of an address goes there.
    pub async fn follow(
        &mut self,
        directory: &Directory,
        places: &BTreeMap<ContainerId, Place>,
    ) -> Result<(), NamingError> {
        match self.docker.app_networks().await {
            Ok(networks) => self.networks = networks,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "who asks is known as it was");
            }
        }
        let ways = Ways::new(directory, self.networks.clone(), places, &mut self.rooms);
        let answers = answers(directory, &ways);
        let ways = Arc::new(ways);
        self.ways.send_if_modified(|before| replace(before, ways.clone()) != ways);
        if answers != self.answered {
            self.names.send_replace(Arc::new(Names::new(&answers)?));
            self.answered = answers;
        }
        Ok(())
    }
}

/// What the containers of each app on a machine may look up there. Pure.
pub fn answers(directory: &Directory, ways: &Ways) -> Vec<AppNames> {
    let mut networks = BTreeMap::<&AppName, BTreeSet<_>>::new();
    for (address, app) in ways.askers() {
        networks.entry(app).or_default().insert(address);
    }
    let answer = |(app, networks): (&AppName, BTreeSet<_>)| {
        let mut ready = BTreeMap::<_, BTreeSet<_>>::new();
        for (of, listing) in &directory.0 {
            for (id, listed) in listing.instances.iter().filter(|(_, listed)| listed.named) {
                let Some(address) = ways.address(app, id) else { continue };
                let name = (of.clone(), listed.process.clone());
                ready.entry(name).or_default().insert(address);
            }
        }
        AppNames { app: app.clone(), networks, ready }
    };
    networks.into_iter().map(answer).collect()
}
