//! Who gets what at the gate of node `here`: the control `box`, another that may lead, and another node.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::{Method, Request, StatusCode, body::Frame};
use proxy::{Absence, Hold, Service, ServiceName, Table, Upstream, UpstreamId};
use tokio::sync::{mpsc, oneshot, watch};

use super::Gatekeeper;
use crate::{
    model::{ContainerId, Directory, Listed, Listing},
    node::{
        Known, Machine, Memory, Notes, Past, Place, Programs, Ways, Worker,
        leading::tests::leading,
        link::{Body, BodyError, Handler, Peer, empty, tests::world::soon, whole},
        orders::{FILES, IMAGE, ORDER, OUTPUT, PROGRAM, UNPACK, WATCH},
        ways,
    },
};

/// Those with a star keep the records.
const ROSTER: &[&str] = &["box*", "edge-1*", "edge-2"];

/// Instances `here1` and, named by no table, `here2` are on this machine, `there` is on another.
fn gatekeeper() -> Gatekeeper {
    let (docker, _) = watch::channel(None);
    let (here, _) = watch::channel(Arc::default());
    let machine = Machine {
        socket: "/nowhere".to_owned(),
        subnets: "10.210.0.0/16".parse().unwrap(),
        resolvers: Vec::new(),
        data: "/nowhere".into(),
        program: b"",
        reserve: crate::model::ByteSize(0),
        past: Past::default(),
    };
    let known = Known::default();
    known.learn(&table(), |_| true);
    let (_, ways) = watch::channel(Arc::new(ways()));
    let (notes, _) = Notes::from(Memory::default());
    let worker = Worker::new(machine, (docker, here), Programs::default(), notes);
    let (charges, _) = mpsc::channel(1);
    let worker = Arc::new(worker);
    Gatekeeper { leading: leading(ROSTER), worker, known, ways, charges }
}

fn table() -> Table {
    let upstream = |id: &str, door| Upstream {
        id: UpstreamId::new(id),
        address: "10.210.0.66:8080".parse().unwrap(),
        door,
    };
    let door = "127.0.0.1:40000".parse().unwrap();
    let upstreams = vec![upstream("here1", None), upstream("there", Some(door))];
    let hold = Hold { most: 0, deadline: std::time::Duration::ZERO };
    let retry_after = std::time::Duration::ZERO;
    let absent = Absence { title: String::new(), explanation: String::new(), retry_after };
    let service = Arc::new(Service::new(upstreams, hold, absent));
    Table { services: [(ServiceName::new("shop"), service)].into(), ..Table::default() }
}

/// Those of app `shop`, to which also `friend` may go.
fn ways() -> Ways {
    let id = |id: &str| ContainerId(id.to_owned());
    let listed =
        Listed { process: "web".parse().unwrap(), port: Some(8080), named: true, node: None };
    let instances = ["here1", "here2", "there"].map(|name| (id(name), listed.clone())).into();
    let listing = Listing { instances, allow: ["friend".parse().unwrap()].into() };
    let directory = Directory([("shop".parse().unwrap(), listing)].into());
    let places = BTreeMap::from([
        (id("here1"), Place::Here([10, 210, 0, 66].into())),
        (id("here2"), Place::Here([10, 210, 0, 67].into())),
        (id("there"), Place::Beyond),
    ]);
    Ways::new(&directory, BTreeMap::new(), &places, &mut ways::rooms())
}

fn peer(name: &str) -> Peer {
    let address = "203.0.113.9:1".parse().unwrap();
    Peer { name: name.parse().unwrap(), key: String::new(), address, version: None, term: None }
}

async fn asks(name: &str, path: &str) -> StatusCode {
    let request = Request::builder().method(Method::POST).uri(path).body(empty()).unwrap();
    gatekeeper().call(&peer(name), request).await.status()
}

#[tokio::test]
async fn only_the_control_has_anything_done() {
    for path in [WATCH, ORDER, OUTPUT, IMAGE, PROGRAM, FILES, UNPACK, "/edge", "/"] {
        assert_eq!(asks("edge-2", path).await, StatusCode::FORBIDDEN, "{path}");
        assert_ne!(asks("box", path).await, StatusCode::FORBIDDEN, "{path}");
    }
}

#[track_caller]
fn check(target: &str, expected: Option<&str>) {
    let expected: Option<SocketAddr> = expected.map(|at| at.parse().unwrap());
    assert_eq!(gatekeeper().open_to_visitors(target), expected, "{target}");
}

#[test]
fn another_node_brings_visitors_to_what_the_table_names_here_and_to_no_other_port() {
    check("here1", Some("10.210.0.66:8080"));
    for target in ["here1:8080", "here1:22", "here2", "there", "nobody", "127.0.0.1:7600", ""] {
        check(target, None);
    }
}

#[test]
fn another_node_brings_containers_of_an_app_that_may_go_there() {
    check("shop/here2", Some("10.210.0.67:8080"));
    check("friend/here1", Some("10.210.0.66:8080"));
    for target in ["bank/here1", "shop/there", "shop/nobody", "shop/here1:22", "/here1"] {
        check(target, None);
    }
}

#[tokio::test]
async fn whoever_is_not_let_through_is_told_so_and_the_control_has_its_own_ways() {
    let gatekeeper = gatekeeper();
    let refused = gatekeeper.tunnel(&peer("edge-2"), "here1:22").await.unwrap_err();
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(refused.text.contains("open to visitors"), "{refused}");
    let refused = gatekeeper.tunnel(&peer("box"), "here1:22").await.unwrap_err();
    assert!(refused.text.contains("no such instance"), "{refused}");
}

/// The same peer, which says that it leads with this term.
fn leader(name: &str, term: u64) -> Peer {
    Peer { term: Some(term), ..peer(name) }
}

async fn refusal_of(gatekeeper: &Gatekeeper, peer: &Peer) -> Option<String> {
    let request = Request::builder().method(Method::POST).uri("/").body(empty()).unwrap();
    let answer = gatekeeper.call(peer, request).await;
    if answer.status() != StatusCode::FORBIDDEN {
        return None;
    }
    let text = whole(answer.into_body(), 1 << 10).await.unwrap();
    Some(String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn of_two_that_lead_the_one_with_the_higher_term_is_obeyed_and_the_other_is_told_so() {
    let gatekeeper = gatekeeper();
    assert_eq!(refusal_of(&gatekeeper, &leader("box", 3)).await, None);
    let follows = "nobody is obeyed but who leads, and that is `box`";
    assert_eq!(refusal_of(&gatekeeper, &peer("edge-1")).await.unwrap(), follows);
    assert_eq!(refusal_of(&gatekeeper, &leader("edge-1", 7)).await, None);
    let deposed = "`box` does not lead any more: `edge-1` does, with term 7";
    assert_eq!(refusal_of(&gatekeeper, &leader("box", 3)).await.unwrap(), deposed);
    let stranger = "`edge-2` cannot lead, since it keeps no records: `edge-1` does";
    assert_eq!(refusal_of(&gatekeeper, &leader("edge-2", 9)).await.unwrap(), stranger);

    // Tunnels say it as well, and who does not lead brings visitors as any node does.
    let refused = gatekeeper.tunnel(&leader("box", 3), "here1:22").await.unwrap_err();
    assert!(refused.text.contains("open to visitors"), "{refused}");
    let refused = gatekeeper.tunnel(&leader("box", 9), "here1:22").await.unwrap_err();
    assert!(refused.text.contains("no such instance"), "{refused}");
    assert_eq!(gatekeeper.leading.leader().name.as_str(), "box");
}

#[tokio::test]
async fn what_was_asked_for_by_one_that_is_deposed_ends() {
    let gatekeeper = Arc::new(gatekeeper());
    let (waits, body) = nothing_yet();
    let request = Request::builder().method(Method::POST).uri(WATCH).body(body).unwrap();
    let asked = gatekeeper.clone();
    let call = tokio::spawn(async move { asked.call(&leader("box", 3), request).await });
    soon("it is heard", waits).await.unwrap();
    assert_eq!(refusal_of(&gatekeeper, &leader("edge-1", 7)).await, None);
    let answer = soon("an answer", call).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let text = whole(answer.into_body(), 1 << 10).await.unwrap();
    assert_eq!(text, "`box` does not lead any more: `edge-1` does, with term 7");
}

/// A body that says when somebody reads it, and goes on for ever with nothing.
fn nothing_yet() -> (oneshot::Receiver<()>, Body) {
    let (read, reads) = oneshot::channel();
    let nothing = stream::once(async move {
        read.send(()).unwrap();
        std::future::pending::<Result<Frame<Bytes>, BodyError>>().await
    });
    (reads, StreamBody::new(nothing).boxed_unsync())
}
