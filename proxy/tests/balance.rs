//! Who gets the requests: exact shares for a canary, a growing one for a newcomer, none for a while
//! for one that fails.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use proxy::{Canary, Limits, Policy, Service, Table, Upstream};

use crate::stage::{Client, Origin, Plan, Stage, Then, app, id};
use crate::upgrade::echo;

fn upstreams(addresses: &[SocketAddr]) -> Vec<Upstream> {
    addresses
        .iter()
        .map(|address| Upstream { id: id(*address), address: *address, door: None })
        .collect()
}

/// Publishes these upstreams and, beside them, a canary; waits until every worker knows.
pub(crate) fn publish(stage: &Stage, main: &[SocketAddr], canary: &[SocketAddr], permille: u16) {
    let generation = stage.table.borrow().generation + 1;
    let table = stage.plan.table(generation, main);
    let service = Service {
        canary: Some(Canary { upstreams: upstreams(canary), permille }),
        ..Service::clone(&table.services[&app()])
    };
    let mut table = Table::clone(&table);
    table.services.insert(app(), Arc::new(service));
    stage.table.send_replace(Arc::new(table));
    stage.await_traffic("the table", |traffic| traffic.applied == Some(generation));
}

fn ask(client: &mut Client, times: usize) {
    for _ in 0..times {
        assert_eq!(client.get("/").unwrap().status, 200);
    }
}

#[test]
fn a_canary_gets_exactly_its_share_over_all_workers() {
    let (main, canary) = (Origin::ok(), Origin::ok());
    let stage = Stage::planned(&Plan::default(), &[&main]);
    publish(&stage, &[main.address], &[canary.address], 50);
    let mut before = 0;
    for _ in 0..2 {
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| ask(&mut stage.client(), 100));
            }
        });
        let seen = canary.seen().len();
        assert_eq!(seen - before, 50);
        before = seen;
    }
    assert_eq!(main.seen().len(), 1900);
}

#[test]
fn without_a_canary_all_goes_to_the_others_and_the_count_goes_on() {
    let (main, canary) = (Origin::ok(), Origin::ok());
    let stage = Stage::planned(&Plan::default(), &[&main]);
    publish(&stage, &[main.address], &[], 500);
    ask(&mut stage.client(), 100);
    assert_eq!(main.seen().len(), 100);
    publish(&stage, &[main.address], &[canary.address], 500);
    ask(&mut stage.client(), 100);
    assert_eq!(canary.seen().len(), 50);
    publish(&stage, &[], &[canary.address], 500);
    ask(&mut stage.client(), 10);
    assert_eq!(canary.seen().len(), 60, "nobody else is there");
}

#[test]
fn a_canary_that_is_down_costs_no_request_and_no_lot() {
    let main = Origin::ok();
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stage = Stage::planned(&Plan { workers: 1, ..Plan::default() }, &[&main]);
    publish(&stage, &[main.address], &[nowhere], 100);
    ask(&mut stage.client(), 1000);
    assert_eq!(main.seen().len(), 1000);
    let traffic = stage.edge.traffic();
    assert_eq!(traffic.upstreams[&id(nowhere)].requests, 100, "each lot once, though sent twice");
    assert_eq!(traffic.services[&app()].retries, 100);
}

#[test]
fn what_each_answers_is_counted_apart() {
    let main = Origin::ok();
    let canary = Origin::start(|seen, stream| {
        if seen.head.starts_with("GET /gone") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
            return Then::Close;
        }
        thread::sleep(Duration::from_millis(30)); // this is the behaviour under test
        stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").unwrap();
        Then::KeepOpen
    });
    let stage = Stage::planned(&Plan::default(), &[&main]);
    publish(&stage, &[main.address], &[canary.address], 100);
    let mut client = stage.client();
    let statuses: Vec<u16> = (0..100).map(|_| client.get("/").unwrap().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 10);
    let figures = |of: &Origin| stage.edge.traffic().upstreams[&id(of.address)];
    let (tried, others) = (figures(&canary), figures(&main));
    assert_eq!((tried.answers, tried.errors), (10, 10));
    assert_eq!((others.answers, others.errors), (90, 0));
    assert_eq!(tried.first_byte.counts[..5].iter().sum::<u64>(), 0, "{:?}", tried.first_byte);
    assert_eq!(others.first_byte.count(), 90);
    // An answer that is broken off is one answer and one error.
    for _ in 0..10 {
        drop(stage.client().get("/gone"));
    }
    stage.await_traffic("the broken answer", |traffic| {
        let tried = traffic.upstreams[&id(canary.address)];
        (tried.answers, tried.errors) == (11, 11)
    });
}

#[test]
fn a_tunnel_draws_one_lot_and_is_one_answer() {
    let (main, canary) = (echo(), echo());
    let stage = Stage::at(&Plan::default(), &[main]);
    publish(&stage, &[main], &[canary], 100);
    let tunnels: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = stage.client();
            client.send(crate::upgrade::ASK);
            assert!(client.head().unwrap().starts_with("HTTP/1.1 101 "));
            client
        })
        .collect();
    let traffic = stage.edge.traffic();
    let of = |address| traffic.upstreams[&id(address)];
    assert_eq!((of(canary).tunnels, of(canary).answers, of(canary).errors), (2, 2, 0));
    assert_eq!((of(main).tunnels, of(main).answers), (18, 18));
    drop(tunnels);
}

#[test]
fn a_newcomer_is_spared_beside_older_ones_but_not_alone() {
    let (old, new, newer) = (Origin::ok(), Origin::ok(), Origin::ok());
    let policy = Policy { slow_start: Duration::from_hours(24), ..Policy::default() };
    let stage = Stage::planned(&Plan { policy, ..Plan::default() }, &[&old]);
    publish(&stage, &[old.address, new.address], &[], 0);
    ask(&mut stage.client(), 400);
    assert!(new.seen().len() < 20, "{} of 400", new.seen().len());
    publish(&stage, &[new.address], &[], 0);
    ask(&mut stage.client(), 50);
    assert!(new.seen().len() >= 50);
    // Whoever comes together finds nobody older.
    publish(&stage, &[], &[], 0);
    publish(&stage, &[old.address, newer.address], &[], 0);
    ask(&mut stage.client(), 400);
    assert!((120..280).contains(&newer.seen().len()), "{} of 400", newer.seen().len());
}

/// An origin that breaks off before it answers, for as long as it is told to.
fn moody() -> (Origin, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (sick, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (mood, count) = (Arc::clone(&sick), Arc::clone(&asked));
    let origin = Origin::start(move |_, stream| {
        count.fetch_add(1, SeqCst);
        if mood.load(SeqCst) {
            return Then::Close;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        Then::KeepOpen
    });
    (origin, sick, asked)
}

#[test]
fn one_that_breaks_off_is_left_out_and_comes_back_by_a_trial() {
    let (origin, sick, asked) = moody();
    let good = Origin::ok();
    let limits = Limits { eject: Duration::from_millis(300), ..Limits::default() };
    let plan = Plan { workers: 1, limits, ..Plan::default() };
    let stage = Stage::planned(&plan, &[&origin, &good]);
    let mut client = stage.client();
    let mut failed = 0;
    while !stage.edge.traffic().upstreams[&id(origin.address)].ejected {
        failed += usize::from(client.get("/").unwrap().status == 502);
    }
    assert_eq!((failed, asked.load(SeqCst)), (3, 3));
    assert_eq!(stage.edge.traffic().services[&app()].ejections, 1);
    // The first trials fail; each time it is left out again at once.
    while stage.edge.traffic().services[&app()].ejections < 3 {
        client.get("/").unwrap();
    }
    assert_eq!(asked.load(SeqCst), 5, "one request for each trial");
    sick.store(false, SeqCst);
    while stage.edge.traffic().upstreams[&id(origin.address)].ejected {
        assert_eq!(client.get("/").unwrap().status, 200);
    }
    let before = asked.load(SeqCst);
    ask(&mut client, 100);
    assert!(asked.load(SeqCst) - before > 20);
}

#[test]
fn late_and_malformed_answers_count_and_errors_of_the_app_do_not() {
    let check = |bad: Origin, expected: bool| {
        let limits = Limits { first_byte: Duration::from_millis(20), ..Limits::default() };
        let plan = Plan { workers: 1, limits, ..Plan::default() };
        let good = Origin::ok();
        let stage = Stage::planned(&plan, &[&bad, &good]);
        let mut client = stage.client();
        for _ in 0..60 {
            client.get("/").unwrap();
        }
        let traffic = stage.edge.traffic().upstreams[&id(bad.address)];
        assert_eq!(traffic.ejected, expected, "{traffic:?}");
    };
    check(Origin::saying("SSH-2.0-OpenSSH_9\r\n\r\n"), true);
    check(Origin::start(|_, _| Then::KeepOpen), true);
    check(Origin::saying("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), false);
    check(Origin::saying("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), false);
}

#[test]
fn when_more_than_half_fail_all_are_asked() {
    let (one, _, asked_one) = moody();
    let (two, _, asked_two) = moody();
    let good = Origin::ok();
    let stage = Stage::planned(&Plan { workers: 1, ..Plan::default() }, &[&one, &two, &good]);
    let mut client = stage.client();
    for _ in 0..200 {
        client.get("/").unwrap();
    }
    assert!(asked_one.load(SeqCst) > 10 && asked_two.load(SeqCst) > 10);
}
