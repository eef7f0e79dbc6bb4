//! What the edge counts and writes down, as whoever runs the server gets it.

use std::fs;

use serde_json::Value;

use crate::{
    http::Request,
    server::{Server, Setup, until},
};

#[test]
fn a_request_shows_in_the_figures_and_in_the_access_log() {
    let settings = vec![("PAAS_ACCESS_LOG", "json".to_owned())];
    let server = Server::starting(Setup { settings, ..Setup::default() });
    server.paas(&["apps", "create", "shop"]).ok();
    let logged = |wanted: &dyn Fn(&Value) -> bool| {
        let log = fs::read_to_string(server.data().join("access.log")).unwrap_or_default();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).find(wanted)
    };
    // Before its first table the edge has a page for everybody.
    until("the app has a page", || {
        server.get("shop", "/");
        logged(&|line| line["app"] == "shop")
    });
    let headers = [("X-Request-Id", "who-asks-1"), ("User-Agent", "a \"quoted\" one")];
    let asked = Request { headers: &headers, ..Request::get("shop.localhost", "/a?secret=1") };
    asked.over_tcp(server.edge()).unwrap();

    let line = until("the request is in the access log", || {
        logged(&|line| line.to_string().contains("who-asks-1"))
    });
    assert_eq!(line["app"], "shop");
    assert_eq!((line["method"].as_str(), line["path"].as_str()), (Some("GET"), Some("/a")));
    assert_eq!((line["status"].as_u64(), line["client"].as_str()), (Some(503), Some("127.0.0.1")));
    assert_eq!(line["agent"], "a \"quoted\" one");

    until("it is counted", || {
        let figures = server.api("GET", "/v1/metrics", b"");
        assert_eq!(figures.status, 200);
        assert_eq!(
            figures.header("content-type"),
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        let count = "paas_http_requests_total{app=\"shop\",class=\"5xx\"} ";
        let text = figures.text();
        let line = text.lines().find_map(|line| line.strip_prefix(count))?.to_owned();
        (line.parse::<u64>().unwrap() >= 2).then_some(())
    });

    // Over the network it takes a token, as everything does.
    let port = server.address("http").rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(Request::get("paas", "/v1/metrics").over_tcp(port).unwrap().status, 401);
}
