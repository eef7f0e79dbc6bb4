//! Disks: a folder of ours that Docker has a name for, whoever makes that name.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path};

use bollard::{
    models::{ContainerCreateBody, HostConfig, VolumeCreateRequest},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, RemoveContainerOptions,
        RemoveVolumeOptions,
    },
};
use paas::engine::{Disk, Engine, InstanceSpec, VolumeUsers};

use crate::world::World;

const NAME: &str = "shop.data";

/// An instance with a disk, which lies in this folder and may be written by anybody in there.
fn with_disk(world: &World, folder: &Path, script: &str) -> InstanceSpec {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    let disk = Disk {
        volume: "data".parse().unwrap(),
        folder: folder.to_owned(),
        path: "/data".parse().unwrap(),
    };
    InstanceSpec { disks: vec![disk], ..world.spec(script) }
}

fn name(world: &World) -> String {
    format!("paas-{}.volume.{NAME}", world.installation)
}

#[tokio::test]
async fn a_disk_is_our_folder_also_when_its_name_was_taken_away() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    for visits in ["1", "2", "3"] {
        let mut spec =
            with_disk(&world, folder.path(), "echo >> /data/visits; wc -l < /data/visits");
        spec.attempt = visits.parse().unwrap();
        world.docker.start(&spec).await.unwrap();
        let ended = world.ended().await;
        assert_eq!(world.output(&ended).await, [visits]);
        world.docker.remove(&ended.id).await.unwrap();
        let made = api.inspect_volume(&name(&world)).await.unwrap();
        assert_eq!(made.labels["paas.installation"], world.installation.to_string());
        api.remove_volume(&name(&world), None::<RemoveVolumeOptions>).await.unwrap();
    }
    assert_eq!(fs::read_to_string(folder.path().join("visits")).unwrap().lines().count(), 3);
}

#[tokio::test]
async fn a_name_follows_a_folder_that_was_moved() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    fs::create_dir(&before).unwrap();
    let first = with_disk(&world, &before, "echo kept > /data/file");
    world.docker.start(&first).await.unwrap();
    world.docker.remove(&world.ended().await.id).await.unwrap();
    fs::rename(&before, &after).unwrap();
    world.docker.start(&with_disk(&world, &after, "cat /data/file")).await.unwrap();
    let ended = world.ended().await;
    assert_eq!(world.output(&ended).await, ["kept"]);
    world.docker.remove(&ended.id).await.unwrap();
    let (app, volume) = ("shop".parse().unwrap(), "data".parse().unwrap());
    world.docker.forget_volume(&app, &volume).await.unwrap();
}

#[tokio::test]
async fn what_was_made_and_never_started_does_not_hold_a_name() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    fs::create_dir(&before).unwrap();
    let first = world.docker.start(&with_disk(&world, &before, "echo kept > /data/file")).await;
    let first = first.unwrap();
    world.ended().await;
    // A daemon dies between the making of a container and its start; then the data folder is moved.
    let seen = api.inspect_container(&first.0, None::<InspectContainerOptions>).await.unwrap();
    let config = seen.config.unwrap();
    let body = |labels| ContainerCreateBody {
        image: config.image.clone(),
        cmd: Some(vec!["true".to_owned()]),
        labels,
        host_config: Some(HostConfig {
            mounts: seen.host_config.as_ref().unwrap().mounts.clone(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let create = async |labels| {
        api.create_container(None::<CreateContainerOptions>, body(labels)).await.unwrap().id
    };
    let (ours, theirs) = (create(config.labels.clone()).await, create(None).await);
    world.docker.remove(&first).await.unwrap();
    fs::rename(&before, &after).unwrap();
    let spec = with_disk(&world, &after, "cat /data/file");
    let refused = world.docker.start(&spec).await.unwrap_err().to_string();
    assert!(refused.contains("volume is in use") && refused.contains(&theirs), "{refused}");
    assert!(api.inspect_container(&ours, None::<InspectContainerOptions>).await.is_err());
    api.remove_container(&theirs, None::<RemoveContainerOptions>).await.unwrap();
    world.docker.start(&spec).await.unwrap();
    let ended = world.ended().await;
    assert_eq!(world.output(&ended).await, ["kept"]);
    world.docker.remove(&ended.id).await.unwrap();
}

#[tokio::test]
async fn a_volume_of_somebody_else_is_not_written_to() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let theirs = VolumeCreateRequest { name: Some(name(&world)), ..Default::default() };
    api.create_volume(theirs).await.unwrap();
    let refused = world.docker.start(&with_disk(&world, folder.path(), "true")).await;
    api.remove_volume(&name(&world), None::<RemoveVolumeOptions>).await.unwrap();
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("exists and is not ours"), "{refused}");
}

#[tokio::test]
async fn whom_somebody_else_paused_stays_paused() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let ours = world.docker.start(&with_disk(&world, folder.path(), "sleep 60")).await.unwrap();
    let (app, volume) = ("shop".parse().unwrap(), "data".parse().unwrap());
    let users = || async { world.docker.users(&app, &volume).await.unwrap() };
    let (one, nobody) = (BTreeSet::from([ours.clone()]), BTreeSet::new());
    assert_eq!(users().await, VolumeUsers { running: one.clone(), paused: nobody.clone() });

    assert_eq!(world.docker.freeze(&one).await.unwrap(), one);
    assert_eq!(users().await, VolumeUsers { running: nobody.clone(), paused: one.clone() });
    world.docker.thaw(&one).await.unwrap();
    world.docker.thaw(&one).await.unwrap();
    assert_eq!(users().await, VolumeUsers { running: one.clone(), paused: nobody.clone() });

    api.pause_container(&ours.0).await.unwrap();
    let frozen = world.docker.freeze(&one).await.unwrap();
    world.docker.thaw(&frozen).await.unwrap();
    assert_eq!((frozen, users().await.paused), (nobody, one));
    world.docker.remove(&ours).await.unwrap();
}
