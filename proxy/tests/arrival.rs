//! Who asked and by which way: what an app is told, and what nobody can talk it into.

use std::time::Duration;

use crate::stage::{Origin, PATIENCE, Plan, Seen, Stage, status};

fn trusting(networks: &[&str]) -> Plan {
    let trusted = networks.iter().map(|network| network.parse().unwrap()).collect();
    Plan { trusted, ..Plan::default() }
}

/// What an origin sees of a GET with these fields.
fn seen(plan: &Plan, fields: &str) -> Seen {
    let origin = Origin::ok();
    let stage = Stage::planned(plan, &[&origin]);
    let answer = stage
        .exchange(format!("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n{fields}\r\n"));
    assert_eq!(status(&answer), 200, "{answer}");
    origin.seen().remove(0)
}

#[test]
fn a_stranger_is_believed_in_nothing() {
    let claims = "Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
                  X-Forwarded-Host: six\r\nX-Forwarded-Port: 6\r\nX-Forwarded-Proto: six\r\n\
                  FORWARDED: for=6.6.6.6\r\nX-Request-Start: t=6\r\n";
    let seen = seen(&Plan::default(), claims);
    assert!(!seen.head.contains("6.6.6.6") && !seen.head.contains("six"), "{}", seen.head);
    assert_eq!(seen.field("Forwarded"), Some("for=127.0.0.1;host=app.test;proto=http"));
    assert_eq!(seen.head.matches("orwarded: ").count(), 1);
}

#[test]
fn what_a_trusted_proxy_says_is_kept_and_added_to() {
    let plan = trusting(&["127.0.0.0/8"]);
    let said = seen(&plan, "Forwarded: for=192.0.2.7;proto=https\r\nForwarded: for=10.0.0.1\r\n");
    assert_eq!(
        said.field("Forwarded"),
        Some("for=192.0.2.7;proto=https, for=10.0.0.1, for=127.0.0.1;host=app.test;proto=http")
    );
    assert_eq!(said.field("X-Forwarded-For"), Some("192.0.2.7, 10.0.0.1, 127.0.0.1"));
    let translated = seen(&plan, "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n");
    assert_eq!(
        translated.field("Forwarded"),
        Some("for=192.0.2.7;host=app.test;proto=https, for=127.0.0.1")
    );
    assert_eq!(translated.field("X-Forwarded-Proto"), Some("https"));
}

#[test]
fn connection_cannot_take_our_fields_away() {
    let seen = seen(
        &Plan::default(),
        "Connection: Forwarded, X-Forwarded-For, X-Request-Id, Via, Host, traceparent\r\n\
         traceparent: 00-1-2-01\r\n",
    );
    for ours in ["Host", "Forwarded", "X-Forwarded-For", "X-Request-Id", "Via"] {
        assert!(seen.field(ours).is_some(), "{ours}: {}", seen.head);
    }
    assert_eq!(seen.field("traceparent"), None, "its own it may");
}

#[test]
fn trace_contexts_pass_untouched() {
    let fields = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90"),
        ("X-B3-TraceId", "80f198ee56343ba864fe8b2a57d3eff7"),
    ];
    let lines = fields.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    let seen = seen(&Plan::default(), &lines);
    assert!(seen.head.contains(&lines), "{}", seen.head);
}

#[tokio::test]
async fn the_record_names_the_client_that_is_believed() {
    for (trusted, expected) in [
        (&["127.0.0.0/8", "10.0.0.0/8"][..], "192.0.2.7"),
        (&["127.0.0.0/8"], "10.0.0.9"),
        (&[], "127.0.0.1"),
    ] {
        let origin = Origin::ok();
        let mut stage = Stage::planned(&trusting(trusted), &[&origin]);
        stage.exchange(
            "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\
             X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.0.0.9\r\n\r\n",
        );
        let records = tokio::time::timeout(PATIENCE, stage.records.next()).await.unwrap().unwrap();
        assert_eq!(records[0].client.to_string(), expected);
        assert!(records[0].total > Duration::ZERO);
    }
}

#[test]
fn max_forwards_is_counted_down_where_it_counts() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let ask = |method: &str, left: &str| {
        let answer = stage.exchange(format!(
            "{method} / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\
             Max-Forwards: {left}\r\nX-Secret: s3cret\r\n\r\n"
        ));
        assert!(!answer.contains("s3cret"), "nothing is shown again");
        let told =
            origin.seen().last().and_then(|seen| seen.field("max-forwards").map(str::to_owned));
        (status(&answer), answer.contains("\r\nAllow: GET, "), told)
    };
    assert_eq!(ask("TRACE", "0"), (405, true, None));
    assert_eq!(ask("OPTIONS", "0"), (200, true, None));
    assert_eq!(origin.seen().len(), 0, "the edge answered itself");
    assert_eq!(ask("OPTIONS", "1"), (200, false, Some("0".into())));
    assert_eq!(ask("TRACE", "10"), (200, false, Some("9".into())));
    assert_eq!(ask("GET", "0"), (200, false, Some("0".into())), "not for other methods");
    assert_eq!(ask("OPTIONS", "many"), (200, false, None));
}

#[test]
fn after_an_answer_of_ours_the_connection_goes_on() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let mut client = stage.client();
    client.send("OPTIONS * HTTP/1.1\r\nHost: app.test\r\nMax-Forwards: 0\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(client.get("/").unwrap().status, 200);
    assert_eq!(origin.seen().len(), 1);
}
