//! What `make bench-dns` measures: our DNS server alone, on one thread, with a zone that the others
//! have too. `scripts/bench-dns.sh` starts it, starts them, and asks.
//!
//! `zone` writes the zone as a file, `questions` what is asked, `serve ADDRESS` answers until its
//! input ends.

use std::{fmt::Write as _, io::Read, sync::Arc};

use paas::{
    dns::{Limits, Server, ZoneData, ZoneRecord, Zones},
    model::DnsData,
};
use tokio::sync::watch;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("zone"), _) => show(&zone_file()),
        (Some("questions"), _) => show(&questions()),
        (Some("serve"), Some(address)) => serve(&address),
        _ => show("run `make bench-dns`\n"),
    }
}

#[expect(clippy::print_stdout, reason = "its output is data for the script")]
fn show(text: &str) {
    print!("{text}");
}

fn serve(address: &str) {
    let address = address.parse().expect("an ADDRESS:PORT");
    let zones = Zones::new(&[zone()]).expect("a valid zone");
    let (_keep, zones) = watch::channel(Arc::new(zones));
    let limits = Limits { threads: 1, answers_per_second: None, ..Limits::default() };
    let _server = Server::bind(&[address], &zones, limits).expect("a free address");
    let mut end = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut end);
}

/// A platform's zone: a wildcard, and a thousand names with one and with four addresses, aliases,
/// mail and text.
fn zone() -> ZoneData {
    let mut records = vec![
        record("ns1", "A", "192.0.2.1"),
        record("*", "A", "192.0.2.1"),
        record("*", "AAAA", "2001:db8::1"),
        record("mail", "A", "192.0.2.9"),
    ];
    for n in 0..HOSTS {
        records.push(record(&format!("host{n}"), "A", &format!("192.0.2.{}", n % 250 + 1)));
        records.push(record(&format!("alias{n}"), "CNAME", &format!("host{n}.{APEX}")));
        for m in 1..=4 {
            records.push(record(&format!("many{n}"), "A", &format!("198.51.100.{m}")));
        }
        records.push(record(&format!("team{n}"), "MX", &format!("10 mail.{APEX}")));
        records.push(record(&format!("team{n}"), "TXT", "v=spf1 mx -all"));
    }
    ZoneData {
        apex: APEX.to_owned(),
        servers: vec![format!("ns1.{APEX}")],
        serial: 1,
        negative_ttl: 60,
        records,
    }
}

fn record(name: &str, kind: &str, data: &str) -> ZoneRecord {
    let data = DnsData::parse(kind, data).expect("valid data");
    ZoneRecord { name: format!("{name}.{APEX}"), ttl: 60, data }
}

fn zone_file() -> String {
    let mut text = format!(
        "{APEX}. 300 IN SOA ns1.{APEX}. hostmaster.{APEX}. 1 7200 900 1209600 60\n\
         {APEX}. 300 IN NS ns1.{APEX}.\n"
    );
    for record in zone().records {
        let (kind, mut data) = (record.data.kind(), record.data.to_string());
        if matches!(record.data, DnsData::Cname { .. } | DnsData::Mx { .. }) {
            data.push('.');
        }
        let _ = writeln!(text, "{}. {} IN {kind} {data}", record.name, record.ttl);
    }
    text
}

/// What resolvers ask of a platform: mostly addresses of names that are covered by the wildcard.
fn questions() -> String {
    let mut text = String::new();
    for n in 0..HOSTS {
        for (name, kind) in [
            (format!("app{n}"), "A"),
            (format!("app{n}"), "AAAA"),
            (format!("host{n}"), "A"),
            (format!("host{n}"), "AAAA"),
            (format!("many{n}"), "A"),
            (format!("alias{n}"), "A"),
            (format!("team{n}"), "MX"),
            (format!("deep.host{n}"), "A"),
        ] {
            let _ = writeln!(text, "{name}.{APEX} {kind}");
        }
    }
    text
}

const APEX: &str = "apps.example";
const HOSTS: usize = 1000;
