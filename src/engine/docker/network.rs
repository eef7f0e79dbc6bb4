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
    query_parameters::{InspectNetworkOptions, ListNetworksOptions},
};

use super::{
    Docker, InstallationId, bridge, fault, label,
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
    ensure(docker, network).await?;
    let name = network.name.as_str();
    let inspect = docker.api().inspect_network(name, None::<InspectNetworkOptions>);
    let found = docker.ask("network inspect", name, inspect).await?;
    let configs = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let subnet: Option<Subnet> =
        configs.iter().find_map(|config| config.subnet.as_ref()?.parse().ok());
    subnet.map(Subnet::gateway).ok_or_else(|| {
        fault::refuse("network inspect", name, "the network has no IPv4 subnet".to_owned())
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
        let configs = network.ipam.as_ref()?.config.as_ref()?;
        let subnets = configs.iter().filter_map(|config| config.subnet.as_ref()?.parse().ok());
        Some(subnets.map(|subnet| (subnet, app.clone())).collect::<Vec<_>>())
    };
    Ok(listed.iter().filter_map(of_app).flatten().collect())
}

/// All networks with the installation's label.
async fn ours(docker: &Docker) -> Result<Vec<models::Network>, EngineError> {
    let filters =
        HashMap::from([("label".to_owned(), vec![label::selector(docker.installation())])]);
    let options = ListNetworksOptions { filters: Some(filters) };
    let list = docker.api().list_networks(Some(options));
    docker.ask("network ls", "the installation", list).await
}

/// Makes the network unless it is there.
pub(super) async fn ensure(docker: &Docker, network: &Network) -> Result<(), EngineError> {
    let name = network.name.as_str();
    let mut known = docker.networks().lock().await;
    if known.contains(name) {
        return Ok(());
    }
    let listed = docker
        .ask("network ls", name, docker.api().list_networks(None::<ListNetworksOptions>))
        .await?;
    if !listed.iter().any(|other| other.name.as_deref() == Some(name)) {
        let taken: Vec<Subnet> = listed
            .iter()
            .filter_map(|network| network.ipam.as_ref()?.config.as_ref())
            .flatten()
            .filter_map(|config| config.subnet.as_ref()?.parse().ok())
            .chain(host_routes())
            .collect();
        create(docker, network, &taken).await?;
    }
    known.insert(name.to_owned());
    Ok(())
}

/// Forgets that the network is known: somebody has removed it behind our back.
pub(super) async fn doubt(docker: &Docker, network: &Network) {
    docker.networks().lock().await.remove(&network.name);
}

/// Removes an app's network. Docker refuses while a container is still attached.
pub(super) async fn forget(docker: &Docker, app: &AppName) -> Result<(), EngineError> {
    let name = label::app_network(docker.installation(), app);
    let mut known = docker.networks().lock().await;
    known.remove(&name);
    let removed = docker.ask("network rm", &name, docker.api().remove_network(&name)).await;
    fault::accept(removed, &[404])
}

/// Tries the free subnets in turn: one that Docker calls overlapping was taken since it was asked,
/// by another installation or by hand.
async fn create(docker: &Docker, network: &Network, taken: &[Subnet]) -> Result<(), EngineError> {
    let name = network.name.as_str();
    let mut last = None;
    for subnet in docker.settings().subnet_pool.free(taken).take(MAX_TRIES) {
        let request = request(docker, network, subnet);
        match docker.ask("network create", name, docker.api().create_network(request)).await {
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
