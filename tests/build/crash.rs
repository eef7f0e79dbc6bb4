//! The daemon dies at each point of a build, as by `kill -9`; the next one does that build again.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use paas::{engine::BuildEngine, faults};

use crate::{package, world::World};

/// The folder and the installation of the daemon that is to die, for [`victim`].
const HOME: &str = "PAAS_TEST_VICTIM_HOME";
const INSTALLATION: &str = "PAAS_TEST_VICTIM_INSTALLATION";

/// A daemon in a process of its own, because dying ends the process. On its own it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn victim() {
    let (Ok(home), Ok(installation)) = (env::var(HOME), env::var(INSTALLATION)) else { return };
    let home = PathBuf::from(home);
    let mut world = World::at(home.clone(), installation).await;
    let told = world.build("shop", &home.join("source")).await;
    panic!("it should have died: {:?}", told.result);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(debug_assertions)]
async fn a_build_that_died_anywhere_is_done_again() {
    let world = World::new().await;
    let files = [
        ("app.js", "require('http').createServer((q, s) => s.end('up')).listen(process.env.PORT)"),
        ("package.json", &package("true")),
    ];
    let source = world.app("source", &files);
    for point in faults::POINTS.iter().filter(|point| point.starts_with("build.")) {
        dies_at(&world, point);
        world.builder.sweep().await.unwrap();
        assert!(world.docker.builders().await.unwrap().is_empty(), "{point}");
    }
    // The daemon that is started next.
    let mut world = World::at(world.home.clone(), world.installation.clone()).await;
    let artifact = world.build("shop", &source).await.artifact();
    assert!(world.answer("shop", &artifact).await.ends_with("up"));
    let again = world.build("shop", &source).await.artifact();
    assert_eq!(again, artifact);
    world.end().await;
}

/// Has a daemon of its own build the source of that world, and die at the point.
#[cfg(debug_assertions)]
pub(crate) fn dies_at(world: &World, point: &str) {
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::victim"])
        .env("PAAS_FAULT", point)
        .env(HOME, &world.home)
        .env(INSTALLATION, &world.installation)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{point}");
}
