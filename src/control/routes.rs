//! From apps and their instances to the edge's table. Pure.
//!
//! Only instances of what serves are routed to: during a rollout the old ones until the record says
//! that the new serve, then the new ones. An instance that is told to end, or that is more than
//! wanted, is not in the table; the edge forgets it before anything happens to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use proxy::{Absence, Hold, Pattern, Service, ServiceName, Site, Table, Upstream, UpstreamId};

use crate::{
    control::apps::{slots, state::AppState},
    model::{AppName, ContainerId, Health, InstanceState, Observed, Phase, ProcessName, Rollout},
    store::{StoreError, View},
};

/// The services and hosts of all apps.
#[derive(Debug, Default)]
pub struct Routes {
    services: BTreeMap<ServiceName, Arc<Service>>,
    sites: BTreeMap<Pattern, Site>,
}

impl Routes {
    /// Those of all these apps, each under `<app>.<domain>`.
    pub fn of(
        view: &impl View,
        states: &BTreeMap<AppName, AppState>,
        seen: &BTreeMap<AppName, Vec<Observed>>,
        domain: &str,
    ) -> Result<Self, StoreError> {
        let mut routes = Self::default();
        for (name, state) in states {
            let Ok(host) = format!("{name}.{domain}").parse() else { continue };
            let key = (name.as_str().to_owned(), u64::from(state.app.last_rollout.0));
            let last = view.get::<Rollout>(&key)?;
            let seen = seen.get(name).map_or(&[][..], Vec::as_slice);
            routes.add(host, state, last.as_ref(), seen);
        }
        Ok(routes)
    }

    /// Those of all apps on record before any instance was seen. A daemon that has just started
    /// holds requests by them; with no table it would call every host unknown until it has looked.
    pub fn on_record(view: &impl View, domain: &str) -> Result<Self, StoreError> {
        let states = AppState::load_all(view, &BTreeMap::new())?;
        Self::of(view, &states, &BTreeMap::new(), domain)
    }

    fn add(&mut self, host: Pattern, state: &AppState, last: Option<&Rollout>, seen: &[Observed]) {
        let name = service_name(&state.app.name);
        self.services.insert(name.clone(), Arc::new(service(state, last, seen)));
        self.sites.insert(host, Site::of(name));
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

/// The containers that a table sends requests to.
pub fn routed(table: &Table) -> BTreeSet<ContainerId> {
    let upstreams = table.services.values().flat_map(|service| &service.upstreams);
    upstreams.map(|upstream| ContainerId(upstream.id.as_str().to_owned())).collect()
}

/// The edge's name of a container.
pub fn upstream_id(id: &ContainerId) -> UpstreamId {
    UpstreamId::new(id.0.as_str())
}

/// The edge's name of an app.
pub fn service_name(app: &AppName) -> ServiceName {
    ServiceName::new(app.as_str())
}

fn service(state: &AppState, last: Option<&Rollout>, seen: &[Observed]) -> Service {
    let upstreams = upstreams(state, seen);
    let expected = web_instances(state) > 0;
    let hold = if expected {
        Hold { most: HELD, deadline: HOLD }
    } else {
        Hold { most: 0, deadline: Duration::ZERO }
    };
    Service::new(upstreams, hold, absence(state, last, seen))
}

fn upstreams(state: &AppState, seen: &[Observed]) -> Vec<Upstream> {
    let Some(current) = state.app.current.filter(|_| state.app.destroyed_at.is_none()) else {
        return Vec::new();
    };
    let (mut ready, mut failing) = (Vec::new(), Vec::new());
    for (slot, process) in state.slots_of(current) {
        let Some(observed) = slots::owner(current, &slot, seen) else { continue };
        let running = matches!(observed.instance.state, InstanceState::Running { .. });
        let port = process.port.filter(|_| running && slot.process.is_web());
        let (Some(address), Some(port)) = (observed.instance.address, port) else { continue };
        let upstream = Upstream {
            id: upstream_id(&observed.instance.id),
            address: SocketAddr::new(address, port),
        };
        match observed.health {
            Health::Ready => ready.push(upstream),
            Health::Failing { .. } => failing.push(upstream),
            Health::Starting { .. } => {}
        }
    }
    // When none is well, a sick one answers better than none at all.
    if ready.is_empty() { failing } else { ready }
}

fn web_instances(state: &AppState) -> u16 {
    let release = state.app.current.and_then(|current| state.releases.get(&current.release));
    let web: Option<ProcessName> = ProcessName::WEB.parse().ok();
    match (release, web) {
        (Some(release), Some(web)) => state.app.scale_of(&web, release),
        _ => 0,
    }
}

/// What a visitor is told while nobody answers.
fn absence(state: &AppState, last: Option<&Rollout>, seen: &[Observed]) -> Absence {
    let name = &state.app.name;
    let page = |title: String, explanation: String, seconds: u64| Absence {
        title,
        explanation,
        retry_after: Duration::from_secs(seconds),
    };
    let Some(current) = state.app.current else {
        return match last.map(|rollout| &rollout.phase) {
            Some(Phase::Failed { reason, .. }) => page(
                format!("{name} has not started yet"),
                format!("Its first deploy failed: {reason}."),
                30,
            ),
            Some(Phase::Starting) => page(
                format!("{name} is being deployed"),
                "Its first instances are starting.".to_owned(),
                5,
            ),
            _ => page(
                format!("{name} has nothing to show yet"),
                "The app exists, but nothing has been deployed to it.".to_owned(),
                30,
            ),
        };
    };
    if web_instances(state) == 0 {
        return page(
            format!("{name} is stopped"),
            "It has no web instances: it is scaled to zero, or has no web process.".to_owned(),
            60,
        );
    }
    let crashed = seen.iter().filter(|o| o.instance.incarnation == current).find_map(|o| match &o
        .instance
        .state
    {
        InstanceState::Exited(exit) => Some(format!("{} {exit}", o.instance.slot)),
        InstanceState::Created | InstanceState::Running { .. } => None,
    });
    match crashed {
        Some(story) => {
            page(format!("{name} is down"), format!("{story}. It is being started again."), 10)
        }
        None => {
            page(format!("{name} is starting"), "Its instances are not ready yet.".to_owned(), 5)
        }
    }
}

/// Requests that wait for one app at the same time; each costs a few kilobytes.
const HELD: usize = 1000;

/// How long a request waits for an instance: longer than a restart, shorter than people's patience.
const HOLD: Duration = Duration::from_secs(15);
