//! Starting an instance: network, container, start; each an ensure, so that doing it twice, or again
//! after a crash in between, ends in the same one running container.
//!
//! A container that cannot start because of its image is not an error here: it is an instance that
//! has ended, with the reason, and the control loop treats it as such. Only trouble of the engine
//! is an error, and leaves no container behind that would look like the app's fault.

use std::net::IpAddr;

use bollard::{
    models::ContainerCreateBody,
    query_parameters::{CreateContainerOptions, InspectContainerOptions, StartContainerOptions},
};

use super::{
    Docker,
    connection::START_DEADLINE,
    fault, label,
    network::{self, Network},
    policy, remove_container, volume,
};
use crate::{
    engine::{EngineError, InstanceSpec},
    model::ContainerId,
};

/// What a container needs besides its own description.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) network: Network,
    pub(super) body: ContainerCreateBody,
}

pub(super) async fn start(
    docker: &Docker,
    spec: &InstanceSpec,
) -> Result<ContainerId, EngineError> {
    let installation = docker.installation();
    let plan = Plan {
        name: label::instance_name(installation, spec),
        network: Network::of_app(installation, &spec.app),
        body: policy::instance(docker.settings(), spec, &resolvers(docker).await?),
    };
    network::ensure(docker, &plan.network).await?;
    for disk in &spec.disks {
        volume::clear(docker, &spec.app, disk).await?;
    }
    volume::only_writer(docker, spec).await?;
    ensure(docker, &plan, &label::digest(spec)).await
}

/// Makes and starts what is planned, unless it was started before; its network is there.
pub(super) async fn ensure(
    docker: &Docker,
    plan: &Plan,
    digest: &str,
) -> Result<ContainerId, EngineError> {
    let id = match create(docker, plan).await {
        Ok(id) => id,
        Err(error) if fault::status(&error) == Some(409) => {
            match existing(docker, &plan.name, digest).await? {
                Existing::Same(id) => id,
                // Whether it has run or still does: its end is for the control loop to see.
                Existing::Started(id) => return Ok(id),
                Existing::Other => {
                    remove_container(docker, &plan.name).await?;
                    create(docker, plan).await?
                }
            }
        }
        Err(error) => return Err(error),
    };
    run(docker, plan, &id).await?;
    Ok(id)
}

/// The platform's own resolver, then the machine's, which Docker asks when ours does not answer; none
/// at all leaves names to Docker.
pub(super) async fn resolvers(docker: &Docker) -> Result<Vec<IpAddr>, EngineError> {
    let Some(others) = &docker.settings().resolvers else { return Ok(Vec::new()) };
    let own = network::names_address(docker).await?;
    Ok(std::iter::once(IpAddr::V4(own)).chain(others.iter().copied()).collect())
}

/// Makes the container; 409 says that one of that name exists.
pub(super) async fn create(docker: &Docker, plan: &Plan) -> Result<ContainerId, EngineError> {
    let options = CreateContainerOptions { name: Some(plan.name.clone()), ..Default::default() };
    let create = docker.api().create_container(Some(options), plan.body.clone());
    let created = docker.within(START_DEADLINE, "container create", &plan.name, create).await?;
    Ok(ContainerId(created.id))
}

/// Starts a container that exists, and tells the image's fault from the engine's.
pub(super) async fn run(docker: &Docker, plan: &Plan, id: &ContainerId) -> Result<(), EngineError> {
    let Err(mut error) = try_start(docker, plan, id).await else { return Ok(()) };
    if is_networks_fault(&error) {
        // Somebody removed it since we last looked, or made another.
        network::doubt(docker, &plan.network).await;
        network::ensure(docker, &plan.network).await?;
        match try_start(docker, plan, id).await {
            Ok(()) => return Ok(()),
            Err(second) => error = second,
        }
    }
    if is_images_fault(docker, id, &error).await {
        return Ok(());
    }
    // The trouble that is reported is the first one; whether the clean-up worked shows by itself.
    let _ = remove_container(docker, &id.0).await;
    Err(error)
}

/// What the container of that name is.
enum Existing {
    /// What is wanted, not yet started.
    Same(ContainerId),
    /// What is wanted, and it was started.
    Started(ContainerId),
    /// Something else, or gone meanwhile.
    Other,
}

async fn existing(docker: &Docker, name: &str, digest: &str) -> Result<Existing, EngineError> {
    let inspect = docker.api().inspect_container(name, None::<InspectContainerOptions>);
    let found = match docker.ask("container inspect", name, inspect).await {
        Ok(found) => found,
        Err(error) if fault::status(&error) == Some(404) => return Ok(Existing::Other),
        Err(error) => return Err(error),
    };
    let labels = found.config.and_then(|config| config.labels);
    if !label::is_ours(docker.installation(), labels.as_ref()) {
        let message = "a container of that name exists and is not ours".to_owned();
        return Err(fault::refuse("container create", name, message));
    }
    let same = labels.is_some_and(|labels| labels.get(label::SPEC).is_some_and(|is| is == digest));
    let state = found.state.unwrap_or_default();
    let started = state.running == Some(true)
        || state.pid.is_some_and(|pid| pid > 0)
        || state.exit_code.is_some_and(|code| code != 0)
        || state.started_at.is_some_and(|at| !at.starts_with(NEVER));
    Ok(match (found.id.map(ContainerId), same, started) {
        (Some(id), true, false) => Existing::Same(id),
        (Some(id), true, true) => Existing::Started(id),
        _ => Existing::Other,
    })
}

async fn try_start(docker: &Docker, plan: &Plan, id: &ContainerId) -> Result<(), EngineError> {
    let start = docker.api().start_container(&id.0, None::<StartContainerOptions>);
    docker.within(START_DEADLINE, "container start", &plan.name, start).await
}

/// Whether there is no such network any more, or more than one.
fn is_networks_fault(error: &EngineError) -> bool {
    let EngineError::Refused { status, message, .. } = error else { return false };
    message.contains("network") && (*status == 404 || message.contains("is ambiguous"))
}

/// Docker marks a command that could not be executed with the shells' codes 126 and 127, and
/// answers 4xx to what can never work, such as a user that the image does not have.
async fn is_images_fault(docker: &Docker, id: &ContainerId, error: &EngineError) -> bool {
    match fault::status(error) {
        Some(404) | None => return false,
        Some(400..500) => return true,
        Some(_) => {}
    }
    let inspect = docker.api().inspect_container(&id.0, None::<InspectContainerOptions>);
    let Ok(found) = docker.ask("container inspect", &id.0, inspect).await else { return false };
    let code = found.state.and_then(|state| state.exit_code);
    matches!(code, Some(126 | 127))
}

/// How Docker writes "at no time".
pub(super) const NEVER: &str = "0001-01-01";
