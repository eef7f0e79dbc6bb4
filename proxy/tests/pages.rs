//! The edge's own answers say what is wrong, in the form the client asked for.

use crate::stage::{Origin, Stage};

fn ask(stage: &Stage, fields: &str) -> String {
    stage
        .exchange(format!("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n{fields}\r\n"))
}

#[test]
fn an_unknown_host_is_named() {
    let stage = Stage::new(&[&Origin::ok()]);
    let text = ask(&stage, "X-Request-Id: r-1\r\n");
    assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n"), "{text}");
    assert!(text.contains("There is no app at shop.test\n") && text.ends_with("Request id: r-1\n"));
    assert!(text.contains("Cache-Control: no-store\r\n"));
    let html = ask(&stage, "Accept: text/html,*/*\r\n");
    assert!(html.contains("Content-Type: text/html") && html.contains("<h1>There is no app at"));
    let json = ask(&stage, "Accept: application/json\r\n");
    assert!(json.contains("\r\n\r\n{\"error\":{\"status\":404,"), "{json}");
    assert_eq!(stage.edge.traffic().unrouted, 3);
}

#[test]
fn a_page_for_a_head_request_has_no_body() {
    let stage = Stage::new(&[&Origin::ok()]);
    let mut client = stage.client();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
        assert!(client.head().unwrap().starts_with("HTTP/1.1 404 "));
    }
    assert_eq!(client.get("/").unwrap().status, 200, "and the connection lives on");
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let stage = Stage::new(&[&Origin::ok()]);
    let mut client = stage.client();
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 200000\r\n\r\n");
    client.send(vec![b'x'; 200_000]);
    let answer = client.answer().unwrap();
    assert_eq!(answer.status, 404);
    assert!(answer.head.contains("Connection: close\r\n"));
}
