//! The fake keeps its promises.

use std::time::Duration;

use super::{Behaviour, Fake, Fault, OnTerminate};
use crate::{
    engine::{Engine, Signal, docker::example as spec},
    model::{InstanceState, Timestamp},
};

fn ms(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[tokio::test]
async fn it_starts_once_listens_later_and_ends_when_told() {
    let (fake, spec) = (Fake::new(ms(0)), spec());
    let listens_after = Some(Duration::from_millis(50));
    fake.behave(&spec.app, Behaviour { listens_after, ..Behaviour::default() });
    let id = fake.start(&spec).await.unwrap();
    assert_eq!(fake.start(&spec).await.unwrap(), id, "starting is an ensure");
    assert!(!fake.is_listening(&id));
    fake.at(ms(50));
    assert!(fake.is_listening(&id));
    assert!(fake.forget(&spec.app).await.is_err(), "it still runs");
    fake.signal(&id, Signal::Terminate).await.unwrap();
    let instances = fake.instances().await.unwrap();
    let InstanceState::Exited(exit) = &instances[0].state else { panic!("{instances:?}") };
    assert_eq!((exit.code, exit.at), (143, ms(50)));
    fake.remove(&id).await.unwrap();
    fake.forget(&spec.app).await.unwrap();
    assert!(fake.containers().is_empty() && fake.networks().is_empty());
}

#[tokio::test]
async fn a_call_can_act_and_still_fail() {
    let (fake, spec) = (Fake::new(ms(0)), spec());
    fake.fail(1, Fault::ActsAndFails);
    assert!(fake.start(&spec).await.is_err());
    assert_eq!(fake.containers().len(), 1);
    fake.fail(1, Fault::Refuses);
    fake.fail(2, Fault::ActsAndFails);
    assert!(fake.instances().await.is_err());
    fake.heal();
    assert_eq!(fake.instances().await.unwrap().len(), 1);
    assert_eq!(fake.calls(), 3);
}

#[tokio::test]
async fn the_earliest_end_is_the_end() {
    let (fake, spec) = (Fake::new(ms(0)), spec());
    let behaviour = Behaviour {
        exits: Some((Duration::from_millis(20), 1)),
        out_of_memory_after: Some(Duration::from_millis(10)),
        on_terminate: OnTerminate::EndAfter(Duration::from_millis(5)),
        ..Behaviour::default()
    };
    fake.behave(&spec.app, behaviour);
    let id = fake.start(&spec).await.unwrap();
    fake.at(ms(9));
    fake.signal(&id, Signal::Terminate).await.unwrap();
    fake.at(ms(30));
    let end = fake.containers()[&id].end.clone().unwrap();
    assert_eq!((end.at, end.out_of_memory), (ms(10), true));
}

#[tokio::test]
async fn meddling_and_hanging_can_be_told() {
    let (fake, spec) = (Fake::new(ms(0)), spec());
    let ignores = Behaviour { on_terminate: OnTerminate::Ignore, ..Behaviour::default() };
    fake.behave(&spec.app, ignores);
    let id = fake.start(&spec).await.unwrap();
    fake.signal(&id, Signal::Terminate).await.unwrap();
    assert_eq!(fake.containers()[&id].end, None, "it ignores SIGTERM");
    fake.kill(&id);
    assert!(fake.instances().await.unwrap()[0].is_gone());
    fake.vanish(&id);
    assert!(fake.containers().is_empty());
    fake.fail(1, Fault::Hangs);
    let waited = tokio::time::timeout(Duration::from_millis(1), fake.instances()).await;
    assert!(waited.is_err(), "it never answers");
}
