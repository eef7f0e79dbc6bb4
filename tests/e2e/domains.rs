//! Names of the user's own, from `paas domains add` to what a visitor sees.
//!
//! Nothing is deployed: the page of an app that has nothing yet names it, and that is who answered.

use crate::{
    http::{Answer, Request},
    ports::free_port,
    server::{Server, Setup, says, until},
};

/// A server of the platform `apps.example.test` that answers for its own names in the DNS, and asks
/// itself.
pub(crate) fn server(more: Vec<(&'static str, String)>) -> (Server, u16) {
    let dns = free_port();
    let mut settings = vec![
        ("PAAS_DOMAIN", "apps.example.test".to_owned()),
        ("PAAS_ADDRESSES", "127.0.0.1".to_owned()),
        ("PAAS_DNS", format!("127.0.0.1:{dns}")),
        ("PAAS_RESOLVER", format!("127.0.0.1:{dns}")),
        ("PAAS_HTTPS", "127.0.0.1:0".to_owned()),
        ("PAAS_ACME", "off".to_owned()),
    ];
    settings.extend(more);
    (Server::starting(Setup { settings, ..Setup::default() }), dns)
}

fn visit(server: &Server, host: &str, path: &str) -> Answer {
    Request::get(host, path).over_tcp(server.edge()).unwrap()
}

#[track_caller]
fn until_answers(server: &Server, host: &str, path: &str, expected: &str) {
    until(&format!("{host}{path} says {expected}"), || {
        let answer = visit(server, host, path);
        let place = answer.header("location").unwrap_or_default().to_owned();
        (answer.text().contains(expected) || place == expected).then_some(())
    });
}

#[test]
fn an_app_answers_under_the_names_that_it_was_given() {
    let (server, _) = server(Vec::new());
    for app in ["shop", "blog"] {
        server.paas(&["apps", "create", app]).ok();
    }
    until_answers(&server, "shop.apps.example.test", "/", "shop has nothing to show yet");

    // Its DNS is not ours yet: the records to set are data on stdout.
    let added = server.paas(&["domains", "add", "www.example.test", "-a", "shop"]);
    says(&added.stdout, &["www.example.test  CNAME  shop.apps.example.test"]);
    says(&added.stderr, &["does not lead here yet", "`paas domains check www.example.test`"]);
    until_answers(&server, "www.example.test", "/", "shop has nothing to show yet");

    // One path of it is another app's, a wildcard is for the rest, and the apex moves.
    let more = [
        &["domains", "add", "www.example.test", "--path", "/blog", "--strip", "-a", "blog"][..],
        &["domains", "add", "*.example.test", "-a", "blog"],
        &["domains", "add", "example.test", "--moved-to", "www.example.test", "-a", "shop"],
    ];
    for words in more {
        server.paas(words).ok();
    }
    until_answers(&server, "www.example.test", "/blog/1", "blog has nothing to show yet");
    until_answers(&server, "any.example.test", "/", "blog has nothing to show yet");
    until_answers(&server, "example.test", "/a?b", "http://www.example.test/a?b");
    until_answers(&server, "www.example.test", "/blogger", "shop has nothing to show yet");

    let taken = server.paas(&["domains", "add", "www.example.test", "-a", "blog"]).ended(1);
    says(&taken, &["the app shop has it", "hint:", "paas domains remove www.example.test"]);
    let platform = server.paas(&["domains", "add", "blog.apps.example.test", "-a", "shop"]);
    says(&platform.ended(1), &["the platform's own domain"]);

    // Once the zone is ours, the name leads here.
    server.paas(&["dns", "zones", "add", "example.test"]).ok();
    until("www.example.test leads here", || {
        let checked = server.paas(&["domains", "check", "www.example.test", "--json"]).json();
        (checked[0]["dns"]["state"] == "here").then_some(())
    });
    server.paas(&["dns", "add", "example.test", "MX", "10", "mail.example.test"]).ok();
    says(&server.paas(&["dns"]).ok(), &["; zone example.test", "MX  10 mail.example.test."]);
    says(&server.paas(&["domains"]).ok(), &["www.example.test", "/blog", "here"]);

    server.paas(&["maintenance", "on", "--message", "Back at noon.", "-a", "shop"]).ok();
    until_answers(&server, "www.example.test", "/", "Back at noon.");
    says(&server.paas(&["apps"]).ok(), &["Back at noon."]);
    server.paas(&["maintenance", "off", "-a", "shop"]).ok();
    until_answers(&server, "www.example.test", "/", "shop has nothing to show yet");

    server.paas(&["domains", "remove", "www.example.test", "--path", "/"]).ok();
    until("nobody answers there", || {
        (visit(&server, "www.example.test", "/").status == 404).then_some(())
    });
    server.paas(&["destroy", "blog", "--confirm", "blog"]).ok();
    let left = server.paas(&["domains", "--json"]).json();
    let left: Vec<_> = left.as_array().unwrap().iter().map(|one| one["app"].clone()).collect();
    assert_eq!(left, ["shop"], "a destroyed app leaves its names to others");
}

#[test]
fn the_status_says_where_it_is_listened() {
    let (server, dns) = server(Vec::new());
    let info = server.info().unwrap();
    let at = |port: u16| serde_json::json!([format!("127.0.0.1:{port}")]);
    let https = crate::https::tls(&server);
    assert_eq!(info["http"], at(server.edge()));
    assert_eq!(info["https"], at(https));
    assert_eq!(info["dns"], at(dns));
    let told = server.paas(&["status"]).ok();
    says(&told, &[&format!("at 127.0.0.1:{https}\n"), &format!("at 127.0.0.1:{dns}\n")]);
}
