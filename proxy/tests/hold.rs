//! Requests wait while nobody can answer, in bounds, and are told so when it takes too long.

use std::time::Duration;

use proxy::Hold;

use crate::stage::{Origin, PATIENCE, Plan, Stage, app};

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";

fn held(most: usize, deadline: Duration) -> Stage {
    Stage::planned(&Plan { hold: Hold { most, deadline }, ..Plan::default() }, &[])
}

#[test]
fn held_requests_are_released_when_an_upstream_appears() {
    let stage = held(10, PATIENCE);
    let mut clients: Vec<_> = (0..5).map(|_| stage.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    stage.await_traffic("five held requests", |traffic| traffic.services[&app()].held == 5);
    // A table that changes nothing for them leaves them waiting.
    stage.publish(&[]);
    let origin = Origin::ok();
    stage.publish(&[origin.address]);
    for client in &mut clients {
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(stage.edge.traffic().services[&app()].held, 0);
}

#[test]
fn a_request_held_too_long_is_told_why() {
    let stage = held(10, Duration::from_millis(20));
    let answer = stage.exchange(GET);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("Retry-After: 3\r\n") && answer.contains("This app is being deployed"));
}

#[test]
fn beyond_the_bound_nobody_is_held() {
    let stage = held(1, PATIENCE);
    let mut first = stage.client();
    first.send(GET);
    stage.await_traffic("one held request", |traffic| traffic.services[&app()].held == 1);
    assert!(stage.exchange(GET).starts_with("HTTP/1.1 503 "));
    let origin = Origin::ok();
    stage.publish(&[origin.address]);
    assert_eq!(first.answer().unwrap().status, 200);
}

#[test]
fn a_client_that_leaves_gives_up_its_place() {
    let stage = held(1, PATIENCE);
    let mut client = stage.client();
    client.send(GET);
    stage.await_traffic("one held request", |traffic| traffic.services[&app()].held == 1);
    drop(client);
    stage.await_traffic("no held request", |traffic| traffic.services[&app()].held == 0);
}

#[tokio::test]
async fn whoever_watches_is_woken_by_a_held_request() {
    let stage = held(1, PATIENCE);
    let mut changes = stage.edge.changes();
    stage.await_traffic("the first table", |traffic| traffic.applied == Some(1));
    let mut client = stage.client();
    client.send(GET);
    let woken = async {
        while stage.edge.traffic().services[&app()].held == 0 {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, woken).await.unwrap();
}
