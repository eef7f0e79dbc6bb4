//! What a service does not want is answered by the edge, and never reaches an instance.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use proxy::{Absence, Access, Hold, Key, Pages, Password, Policy, Rate};
use sha2::Sha256;

use crate::stage::{Origin, PATIENCE, Plan, Stage, Then, app, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

fn stage(policy: Policy, origin: &Origin) -> Stage {
    Stage::planned(&Plan { policy, ..Plan::default() }, &[origin])
}

/// A stage behind a trusted proxy, which can say where a request came from.
fn behind(policy: Policy, origin: &Origin) -> Stage {
    let trusted = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    Stage::planned(&Plan { trusted, policy, ..Plan::default() }, &[origin])
}

fn from(client: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: {client}\r\n\r\n")
}

fn rate(requests: u32, per: Duration, burst: u32) -> Policy {
    Policy { rate: Some(Rate { requests, per, burst }), ..Policy::default() }
}

#[test]
fn access_is_by_the_address_that_is_believed() {
    let origin = Origin::ok();
    let access = Access {
        allow: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        deny: vec!["192.0.2.9".parse().unwrap()],
    };
    let policy = Policy { access, ..Policy::default() };
    let behind = behind(policy.clone(), &origin);
    let mut client = behind.client();
    let mut check = |forwarded: &str, expected: u16| {
        client.send(from(forwarded));
        assert_eq!(client.answer().unwrap().status, expected, "{forwarded}");
    };
    check("192.0.2.1", 200);
    check("192.0.2.9", 403);
    check("6.6.6.6", 403);
    check("192.0.2.1, 6.6.6.6", 403);
    check("6.6.6.6, 192.0.2.1", 200);
    check("192.0.2.1, 10.0.0.7", 200);
    check("2001:db8::1", 200);
    check("nonsense", 403);
    let direct = stage(policy, &origin);
    let mut client = direct.client();
    client.send(from("192.0.2.1"));
    assert_eq!(client.answer().unwrap().status, 403, "a stranger is not believed");
    assert_eq!(origin.seen().len(), 4);
}

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let origin = Origin::ok();
    // So slow that no time passes in a test.
    let stage = behind(rate(1, Duration::from_hours(1), 3), &origin);
    let (mut one, mut two) = (stage.client(), stage.client());
    let mut ask = |number: usize, forwarded: &str| {
        let client = if number.is_multiple_of(2) { &mut one } else { &mut two };
        client.send(from(forwarded));
        client.answer().unwrap()
    };
    let statuses: Vec<u16> = (0..5).map(|number| ask(number, "192.0.2.1").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429], "over all connections and workers");
    let refused = ask(0, "192.0.2.1");
    assert!(refused.head.contains("Retry-After: 3600\r\n"), "{}", refused.head);
    assert_eq!(ask(0, "192.0.2.2").status, 200);
    assert_eq!(ask(0, "2001:db8::1").status, 200);
    assert_eq!(origin.seen().len(), 5);
    assert_eq!(stage.edge.traffic().services[&app()].classes[4], 3);
}

#[test]
fn a_bucket_fills_again() {
    let stage = stage(rate(1000, Duration::from_secs(1), 1), &Origin::ok());
    let mut client = stage.client();
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut let_in = 0;
    while let_in < 20 {
        let_in += u32::from(client.get("/").unwrap().status == 200);
        assert!(std::time::Instant::now() < deadline);
    }
}

/// Lets in `ann:secret` and `bob:word`.
fn password() -> Policy {
    let key = [9; 32];
    let digest = |text: &str| {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        hmac.update(text.as_bytes());
        hmac.finalize().into_bytes().into()
    };
    let digests = vec![digest("ann:secret"), digest("bob:word")];
    let password = Password { realm: "staging".into(), key: Key::new(key), digests };
    Policy { password: Some(password), ..Policy::default() }
}

#[test]
fn a_password_is_asked_for_and_kept_from_the_app() {
    let origin = Origin::ok();
    let stage = stage(password(), &origin);
    let mut client = stage.client();
    client.send(GET);
    let refused = client.answer().unwrap();
    assert_eq!(refused.status, 401);
    let challenge = "WWW-Authenticate: Basic realm=\"staging\", charset=\"UTF-8\"\r\n";
    assert!(refused.head.contains(challenge), "{}", refused.head);
    let mut ask = |value: &str| {
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: app.test\r\nX-A: 1\r\nauthorization: {value}\r\nX-B: 2\r\n\r\n"
        ));
        client.answer().unwrap().status
    };
    assert_eq!(ask("Basic YW5uOnNlY3JldA=="), 200);
    assert_eq!(ask("basic Ym9iOndvcmQ="), 200);
    assert_eq!(ask("Basic YW5uOlNlY3JldA=="), 401);
    assert_eq!(ask("Bearer YW5uOnNlY3JldA=="), 401);
    let seen = origin.seen();
    assert_eq!(seen.len(), 2);
    assert!(!seen[0].head.to_lowercase().contains("authorization"), "{}", seen[0].head);
    assert_eq!((seen[0].field("X-A"), seen[0].field("X-B")), (Some("1"), Some("2")));
    assert!(origin.faults().is_empty());
}

#[test]
fn without_a_rule_the_apps_own_passwords_pass() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let mut client = stage.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\nAuthorization: Basic eDp5\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(origin.seen()[0].field("Authorization"), Some("Basic eDp5"));
}

#[test]
fn maintenance_is_said_with_the_words_of_the_app() {
    let origin = Origin::ok();
    let absence = Absence {
        title: "We are moving house".into(),
        explanation: "Back at noon.".into(),
        retry_after: Duration::from_mins(30),
    };
    let stage = stage(Policy { maintenance: Some(absence), ..password() }, &origin);
    let mut client = stage.client();
    client.send(GET);
    assert_eq!(client.answer().unwrap().status, 401, "the password comes first");
    let authorized = "Host: app.test\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n\r\n";
    client.send(format!("GET / HTTP/1.1\r\n{authorized}"));
    let page = client.answer().unwrap();
    let text = String::from_utf8(page.body).unwrap();
    assert_eq!(page.status, 503);
    assert!(page.head.contains("Retry-After: 1800\r\n"), "{}", page.head);
    assert!(text.starts_with("We are moving house\nBack at noon.\n"), "{text}");
    client.send(format!("HEAD / HTTP/1.1\r\n{authorized}"));
    assert!(client.head().unwrap().starts_with("HTTP/1.1 503 "));
    client.send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n");
    assert_eq!(status(&client.rest()), 401);
    assert!(origin.seen().is_empty());
}

#[test]
fn a_body_has_a_bound_however_it_is_sent() {
    let origin = Origin::ok();
    let stage = stage(Policy { most_body: Some(10), ..Policy::default() }, &origin);
    let check = |fields: &str, body: &str, expected: u16| {
        let head =
            format!("POST / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n{fields}\r\n");
        let answer = stage.exchange([head.as_bytes(), body.as_bytes()].concat());
        assert_eq!(status(&answer), expected, "{fields} {body}: {answer}");
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    check("", "", 200);
    check("Content-Length: 10\r\n", "0123456789", 200);
    check("Content-Length: 11\r\n", "", 413);
    check("Content-Length: 11\r\nExpect: 100-continue\r\n", "", 413);
    check(chunked, "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", 200);
    check(chunked, "5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n", 413);
    assert_eq!(origin.seen().len(), 3);
    assert!(origin.faults().is_empty());
}

#[test]
fn a_streamed_body_is_cut_where_it_becomes_too_large() {
    let origin = Origin::ok();
    let stage = stage(Policy { most_body: Some(10), ..Policy::default() }, &origin);
    let mut client = stage.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    );
    stage.await_traffic("the upload to begin", |traffic| {
        traffic.upstreams.values().any(|upstream| upstream.in_flight == 1)
    });
    client.send("6\r\nworld!\r\n");
    assert_eq!(status(&client.rest()), 413);
    assert!(origin.seen().is_empty());
}

#[test]
fn a_refusal_keeps_the_connection_where_the_next_request_is_certain() {
    let origin = Origin::ok();
    let stage = stage(Policy { most_body: Some(10), ..password() }, &origin);
    let mut client = stage.client();
    // Pipelined, with a body that is here as a whole.
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello");
    client
        .send("GET /x HTTP/1.1\r\nHost: app.test\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 401);
    assert_eq!(client.answer().unwrap().status, 200);
    // A body that is not: what follows could be it, so nothing may follow.
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 50000\r\n\r\nhello");
    assert_eq!(status(&client.rest()), 401);
    assert_eq!(origin.seen().len(), 1);
}

/// An origin that answers each request when it is told to, by its path.
fn waiting_origin() -> (Origin, Arc<Mutex<Vec<String>>>) {
    let released: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&released);
    let origin = Origin::start(move |request, stream| {
        let path = request.head.split(' ').nth(1).unwrap().to_owned();
        while !seen.lock().unwrap().contains(&path) {
            std::thread::sleep(Duration::from_millis(1)); // between looks, not instead of them
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        Then::KeepOpen
    });
    (origin, released)
}

fn crowd(most: usize, hold: Hold, origin: &Origin) -> Stage {
    let policy = Policy { most_in_flight: Some(most), ..Policy::default() };
    Stage::planned(&Plan { hold, policy, ..Plan::default() }, &[origin])
}

fn paths(origin: &Origin) -> Vec<String> {
    origin.seen().iter().map(|seen| seen.head.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn requests_beyond_the_bound_wait_in_the_order_in_which_they_came() {
    let (origin, released) = waiting_origin();
    let stage = crowd(1, Hold { most: 10, deadline: PATIENCE }, &origin);
    let mut clients = Vec::new();
    for number in 0..5 {
        let mut client = stage.client();
        client.send(format!("GET /{number} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
        stage.await_traffic("the request to wait", |traffic| {
            traffic.services.get(&app()).is_some_and(|service| {
                service.held == number && traffic.upstreams.values().any(|up| up.in_flight == 1)
            })
        });
        clients.push(client);
    }
    clients.remove(3); // Whoever leaves gives up its place.
    stage.await_traffic("its place to be free", |traffic| traffic.services[&app()].held == 3);
    for number in [0, 1, 2, 4] {
        released.lock().unwrap().push(format!("/{number}"));
    }
    for client in &mut clients {
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(paths(&origin), ["/0", "/1", "/2", "/4"]);
    let mut again = stage.client();
    released.lock().unwrap().push("/again".into());
    assert_eq!(again.get("/again").unwrap().status, 200, "every seat was given back");
}

#[test]
fn a_line_that_is_full_or_too_slow_is_said() {
    let (origin, released) = waiting_origin();
    let stage = crowd(1, Hold { most: 1, deadline: PATIENCE }, &origin);
    let (mut first, mut second) = (stage.client(), stage.client());
    first.send("GET /1 HTTP/1.1\r\nHost: app.test\r\n\r\n");
    stage.await_traffic("the first", |traffic| {
        traffic.upstreams.values().any(|upstream| upstream.in_flight == 1)
    });
    second.send("GET /2 HTTP/1.1\r\nHost: app.test\r\n\r\n");
    stage.await_traffic("the second", |traffic| traffic.services[&app()].held == 1);
    let refused = stage.client().get("/3").unwrap();
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("Retry-After: 1\r\n"), "{}", refused.head);
    released.lock().unwrap().extend(["/1".into(), "/2".into()]);
    assert_eq!(first.answer().unwrap().status, 200);
    assert_eq!(second.answer().unwrap().status, 200);

    let (origin, _) = waiting_origin();
    let stage = crowd(1, Hold { most: 9, deadline: Duration::from_millis(20) }, &origin);
    let mut first = stage.client();
    first.send(GET);
    stage.await_traffic("the first", |traffic| {
        traffic.upstreams.values().any(|upstream| upstream.in_flight == 1)
    });
    assert_eq!(stage.client().get("/late").unwrap().status, 503);
}

#[test]
fn an_app_may_have_pages_of_its_own() {
    let pages = BTreeMap::from([(401, "<h1>Ours</h1>".into()), (502, "<h1>Broken</h1>".into())]);
    let policy = Policy { pages: Pages(Arc::new(pages)), ..password() };
    let stage = stage(policy, &Origin::saying("nonsense\r\n\r\n"));
    let check = |accept: &str, fields: &str, expected: &str| {
        let answer = stage.exchange(format!(
            "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nAccept: {accept}\r\n{fields}\r\n"
        ));
        assert!(answer.ends_with(expected), "{accept} {fields}: {answer}");
        assert!(answer.contains("Cache-Control: no-store\r\n"), "{answer}");
    };
    let authorized = "Authorization: Basic YW5uOnNlY3JldA==\r\n";
    check("text/html", "", "\r\n\r\n<h1>Ours</h1>");
    check("text/html", authorized, "\r\n\r\n<h1>Broken</h1>");
    check("application/json", "", "\"}}\n");
    check("*/*", "X-Request-Id: r-1\r\n", "Request id: r-1\n");
}
