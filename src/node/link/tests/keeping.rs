//! A link that is kept up: through deaths, silence, new certificates and new addresses.

use std::net::SocketAddr;

use hyper::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{
    super::{Answered, LinkError, LinkState, Target},
    world::{Authority, Caller, Daemon, Town, node, pair, soon, target},
};

#[tokio::test]
async fn calls_succeed_again_when_a_daemon_is_back() {
    let (authority, daemon, caller) = pair(None).await;
    let address = daemon.address;
    assert_eq!(caller.ask("/who").await.unwrap().0, StatusCode::OK);
    daemon.kill().await;
    caller.down("refused").await;
    let hasty = caller.link.clone().with_patience(std::time::Duration::ZERO);
    let answer = hasty.call(hyper::Request::new(super::super::empty())).await;
    assert!(matches!(answer, Err(LinkError::Down { .. })), "{answer:?}");
    let waits = caller.ask("/who");
    let back = Daemon::start_at(address, authority.identity("b"), Town::default());
    let (answer, _back) = tokio::join!(waits, back);
    assert_eq!(answer.unwrap().0, StatusCode::OK);
}

#[tokio::test]
async fn a_daemon_that_stops_ends_what_is_under_way_while_its_successor_is_called() {
    let (listener, at) = target().await;
    let (authority, daemon, caller) = pair(Some(at)).await;
    let mut near = soon("a tunnel", caller.link.tunnel("target")).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let address = daemon.address;
    let ending = daemon.stop();
    soon("its place is free", async {
        while TcpListener::bind(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let _next = Daemon::start_at(address, authority.identity("b"), Town::default()).await;
    assert_eq!(caller.ask("/who").await.unwrap().0, StatusCode::OK);
    assert!(!ending.is_finished(), "there is still a tunnel");
    near.write_all(b"the end").await.unwrap();
    near.shutdown().await.unwrap();
    far.read_to_end(&mut Vec::new()).await.unwrap();
    drop(far);
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    soon("it ends", ending).await.unwrap();
}

#[tokio::test]
async fn what_was_sent_when_a_daemon_died_is_not_sent_again() {
    let (_authority, daemon, caller) = pair(None).await;
    let mut waiting = daemon.town.waiting.subscribe();
    let link = caller.link.clone();
    let asked = tokio::spawn(async move {
        let request = hyper::Request::builder().uri("/never").body(super::super::empty()).unwrap();
        link.call(request).await
    });
    soon("it waits", waiting.wait_for(|waiting| *waiting)).await.unwrap();
    daemon.kill().await;
    let answer = soon("an answer", asked).await.unwrap();
    assert!(matches!(answer, Err(LinkError::Broken { .. })), "{answer:?}");
}

/// Carries connections to `to` until it is told to stand still, which closes nothing.
async fn relay(to: SocketAddr) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (frozen, freeze) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(to).await.unwrap();
            let mut freeze = freeze.clone();
            tokio::spawn(async move {
                let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
                    (near.into_split(), far.into_split());
                let stands_still = async {
                    let _ = freeze.wait_for(|frozen| *frozen).await;
                };
                tokio::select! {
                    () = stands_still => std::future::pending().await,
                    _ = copy(&mut near_read, &mut far_write) => {}
                    _ = copy(&mut far_read, &mut near_write) => {}
                }
            });
        }
    });
    (at, frozen)
}

#[tokio::test]
async fn a_peer_that_stands_still_is_noticed_by_both() {
    let (listener, at) = target().await;
    let (authority, daemon, direct) = pair(Some(at)).await;
    drop(direct);
    let (through, frozen) = relay(daemon.address).await;
    let caller = Caller::new(authority.identity("a"), through);
    let mut near = soon("a tunnel", caller.link.tunnel("target")).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let begun = std::time::Instant::now();
    frozen.send_replace(true);
    caller.down("no sign of life").await;
    let noticed = begun.elapsed();
    let (near, far) = soon("both ends break", async {
        let (mut one, mut other) = ([0; 8], [0; 8]);
        tokio::join!(near.read(&mut one), far.read(&mut other))
    })
    .await;
    assert!(near.is_err() && far.is_err(), "{near:?}, {far:?} after {noticed:?}");
}

#[tokio::test]
async fn a_renewed_identity_cuts_nothing_and_is_shown_from_then_on() {
    let (listener, at) = target().await;
    let (authority, daemon, caller) = pair(Some(at)).await;
    let mut near = soon("a tunnel", caller.link.tunnel("target")).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let first = caller.key().await;
    caller.credentials.send_replace(authority.identity("a"));
    daemon.credentials.send_replace(authority.identity("b"));
    for _ in 0..2 {
        near.write_all(b"still here").await.unwrap();
        soon("a word", far.read_exact(&mut [0; 10])).await.unwrap();
        assert_eq!(caller.key().await, first);
    }
    // Another address is a new connection.
    let (elsewhere, _frozen) = relay(daemon.address).await;
    caller.calls("b", elsewhere);
    soon("the new one is shown", async { while caller.key().await == first {} }).await;
    near.write_all(b"still here").await.unwrap();
    soon("a word", far.read_exact(&mut [0; 10])).await.unwrap();
}

#[tokio::test]
async fn a_new_address_is_dialled_at_once_and_what_runs_goes_on() {
    let (listener, at) = target().await;
    let authority = Authority::new();
    let town = || Town { targets: [("target".to_owned(), at)].into(), ..Town::default() };
    let old = Daemon::start(authority.identity("b"), town()).await;
    let new = Daemon::start(authority.identity("b"), town()).await;
    let caller = Caller::new(authority.identity("a"), old.address);
    let mut near = soon("a tunnel", caller.link.tunnel("target")).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let mut state = caller.link.state();
    state.mark_unchanged();
    caller.calls("b", new.address);
    soon("it is noticed", state.changed()).await.unwrap();
    caller.up().await;
    near.write_all(b"still here").await.unwrap();
    soon("a word", far.read_exact(&mut [0; 10])).await.unwrap();
    old.kill().await;
    assert!(soon("the old one is over", near.read(&mut [0; 8])).await.is_err());
    assert_eq!(caller.ask("/who").await.unwrap().0, StatusCode::OK);
    assert!(matches!(&*caller.link.state().borrow(), LinkState::Up { .. }));
}

#[tokio::test]
async fn a_link_whose_target_is_another_talks_to_that_under_its_name() {
    let authority = Authority::new();
    let b = Daemon::start(authority.identity("b"), Town::default()).await;
    let c = Daemon::start(authority.leader("c", 7), Town::default()).await;
    let caller = Caller::new(authority.identity("a"), b.address);
    let answered = async || {
        let request = hyper::Request::new(super::super::empty());
        let answer = soon("an answer", caller.link.call(request)).await.unwrap();
        answer.extensions().get::<Answered>().unwrap().clone()
    };
    assert_eq!(answered().await, Answered { by: node("b"), term: None });

    caller.calls("c", c.address);
    soon("it is another", async { while answered().await.by != node("c") {} }).await;
    assert_eq!(answered().await, Answered { by: node("c"), term: Some(7) });
    assert_eq!(caller.link.peer(), node("c"));
    let refused = caller.link.tunnel("elsewhere").await.unwrap_err();
    assert_eq!(refused.to_string(), "node `c` gives no tunnel");

    // Whoever listens there has another's certificate.
    let mut missed = caller.link.missed();
    caller.calls("b", c.address);
    caller.down("no TLS").await;
    let target = Target { name: node("b"), at: c.address };
    let missed = missed.wait_for(|missed| missed.as_ref() == Some(&target));
    soon("it is said who is missed", missed).await.unwrap();
    assert!(!caller.link.is_up());
}
