//! Secrets handed to an instance of an image that knows nothing of us: in its environment, and in nothing
//! that Docker tells of it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use paas::{
    build::workshop::LAUNCHER,
    engine::{Engine, Handed, InstanceSpec},
    model::{InstanceState, SecretVersion},
};

use crate::world::World;

const VALUE: &str = "a=b\n$c \"ü\" '\\";

/// The spec with one secret, in a folder that lives as long as the test.
fn equipped(spec: InstanceSpec, folder: &Path) -> InstanceSpec {
    let file = folder.join(Handed::FILE);
    fs::write(&file, format!("TOKEN={VALUE}\0KEY=of the secrets\0")).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("program");
    if !program.exists() {
        fs::write(&program, LAUNCHER).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    InstanceSpec {
        secrets: [("TOKEN".parse().unwrap(), SecretVersion(1))].into(),
        handed: Some(Handed { folder: folder.to_owned(), program, files: Vec::new() }),
        ..spec
    }
}

#[tokio::test]
async fn an_instance_has_its_secrets_and_docker_has_not() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let script = "printf %s \"$TOKEN\" | od -An -tx1 | tr -d ' \\n'; echo; echo $KEY $PAAS_APP; \
                  tr '\\0' ' ' < /proc/$$/cmdline | cut -c 1-7; \
                  touch /.paas/secrets/x 2>/dev/null || echo read-only; exit 7";
    let mut spec = world.spec(script);
    spec.environment.insert("KEY".parse().unwrap(), "plain".to_owned());
    world.docker.start(&equipped(spec, folder.path())).await.unwrap();
    let ended = world.ended().await;
    assert_eq!(
        world.output(&ended).await,
        [hex::encode(VALUE).as_str(), "of the secrets shop", "/bin/sh", "read-only"]
    );
    assert!(matches!(&ended.state, InstanceState::Exited(exit) if exit.code == 7));
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let told = api.inspect_container(&ended.id.0, None).await.unwrap();
    let text = serde_json::to_string(&told).unwrap();
    assert!(text.contains("KEY=plain") && !text.contains("of the secrets"), "{text}");
}

#[tokio::test]
async fn what_was_taken_away_is_gone_in_the_container_too() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let script =
        "echo ready; until [ ! -e /.paas/secrets/environment ]; do sleep 0.1; done; echo gone";
    world.docker.start(&equipped(world.spec(script), folder.path())).await.unwrap();
    fs::remove_file(folder.path().join(Handed::FILE)).unwrap();
    let ended = world.ended().await;
    let lines = world.output(&ended).await;
    // Whether it was quicker than we are is its own business; without its secrets it does not begin.
    let late = lines.iter().any(|line| line.contains("cannot be read"));
    assert!(late || lines == ["ready", "gone"], "{lines:?}");

    let mut missing = world.spec("");
    missing.process.entrypoint = vec!["/no/such/program".to_owned()];
    missing.attempt = 1;
    world.docker.remove(&ended.id).await.unwrap();
    world.docker.start(&equipped(missing, folder.path())).await.unwrap();
    let ended = world.ended().await;
    assert!(matches!(&ended.state, InstanceState::Exited(exit) if exit.code == 127));
}
