//! Backups by schedule on a real store and a place that is a folder; the copies are made by hand, as the pass
//! of volumes makes them.

use std::{fs, path::PathBuf, sync::atomic::AtomicBool};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    backup::Depot,
    clock,
    control::task::Task as _,
    engine::fake::Fake,
    model::{
        Actor, App, AppName, BackupNumber, BackupPlace, BackupsKept, ByteSize, Event, EventKind,
        Incarnation, Process, Release, ReleaseVersion, Timestamp, Volume,
        snapshot::{Job, Task},
        volume::Mounting,
    },
    node::{Homes, Steward},
    store::{Store, StoreOptions, View, records, volumes},
    volumes::VolumeFolders,
};

struct World {
    home: tempfile::TempDir,
    backups: Backups<Fake>,
}

impl World {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("place");
        fs::create_dir(&place).unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(&home.path().join("store"), options).unwrap();
        let engine = Fake::new(Timestamp::default());
        let backups = Backups {
            depot: Depot::open(Some(&BackupPlace::Folder(place)), &home.path().join("key"))
                .unwrap(),
            homes: Homes::here(Steward::new(engine, VolumeFolders::new(home.path()), ByteSize(0))),
            here: "box".parse().unwrap(),
            transfers: watch::channel(None).0,
            commits: store.changes(),
            stop: CancellationToken::new(),
            memory: Memory::default(),
            store,
        };
        let made = |tx: &mut crate::store::Transaction<'_>| {
            let (app, long_ago) = ("shop".parse().unwrap(), Timestamp::from_millis(0));
            tx.put(&App::new("shop".parse().unwrap(), long_ago))?;
            let by = Actor::platform();
            let mut volume =
                volumes::make(tx, &app, &"data".parse().unwrap(), None, &by, long_ago)?;
            volume.home = Some("box".parse().unwrap());
            volume.backups.wanted(Some(&"@hourly".parse().unwrap()), BackupsKept(2), long_ago);
            tx.put(&volume)
        };
        backups.store.transact(made).await.unwrap();
        Self { home, backups }
    }

    /// A release serves whose `web` has the volume.
    async fn serves(&self) {
        let mut web = Process::plain("web".parse().unwrap(), Vec::new(), String::new());
        let path = "/data".parse().unwrap();
        let mounting = Mounting { path, size: None, backup: None, keep_backups: None };
        web.volumes.insert("data".parse().unwrap(), mounting);
        let processes = [(web.name.clone(), web)].into();
        let app: AppName = "shop".parse().unwrap();
        let release = Release { processes, ..Release::example(app.clone(), ReleaseVersion(1)) };
        let current = Some(Incarnation { release: release.version, restart: 0 });
        let serves = move |tx: &mut crate::store::Transaction<'_>| {
            tx.put(&release)?;
            tx.put(&App { current, ..App::new(app, Timestamp::default()) })
        };
        self.backups.store.transact(serves).await.unwrap();
    }

    fn volume(&self) -> Volume {
        self.backups.store.snapshot().scan::<Volume>(&()).unwrap().remove(0)
    }

    async fn change(&self, change: impl FnOnce(&mut Volume) + Send + 'static) {
        let mut volume = self.volume();
        change(&mut volume);
        self.backups.store.transact(move |tx| tx.put(&volume)).await.unwrap();
    }

    /// A time of the schedule went by, and the copy is there.
    async fn due(&mut self) {
        self.change(|volume| volume.backups.seen = Some(Timestamp::from_millis(0))).await;
        self.backups.pass().await.unwrap();
        let Some(Job { task: Task::Backup { at }, .. }) = self.volume().job else {
            panic!("it was not begun: {:?}", self.volume());
        };
        let Volume { app, name, .. } = self.volume();
        let stop = AtomicBool::new(false);
        self.backups
            .homes
            .folders()
            .ship(&app, &name, at, ByteSize(0), &stop)
            .unwrap()
            .settle()
            .unwrap();
        let task = Task::Upload { at, begun: 0 };
        self.change(|volume| volume.job = Some(Job { task, by: Actor::platform() })).await;
    }

    async fn pass(&mut self) -> Volume {
        self.backups.pass().await.unwrap();
        self.volume()
    }

    fn place(&self) -> PathBuf {
        self.home.path().join("place")
    }

    fn numbers(&self) -> Vec<BackupNumber> {
        let all = self.backups.depot.list_all().unwrap();
        all.iter().map(|backup| backup.number).collect()
    }

    fn alerts(&self) -> Vec<String> {
        let all = self.backups.store.snapshot().scan::<Event>(&()).unwrap();
        let alerts = all.into_iter().filter(|event| event.kind == EventKind::Alert);
        alerts.map(|event| event.text).collect()
    }
}

#[tokio::test]
async fn a_volume_is_held_for_a_move_only_when_whoever_has_it_finds_his_image_there() {
    let mut world = World::new().await;
    let prepare = |since| {
        let task = Task::Prepare { to: "edge-1".parse().unwrap(), since };
        Some(Job { task, by: Actor::platform() })
    };
    let now = clock::now();
    world.change(move |volume| volume.job = prepare(now)).await;
    let nobody_has_it = world.pass().await;
    assert!(nobody_has_it.is_held());
    assert!(matches!(nobody_has_it.job.unwrap().task, Task::Move { .. }));

    world.serves().await;
    world.change(move |volume| volume.job = prepare(now)).await;
    let volume = world.pass().await;
    assert!(!volume.is_held() && volume.job == prepare(now), "nothing is heard of edge-1 yet");

    let long_ago = Timestamp::from_millis(0);
    world.change(move |volume| volume.job = prepare(long_ago)).await;
    let volume = world.pass().await;
    assert!(volume.job.is_none() && volume.home == Some("box".parse().unwrap()));
    let why = "nobody can be started on edge-1: the image did not get there within half an hour";
    assert_eq!(volume.failure.unwrap(), why);
}

#[tokio::test]
async fn a_schedule_makes_backups_and_the_newest_stay() {
    let mut world = World::new().await;
    for number in 1..=3 {
        world.due().await;
        let volume = world.pass().await;
        assert_eq!((volume.job, volume.failure), (None, None));
        assert_eq!(volume.backups.last.unwrap().result, Ok(BackupNumber(number)));
        let outgoing = world.home.path().join("volumes/shop/data/outgoing");
        assert!(!outgoing.exists(), "the copy is gone");
    }
    assert_eq!(world.numbers(), [BackupNumber(3), BackupNumber(2)]);
    let volume = world.pass().await;
    assert_eq!(volume.job, None, "nothing is due any more");
    assert_eq!(world.alerts(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_is_told_and_tried_again_three_times() {
    let mut world = World::new().await;
    world.due().await;
    world.pass().await;
    fs::rename(world.place(), world.home.path().join("elsewhere")).unwrap();
    world.due().await;
    let volume = world.pass().await;
    let why = volume.failure.clone().unwrap();
    assert!(why.contains("is its disk mounted?"), "{why}");
    for failures in 1..=4 {
        let state = world.volume().backups;
        assert_eq!((state.failures, state.again_at.is_some()), (failures, failures < 4));
        if let Some(again) = state.again_at {
            assert!(again > clock::now());
            world.change(|volume| volume.backups.again_at = Some(clock::now())).await;
            world.pass().await;
            let Some(Job { task: Task::Backup { at }, by }) = world.volume().job else {
                panic!("it is not tried again");
            };
            let task = Task::Upload { at, begun: 0 };
            world.change(|volume| volume.job = Some(Job { task, by })).await;
            world.pass().await;
        }
    }
    let alerts = world.alerts();
    assert_eq!(alerts.len(), 4, "{alerts:#?}");
    assert!(alerts[0].ends_with("; it is tried again in 5 minutes"), "{alerts:#?}");
    assert!(alerts[3].ends_with("; it is tried again when its schedule says so"), "{alerts:#?}");
    fs::rename(world.home.path().join("elsewhere"), world.place()).unwrap();
    assert_eq!(world.numbers(), [BackupNumber(1)], "the last good one is there");
    world.due().await;
    let state = world.pass().await.backups;
    assert_eq!((state.failures, state.last.unwrap().result), (0, Ok(BackupNumber(2))));
}

#[tokio::test]
async fn an_upload_that_daemons_died_in_is_given_up_and_one_that_was_told_to_end_goes_on() {
    let mut world = World::new().await;
    world.due().await;
    let upload = |world: &World| match world.volume().job {
        Some(Job { task: Task::Upload { begun, .. }, .. }) => Some(begun),
        _ => None,
    };
    let at = |begun| {
        move |volume: &mut Volume| {
            if let Some(Job { task: Task::Upload { begun: counted, .. }, .. }) = &mut volume.job {
                *counted = begun;
            }
        }
    };
    world.backups.stop.cancel();
    let (volume, job) = (world.volume(), world.volume().job.unwrap());
    world.backups.transfer((&volume, None), &job).await.unwrap();
    assert!(matches!(upload(&world), None | Some(0)), "it was cut, or quick: {:?}", upload(&world));
    world.backups.stop = CancellationToken::new();
    world.pass().await;
    world.due().await;
    world.change(at(3)).await;
    let volume = world.pass().await;
    assert_eq!(upload(&world), None);
    assert!(volume.failure.unwrap().contains("the server ended each time"));
}

#[tokio::test]
async fn without_a_place_nobody_stands_still() {
    let mut world = World::new().await;
    world.backups.depot = Depot::open(None, &world.home.path().join("key")).unwrap();
    world.backups.pass().await.unwrap();
    let volume = world.volume();
    assert_eq!(volume.job, None);
    assert!(volume.failure.unwrap().contains("set `backup_to"));
    assert_eq!(world.alerts().len(), 1);
    let gone = clock::now();
    world.change(move |volume| volume.backups.seen = Some(Timestamp::from_millis(0))).await;
    let mut app = world.backups.store.snapshot().scan::<App>(&()).unwrap().remove(0);
    app.destroyed_at = Some(gone);
    world.backups.store.transact(move |tx| tx.put(&app)).await.unwrap();
    world.backups.pass().await.unwrap();
    assert_eq!(world.alerts().len(), 1, "nobody backs up an app that is destroyed");
}
