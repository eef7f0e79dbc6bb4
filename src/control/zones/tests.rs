//! What zones are made of what, as text.

use super::{answering::answers, *};
use crate::{
    dns::{ZoneData, Zones},
    model::Actor,
};

struct Case {
    zones: Vec<Zone>,
    records: Vec<DnsRecord>,
    domains: Vec<Domain>,
    proofs: Proofs,
}

fn at() -> Timestamp {
    Timestamp::from_millis(0)
}

/// One thing a line: `zone NAME`, `domain NAME`, `proof NAME TEXT`, or `NAME TYPE DATA`.
fn case(text: &str) -> Case {
    let mut case = Case { zones: vec![], records: vec![], domains: vec![], proofs: Proofs::new() };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let by = Actor::platform();
        match words.as_slice() {
            ["zone", name] => {
                case.zones.push(Zone { name: name.parse().unwrap(), created_at: at(), by });
            }
            ["domain", name] => case.domains.push(Domain {
                name: name.parse().unwrap(),
                path: "/".parse().unwrap(),
                strip: false,
                app: "shop".parse().unwrap(),
                moved_to: None,
                created_at: at(),
                by,
            }),
            ["proof", name, text] => {
                case.proofs.entry(name.parse().unwrap()).or_default().push((*text).to_owned());
            }
            [name, kind, data] => case.records.push(DnsRecord {
                name: name.parse().unwrap(),
                data: DnsData::parse(kind, data).unwrap(),
                ttl: 300,
                created_at: at(),
                by,
            }),
            _ => panic!("{line}"),
        }
    }
    case
}

fn names(text: &str) -> PublicNames {
    let case = case(text);
    let at = |address: &str| address.parse().unwrap();
    let zones = zones(&Ingredients {
        platform: "apps.test",
        servers: &[at("192.0.2.1")],
        zones: &case.zones,
        records: &case.records,
        domains: &case.domains,
        proofs: &case.proofs,
    });
    let edges = [("box", "192.0.2.1"), ("edge-1", "2001:db8::1")];
    let edges = edges.map(|(node, address)| (node.parse().unwrap(), vec![at(address)]));
    PublicNames { serial: 0, zones, edges: edges.into() }
}

fn made(text: &str) -> Vec<ZoneData> {
    answers(&names(text), &BTreeSet::new())
}

/// The records of one zone, one a line; the platform's own names are left away.
fn check(text: &str, apex: &str, expected: &[&str]) {
    let made = made(text);
    Zones::new(&made).unwrap();
    let zone = made.iter().find(|zone| zone.apex == apex).unwrap();
    let own = ["apps.test", "*.apps.test", "ns1.apps.test", "ns2.apps.test"];
    let shown: Vec<String> = zone
        .records
        .iter()
        .filter(|record| apex != "apps.test" || !own.contains(&record.name.as_str()))
        .map(|record| {
            format!("{} {} {} {}", record.name, record.ttl, record.data.kind(), record.data)
        })
        .collect();
    assert_eq!(shown, expected, "{text}");
}

#[test]
fn the_platform_leads_to_the_edge() {
    let platform = made("");
    assert_eq!(platform.len(), 1);
    assert_eq!(platform[0].servers, ["ns1.apps.test", "ns2.apps.test"]);
    let here = |name: &str| {
        let of_name = platform[0].records.iter().filter(|record| record.name == name);
        of_name.map(|record| record.data.to_string()).collect::<Vec<_>>()
    };
    for name in ["apps.test", "*.apps.test"] {
        assert_eq!(here(name), ["192.0.2.1", "2001:db8::1"], "{name}");
    }
    for name in ["ns1.apps.test", "ns2.apps.test"] {
        assert_eq!(here(name), ["192.0.2.1"], "not every edge answers for names: {name}");
    }
}

#[test]
fn nobody_is_led_to_a_machine_that_is_lost() {
    let lost = ["edge-1".parse().unwrap()].into();
    let answered = answers(&names("domain shop.test\nzone shop.test"), &lost);
    for (apex, expected) in [("apps.test", 4), ("shop.test", 1)] {
        let zone = answered.iter().find(|zone| zone.apex == apex).unwrap();
        assert!(zone.records.iter().all(|record| record.data.to_string() == "192.0.2.1"));
        assert_eq!(zone.records.len(), expected, "{apex}");
    }
}

#[test]
fn a_proof_does_not_take_its_app_off_the_net() {
    check(
        "proof _acme-challenge.shop.apps.test one\nproof _acme-challenge.shop.apps.test two",
        "apps.test",
        &[
            "_acme-challenge.shop.apps.test 1 TXT \"one\"",
            "_acme-challenge.shop.apps.test 1 TXT \"two\"",
            "shop.apps.test 60 A 192.0.2.1",
            "shop.apps.test 60 AAAA 2001:db8::1",
        ],
    );
}

#[test]
fn what_a_user_says_wins_whole() {
    check(
        "own.apps.test A 203.0.113.9\nmail.apps.test MX 10 mx.test\nalias.apps.test CNAME x.test\n\
         given.apps.test NS ns.x.test",
        "apps.test",
        &[
            "alias.apps.test 300 CNAME x.test",
            "given.apps.test 300 NS ns.x.test",
            "mail.apps.test 60 A 192.0.2.1",
            "mail.apps.test 60 AAAA 2001:db8::1",
            "mail.apps.test 300 MX 10 mx.test",
            "own.apps.test 300 A 203.0.113.9",
        ],
    );
}

#[test]
fn an_added_zone_has_what_was_said_and_the_domains_of_apps() {
    check(
        "zone shop.test\ndomain shop.test\ndomain *.eu.shop.test\nwww.shop.test CNAME shop.test\n\
         domain elsewhere.test\nx.eu.shop.test TXT hello",
        "shop.test",
        &[
            "*.eu.shop.test 60 A 192.0.2.1",
            "*.eu.shop.test 60 AAAA 2001:db8::1",
            "shop.test 60 A 192.0.2.1",
            "shop.test 60 AAAA 2001:db8::1",
            "www.shop.test 300 CNAME shop.test",
            "x.eu.shop.test 60 A 192.0.2.1",
            "x.eu.shop.test 60 AAAA 2001:db8::1",
            "x.eu.shop.test 300 TXT \"hello\"",
        ],
    );
}

#[test]
fn records_are_of_the_innermost_zone() {
    let text = "zone a.test\nzone b.a.test\nx.b.a.test A 203.0.113.1\ny.a.test A 203.0.113.2";
    check(text, "b.a.test", &["x.b.a.test 300 A 203.0.113.1"]);
    check(text, "a.test", &["y.a.test 300 A 203.0.113.2"]);
}

#[test]
fn the_serial_number_only_grows_and_only_with_a_change() {
    let mut published = PublicNames::default();
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
    let mut serial = |text: &str, now| {
        published = next(&published, names(text), now)?;
        Some(published.serial)
    };
    assert_eq!(serial("", at(100)), Some(100));
    assert_eq!(serial("", at(101)), None);
    assert_eq!(serial("proof x.apps.test 1", at(100)), Some(101), "twice in a second");
    assert_eq!(serial("proof x.apps.test 2", at(50)), Some(102), "a clock that went back");
    assert_eq!(serial("proof x.apps.test 3", at(500)), Some(500));
}
