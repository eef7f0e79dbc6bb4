//! From apps, their domains and their instances to the edge's table. Pure.
//!
//! Only instances of what serves are routed to: during a rollout, slot by slot, the old one until the
//! record says that the wave has taken over, then the new one. An instance that is told to end, or that is more than
//! wanted, is not in the table; the edge forgets it before anything happens to it. Whoever lingers is in
//! it apart, to be asked for files alone.

mod earlier;
mod policy;
mod service;
mod site;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proxy::{Certificates, Pattern, Service, ServiceName, Site, Table, Upstream, UpstreamId};

pub use policy::EdgeKey;
use policy::Keys;

use crate::{
    control::apps::state::AppState,
    model::{AppName, ContainerId, Domain, Observed, Rollout, SecretValue, Timestamp},
    store::{SealingKey, StoreError, View, secrets},
};

/// What routes are made of besides the apps.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Apps are `<app>.<domain>`.
    pub domain: String,
    /// The port that TLS is reached on, if it is spoken.
    pub https: Option<u16>,
    /// What the edge presents there. Visitors are sent to TLS only where it can prove the host.
    pub certificates: Arc<Certificates>,
    /// What cookies are signed and passwords are kept with.
    pub key: EdgeKey,
    /// What opens the passwords that are secrets.
    pub sealing: SealingKey,
}

/// The password of an app's visitors, if it is a secret. One that does not open shuts the app.
fn password(view: &impl View, state: &AppState, ground: &Ground) -> Option<SecretValue> {
    let release = state.releases.get(&state.app.current?.release)?;
    let name = &release.deploy.http.password.as_ref()?.password_from;
    let version = *release.secrets.get(name)?;
    let named = [(name.clone(), version)].into();
    let opened = secrets::open(view, &ground.sealing, &release.app, &named);
    opened.ok()?.remove(name)
}

/// The services and hosts of all apps.
#[derive(Debug, Default)]
pub struct Routes {
    services: BTreeMap<ServiceName, Arc<Service>>,
    sites: BTreeMap<Pattern, Site>,
}

impl Routes {
    /// Those of all these apps, each under `<app>.<domain>` and the domains that it was given.
    pub fn of(
        view: &impl View,
        states: &BTreeMap<AppName, AppState>,
        seen: &BTreeMap<AppName, Vec<Observed>>,
        (ground, now): (&Ground, Timestamp),
    ) -> Result<Self, StoreError> {
        // Nobody finds an app that is destroyed, also while it ends and as long as it is kept.
        let there = states.iter().filter(|(_, state)| state.app.destroyed_at.is_none());
        let there: BTreeMap<&AppName, &AppState> = there.collect();
        let mut services = BTreeMap::new();
        for (&name, &state) in &there {
            let key = (name.as_str().to_owned(), u64::from(state.app.last_rollout.0));
            let last = view.get::<Rollout>(&key)?;
            let seen = seen.get(name).map_or(&[][..], Vec::as_slice);
            let keys = Keys { edge: &ground.key, password: password(view, state, ground) };
            let service = service::service(state, last.as_ref(), (seen, now), &keys);
            services.insert(service_name(name), Arc::new(service));
        }
        let domains = view.scan::<Domain>(&())?;
        Ok(Self { services, sites: site::sites(&there, &domains, ground) })
    }

    /// Those of all apps on record before any instance was seen. A daemon that has just started
    /// holds requests by them; with no table it would call every host unknown until it has looked.
    pub fn on_record(view: &impl View, ground: &Ground) -> Result<Self, StoreError> {
        let states = AppState::load_all(view, &BTreeMap::new())?;
        // Nobody is there whose time could be over.
        Self::of(view, &states, &BTreeMap::new(), (ground, Timestamp::default()))
    }

    /// Whether the edge would do the same by `table`.
    pub fn equals(&self, table: &Table) -> bool {
        self.sites == table.sites && self.services == table.services
    }

    /// The table of that generation.
    pub fn into_table(self, generation: u64) -> Table {
        let (services, sites) = (self.services, self.sites);
        Table { generation, services, sites }
    }
}

/// Whether nobody has to wait by this table: every app that should answer has somebody who does.
pub fn is_settled(table: &Table) -> bool {
    table.services.values().all(|service| service.hold.most == 0 || !service.upstreams.is_empty())
}

/// The containers that a table sends requests to, for whatever reason.
pub fn routed(table: &Table) -> BTreeSet<ContainerId> {
    let earlier = table.services.values().filter_map(|service| service.earlier.as_ref());
    let earlier = earlier.flat_map(|earlier| &earlier.upstreams).map(container);
    earlier.chain(chosen(table)).collect()
}

/// Those that it chooses for requests of its own accord, and not only asks for what others do not have.
pub fn chosen(table: &Table) -> BTreeSet<ContainerId> {
    let upstreams = table.services.values().flat_map(|service| {
        let tried = service.canary.iter().flat_map(|canary| &canary.upstreams);
        service.upstreams.iter().chain(tried)
    });
    upstreams.map(container).collect()
}

fn container(upstream: &Upstream) -> ContainerId {
    ContainerId(upstream.id.as_str().to_owned())
}

/// The edge's name of a container.
pub fn upstream_id(id: &ContainerId) -> UpstreamId {
    UpstreamId::new(id.0.as_str())
}

/// The edge's name of an app.
pub fn service_name(app: &AppName) -> ServiceName {
    ServiceName::new(app.as_str())
}
