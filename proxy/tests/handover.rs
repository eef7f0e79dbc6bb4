//! Two edges and one set of sockets: the new one begins, the old one ends, and no client sees it.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use proxy::{Edge, Feeds, Limits, Opening, Settings, Shutdown, Speaks, handover};
use rustls::HandshakeKind;
use tokio::sync::watch;

use crate::secure::{Authority, Secure};
use crate::stage::{Client, Origin, PATIENCE, Plan, Stage, clock};
use crate::upgrade::echo;

/// Hands the stage's sockets over to an edge of the same plan.
fn successor(stage: &Stage) -> (Edge, watch::Sender<Arc<proxy::Table>>) {
    let (old, new) = UnixStream::pair().unwrap();
    let (listeners, tickets) = stage.edge.estate();
    handover::give(&old, listeners, &[], &tickets).unwrap();
    let inheritance = handover::take(&new, Duration::from_hours(12)).unwrap();
    let (table, tables) = watch::channel(stage.table.borrow().clone());
    let settings = Settings {
        workers: stage.plan.workers,
        limits: stage.plan.limits.clone(),
        inherited: inheritance.listeners,
        tickets: Some(inheritance.tickets),
        ..Settings::new(vec![stage.plan.listen(stage.address())], clock)
    };
    let feeds = Feeds { table: tables, certificates: stage.certificates.subscribe() };
    let (log, _) = proxy::access_log();
    let edge = Edge::bind(settings, &feeds, &log).unwrap();
    handover::say_ready(&new).unwrap();
    handover::await_ready(&old).unwrap();
    (edge, table)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_lost_under_load() {
    let origin = Origin::ok();
    let mut stage = Stage::new(&[&origin]);
    let (address, ended) = (stage.address(), Arc::new(AtomicBool::new(false)));
    let answered = Arc::new(AtomicUsize::new(0));
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (ended, answered) = (Arc::clone(&ended), Arc::clone(&answered));
            thread::spawn(move || {
                let mut kept: Option<Client> = None;
                while !ended.load(SeqCst) {
                    let mut client = kept.take().unwrap_or_else(|| Client::connect(address));
                    let answer = client.get("/").expect("every request is answered");
                    assert_eq!(answer.status, 200);
                    answered.fetch_add(1, SeqCst);
                    // As a client must: a connection is used again unless it was said to end.
                    let closes = answer.head.contains("Connection: close\r\n");
                    kept = (!closes).then_some(client);
                }
            })
        })
        .collect();
    let more = |count: usize| {
        let aim = answered.load(SeqCst) + count;
        while answered.load(SeqCst) < aim {
            thread::yield_now();
        }
    };
    more(200);
    let mut heirs = Vec::new();
    for _ in 0..3 {
        let (heir, table) = successor(&stage);
        more(100);
        let mut old = std::mem::replace(&mut stage.edge, heir);
        old.retire();
        more(100);
        tokio::time::timeout(PATIENCE, old.emptied()).await.expect("its clients went over");
        assert_eq!(old.shutdown(PATIENCE).await, Shutdown::default());
        heirs.push(table);
    }
    more(200);
    ended.store(true, SeqCst);
    for client in load {
        client.join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_stays_where_it_is_until_it_ends() {
    let plan = Plan { limits: Limits::default(), ..Plan::default() };
    let mut stage = Stage::at(&plan, &[echo()]);
    let mut tunnel = stage.client();
    tunnel.send(
        "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    tunnel.head().unwrap();
    let (heir, _table) = successor(&stage);
    let mut old = std::mem::replace(&mut stage.edge, heir);
    old.retire();
    let shut = tokio::spawn(async move {
        old.emptied().await;
        old.shutdown(PATIENCE).await
    });
    assert_eq!(stage.client().get("/").unwrap().status, 200, "the new one serves");
    tunnel.send("still here");
    assert_eq!(tunnel.bytes(10), b"still here");
    assert!(!shut.is_finished());
    tunnel.stream.flush().unwrap();
    drop(tunnel);
    assert_eq!(shut.await.unwrap(), Shutdown::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_old_one_resumes_at_the_new_one() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let certificates = authority.set(1, &["app.test"]);
    let plan = Plan { speaks: Speaks::Https, certificates, ..Plan::default() };
    let mut stage = Stage::planned(&plan, &[&origin]);
    let config = Arc::new(authority.client());
    let visit = |stage: &Stage| {
        let mut client = Secure::connect(stage.address(), "app.test", &config).unwrap();
        client.get("app.test", "/").unwrap();
        client.stream.conn.handshake_kind().unwrap()
    };
    assert_eq!(visit(&stage), HandshakeKind::Full);
    let (heir, _table) = successor(&stage);
    let mut old = std::mem::replace(&mut stage.edge, heir);
    old.retire();
    old.shutdown(PATIENCE).await;
    assert_eq!(visit(&stage), HandshakeKind::Resumed);
}

/// An edge on the stage's sockets that accepts when it is told.
fn closed(stage: &Stage) -> (Edge, watch::Sender<Arc<proxy::Table>>) {
    let (listeners, _) = stage.edge.estate();
    let inherited = listeners.iter().map(|socket| socket.try_clone().unwrap()).collect();
    let (table, tables) = watch::channel(stage.table.borrow().clone());
    let settings = Settings {
        inherited,
        opening: Opening::WhenTold,
        ..Settings::new(vec![stage.plan.listen(stage.address())], clock)
    };
    let (log, _) = proxy::access_log();
    (Edge::bind(settings, &Feeds::plain(tables), &log).unwrap(), table)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_fails_before_it_opens_has_accepted_nobody() {
    let mut stage = Stage::new(&[&Origin::ok()]);
    let (fails, _) = closed(&stage);
    let (lives, _tables) = closed(&stage);
    // From now on nobody accepts: who comes waits in the sockets that all of them have.
    stage.edge.retire();
    let mut waiting: Vec<Client> = (0..20).map(|_| stage.client()).collect();
    for client in &mut waiting {
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    }
    assert_eq!(fails.shutdown(PATIENCE).await, Shutdown::default());
    assert_eq!(lives.traffic().connections, 0, "closed is closed");
    lives.open();
    for client in &mut waiting {
        assert_eq!(client.answer().expect("it was not accepted by the dead").status, 200);
    }
    assert_eq!(lives.traffic().connections, 20);
}
