//! What becomes of a plan when one of its steps does not work out.

use std::{collections::BTreeSet, sync::Arc};

use super::{Home, world::executor};
use crate::{
    control::apps::step::{Advance, Step},
    engine::{
        Engine, InstanceSpec,
        fake::{Fake, Fault},
    },
    model::{App, ContainerId, Incarnation, Phase, ReleaseVersion, RolloutNumber, Slot, Timestamp},
    ops,
    store::{StoreError, View, releasing},
};

const NOW: Timestamp = Timestamp::from_millis(0);

fn spec(index: u16) -> InstanceSpec {
    let process = "web".parse().unwrap();
    InstanceSpec { slot: Slot { process, index }, ..crate::engine::docker::example() }
}

fn slots(fake: &Fake) -> BTreeSet<u16> {
    fake.containers().values().map(|one| one.spec.slot.index).collect()
}

async fn begin() -> (Arc<Home>, Fake, ContainerId) {
    let fake = Fake::new(NOW);
    let id = fake.start(&spec(1)).await.unwrap();
    (Home::new(), fake, id)
}

#[tokio::test]
async fn a_container_that_cannot_be_removed_keeps_no_other_from_starting() {
    let (home, fake, id) = begin().await;
    fake.fail(1, Fault::Refuses);
    let steps = vec![Step::Remove(id, spec(1).slot), Step::Start(Box::new(spec(2)))];
    let done = executor(&home, &fake).execute(&spec(1).app, steps, NOW).await;
    assert!(done.is_err());
    assert_eq!(slots(&fake), BTreeSet::from([1, 2]));
}

#[tokio::test]
async fn what_was_planned_for_an_earlier_intent_is_dropped() {
    let (home, fake, id) = begin().await;
    let name = spec(1).app;
    let to = Incarnation { release: ReleaseVersion(1), restart: 0 };
    let app = name.clone();
    let begun = home.store.transact(move |tx| {
        let app = App::new(app, NOW);
        releasing::begin(tx, app, to, NOW)
    });
    let rollout: RolloutNumber = begun.await.unwrap();
    let advance = Advance {
        rollout,
        generation: 1,
        to: Phase::Shifting,
        wave: 0,
        current: Some(to),
        blame: None,
        story: Some("it takes over".to_owned()),
    };
    let steps = vec![
        Step::Advance(advance),
        Step::Remove(id, spec(1).slot),
        Step::Start(Box::new(spec(2))),
    ];
    executor(&home, &fake).execute(&name, steps, NOW).await.unwrap();
    assert_eq!(slots(&fake), BTreeSet::from([1]), "neither removed nor started");
    let app = home.store.snapshot().get::<App>(&name.as_str().to_owned()).unwrap().unwrap();
    assert_eq!(app.current, None);
    let events = home.store.snapshot().scan::<crate::model::Event>(name.as_str()).unwrap();
    assert!(events.is_empty(), "nobody is told what is not so: {events:?}");
}

#[tokio::test]
async fn orphans_go_with_their_network() {
    let (home, fake, _) = begin().await;
    let orphans = fake.instances().await.unwrap();
    executor(&home, &fake).remove_orphans(&spec(1).app, orphans).await.unwrap();
    assert!(fake.containers().is_empty() && fake.networks().is_empty());
}

#[tokio::test]
async fn a_rollout_that_changed_what_serves_is_done_when_the_next_begins() {
    let home = Home::new();
    let name = spec(1).app;
    let (first, app) = (Incarnation { release: ReleaseVersion(1), restart: 0 }, name.clone());
    let phases = home.store.transact(move |tx| {
        let number = releasing::begin(tx, App::new(app.clone(), NOW), first, NOW)?;
        let key = (app.as_str().to_owned(), u64::from(number.0));
        let mut rollout = tx.get::<crate::model::Rollout>(&key)?.expect("just begun");
        rollout.phase = Phase::Watching;
        tx.put(&rollout)?;
        let mut record = ops::create::existing(tx, &app).expect("just made");
        record.current = Some(first);
        releasing::begin(tx, record, Incarnation { restart: 1, ..first }, NOW)?;
        let rollouts = tx.scan::<crate::model::Rollout>(app.as_str())?;
        Ok::<_, StoreError>(rollouts.into_iter().map(|one| one.phase).collect::<Vec<_>>())
    });
    assert_eq!(phases.await.unwrap(), [Phase::Done, Phase::Starting]);
}
