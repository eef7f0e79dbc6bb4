//! Volumes: a name in Docker for a folder of ours, which Docker binds into containers.
//!
//! A named volume and not a plain bind mount, because Docker fills an empty one with what the image has
//! in its place, with its owner. The bytes lie in our data folder and not in Docker's, so that nothing
//! that anybody does to volumes in Docker (`docker volume prune`) loses one: a name is made again.

use std::collections::{BTreeSet, HashMap};

use bollard::{
    models::{
        ContainerSummary, ContainerSummaryStateEnum, Mount, MountType, MountVolumeOptions,
        MountVolumeOptionsDriverConfig,
    },
    query_parameters::{
        InspectContainerOptions, ListContainersOptions, ListVolumesOptions, RemoveVolumeOptions,
    },
};

use super::{Docker, InstallationId, fault, label, observe, remove_container};
use crate::{
    engine::{Disk, EngineError, InstanceSpec, VolumeUsers},
    model::{AppName, ContainerId, InstanceState, Timestamp, VolumeName},
};

/// How a container has a disk. The mount itself says what its name means, so that Docker makes a
/// missing one of our folder: one that it makes of the name alone is a disk of its own, and empty.
pub(super) fn mount(installation: &InstallationId, app: &AppName, disk: &Disk) -> Mount {
    let folder = disk.folder.to_string_lossy();
    let options = [("type", "none"), ("o", "bind"), (DEVICE, folder.as_ref())];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let driver = MountVolumeOptionsDriverConfig {
        name: Some("local".to_owned()),
        options: Some(HashMap::from(options)),
    };
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(label::volume_name(installation, app, &disk.volume)),
        target: Some(disk.path.to_string()),
        volume_options: Some(MountVolumeOptions {
            labels: Some(label::of_volume(installation, app)),
            driver_config: Some(driver),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Forgets a name that means another folder, because the data folder was moved; one that is not ours
/// is refused. A container that a daemon made and died before it was started would hold the name for ever, as
/// nobody looks for it before the one that takes its place is made: it goes first.
pub(super) async fn clear(docker: &Docker, app: &AppName, disk: &Disk) -> Result<(), EngineError> {
    let name = label::volume_name(docker.installation(), app, &disk.volume);
    let inspected = docker.ask("volume inspect", &name, docker.api().inspect_volume(&name)).await;
    let found = match inspected {
        Ok(found) => found,
        Err(error) if fault::status(&error) == Some(404) => return Ok(()),
        Err(error) => return Err(error),
    };
    if !label::is_ours(docker.installation(), Some(&found.labels)) {
        let message = "a volume of that name exists and is not ours".to_owned();
        return Err(fault::refuse("volume create", &name, message));
    }
    let device = found.options.get(DEVICE);
    if device.is_some_and(|device| *device == disk.folder.to_string_lossy()) {
        return Ok(());
    }
    for one in with(docker, app, &disk.volume, &["created"]).await? {
        // Whoever runs an image of ours by hand has its labels, and no place of an instance.
        let is_ours = |labels: &HashMap<_, _>| {
            label::is_ours(docker.installation(), Some(labels)) && label::identity(labels).is_some()
        };
        let Some(id) = one.id.filter(|_| one.labels.as_ref().is_some_and(is_ours)) else {
            continue;
        };
        if never_started(docker, &id).await? {
            remove_container(docker, &id).await?;
        }
    }
    remove(docker, &name).await
}

/// Whether a container was made and nothing more; one that could not start has something to tell.
async fn never_started(docker: &Docker, id: &str) -> Result<bool, EngineError> {
    let inspect = docker.api().inspect_container(id, None::<InspectContainerOptions>);
    let state = match docker.ask("container inspect", id, inspect).await {
        Ok(found) => found.state.unwrap_or_default(),
        Err(error) if fault::status(&error) == Some(404) => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(observe::life(&state, Timestamp::default()) == Some(InstanceState::Created))
}

/// Refuses a start while a container of another place that may write to one of its disks runs: the
/// planner has seen none, and somebody may have started one by hand since.
pub(super) async fn only_writer(docker: &Docker, spec: &InstanceSpec) -> Result<(), EngineError> {
    let own = format!("/{}", label::instance_name(docker.installation(), spec));
    for disk in &spec.disks {
        let name = label::volume_name(docker.installation(), &spec.app, &disk.volume);
        nobody_else_writes(docker, &name, &own).await?;
    }
    Ok(())
}

/// The same of one volume, by the name that Docker has for it, and for whom Docker calls `own`.
pub(super) async fn nobody_else_writes(
    docker: &Docker,
    name: &str,
    own: &String,
) -> Result<(), EngineError> {
    let filters = HashMap::from([("volume".to_owned(), vec![name.to_owned()])]);
    let options = ListContainersOptions { filters: Some(filters), ..Default::default() };
    let running =
        docker.ask("container ls", name, docker.api().list_containers(Some(options))).await?;
    for other in running {
        let names = other.names.unwrap_or_default();
        let writes = other
            .mounts
            .unwrap_or_default()
            .into_iter()
            .any(|mount| mount.name.as_deref() == Some(name) && mount.rw != Some(false));
        if writes && !names.contains(own) {
            let message = format!("{} writes to this volume", names.join(" "));
            return Err(fault::refuse("container start", name, message));
        }
    }
    Ok(())
}

/// Forgets the name of one volume. Docker refuses while a container has it.
pub(super) async fn forget(
    docker: &Docker,
    app: &AppName,
    volume: &VolumeName,
) -> Result<(), EngineError> {
    remove(docker, &label::volume_name(docker.installation(), app, volume)).await
}

/// Forgets the names of all volumes of an app.
pub(super) async fn forget_all(docker: &Docker, app: &AppName) -> Result<(), EngineError> {
    let labels = label::of_volume(docker.installation(), app);
    let labels = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let filters = Some(HashMap::from([("label".to_owned(), labels)]));
    let list = docker.api().list_volumes(Some(ListVolumesOptions { filters }));
    let found = docker.ask("volume ls", app.as_str(), list).await?;
    for volume in found.volumes.unwrap_or_default() {
        remove(docker, &volume.name).await?;
    }
    Ok(())
}

/// Whoever has a volume and is alive.
pub(super) async fn users(
    docker: &Docker,
    app: &AppName,
    volume: &VolumeName,
) -> Result<VolumeUsers, EngineError> {
    let mut users = VolumeUsers::default();
    for one in with(docker, app, volume, &["running", "paused"]).await? {
        let Some(id) = one.id.map(ContainerId) else { continue };
        let paused = one.state == Some(ContainerSummaryStateEnum::PAUSED);
        let group = if paused { &mut users.paused } else { &mut users.running };
        group.insert(id);
    }
    Ok(users)
}

/// Makes these stand still, and says whom it made to.
pub(super) async fn freeze(
    docker: &Docker,
    whom: &BTreeSet<ContainerId>,
) -> Result<BTreeSet<ContainerId>, EngineError> {
    let mut frozen = BTreeSet::new();
    for id in whom {
        let paused = docker.ask("container pause", &id.0, docker.api().pause_container(&id.0));
        match paused.await {
            Ok(()) => drop(frozen.insert(id.clone())),
            // 409: it stands still already, or has ended.
            Err(error) if matches!(fault::status(&error), Some(404 | 409)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(frozen)
}

/// Has those of these go on that stand still.
pub(super) async fn thaw(docker: &Docker, whom: &BTreeSet<ContainerId>) -> Result<(), EngineError> {
    for ContainerId(id) in whom {
        let going = docker.ask("container unpause", id, docker.api().unpause_container(id)).await;
        // Docker answers 500 to one that does not stand still; whether it does is looked at again.
        fault::accept(going, &[404, 409, 500])?;
        let inspect = docker.api().inspect_container(id, None::<InspectContainerOptions>);
        let state = match docker.ask("container inspect", id, inspect).await {
            Ok(found) => found.state.unwrap_or_default(),
            Err(error) if fault::status(&error) == Some(404) => continue,
            Err(error) => return Err(error),
        };
        if state.paused == Some(true) {
            return Err(fault::refuse("container unpause", id, "it stands still".to_owned()));
        }
    }
    Ok(())
}

/// Whether no container has the volume that runs or may be started still.
pub(super) async fn is_free(
    docker: &Docker,
    app: &AppName,
    volume: &VolumeName,
) -> Result<bool, EngineError> {
    let alive = ["created", "running", "paused", "restarting", "removing"];
    Ok(with(docker, app, volume, &alive).await?.is_empty())
}

/// The containers in one of these states that have a volume.
async fn with(
    docker: &Docker,
    app: &AppName,
    volume: &VolumeName,
    states: &[&str],
) -> Result<Vec<ContainerSummary>, EngineError> {
    let name = label::volume_name(docker.installation(), app, volume);
    let filters = HashMap::from([
        ("volume".to_owned(), vec![name.clone()]),
        ("status".to_owned(), states.iter().map(ToString::to_string).collect()),
    ]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    docker.ask("container ls", &name, docker.api().list_containers(Some(options))).await
}

async fn remove(docker: &Docker, name: &str) -> Result<(), EngineError> {
    let removed = docker
        .ask("volume rm", name, docker.api().remove_volume(name, None::<RemoveVolumeOptions>))
        .await;
    fault::accept(removed, &[404])
}

/// The local driver's option that names the folder.
const DEVICE: &str = "device";
