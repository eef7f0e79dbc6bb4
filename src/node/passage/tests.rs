//! Passages between real links: which way is gone, and which instances count as reached.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{Passage, Reach, Straight, goes_round};
use crate::{
    model::{ContainerId, Directory, Listed, Listing, NodeName},
    node::link::{
        LinkError, Refused,
        tests::world::{Authority, Caller, Daemon, Town, soon, target},
    },
};

fn id(id: &str) -> ContainerId {
    ContainerId(id.to_owned())
}

/// Instance `there` is on node `b`, `far` on node `d`, and `central` on the machine that controls.
fn directory() -> Directory {
    let on = |node: Option<&str>| Listed {
        process: "web".parse().unwrap(),
        port: Some(80),
        named: true,
        node: node.map(|node| node.parse().unwrap()),
    };
    let all = [("there", Some("b")), ("far", Some("d")), ("central", None)];
    let instances = all.map(|(name, node)| (id(name), on(node))).into();
    Directory([("shop".parse().unwrap(), Listing { instances, ..Listing::default() })].into())
}

/// Node `a`, which has links to node `b` and to the control `c`; both know the way to all of these.
struct World {
    node: Option<Daemon>,
    to_node: Caller,
    _beside: (Daemon, Caller),
    by_node: TcpListener,
    by_control: TcpListener,
    passage: Passage,
}

impl World {
    async fn make(node_knows: &[&str], node_leads_to: Option<SocketAddr>) -> Self {
        let authority = Authority::new();
        let ((by_node, straight), (by_control, round)) = (target().await, target().await);
        let town = |names: &[&str], at: SocketAddr| Town {
            targets: names.iter().map(|name| ((*name).to_owned(), at)).collect(),
            ..Town::default()
        };
        let node_town = town(node_knows, node_leads_to.unwrap_or(straight));
        let control_town = town(&["there", "far", "central"], round);
        let node = Daemon::start(authority.identity("b"), node_town).await;
        let control = Daemon::start(authority.identity("c"), control_town).await;
        let to_node = Caller::new(authority.identity("a"), node.address);
        let to_control = Caller::of("c", authority.identity("a"), control.address);
        to_node.up().await;
        to_control.up().await;
        let links: BTreeMap<NodeName, _> = [("b".parse().unwrap(), to_node.link.clone())].into();
        let (_, peers) = watch::channel(Arc::new(links));
        let (_, directory) = watch::channel(Arc::new(directory()));
        let straight = Straight { directory, peers };
        let passage = Passage::of_node(to_control.link.clone(), straight);
        let (node, beside) = (Some(node), (control, to_control));
        Self { node, to_node, _beside: beside, by_node, by_control, passage }
    }

    /// Goes to an instance, and says who was asked for it.
    async fn goes(&self, to: &str) -> &'static str {
        let tunnel = soon("a tunnel", self.passage.tunnel(&id(to), to)).await;
        let _tunnel = tunnel.unwrap();
        let arrived = |accepted: std::io::Result<(TcpStream, SocketAddr)>| drop(accepted.unwrap());
        soon("somebody arrives", async {
            tokio::select! {
                accepted = self.by_node.accept() => { arrived(accepted); "the node" }
                accepted = self.by_control.accept() => { arrived(accepted); "the control" }
            }
        })
        .await
    }
}

#[tokio::test]
async fn a_node_that_is_linked_is_asked_itself_and_the_control_for_all_others() {
    let mut world = World::make(&["there"], None).await;
    for (to, expected) in
        [("there", "the node"), ("far", "the control"), ("central", "the control")]
    {
        assert_eq!(world.goes(to).await, expected, "{to}");
    }
    world.node.take().unwrap().kill().await;
    world.to_node.down("refused").await;
    assert_eq!(world.goes("there").await, "the control");
}

#[tokio::test]
async fn whoever_is_let_in_neither_way_waits_for_the_node_to_be_back() {
    let mut world = World::make(&["back"], None).await;
    let node = world.node.take().unwrap();
    let (at, identity) = (node.address, node.credentials.borrow().clone());
    node.kill().await;
    world.to_node.down("refused").await;
    let targets = [("back".to_owned(), world.by_node.local_addr().unwrap())].into();
    let town = Town { targets, ..Town::default() };
    let there = id("there");
    let goes = soon("a tunnel", world.passage.tunnel(&there, "back"));
    let (tunnel, _node) = tokio::join!(goes, Daemon::start_at(at, identity, town));
    let _tunnel = tunnel.unwrap();
    soon("somebody arrives", world.by_node.accept()).await.unwrap();
}

#[tokio::test]
async fn what_a_node_does_not_know_of_yet_the_control_is_asked_for() {
    let world = World::make(&[], None).await;
    assert_eq!(world.goes("there").await, "the control");
}

#[tokio::test]
async fn an_instance_that_does_not_answer_its_node_is_not_asked_for_again() {
    let nobody = {
        let (_listener, at) = target().await;
        at
    };
    let world = World::make(&["there"], Some(nobody)).await;
    let tunnel = soon("an answer", world.passage.tunnel(&id("there"), "there")).await;
    assert!(matches!(tunnel, Err(LinkError::Refused { .. })), "{tunnel:?}");
}

#[test]
fn only_who_was_not_let_in_goes_round() {
    let node = || "b".parse().unwrap();
    let refused = |refused| LinkError::Refused { node: node(), refused };
    assert!(goes_round(&LinkError::Down { node: node(), why: "a cut".to_owned() }));
    assert!(goes_round(&refused(Refused::nobody("no such instance"))));
    assert!(!goes_round(&refused(Refused::unreachable("it does not listen"))));
    assert!(!goes_round(&LinkError::Request("not a text".into())));
}

#[tokio::test]
async fn while_the_control_is_away_only_what_linked_nodes_have_is_reached() {
    let world = World::make(&[], None).await;
    let reached = |reach: &Reach| {
        let reached = world.passage.reached(reach)?;
        Some(reached.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(reached(&Reach::All), None);
    let of = |names: &[&str]| {
        reached(&Reach::Nodes(names.iter().map(|name| name.parse().unwrap()).collect())).unwrap()
    };
    assert_eq!(of(&["b"]), ["there"]);
    assert_eq!(of(&["b", "d"]), ["far", "there"]);
    assert!(of(&[]).is_empty());
}
