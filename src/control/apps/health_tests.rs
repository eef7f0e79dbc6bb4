//! Who is made to stand still cannot answer, and is not thought less of for that.

use tokio::time::timeout;

use super::*;
use crate::{
    control::apps::vitals::Limit,
    engine::{InstanceSpec, docker::example, fake::Fake},
    logs::{LogSettings, Logs},
    model::{HealthCheck, Timestamp},
    node::Handout,
    store::{SealingKey, Store, StoreOptions, records},
};

#[tokio::test]
async fn what_stands_still_neither_fails_nor_hangs() {
    let home = tempfile::tempdir().unwrap();
    let options = StoreOptions { schema: records::schema(), now: clock::system() };
    let store = Store::open(&home.path().join("store"), options).unwrap();
    let logs = Logs::open(&home.path().join("logs"), LogSettings::default()).unwrap();
    let handout = Handout::new("health", home.path(), b"");
    let vault = Vault::new(store, SealingKey::new([7; 32]), handout, logs);
    let (engine, standstill) = (Fake::new(Timestamp::default()), Standstill::default());
    let id = engine.start(&example()).await.unwrap();
    let other = engine.start(&InstanceSpec { attempt: 7, ..example() }).await.unwrap();
    let mut prober = Prober::new(engine.clone(), vault, standstill.clone());
    // The other one has patience for ten times as many bad answers.
    prober.sync([(id.clone(), target(2)), (other.clone(), target(20))].into());
    let is_ready = |health| health == Health::Ready;
    let hangs = |health| matches!(health, Health::Hung { .. });
    comes_true(&prober, &id, is_ready).await;
    comes_true(&prober, &other, is_ready).await;

    let still = [id.clone()].into();
    standstill.begin(&still);
    // In the fake nobody is well who does not run.
    engine.kill(&id);
    engine.kill(&other);
    comes_true(&prober, &other, hangs).await;
    assert_eq!((prober.health(&id), prober.doubts()), (Health::Ready, [].into()));

    standstill.end(&still);
    comes_true(&prober, &id, hangs).await;
}

async fn comes_true(prober: &Prober<Fake>, id: &ContainerId, is: impl Fn(Health) -> bool) {
    let comes = async {
        while !is(prober.health(id)) {
            prober.changed().notified().await;
        }
    };
    let health = || prober.health(id);
    timeout(Duration::from_secs(30), comes).await.unwrap_or_else(|_| panic!("{:?}", health()));
}

/// A program is asked for both.
fn target(failures: u16) -> Target {
    let check = HealthCheck {
        command: vec!["bin/check".to_owned()],
        interval: Duration::from_millis(5),
        failures,
        grace: Duration::ZERO,
        ..HealthCheck::default()
    };
    let question = || Question { way: Way::Program(check.command.clone()), check: check.clone() };
    Target {
        app: example().app,
        since: clock::now(),
        pid: None,
        readiness: Some(question()),
        liveness: Some(question()),
        limit: Limit::Failures { most: failures, grace: Duration::ZERO },
        secrets: [].into(),
    }
}
