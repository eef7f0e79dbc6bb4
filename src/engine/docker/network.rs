//! Networks: one bridge per app, one for all builds, so that apps cannot reach each other, and one
//! that nobody is on, for the address at which containers ask for names.
//!
//! Docker isolates bridges from each other by itself. Nothing is published: the edge, which runs on
//! this machine, reaches an instance at its address on the app's bridge. This machine's address on
//! any bridge can be reached from all of them, and a bridge of its own has one that stays.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
};

use bollard::{
    models::{self, Ipam, IpamConfig, NetworkCreateRequest},
    query_parameters::ListNetworksOptions,
};

use super::{
    Docker, InstallationId, bridge,
    connection::START_DEADLINE,
    fault, label,
    subnet::{self, Subnet},
};
use crate::{engine::EngineError, model::AppName};

/// A network of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Network {
    name: String,
    inside: Inside,
}

/// Whether the containers of one network reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// They are of one app.
    Open,
    /// They have nothing to do with each other.
    Closed,
}

impl Network {
    /// An app's own.
    pub(super) fn of_app(installation: &InstallationId, app: &AppName) -> Self {
        Self { name: label::app_network(installation, app), inside: Inside::Open }
    }

    /// The one that all builds share.
    pub(super) fn of_builds(installation: &InstallationId) -> Self {
        Self { name: label::build_network(installation), inside: Inside::Closed }
    }
}

/// This machine's address that every container can ask for names, and that stays the same.
pub(super) async fn names_address(docker: &Docker) -> Result<Ipv4Addr, EngineError> {
    let network =
        Network { name: label::names_network(docker.installation()), inside: Inside::Closed };
    docker.names().get_or_try_init(|| address_on(docker, &network)).await.copied()
}

async fn address_on(docker: &Docker, network: &Network) -> Result<Ipv4Addr, EngineError> {
    let mut known = docker.networks().lock().await;
    let found = settle(docker, network).await?;
    known.insert(network.name.clone());
    subnets(&found).next().map(Subnet::gateway).ok_or_else(|| {
        fault::refuse("network ls", &network.name, "the network has no IPv4 subnet".to_owned())
    })
}

/// The interfaces of this machine that the installation's containers are behind; see
/// [`Docker::bridges`].
pub(super) async fn bridges(docker: &Docker) -> Result<Vec<String>, EngineError> {
    let listed = ours(docker).await?;
    let beginning = bridge::prefix(docker.installation());
    let others = listed.iter().filter_map(bridge::of).filter(|name| !name.starts_with(&beginning));
    let mut bridges: Vec<String> = others.collect();
    bridges.sort();
    bridges.push(format!("{beginning}+"));
    Ok(bridges)
}

/// Which apps have a network here, and its addresses; see [`Docker::app_networks`].
pub(super) async fn of_apps(docker: &Docker) -> Result<BTreeMap<Subnet, AppName>, EngineError> {
    let listed = ours(docker).await?;
    let of_app = |network: &models::Network| {
        let app = label::app_of_network(docker.installation(), network.name.as_ref()?)?;
        Some(subnets(network).map(|subnet| (subnet, app.clone())).collect::<Vec<_>>())
    };
    Ok(listed.iter().filter_map(of_app).flatten().collect())
}

/// All networks with the installation's label.
async fn ours(docker: &Docker) -> Result<Vec<models::Network>, EngineError> {
    let filters =
        HashMap::from([("label".to_owned(), vec![label::selector(docker.installation())])]);
    list(docker, "the installation", Some(ListNetworksOptions { filters: Some(filters) })).await
}

async fn list(
    docker: &Docker,
    subject: &str,
    options: Option<ListNetworksOptions>,
) -> Result<Vec<models::Network>, EngineError> {
    docker.ask("network ls", subject, docker.api().list_networks(options)).await
}

/// The addresses of a network.
fn subnets(network: &models::Network) -> impl Iterator<Item = Subnet> {
    let configs = network.ipam.iter().filter_map(|ipam| ipam.config.as_ref()).flatten();
    configs.filter_map(|config| config.subnet.as_ref()?.parse().ok())
}

/// Makes the network unless it is there.
pub(super) async fn ensure(docker: &Docker, network: &Network) -> Result<(), EngineError> {
    let mut known = docker.networks().lock().await;
    if !known.contains(&network.name) {
        settle(docker, network).await?;
        known.insert(network.name.clone());
    }
    Ok(())
}

/// The one network of that name, which is made unless it is there.
///
/// Docker makes two of one name when it is asked twice at a time, by a daemon and its successor or by one
/// that did not wait for the first to be done, and then refuses whatever is asked of that name. So it is
/// looked again after one was made, and the older stays: whoever else looks keeps the same one.
async fn settle(docker: &Docker, network: &Network) -> Result<models::Network, EngineError> {
    let name = network.name.as_str();
    for _ in 0..MAX_TRIES {
        let listed = list(docker, name, None).await?;
        let taken: Vec<Subnet> = listed.iter().flat_map(subnets).chain(host_routes()).collect();
        let mut same: Vec<_> = named(listed, name).collect();
        same.sort_by(|a, b| (&b.created, &b.id).cmp(&(&a.created, &a.id)));
        match same.pop() {
            None => create(docker, network, &taken).await?,
            Some(oldest) if same.is_empty() => return Ok(oldest),
            Some(oldest) => remove_surplus(docker, name, same, oldest).await?,
        }
    }
    Err(fault::refuse("network create", name, "others of that name come and stay".to_owned()))
}

/// Removes all but the last of them that Docker lets go: it keeps what containers are on.
async fn remove_surplus(
    docker: &Docker,
    name: &str,
    newer: Vec<models::Network>,
    oldest: models::Network,
) -> Result<(), EngineError> {
    let mut in_use = false;
    for network in newer {
        match remove(docker, name, network).await {
            Err(error) if fault::status(&error) == Some(403) => in_use = true,
            removed => removed?,
        }
    }
    if in_use {
        fault::accept(remove(docker, name, oldest).await, &[403])?;
    }
    Ok(())
}

/// Removes one of that name, unless it is gone. Docker refuses while a container is still attached.
async fn remove(docker: &Docker, name: &str, network: models::Network) -> Result<(), EngineError> {
    let id = network.id.unwrap_or_default();
    let removed = docker.ask("network rm", name, docker.api().remove_network(&id)).await;
    fault::accept(removed, &[404])
}

/// Those that are called so.
fn named(networks: Vec<models::Network>, name: &str) -> impl Iterator<Item = models::Network> {
    networks.into_iter().filter(move |network| network.name.as_deref() == Some(name))
}

/// Forgets that the network is known: somebody has removed it behind our back.
pub(super) async fn doubt(docker: &Docker, network: &Network) {
    docker.networks().lock().await.remove(&network.name);
}

/// Removes an app's network, if no container is attached any more.
pub(super) async fn forget(docker: &Docker, app: &AppName) -> Result<(), EngineError> {
    let name = label::app_network(docker.installation(), app);
    let mut known = docker.networks().lock().await;
    known.remove(&name);
    for network in named(list(docker, &name, None).await?, &name) {
        remove(docker, &name, network).await?;
    }
    Ok(())
}

/// Tries the free subnets in turn: one that Docker calls overlapping was taken since it was asked,
/// by another installation or by hand.
async fn create(docker: &Docker, network: &Network, taken: &[Subnet]) -> Result<(), EngineError> {
    let name = network.name.as_str();
    let mut last = None;
    for subnet in docker.settings().subnet_pool.free(taken).take(MAX_TRIES) {
        let request = request(docker, network, subnet);
        let make = docker.api().create_network(request);
        match docker.within(START_DEADLINE, "network create", name, make).await {
            Ok(_) => return Ok(()),
            Err(error) if is_overlap(&error) => last = Some(error),
            Err(error) if fault::status(&error) == Some(409) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let message =
            format!("the address pool {} has no free subnet", docker.settings().subnet_pool);
        fault::refuse("network create", name, message)
    }))
}

fn request(docker: &Docker, network: &Network, subnet: Subnet) -> NetworkCreateRequest {
    let reach = network.inside == Inside::Open;
    NetworkCreateRequest {
        name: network.name.clone(),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(subnet.to_string()),
                ..Default::default()
            }]),
            ..Default::default()
        }),
        labels: Some(label::of_network(docker.installation())),
        options: Some(HashMap::from([
            (REACH.to_owned(), reach.to_string()),
            (bridge::OPTION.to_owned(), bridge::name(docker.installation(), subnet)),
        ])),
        ..Default::default()
    }
}

fn is_overlap(error: &EngineError) -> bool {
    matches!(error, EngineError::Refused { message, .. } if message.contains("overlap"))
}

/// Without `/proc` there is nothing to avoid; Docker still refuses what overlaps its own.
fn host_routes() -> Vec<Subnet> {
    std::fs::read_to_string("/proc/net/route")
        .map(|table| subnet::routes(&table))
        .unwrap_or_default()
}

/// The bridge driver's option for traffic between the containers of one network.
const REACH: &str = "com.docker.network.bridge.enable_icc";

/// More refusals in a row than this mean something else than a race.
const MAX_TRIES: usize = 16;
