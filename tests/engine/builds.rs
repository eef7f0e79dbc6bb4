//! Build containers.

use std::path::Path;

use paas::{
    engine::{Access, BuildEngine, BuilderSpec, Mount},
    model::{BuildNumber, ByteSize},
};

use crate::world::World;

fn spec(world: &World, script: &str, folder: &Path) -> BuilderSpec {
    let mount = |name: &str, access| Mount {
        source: folder.join(name),
        target: format!("/{name}"),
        access,
    };
    BuilderSpec {
        app: "shop".parse().unwrap(),
        build: BuildNumber(7),
        image: world.image.clone(),
        command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        user: "1001:1001".to_owned(),
        environment: [("GREETING".to_owned(), "hello".to_owned())].into(),
        mounts: vec![mount("source", Access::ReadOnly), mount("work", Access::ReadWrite)],
        memory: ByteSize::mib(256),
        cpu_millis: 1000,
        pids: 64,
    }
}

fn folders() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let open = || std::fs::Permissions::from_mode(0o777);
    for name in ["source", "work"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::set_permissions(folder.path().join(name), open()).unwrap();
    }
    std::fs::set_permissions(folder.path(), open()).unwrap();
    folder
}

#[tokio::test]
async fn a_build_sees_its_mounts_and_its_end_is_told() {
    let (world, folder) = (World::new().await, folders());
    let script = "echo $GREETING $(id -u) > /work/out; touch /source/x || echo read-only; \
                  printf '#!/bin/sh\\necho from tmp' > /tmp/run; sh -c 'exit 0'; \
                  grep CapBnd /proc/self/status; exit 4";
    let id = world.docker.start_builder(&spec(&world, script, folder.path())).await.unwrap();
    let builders = world.docker.builders().await.unwrap();
    assert_eq!((builders.len(), &builders[0].id, builders[0].build), (1, &id, BuildNumber(7)));
    let exit = world.docker.wait_builder(&id).await.unwrap();
    assert_eq!(exit.code, 4);
    let made = std::fs::read_to_string(folder.path().join("work/out")).unwrap();
    assert_eq!(made, "hello 1001\n");
    let said = world.docker.builder_output(&id).await.unwrap();
    assert!(said.contains("read-only") && said.contains("CapBnd:\t0000000000000000"), "{said}");
    world.docker.remove_builder(&id).await.unwrap();
    world.docker.remove_builder(&id).await.unwrap();
    assert!(world.docker.builders().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_builder_left_by_a_crash_is_replaced() {
    let (world, folder) = (World::new().await, folders());
    let first = spec(&world, "sleep 600", folder.path());
    let left = world.docker.start_builder(&first).await.unwrap();
    let next = spec(&world, "exit 0", folder.path());
    let id = world.docker.start_builder(&next).await.unwrap();
    assert_ne!(id, left);
    assert_eq!(world.docker.wait_builder(&id).await.unwrap().code, 0);
}

#[tokio::test]
async fn a_mount_that_is_not_there_is_refused() {
    let (world, folder) = (World::new().await, folders());
    std::fs::remove_dir(folder.path().join("source")).unwrap();
    let refused = world.docker.start_builder(&spec(&world, "true", folder.path())).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("does not exist"), "{refused}");
    assert!(!folder.path().join("source").exists(), "Docker did not make it");
}

#[tokio::test]
async fn a_builder_that_cannot_run_says_why() {
    let (world, folder) = (World::new().await, folders());
    let mut spec = spec(&world, "", folder.path());
    spec.command = vec!["/nope".to_owned()];
    let id = world.docker.start_builder(&spec).await.unwrap();
    let exit = world.docker.wait_builder(&id).await.unwrap();
    assert_eq!(exit.code, 127);
}
