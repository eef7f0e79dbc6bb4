//! Who gets what at the gate of node `here`: the control `box` and another node.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use hyper::{Method, Request, StatusCode};
use proxy::{Absence, Hold, Service, ServiceName, Table, Upstream, UpstreamId};
use tokio::sync::watch;

use super::Gatekeeper;
use crate::{
    model::{ContainerId, Directory, Listed, Listing},
    node::{
        Known, Machine, Memory, Notes, Place, Programs, Ways, Worker,
        link::{Handler, Peer, empty},
        orders::{FILES, IMAGE, ORDER, OUTPUT, PROGRAM, UNPACK, WATCH},
        ways,
    },
};

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
    };
    let known = Known::default();
    known.learn(&table(), |_| true);
    let (_, ways) = watch::channel(Arc::new(ways()));
    let (notes, _) = Notes::from(Memory::default());
    let worker = Worker::new(machine, (docker, here), Programs::default(), notes);
    Gatekeeper { control: "box".parse().unwrap(), worker: Arc::new(worker), known, ways }
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
    Peer { name: name.parse().unwrap(), key: String::new(), address, version: None }
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
