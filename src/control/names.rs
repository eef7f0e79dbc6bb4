//! From apps and their instances to the private names that containers look up.
//!
//! A name leads to instances of what serves, and only to those that are ready: one that has begun a
//! rollout's new instances beside the old still means the old, as at the edge.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use crate::{
    control::{task::Task, zones::NamingError},
    dns::{AppNames, Names},
    model::{
        App, AppName, Health, InstanceState, Observation, Observed, Rollout, rollout::servers,
    },
    store::{Store, View, releasing::under_way},
};

/// Keeps the private names as they should be.
#[derive(Debug)]
pub struct PrivateNames {
    /// Records.
    pub store: Store,
    /// Its changes.
    pub commits: watch::Receiver<u64>,
    /// What was seen of instances.
    pub observation: watch::Receiver<Arc<Observation>>,
    /// What containers are answered from.
    pub names: watch::Sender<Arc<Names>>,
    /// What was published last.
    pub published: Vec<AppNames>,
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
        let mut apps = Vec::new();
        for app in snapshot.scan::<App>(&())? {
            let rollout = under_way(&snapshot, &app)?;
            apps.push((app, rollout));
        }
        let made = names(&apps, &seen.apps);
        if made != self.published {
            self.names.send_replace(Arc::new(Names::new(&made)?));
            self.published = made;
        }
        Ok(())
    }
}

/// The names of all these apps. Pure.
pub fn names(
    apps: &[(App, Option<Rollout>)],
    seen: &BTreeMap<AppName, Vec<Observed>>,
) -> Vec<AppNames> {
    let seen = |app: &App| seen.get(&app.name).map_or(&[][..], Vec::as_slice);
    apps.iter().map(|(app, rollout)| of(app, rollout.as_ref(), seen(app))).collect()
}

fn of(app: &App, rollout: Option<&Rollout>, seen: &[Observed]) -> AppNames {
    let mut networks = BTreeSet::new();
    let mut ready = BTreeMap::<_, BTreeSet<_>>::new();
    for observed in seen {
        let instance = &observed.instance;
        // Containers of this machine do not reach those of others.
        let here = instance.address.filter(|_| instance.node.is_none());
        let Some(address) = here.and_then(v4) else { continue };
        networks.insert(address);
        let may_serve = servers(app, rollout, &instance.slot);
        let best = may_serve.iter().find(|one| {
            let mut here = seen.iter().filter(|other| other.instance.slot == instance.slot);
            here.any(|other| other.instance.incarnation == **one && is_well(other))
        });
        let serves = best == Some(&instance.incarnation) && app.destroyed_at.is_none();
        if serves && is_well(observed) {
            ready.entry(instance.slot.process.clone()).or_default().insert(address);
        }
    }
    AppNames { app: app.name.clone(), networks, ready }
}

fn is_well(observed: &Observed) -> bool {
    let running = matches!(observed.instance.state, InstanceState::Running { .. });
    running && observed.stopping_since.is_none() && observed.health == Health::Ready
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// Nothing changes without a word; this is for words that were missed.
const PERIOD: Duration = Duration::from_secs(30);
