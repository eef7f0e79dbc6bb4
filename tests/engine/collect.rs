//! Collecting the output of real containers.

use paas::{
    engine::Engine,
    logs::{Collector, LogSettings, Logs, Query},
};

use crate::world::{World, eventually};

#[tokio::test]
async fn an_ended_instance_is_drained_to_its_last_line() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path(), LogSettings::default()).unwrap();
    let collector = Collector::new(world.docker.clone(), logs.clone());
    let spec = world.spec("echo on stderr >&2; seq 1 5000; echo last words; exit 1");
    let id = world.docker.start(&spec).await.unwrap();
    collector.sync(&world.docker.instances().await.unwrap());
    collector.sync(&[world.ended().await]);
    collector.drained(&id).await;
    assert!(collector.is_drained(&id));
    let last = collector.last_lines(&spec.app, &id, 10).await.unwrap();
    // Docker reads the two streams side by side: the line on stderr has its place anywhere.
    let on_stdout = last.iter().rfind(|line| *line != "on stderr");
    assert_eq!(on_stdout.map(String::as_str), Some("last words"), "{last:?}");
    assert_eq!(logs.query(&spec.app, Query::last(10_000)).await.unwrap().len(), 5002);
    world.docker.remove(&id).await.unwrap();
    collector.sync(&[]);
    assert!(!collector.is_drained(&id), "it is forgotten");
}

#[tokio::test]
async fn restarts_of_the_daemon_lose_and_repeat_nothing() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let spec = world.spec("for n in $(seq 1 60); do seq $n 1000 60000; sleep 0.05; done");
    let id = world.docker.start(&spec).await.unwrap();
    loop {
        let logs = Logs::open(folder.path(), LogSettings::default()).unwrap();
        let collector = Collector::new(world.docker.clone(), logs.clone());
        let instances = world.docker.instances().await.unwrap();
        let before = logs.query(&spec.app, Query::last(10_000)).await.unwrap().len();
        collector.sync(&instances);
        if instances[0].is_gone() {
            collector.drained(&id).await;
            break;
        }
        eventually("something more is kept, or all is", || async {
            let now = logs.query(&spec.app, Query::last(10_000)).await.unwrap().len();
            (now > before || world.only().await.is_gone()).then_some(())
        })
        .await;
        // Dropped without `stop`, as a crash would: what was in memory may be lost and is read again.
    }
    let logs = Logs::open(folder.path(), LogSettings::default()).unwrap();
    let kept = logs.query(&spec.app, Query::last(10_000)).await.unwrap();
    let kept: Vec<u32> = kept.iter().map(|record| record.text.parse().unwrap()).collect();
    let expected: Vec<u32> = (1..=60).flat_map(|n| (n..=60_000).step_by(1000)).collect();
    assert_eq!(kept, expected);
}
