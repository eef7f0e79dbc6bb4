//! A Docker that goes away and comes back: a socket of our own in front of the real one, to be cut.

use std::path::PathBuf;

use futures_util::StreamExt;
use paas::{
    engine::{Engine, EngineError, docker::DockerSettings},
    logs::{Collector, LogSettings, Logs, Query},
};
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

use crate::world::{World, eventually, unique};

/// Passes everything on to Docker until it is cut; then nobody answers at its path.
struct Line {
    path: PathBuf,
    serving: Option<JoinHandle<()>>,
}

impl Line {
    fn mend(&mut self) {
        let listener = UnixListener::bind(&self.path).unwrap();
        self.serving = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let mut far = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }));
    }

    /// Dropping the task drops the listener and all connections.
    async fn cut(&mut self) {
        std::fs::remove_file(&self.path).unwrap();
        let serving = self.serving.take().unwrap();
        serving.abort();
        let _ = serving.await;
    }
}

#[tokio::test]
async fn a_lost_docker_is_an_error_and_everything_goes_on_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut line = Line { path: folder.path().join("docker.sock"), serving: None };
    line.mend();
    let mut settings = DockerSettings::new(unique());
    settings.socket = line.path.to_string_lossy().into_owned();
    let world = World::over(settings).await;
    let logs = Logs::open(&folder.path().join("logs"), LogSettings::default()).unwrap();
    let collector = Collector::new(world.docker.clone(), logs.clone());
    let spec = world.spec("n=0; while [ $n -lt 100 ]; do n=$((n+1)); echo $n; sleep 0.05; done");
    let id = world.docker.start(&spec).await.unwrap();
    collector.sync(&world.docker.instances().await.unwrap());
    let mut changes = world.docker.changes();
    changes.next().await.unwrap();
    let kept = || async { logs.query(&spec.app, Query::last(1000)).await.unwrap().len() };
    eventually("lines come", || async { (kept().await > 10).then_some(()) }).await;

    line.cut().await;
    assert_eq!(changes.next().await, None, "the stream of changes ends with the connection");
    let lost = world.docker.instances().await.unwrap_err();
    assert!(matches!(lost, EngineError::Unreachable { .. }), "{lost:?}");
    line.mend();

    collector.sync(&[world.ended().await]);
    collector.drained(&id).await;
    let records = logs.query(&spec.app, Query::last(1000)).await.unwrap();
    let kept: Vec<u32> = records.iter().map(|record| record.text.parse().unwrap()).collect();
    assert_eq!(kept, (1..=100).collect::<Vec<_>>(), "no line lost, none twice");
}
