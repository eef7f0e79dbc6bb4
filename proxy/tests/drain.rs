//! The table changes under load, and nobody notices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use crate::stage::{Client, Origin, PATIENCE, Plan, Stage, id};
use crate::upgrade::echo;

/// Sends requests until told to stop; counts them, and those that failed.
fn load(address: SocketAddr, stop: &AtomicBool, done: &AtomicUsize, failed: &AtomicUsize) {
    let mut client = Client::connect(address);
    while !stop.load(SeqCst) {
        match client.get("/") {
            Some(answer) if answer.status == 200 && answer.body == b"ok" => {}
            _ => {
                failed.fetch_add(1, SeqCst);
                client = Client::connect(address);
            }
        }
        done.fetch_add(1, SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_swaps_under_load_fail_nothing_and_cut_no_tunnel() {
    let origins: Vec<Origin> = (0..3).map(|_| Origin::ok()).collect();
    let chat = echo();
    let addresses: Vec<SocketAddr> = origins.iter().map(|origin| origin.address).collect();
    let stage = Stage::at(&Plan::default(), &[chat]);
    let mut tunnels: Vec<_> = (0..5).map(|_| stage.client()).collect();
    for tunnel in &mut tunnels {
        tunnel.send("GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        tunnel.head().unwrap();
    }
    let mut generation = stage.publish(&addresses[..1]);
    stage.await_traffic("the first table", |traffic| traffic.applied == Some(generation));

    let (stop, done, failed) = Default::default();
    let (stop, done, failed): (Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>) =
        (stop, done, failed);
    let address = stage.address();
    let loaders: Vec<_> = (0..8)
        .map(|_| {
            let (stop, done, failed) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&failed));
            thread::spawn(move || load(address, &stop, &done, &failed))
        })
        .collect();
    for swap in 0..20 {
        let (old, new) = (&origins[swap % 3], &origins[(swap + 1) % 3]);
        let before = done.load(SeqCst);
        generation = stage.publish(&[new.address]);
        let gone = id(old.address);
        let drained = stage.edge.drained(generation, &gone);
        tokio::time::timeout(PATIENCE, drained).await.expect("the old one becomes idle");
        // From here on the old one would be stopped, so nothing may reach it any more.
        let seen = old.seen().len();
        stage.await_traffic("more load", |_| done.load(SeqCst) > before + 500);
        assert_eq!(old.seen().len(), seen, "swap {swap}");
    }
    stop.store(true, SeqCst);
    for loader in loaders {
        loader.join().unwrap();
    }
    assert_eq!(failed.load(SeqCst), 0, "of {}", done.load(SeqCst));

    // The tunnels' upstream left the table long ago; they live on and still count.
    assert_eq!(stage.edge.traffic().upstreams[&id(chat)].tunnels, 5);
    for tunnel in &mut tunnels {
        tunnel.send("still here");
        assert_eq!(tunnel.bytes(10), b"still here");
    }
    drop(tunnels);
    let chat = id(chat);
    let drained = stage.edge.drained(generation, &chat);
    tokio::time::timeout(PATIENCE, drained).await.expect("closed tunnels are idle");
}

#[test]
fn idle_connections_to_a_removed_upstream_are_closed() {
    let (one, other) = (Origin::ok(), Origin::ok());
    let stage = Stage::planned(&Plan { workers: 1, ..Plan::default() }, &[&one]);
    let mut client = stage.client();
    client.get("/").unwrap();
    stage.publish(&[other.address]);
    stage.await_traffic("the removed upstream to be forgotten", |traffic| {
        traffic.upstreams.keys().eq([&id(other.address)])
    });
    assert_eq!(client.get("/").unwrap().status, 200);
    // It comes back on a new connection: the old one was closed with its table.
    stage.publish(&[one.address]);
    stage.await_traffic("the third table", |traffic| traffic.applied == Some(3));
    client.get("/").unwrap();
    assert_eq!(one.connections(), 2);
}

#[test]
fn figures_and_idle_connections_persist_for_an_upstream_that_stays() {
    let (one, other) = (Origin::ok(), Origin::ok());
    let stage = Stage::planned(&Plan { workers: 1, ..Plan::default() }, &[&one]);
    let mut client = stage.client();
    for _ in 0..5 {
        client.get("/").unwrap();
        let generation = stage.publish(&[one.address]);
        stage.await_traffic("the table", |traffic| traffic.applied == Some(generation));
    }
    stage.publish(&[one.address, other.address]);
    assert_eq!(one.connections(), 1);
    assert_eq!(stage.edge.traffic().upstreams[&id(one.address)].requests, 5);
}
