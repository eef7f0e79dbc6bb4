//! A client is bound to one instance by a cookie that says nothing, and bound anew when that goes.

use std::net::SocketAddr;

use proxy::{Key, Policy, Sticky};

use crate::balance::publish;
use crate::stage::{Answer, Origin, Plan, Stage};

fn plan() -> Plan {
    let sticky = Sticky { cookie: "bound".into(), key: Key::new([7; 32]) };
    Plan { policy: Policy { sticky: Some(sticky), ..Policy::default() }, ..Plan::default() }
}

/// An origin that answers with its name.
fn named(name: &'static str) -> Origin {
    Origin::saying(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nSet-Cookie: own=1\r\n\r\n{name}"
    ))
}

fn ask(stage: &Stage, fields: &str) -> Answer {
    let mut client = stage.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n"));
    client.answer().unwrap()
}

fn set_cookie(answer: &Answer) -> Option<&str> {
    answer.head.lines().find_map(|line| line.strip_prefix("Set-Cookie: bound="))
}

/// Asks as a new visitor until this origin answers; the cookie that was set then.
fn bound_to(stage: &Stage, name: &str) -> String {
    loop {
        let answer = ask(stage, "");
        if answer.body == name.as_bytes() {
            let cookie = set_cookie(&answer).expect("a new visitor is bound");
            return cookie.split(';').next().unwrap().to_owned();
        }
    }
}

fn name_of(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

#[test]
fn a_client_stays_where_it_was() {
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let stage = Stage::planned(&plan(), &[&a, &b, &c]);
    for name in ["a", "b", "c"] {
        let cookie = bound_to(&stage, name);
        for fields in [
            format!("Cookie: bound={cookie}\r\n"),
            format!("cookie: x=1;bound={cookie};y=2\r\n"),
            format!("Cookie: bound=forged; bound\r\nCookie: bound={cookie}\r\n"),
        ] {
            for _ in 0..10 {
                let answer = ask(&stage, &fields);
                assert_eq!(name_of(&answer), name);
                assert_eq!(set_cookie(&answer), None, "it has one already");
                assert!(answer.head.contains("Set-Cookie: own=1\r\n"), "the app's own stay");
            }
        }
    }
    let seen = [a.seen(), b.seen(), c.seen()].concat();
    assert!(seen.iter().all(|seen| !seen.head.contains("bound")), "the app never sees it");
    assert!(seen.iter().any(|seen| seen.field("Cookie") == Some("x=1; y=2")));
}

#[test]
fn the_cookie_is_for_the_whole_site_and_for_nothing_else() {
    let a = named("a");
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let stage = Stage::planned(&Plan { trusted, ..plan() }, &[&a]);
    let plain = ask(&stage, "");
    let set = set_cookie(&plain).unwrap();
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    assert_eq!(set.split(';').next().unwrap().len(), 64);
    let secure = ask(&stage, "X-Forwarded-Proto: https\r\n");
    assert!(set_cookie(&secure).unwrap().ends_with("; SameSite=Lax; Secure"));
}

#[test]
fn who_is_gone_is_replaced_once() {
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let stage = Stage::planned(&plan(), &[&a, &b]);
    let cookie = format!("Cookie: bound={}\r\n", bound_to(&stage, "a"));
    publish(&stage, &[b.address, c.address], &[], 0);
    let answer = ask(&stage, &cookie);
    let anew = set_cookie(&answer).expect("bound anew").split(';').next().unwrap().to_owned();
    for _ in 0..10 {
        let again = ask(&stage, &format!("Cookie: bound={anew}\r\n"));
        assert_eq!((name_of(&again), set_cookie(&again)), (name_of(&answer), None));
    }
}

#[test]
fn who_cannot_be_reached_is_replaced() {
    let nowhere: SocketAddr =
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let a = named("a");
    let stage = Stage::at(&plan(), &[a.address, nowhere]);
    for _ in 0..40 {
        let answer = ask(&stage, "");
        assert_eq!(name_of(&answer), "a");
        let cookie = set_cookie(&answer).unwrap().split(';').next().unwrap();
        let answer = ask(&stage, &format!("Cookie: bound={cookie}\r\n"));
        assert_eq!(set_cookie(&answer), None, "bound to who answered, not to who was asked first");
    }
}

#[test]
fn a_client_of_the_canary_stays_with_it() {
    let (a, b) = (named("a"), named("b"));
    let (canary, other) = (named("x"), named("y"));
    let stage = Stage::planned(&plan(), &[&a, &b]);
    publish(&stage, &[a.address, b.address], &[canary.address], 100);
    let theirs = format!("Cookie: bound={}\r\n", bound_to(&stage, "x"));
    let ours = format!("Cookie: bound={}\r\n", bound_to(&stage, "a"));
    for _ in 0..40 {
        assert_eq!(name_of(&ask(&stage, &theirs)), "x");
        assert_eq!(name_of(&ask(&stage, &ours)), "a");
    }
    publish(&stage, &[b.address], &[other.address], 100);
    for _ in 0..40 {
        assert_eq!(name_of(&ask(&stage, &theirs)), "y", "another canary");
        assert_eq!(name_of(&ask(&stage, &ours)), "b", "another of the others");
    }
    publish(&stage, &[b.address], &[], 0);
    assert_eq!(name_of(&ask(&stage, &theirs)), "b", "there is no canary any more");
}
