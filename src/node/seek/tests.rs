//! Whom a link is turned to, in which order, and that it arrives at whoever leads.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Seek, next, pause, targets};
use crate::{
    model::Roster,
    node::{
        Leading, Memory, Notes,
        leading::tests::{leading, roster},
        link::{
            Link, Target,
            tests::world::{Authority, Daemon, Town, node, soon},
        },
    },
};

fn target(name: &str, at: &str) -> Target {
    Target { name: node(name), at: at.parse().unwrap() }
}

/// Whom machine `here` calls, which joined `box` at two addresses, once it has heard this leader.
#[track_caller]
fn check(names: &[&str], leader: Option<(&str, u64)>, expected: &[&str]) {
    let leading = leading(names);
    if let Some((name, term)) = leader {
        leading.hears(&node(name), Some(term)).unwrap();
    }
    let joined = [target("box", "203.0.113.7:1"), target("box", "203.0.113.8:1")];
    let all = targets(&joined, &leading, &roster(names));
    let all: Vec<_> = all.iter().map(|Target { name, at }| format!("{name} {at}")).collect();
    assert_eq!(all, expected);
}

#[test]
fn whoever_leads_comes_first_then_the_machine_that_was_joined_then_others_that_may() {
    let joined = ["box 203.0.113.7:1", "box 203.0.113.8:1"];
    check(&[], None, &joined);
    check(&["edge-1", "here"], None, &joined);
    let (on_roll, one) = ("box 203.0.113.9:7600", "edge-1 203.0.113.9:7600");
    let names = &["box*", "edge-1*", "edge-2", "here*"];
    check(names, None, &[on_roll, joined[0], joined[1], one]);
    check(names, Some(("edge-1", 7)), &[one, joined[0], joined[1], on_roll]);
    // The machine that was joined keeps the records no more.
    check(&["edge-1*", "here*"], Some(("edge-1", 7)), &[one]);
}

#[test]
fn all_have_their_turns_and_between_two_rounds_there_is_a_pause() {
    let all = [target("box", "203.0.113.7:1"), target("edge-1", "203.0.113.8:1")];
    assert_eq!(next(&all, &all[0]), Some(&all[1]));
    assert_eq!(next(&all, &all[1]), Some(&all[0]));
    assert_eq!(next(&all, &target("gone", "203.0.113.9:1")), Some(&all[0]));
    assert_eq!(next(&[], &all[0]), None);
    let waits = |failed, all| !pause(failed, all).is_zero();
    assert_eq!([1, 2, 3, 4, 6].map(|failed| waits(failed, 3)), [false, false, true, false, true]);
    assert!(waits(1, 1) && waits(1, 0));
    assert!(pause(30, 3) > pause(3, 3), "longer each time");
}

/// Machine `a`, which joined `b`; with it `c` may lead.
struct World {
    leading: Leading,
    link: Link,
    _roster: watch::Sender<Arc<Roster>>,
    _stop: DropGuard,
}

impl World {
    fn make(authority: &Authority, (b, c): (SocketAddr, SocketAddr)) -> Self {
        let mut roster = Roster::clone(&roster(&["b*", "c*"]));
        roster.0.get_mut(&node("b")).unwrap().address = b;
        roster.0.get_mut(&node("c")).unwrap().address = c;
        let (enrol, roster) = watch::channel(Arc::new(roster));
        let (notes, _) = Notes::from(Memory::default());
        let leading = Leading::new(node("a"), node("b"), roster.clone(), notes);
        let (_, shown) = watch::channel(authority.identity("a"));
        let seek = Seek::new((node("b"), &[b]), (leading.clone(), roster), shown);
        let (link, stop) = (seek.link(), CancellationToken::new());
        tokio::spawn(seek.keep(stop.clone()));
        Self { leading, link, _roster: enrol, _stop: stop.drop_guard() }
    }

    async fn arrives_at(&self, name: &str) {
        let mut state = self.link.state();
        let arrived = async {
            while !(self.link.is_up() && self.link.peer() == node(name)) {
                state.changed().await.unwrap();
            }
        };
        soon("it is called", arrived).await;
    }
}

#[tokio::test]
async fn who_is_not_reached_or_does_not_lead_is_left_and_who_is_heard_to_is_called_at_once() {
    let authority = Authority::new();
    let b = Daemon::start(authority.identity("b"), Town::default()).await;
    let c = Daemon::start(authority.identity("c"), Town::default()).await;
    let at_b = b.address;
    let world = World::make(&authority, (b.address, c.address));
    world.arrives_at("b").await;
    world.leading.denied(&node("b"));
    world.arrives_at("c").await;
    world.leading.denied(&node("c"));
    world.arrives_at("b").await;

    b.kill().await;
    world.arrives_at("c").await;
    let _b = Daemon::start_at(at_b, authority.identity("b"), Town::default()).await;
    world.leading.hears(&node("b"), Some(7)).unwrap();
    world.arrives_at("b").await;
    // It was asked before it led.
    world.leading.denied(&node("c"));
    world.leading.hears(&node("c"), Some(8)).unwrap();
    world.arrives_at("c").await;
}
