//! Networks: one bridge per app, and one for all builds, so that apps cannot reach each other.
//!
//! Docker isolates bridges from each other by itself. Nothing is published: the edge, which runs on
//! this machine, reaches an instance at its address on the app's bridge.

use std::collections::HashMap;

use bollard::{
    models::{Ipam, IpamConfig, NetworkCreateRequest},
    query_parameters::ListNetworksOptions,
};

use super::{
    Docker, fault, label,
    subnet::{self, Subnet},
};
use crate::{engine::EngineError, model::AppName};

/// Makes the network unless it is there.
pub(super) async fn ensure(docker: &Docker, name: &str) -> Result<(), EngineError> {
    let mut known = docker.networks().lock().await;
    if known.contains(name) {
        return Ok(());
    }
    let listed = docker
        .ask("network ls", name, docker.api().list_networks(None::<ListNetworksOptions>))
        .await?;
    if !listed.iter().any(|network| network.name.as_deref() == Some(name)) {
        let taken: Vec<Subnet> = listed
            .iter()
            .filter_map(|network| network.ipam.as_ref()?.config.as_ref())
            .flatten()
            .filter_map(|config| config.subnet.as_ref()?.parse().ok())
            .chain(host_routes())
            .collect();
        create(docker, name, &taken).await?;
    }
    known.insert(name.to_owned());
    Ok(())
}

/// Forgets that the network is known: somebody has removed it behind our back.
pub(super) async fn doubt(docker: &Docker, name: &str) {
    docker.networks().lock().await.remove(name);
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
async fn create(docker: &Docker, name: &str, taken: &[Subnet]) -> Result<(), EngineError> {
    let mut last = None;
    for subnet in docker.settings().subnet_pool.free(taken).take(MAX_TRIES) {
        let request = request(docker, name, subnet);
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

fn request(docker: &Docker, name: &str, subnet: Subnet) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(subnet.to_string()),
                ..Default::default()
            }]),
            ..Default::default()
        }),
        labels: Some(label::of_network(docker.installation())),
        options: Some(HashMap::new()),
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

/// More refusals in a row than this mean something else than a race.
const MAX_TRIES: usize = 16;
