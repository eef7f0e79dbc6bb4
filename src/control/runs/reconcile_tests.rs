//! How soon the pass is due again when something went wrong: never at once, for ever.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    engine::fake::{Fake, Fault},
    logs::{LogSettings, Logs},
    model::{Process, ProcessName, ReleaseVersion, RunConsole},
    node::{Handout, Nodes},
    store::{SealingKey, StoreOptions, records},
};

/// A pass of a daemon on whose record is one run that is to begin, asked for at that time.
async fn world(home: &tempfile::TempDir, engine: Fake, at: Timestamp) -> Runs<Fake> {
    let options = StoreOptions { schema: records::schema(), now: clock::system() };
    let store = Store::open(&home.path().join("store"), options).unwrap();
    let logs = Logs::open(&home.path().join("logs"), LogSettings::default()).unwrap();
    let handout = Handout::new("runs", home.path(), b"");
    let vault = Vault::new(store.clone(), SealingKey::new([7; 32]), handout.clone(), logs.clone());
    store.transact(move |tx| remember(tx, at)).await.unwrap();
    Runs {
        commits: store.changes(),
        collector: Collector::new(engine.clone(), logs),
        consoles: Consoles::new(
            watch::Sender::new(None).subscribe(),
            Nodes::new(CancellationToken::new(), watch::channel(Arc::default()).1),
            handout,
        ),
        engine,
        vault,
        here: "box".parse().unwrap(),
        store,
        memory: Memory::default(),
    }
}

fn remember(tx: &mut Transaction<'_>, at: Timestamp) -> Result<(), StoreError> {
    let app: AppName = "shop".parse().unwrap();
    let web: ProcessName = "web".parse().unwrap();
    let now = Timestamp::default();
    tx.put(&App::new(app.clone(), now))?;
    tx.put(&Release {
        processes: [(web.clone(), Process::plain(web.clone(), Vec::new(), String::new()))].into(),
        ..Release::example(app.clone(), ReleaseVersion(1))
    })?;
    tx.put(&Run {
        app,
        number: RunNumber(1),
        release: ReleaseVersion(1),
        process: web,
        command: vec!["true".to_owned()],
        memory: None,
        console: RunConsole::Detached,
        timeout: None,
        by: Actor::platform(),
        at,
        stopped_by: None,
        cron: None,
        machine: None,
        status: RunStatus::Starting,
    })
}

#[tokio::test]
async fn what_fails_is_not_tried_again_at_once() {
    let home = tempfile::tempdir().unwrap();
    let engine = Fake::new(clock::now());
    let began = clock::now();
    let mut runs = world(&home, engine.clone(), began).await;
    engine.fail(2, Fault::Refuses);
    runs.pass().await.unwrap();
    let again = runs.memory.look_again.unwrap();
    assert!(again >= began.plus(Duration::from_secs(1)), "{again} is too soon after {began}");

    // Nothing can be seen: the moment that has come says nothing any more.
    runs.memory.look_again = Some(began);
    engine.fail(1, Fault::Refuses);
    runs.pass().await.unwrap();
    assert_eq!((runs.memory.look_again, runs.memory.quiet), (None, false));

    // Nothing goes wrong: the next step is near.
    runs.pass().await.unwrap();
    assert!(runs.memory.look_again.unwrap() < clock::now().plus(Duration::from_secs(1)));
}

#[tokio::test]
async fn what_cannot_begin_is_given_up_after_a_while() {
    let home = tempfile::tempdir().unwrap();
    let engine = Fake::new(clock::now());
    let mut runs = world(&home, engine.clone(), Timestamp::default()).await;
    engine.fail(2, Fault::Refuses);
    runs.pass().await.unwrap();
    let run = runs.store.snapshot().scan::<Run>(&()).unwrap().remove(0);
    let RunStatus::Ended { code: None, reason: Some(reason), .. } = run.status else {
        panic!("{:?}", run.status);
    };
    assert!(reason.starts_with("it could not begin: "), "{reason}");
}

#[tokio::test]
async fn a_job_that_a_former_leader_began_is_not_begun_by_the_next() {
    let home = tempfile::tempdir().unwrap();
    let engine = Fake::new(clock::now());
    let mut runs = world(&home, engine, clock::now()).await;
    runs.pass().await.unwrap();
    let begun = runs.store.snapshot().scan::<Run>(&()).unwrap().remove(0);
    assert_eq!(begun.machine, Some("box".parse().unwrap()));
    // It is lost before it says more; the next one has a Docker of its own.
    let unseen = Run { status: RunStatus::Starting, ..begun };
    runs.store.transact(move |tx| tx.put(&unseen)).await.unwrap();
    let other = Fake::new(clock::now());
    (runs.engine, runs.here) = (other.clone(), "edge-1".parse().unwrap());
    runs.pass().await.unwrap();
    assert!(other.containers().is_empty());
    let run = runs.store.snapshot().scan::<Run>(&()).unwrap().remove(0);
    let RunStatus::Ended { code: None, reason: Some(reason), .. } = run.status else {
        panic!("{:?}", run.status);
    };
    assert!(reason.starts_with("box does not lead any more"), "{reason}");
}
