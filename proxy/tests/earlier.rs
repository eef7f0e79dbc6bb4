//! What is not found is asked of those that answered earlier: where that is declared, and of nobody else.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use proxy::{Earlier, Limits, Service, Table, Upstream};

use crate::stage::{Answer, Origin, Plan, Stage, Then, app, id};

/// One release of an app: it has these files, each of which says by its body whose it is.
fn release(name: &'static str, files: &'static [&'static str]) -> Origin {
    Origin::start(move |seen, stream| {
        let path = seen.head.split(' ').nth(1).unwrap();
        let whole = !seen.head.starts_with("HEAD ");
        let (status, body) = match files.contains(&path) {
            true if seen.field("If-None-Match").is_some() => ("304 Not Modified", String::new()),
            true if seen.field("Range").is_some() => ("206 Partial Content", name[..1].to_owned()),
            true => ("200 OK", name.to_owned()),
            false => ("404 Not Found", format!("{name} has no {path}")),
        };
        let length = if whole { body.len() } else { 0 };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
        stream.write_all(&body.as_bytes()[..length]).unwrap();
        Then::KeepOpen
    })
}

/// An edge that sends to `current` and asks `earlier`, in this order, for what is below `/assets/`.
fn stage(current: SocketAddr, earlier: &[SocketAddr]) -> Stage {
    let limits = Limits { earlier: Duration::from_millis(200), ..Limits::default() };
    let stage = Stage::at(&Plan { workers: 1, limits, ..Plan::default() }, &[current]);
    publish(&stage, current, earlier);
    stage
}

fn publish(stage: &Stage, current: SocketAddr, earlier: &[SocketAddr]) {
    let generation = stage.table.borrow().generation + 1;
    let plain = stage.plan.table(generation, &[current]);
    let upstream =
        |address: &SocketAddr| Upstream { id: id(*address), address: *address, door: None };
    let upstreams = earlier.iter().map(upstream).collect();
    let earlier = Earlier { prefixes: vec!["/assets/".into(), "/static".into()], upstreams };
    let service = Service { earlier: Some(earlier), ..Service::clone(&plain.services[&app()]) };
    let services = BTreeMap::from([(app(), Arc::new(service))]);
    stage.table.send_replace(Arc::new(Table { services, ..Table::clone(&plain) }));
    stage.await_traffic("the new table", |traffic| traffic.applied == Some(generation));
}

#[track_caller]
fn is(answer: &Answer, status: u16, body: &str) {
    let found = (answer.status, String::from_utf8_lossy(&answer.body));
    assert_eq!(found, (status, body.into()), "{}", answer.head);
}

#[test]
fn the_newest_that_has_it_answers() {
    let v1 = release("v1", &["/assets/one.js", "/assets/both.js", "/one"]);
    let v2 = release("v2", &["/assets/two.js", "/assets/both.js", "/static.css?v=2"]);
    let v3 = release("v3", &["/assets/three.js"]);
    let stage = stage(v3.address, &[v2.address, v1.address]);
    let mut client = stage.client();
    is(&client.get("/assets/three.js").unwrap(), 200, "v3");
    assert!(v2.seen().is_empty(), "nobody is asked for what is there");
    is(&client.get("/assets/one.js").unwrap(), 200, "v1");
    is(&client.get("/assets/two.js").unwrap(), 200, "v2");
    is(&client.get("/assets/both.js").unwrap(), 200, "v2");
    is(&client.get("/static.css?v=2").unwrap(), 200, "v2");
    is(&client.get("/assets/none.js").unwrap(), 404, "v3 has no /assets/none.js");
    let asked = v1.seen().len();
    is(&client.get("/one").unwrap(), 404, "v3 has no /one");
    is(&client.get("/assets/../one").unwrap(), 404, "v3 has no /assets/../one");
    is(&client.get("/assets/%2e%2e/one").unwrap(), 404, "v3 has no /assets/%2e%2e/one");
    client.send("POST /assets/one.js HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().unwrap().status, 404);
    client.send("GET /assets/one.js HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().unwrap().status, 404);
    assert_eq!(v1.seen().len(), asked, "only files that are declared are asked for");
    publish(&stage, v3.address, &[]);
    is(&client.get("/assets/one.js").unwrap(), 404, "v3 has no /assets/one.js");
    for origin in [v1, v2, v3] {
        assert_eq!(origin.faults(), [""; 0]);
    }
}

#[test]
fn what_a_request_says_of_itself_goes_along() {
    let (v1, v2) = (release("v1", &["/assets/one.js"]), release("v2", &[]));
    let stage = stage(v2.address, &[v1.address]);
    let mut client = stage.client();
    let ask = |method: &str, field: &str| {
        format!("{method} /assets/one.js HTTP/1.1\r\nHost: app.test\r\n{field}\r\n\r\n")
    };
    client.send(ask("GET", "Range: bytes=0-0"));
    is(&client.answer().unwrap(), 206, "v");
    client.send(ask("GET", "If-None-Match: \"x\""));
    is(&client.answer().unwrap(), 304, "");
    client.send(ask("HEAD", "Accept: */*"));
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Length: 2\r\n"), "{head}");
    is(&client.get("/assets/one.js").unwrap(), 200, "v1");
}

#[test]
fn the_first_answer_stands_to_its_last_byte_if_nobody_has_it() {
    let size = 3_000_000;
    let v1 = release("v1", &[]);
    let v2 = Origin::start(move |_, stream| {
        write!(stream, "HTTP/1.1 404 Not Found\r\nX-Mine: yes\r\nContent-Length: {size}\r\n\r\n")
            .unwrap();
        stream.write_all(&vec![b'x'; size]).unwrap();
        Then::KeepOpen
    });
    let stage = stage(v2.address, &[v1.address]);
    let mut client = stage.client();
    for asked in 1..=2 {
        let answer = client.get("/assets/one.js").unwrap();
        assert_eq!((answer.status, answer.body.len()), (404, size));
        assert!(answer.head.contains("X-Mine: yes\r\n"), "{}", answer.head);
        assert_eq!((v1.seen().len(), v2.seen().len()), (asked, asked));
    }
    assert_eq!(v2.connections(), 1, "its connection lives on");
}

#[test]
fn one_that_is_not_well_has_nothing() {
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let broken = Origin::saying("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops");
    let mumbling = Origin::saying("HTTP/1.1 huh\r\n\r\n");
    let hanging_up = Origin::start(|_, _| Then::Close);
    let slow = Origin::start(|_, _| {
        thread::park();
        Then::Close
    });
    let (v1, v2) = (release("v1", &["/assets/one.js"]), release("v2", &[]));
    for sick in [nowhere, broken.address, mumbling.address, hanging_up.address, slow.address] {
        let stage = stage(v2.address, &[sick, v1.address]);
        let mut client = stage.client();
        is(&client.get("/assets/one.js").unwrap(), 200, "v1");
        is(&client.get("/assets/two.js").unwrap(), 404, "v2 has no /assets/two.js");
    }
}

#[test]
fn the_record_and_the_figures_name_who_answered() {
    let (v1, v2) = (release("v1", &["/assets/one.js"]), release("v2", &[]));
    let mut stage = stage(v2.address, &[v1.address]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut client = stage.client();
    for (path, status, upstream) in
        [("/assets/one.js", 200, v1.address), ("/assets/two.js", 404, v2.address)]
    {
        client.get(path).unwrap();
        let records = runtime.block_on(stage.records.next()).unwrap();
        let record = records.last().unwrap();
        assert_eq!((record.status, record.upstream.clone()), (Some(status), Some(id(upstream))));
        assert_eq!(record.retries, 0, "nothing was sent again: it had an answer");
    }
    let upstreams = stage.edge.traffic().upstreams;
    for address in [v1.address, v2.address] {
        assert_eq!(upstreams[&id(address)].answers, 2);
        assert_eq!(upstreams[&id(address)].errors, 0);
    }
}
