//! curl: the client that most people try a server with.

use super::{Said, run, tls_stage};
use crate::stage::{Origin, Stage};

const BODY: &str = "the body of a request, longer than a line but not by much";

fn curl(stage: &Stage, scheme: &str, arguments: &[&str]) -> Said {
    let port = stage.address().port();
    let resolve = format!("app.test:{port}:127.0.0.1");
    let url = format!("{scheme}://app.test:{port}/path?query");
    let common = ["-sS", "--max-time", "20", "--insecure", "--resolve", &resolve, &url];
    let said = run("curl", "curl", &[&common[..], arguments].concat());
    assert!(said.content, "{}", said.text);
    said
}

const VERSION: [&str; 2] = ["-w", " HTTP/%{http_version} %{http_code}"];

#[test]
fn curl_gets_over_plain_http() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    curl(&stage, "http", &VERSION).has("ok HTTP/1.1 200");
    curl(&stage, "http", &["--head"]).has("HTTP/1.1 200 OK").has("Content-Length: 2");
    curl(&stage, "http", &["--http1.0", "-w", "%{http_code}"]).has("ok200");
}

#[test]
fn curl_uploads_in_every_way_it_knows() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    curl(&stage, "http", &["--data-binary", BODY]).has("ok");
    curl(&stage, "http", &["--data-binary", BODY, "-H", "Transfer-Encoding: chunked"]).has("ok");
    let waiting = ["--data-binary", BODY, "-H", "Expect: 100-continue", "--include"];
    curl(&stage, "http", &waiting).has("HTTP/1.1 200 OK");
    for seen in origin.seen() {
        assert_eq!(String::from_utf8_lossy(&seen.body), BODY, "{}", seen.head);
    }
    assert_eq!(origin.faults(), Vec::<String>::new());
}

#[test]
fn curl_gets_over_tls_by_both_versions() {
    let origin = Origin::ok();
    let (stage, _) = tls_stage(&origin);
    let with = |version| [&[version][..], &VERSION[..]].concat();
    curl(&stage, "https", &with("--http1.1")).has("ok HTTP/1.1 200");
    curl(&stage, "https", &with("--http2")).has("ok HTTP/2 200");
}

#[test]
fn curl_uploads_over_http2() {
    let origin = Origin::ok();
    let (stage, _) = tls_stage(&origin);
    curl(&stage, "https", &["--http2", "--data-binary", BODY]).has("ok");
    let seen = origin.seen();
    assert_eq!(String::from_utf8_lossy(&seen[0].body), BODY, "{}", seen[0].head);
}
