//! Who stands still while a volume is copied, on a real store and the fake engine.

use std::{collections::BTreeSet, fs};

use tokio::sync::watch;

use super::*;
use crate::{
    control::{standstill::Standstill, task::Task as _},
    engine::{Engine, docker::example, fake::Fake},
    model::{
        Actor, App, AppName, ByteSize, Incarnation, Node, Phase, ReleaseVersion, Rollout,
        RolloutNumber, Snapshot, SnapshotNumber, Timestamp, Volume, VolumeName,
        snapshot::{Job, Task},
        volume::Mounting,
    },
    node::{Homes, Steward},
    store::{Store, StoreOptions, View, records, volumes},
    volumes::VolumeFolders,
};

struct World {
    engine: Fake,
    volumes: Volumes<Fake>,
    home: tempfile::TempDir,
}

impl World {
    /// An app with a volume of which a snapshot is wanted.
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(&home.path().join("store"), options).unwrap();
        let folders = VolumeFolders::new(home.path());
        let (app, name) = names();
        fs::create_dir_all(folders.data(&app, &name)).unwrap();
        let engine = Fake::new(Timestamp::default());
        let volumes = Volumes {
            homes: Homes::here(Steward::new(engine.clone(), folders, ByteSize(0))),
            here: "box".parse().unwrap(),
            standstill: Standstill::default(),
            usages: watch::Sender::default(),
            commits: store.changes(),
            memory: Memory::default(),
            store,
        };
        let made = |tx: &mut crate::store::Transaction<'_>| {
            let (app, name) = names();
            tx.put(&App::new(app.clone(), Timestamp::default()))?;
            let (by, now) = (Actor::platform(), Timestamp::default());
            let mut volume = volumes::make(tx, &app, &name, None, &by, now)?;
            let task = Task::Snapshot { number: SnapshotNumber(1) };
            volume.job = Some(Job { task, by });
            tx.put(&volume)
        };
        volumes.store.transact(made).await.unwrap();
        Self { engine, volumes, home }
    }

    /// A running instance that has the volume.
    async fn user(&self, attempt: u32) -> crate::model::ContainerId {
        let (app, name) = names();
        let mut spec = example();
        (spec.app, spec.attempt) = (app, attempt);
        spec.process.volumes.insert(name, Mounting::at("/data".parse().unwrap()));
        self.engine.start(&spec).await.unwrap()
    }

    fn volume(&self) -> Volume {
        self.volumes.store.snapshot().scan::<Volume>(&()).unwrap().remove(0)
    }

    fn snapshots(&self) -> usize {
        self.volumes.store.snapshot().scan::<Snapshot>(&()).unwrap().len()
    }
}

fn names() -> (AppName, VolumeName) {
    ("shop".parse().unwrap(), "data".parse().unwrap())
}

#[tokio::test]
async fn only_those_go_on_whom_we_made_to_stand_still() {
    let mut world = World::new().await;
    let (ours, theirs) = (world.user(1).await, world.user(2).await);
    let both = BTreeSet::from([ours.clone(), theirs.clone()]);
    // A daemon died in the middle of it, and somebody paused another one by hand.
    world.engine.freeze(&both).await.unwrap();
    let died = Volume { frozen: [ours.clone()].into(), ..world.volume() };
    world.volumes.store.transact(move |tx| tx.put(&died)).await.unwrap();
    world.volumes.pass().await.unwrap();
    assert_eq!(world.engine.frozen(), [theirs].into());
    let volume = world.volume();
    assert_eq!((volume.job, volume.frozen, volume.failure), (None, [].into(), None));
    assert_eq!(world.snapshots(), 1);
    assert!(world.home.path().join("volumes/shop/data/snapshots/s1").is_dir());
}

#[tokio::test]
async fn a_deploy_that_began_meanwhile_is_waited_for() {
    let mut world = World::new().await;
    world.user(1).await;
    let (app, _) = names();
    let of = |release| Incarnation { release: ReleaseVersion(release), restart: 0 };
    let mut rollout = Rollout {
        app: app.clone(),
        number: RolloutNumber(1),
        from: Some(of(1)),
        to: of(2),
        phase: Phase::Starting,
        started_at: Timestamp::default(),
        phase_at: Timestamp::default(),
        waves: Vec::new(),
        wave: 0,
        command: None,
        post_deploy: None,
        trial: None,
        recreate: [].into(),
        stand_ins: Vec::new(),
    };
    let begun = rollout.clone();
    let deploy = move |tx: &mut crate::store::Transaction<'_>| {
        let mut app = App::new(app, Timestamp::default());
        app.rollout = Some(RolloutNumber(1));
        tx.put(&app)?;
        tx.put(&begun)
    };
    world.volumes.store.transact(deploy).await.unwrap();
    world.volumes.pass().await.unwrap();
    assert!(world.volume().job.is_some() && world.snapshots() == 0);
    rollout.phase = Phase::Watching;
    world.volumes.store.transact(move |tx| tx.put(&rollout)).await.unwrap();
    world.volumes.pass().await.unwrap();
    assert!(world.volume().job.is_none() && world.snapshots() == 1);
}

#[tokio::test]
async fn what_another_machine_has_waits_until_that_one_is_reached() {
    let mut world = World::new().await;
    let made = |tx: &mut crate::store::Transaction<'_>| {
        for name in ["box", "edge-1"] {
            tx.put(&Node::example(name))?;
        }
        Ok::<_, crate::store::StoreError>(())
    };
    world.volumes.store.transact(made).await.unwrap();
    let of_other = Volume { home: Some("edge-1".parse().unwrap()), ..world.volume() };
    world.volumes.store.transact(move |tx| tx.put(&of_other)).await.unwrap();
    let before = world.volume();
    world.volumes.pass().await.unwrap();
    assert_eq!(world.volume(), before);
    assert!(world.snapshots() == 0 && world.volumes.usages.borrow().is_empty());
    // Neither is it removed here: not its record, and not what lies in this machine's folder.
    let going = Volume { destroyed_at: Some(Timestamp::default()), job: None, ..before.clone() };
    world.volumes.store.transact(move |tx| tx.put(&going)).await.unwrap();
    world.volumes.pass().await.unwrap();
    assert!(world.home.path().join("volumes/shop/data/data").is_dir());
    world.volumes.store.transact(move |tx| tx.put(&before)).await.unwrap();
    world.volumes.here = "edge-1".parse().unwrap();
    world.volumes.pass().await.unwrap();
    assert!(world.volume().job.is_none() && world.snapshots() == 1);
    assert_eq!(world.volumes.usages.borrow().len(), 1);
}

#[tokio::test]
async fn a_volume_without_a_home_is_on_the_machine_that_leads() {
    let mut world = World::new().await;
    assert_eq!(world.volume().home, None);
    world.volumes.pass().await.unwrap();
    assert_eq!(world.volume().home, Some("box".parse().unwrap()));
}
