//! A host and a path lead to one service, to another address, or nowhere.

use std::sync::Arc;
use std::time::Duration;

use proxy::{
    Forwarded, Host, Hsts, Network, Pattern, Plain, Route, ServiceName, Site, Speaks, Subdomains,
};

use crate::secure::{Authority, Secure};
use crate::stage::{Origin, Plan, Seen, Stage, app};

/// A stage whose one service also answers under other names and prefixes, as `sites` says.
fn stage(plan: &Plan, origin: &Origin, sites: Vec<(&str, Site)>) -> Stage {
    let stage = Stage::planned(plan, &[origin]);
    let mut table = (**stage.table.borrow()).clone();
    table.generation += 1;
    for (host, mut site) in sites {
        for route in &mut site.routes {
            // Every service of a test is the same one under another name: the origin tells them
            // apart by what it is asked for.
            let service = Arc::clone(&table.services[&app()]);
            table.services.entry(route.to.clone()).or_insert(service);
        }
        table.sites.insert(host.parse::<Pattern>().unwrap(), site);
    }
    let generation = table.generation;
    stage.table.send_replace(Arc::new(table));
    stage.await_traffic("the sites", |traffic| traffic.applied == Some(generation));
    stage
}

fn route(prefix: &str, forwarded: Forwarded, to: &str) -> Route {
    Route { prefix: prefix.into(), forwarded, to: ServiceName::new(to) }
}

fn site(routes: &[(&str, Forwarded)]) -> Site {
    let routes = routes.iter().map(|(prefix, forwarded)| route(prefix, *forwarded, prefix));
    Site { routes: routes.collect(), ..Site::default() }
}

/// A trusted proxy in front, so that a test can say that a request came over TLS.
fn behind_tls() -> Plan {
    let trusted: Network = "127.0.0.0/8".parse().unwrap();
    Plan { trusted: vec![trusted], ..Plan::default() }
}

fn ask(stage: &Stage, method: &str, host: &str, target: &str, fields: &str) -> String {
    stage.exchange(format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
    ))
}

const TLS: &str = "X-Forwarded-Proto: https\r\n";

fn location(answer: &str) -> &str {
    let line = answer.lines().find(|line| line.starts_with("Location: "));
    line.map_or("", |line| &line["Location: ".len()..])
}

fn first_line(seen: &Seen) -> &str {
    seen.head.lines().next().unwrap()
}

#[test]
fn the_exact_host_wins_over_the_wildcard_and_the_longest_prefix_over_the_others() {
    let origin = Origin::ok();
    let sites = vec![
        ("*.one.test", site(&[("/", Forwarded::Whole)])),
        ("a.one.test", site(&[("/only", Forwarded::Whole)])),
        ("split.test", site(&[("/api", Forwarded::Stripped), ("/", Forwarded::Whole)])),
    ];
    let stage = stage(&Plan::default(), &origin, sites);
    let check = |host: &str, target: &str, expected: &str, forwarded: &str| {
        let before = origin.seen().len();
        let answer = ask(&stage, "GET", host, target, "");
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{host} {target}: {answer}");
        let seen = origin.seen();
        let asked = seen.get(before).map_or("", |seen| first_line(seen));
        assert_eq!(asked, forwarded, "{host} {target}");
    };
    check("b.one.test", "/x", "200", "GET /x HTTP/1.1");
    check("B.ONE.test:80", "/x", "200", "GET /x HTTP/1.1");
    check("b.c.one.test", "/x", "404", "");
    check("one.test", "/x", "404", "");
    check("a.one.test", "/x", "404", "");
    check("a.one.test", "/only?q", "200", "GET /only?q HTTP/1.1");
    check("split.test", "/apix?a=/../b", "200", "GET /apix?a=/../b HTTP/1.1");
    check("split.test", "/api", "200", "GET / HTTP/1.1");
    check("split.test", "/api?x=1", "200", "GET /?x=1 HTTP/1.1");
    check("split.test", "/api/v1/%20?x", "200", "GET /v1/%20?x HTTP/1.1");
    check("split.test", "http://split.test/api/v1", "200", "GET /v1 HTTP/1.1");
    check("split.test", "/x/%2e%2e/api", "400", "");
    check("split.test", "/api/..%2fx", "400", "");
    check("split.test", "/api/../x", "400", "");
    check("split.test", "/api%2fx", "400", "");
    check("split.test", "/api/a%5c..%5cb", "400", "");
    check("split.test", "/api/%00", "400", "");
    // Where there is only one way, its app knows best what its paths mean.
    check("b.one.test", "/a/%2e%2e/b%2fc", "200", "GET /a/%2e%2e/b%2fc HTTP/1.1");
    assert!(origin.faults().is_empty(), "{:?}", origin.faults());
}

#[test]
fn a_stripped_prefix_is_said_and_cannot_be_claimed() {
    let origin = Origin::ok();
    let sites = vec![("split.test", site(&[("/api/", Forwarded::Stripped)]))];
    let stage = stage(&Plan::default(), &origin, sites);
    ask(&stage, "GET", "split.test", "/api/x", "X-Forwarded-Prefix: /evil\r\n");
    ask(&stage, "GET", "app.test", "/api/x", "X_Forwarded_Prefix: /evil\r\n");
    let seen = origin.seen();
    assert_eq!(seen[0].field("X-Forwarded-Prefix"), Some("/api"));
    assert!(!seen[0].head.contains("evil") && !seen[1].head.contains("evil"));
    assert_eq!(seen[1].field("X-Forwarded-Prefix"), None);
}

#[test]
fn plain_http_is_sent_to_tls_with_everything_but_the_port_kept() {
    let origin = Origin::ok();
    let secured = |port| Site { plain: Plain::Redirected { port }, ..Site::of(app()) };
    let sites = vec![("a.test", secured(443)), ("b.test", secured(8443)), ("[::1]", secured(443))];
    let stage = stage(&Plan::default(), &origin, sites);
    let check = |method: &str, host: &str, target: &str, status: &str, to: &str| {
        let answer = ask(&stage, method, host, target, "");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert_eq!(location(&answer), to);
        assert!(answer.contains("Cache-Control: no-store\r\n"));
    };
    let moved = "301 Moved Permanently";
    check("GET", "a.test", "/x?y=%0d%0a", moved, "https://a.test/x?y=%0d%0a");
    check("HEAD", "A.Test:80", "/", moved, "https://a.test/");
    check("POST", "a.test", "/x", "308 Permanent Redirect", "https://a.test/x");
    check("GET", "b.test", "//evil.test/..", moved, "https://b.test:8443//evil.test/..");
    check("GET", "a.test", "http://a.test?q", moved, "https://a.test/?q");
    check("GET", "[::1]:80", "/", moved, "https://[::1]/");
    check("OPTIONS", "a.test", "*", "308 Permanent Redirect", "https://a.test/");
    // What a stranger says about TLS is not believed.
    assert!(!location(&ask(&stage, "GET", "a.test", "/", TLS)).is_empty());
    assert_eq!(location(&ask(&stage, "GET", "evil.test", "/", "")), "");
    assert!(origin.seen().is_empty());
}

#[test]
fn a_redirect_leaves_the_connection_open_when_the_body_was_read() {
    let origin = Origin::ok();
    let secured = Site { plain: Plain::Redirected { port: 443 }, ..Site::of(app()) };
    let stage = stage(&Plan::default(), &origin, vec![("a.test", secured)]);
    let mut client = stage.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi");
    client.send("GET /x HTTP/1.1\r\nHost: a.test\r\nAccept: text/html\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 308);
    let page = client.answer().unwrap();
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("<a href=\"https://a.test/x\">"), "{text}");
    assert_eq!(client.get("/").unwrap().status, 200);
}

#[test]
fn another_host_is_pointed_to_after_tls() {
    let origin = Origin::ok();
    let www = Site {
        plain: Plain::Redirected { port: 443 },
        moved_to: Some(Host::parse("a.test").unwrap()),
        ..Site::of(app())
    };
    let plain = Site { plain: Plain::Served, ..www.clone() };
    let own = Site { moved_to: Some(Host::parse("own.test").unwrap()), ..Site::of(app()) };
    let sites = vec![("www.a.test", www), ("old.test", plain), ("own.test", own)];
    let stage = stage(&behind_tls(), &origin, sites);
    let check = |host: &str, fields: &str, to: &str| {
        assert_eq!(location(&ask(&stage, "GET", host, "/x?y", fields)), to);
    };
    check("www.a.test", "", "https://www.a.test/x?y");
    check("www.a.test", TLS, "https://a.test/x?y");
    check("old.test", "", "http://a.test/x?y");
    check("old.test:8080", "", "http://a.test:8080/x?y");
    check("old.test:8443", TLS, "https://a.test:8443/x?y");
    check("own.test", "", "");
}

#[test]
fn transport_security_is_asked_for_over_tls_only_and_on_every_response() {
    let origin = Origin::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nstrict-transport-security: max-age=1\r\n\r\nok",
    );
    let hsts = |subdomains| Hsts { max_age: Duration::from_hours(24), subdomains };
    let strict = Site {
        plain: Plain::Redirected { port: 443 },
        hsts: Some(hsts(Subdomains::Included)),
        ..site(&[("/app", Forwarded::Whole)])
    };
    let withdrawn = Hsts { max_age: Duration::ZERO, ..hsts(Subdomains::Excluded) };
    let sites = vec![
        ("a.test", strict),
        ("b.test", Site { hsts: Some(withdrawn), ..Site::of(app()) }),
        ("c.test", Site::of(app())),
    ];
    let stage = stage(&behind_tls(), &origin, sites);
    let check = |host: &str, target: &str, fields: &str, expected: &[&str]| {
        let answer = ask(&stage, "GET", host, target, fields);
        let said: Vec<&str> = answer
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| name.eq_ignore_ascii_case("strict-transport-security"))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(said, expected, "{host} {target}: {answer}");
    };
    let strict = ["max-age=86400; includeSubDomains"];
    check("a.test", "/app", TLS, &strict);
    check("a.test", "/nothing", TLS, &strict);
    check("a.test", "/app", "", &[]);
    check("b.test", "/", TLS, &["max-age=0"]);
    check("c.test", "/", TLS, &["max-age=1"]);
}

#[test]
fn proofs_are_answered_before_everything_else() {
    let origin = Origin::ok();
    let path = "/.well-known/acme-challenge/token";
    let secured = Site { plain: Plain::Redirected { port: 443 }, ..Site::of(app()) };
    let mut plan = Plan::default();
    for host in ["a.test", "new.test"] {
        let host = Host::parse(host).unwrap();
        plan.certificates.answers.insert((host, path.into()), "token.key".into());
    }
    let stage = stage(&plan, &origin, vec![("a.test", secured)]);
    for host in ["a.test", "new.test"] {
        let answer = ask(&stage, "GET", host, path, "Accept: text/html\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("Content-Type: text/plain\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\ntoken.key"), "{answer}");
        let head = ask(&stage, "HEAD", host, path, "");
        assert!(head.contains("Content-Length: 9\r\n") && head.ends_with("\r\n\r\n"));
        let post = ask(&stage, "POST", host, path, "");
        assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("Allow: GET, HEAD\r\n"));
    }
    let other = ask(&stage, "GET", "a.test", "/.well-known/acme-challenge/other", "");
    assert!(other.starts_with("HTTP/1.1 301 "), "{other}");
    assert!(origin.seen().is_empty());
}

#[test]
fn a_connection_of_one_site_is_not_one_of_another() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let hsts = Hsts { max_age: Duration::from_mins(1), subdomains: Subdomains::Excluded };
    let one = Site { hsts: Some(hsts), plain: Plain::Redirected { port: 443 }, ..Site::of(app()) };
    let certificates = authority.set(1, &["one.test", "two.test"]);
    let plan = Plan { speaks: Speaks::Https, certificates, ..Plan::default() };
    let stage = stage(&plan, &origin, vec![("one.test", one), ("two.test", Site::of(app()))]);
    let config = Arc::new(authority.client());
    let mut client = Secure::connect(stage.address(), "one.test", &config).unwrap();
    let answer = client.get("one.test", "/").unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("Strict-Transport-Security: max-age=60\r\n"), "{}", answer.head);
    assert_eq!(client.get("two.test", "/").unwrap().status, 421);
    // What has no certificate of its own is not another's.
    assert_eq!(client.get("app.test", "/").unwrap().status, 200);
    assert_eq!(origin.seen().len(), 2);
}
