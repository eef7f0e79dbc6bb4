//! What the world's own tools see.

use std::process::Command;

use paas::dns::Limits;

use crate::stage::Stage;

/// What `dig` prints without its comments on itself, or of its header the flags.
fn dig(stage: &Stage, arguments: &str) -> String {
    let at = stage.at();
    let output = Command::new("dig")
        .args([format!("@{}", at.ip()), "-p".to_owned(), at.port().to_string()])
        .args(arguments.split(' '))
        .args(["+norecurse", "+tries=2", "+time=5"])
        .output()
        .expect("apt-get install bind9-dnsutils");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn dig_reads_every_answer() {
    let stage = Stage::new(Limits::default());
    for (arguments, expected) in [
        ("shop.example.com A +short", "192.0.2.1\n"),
        ("www.example.com A +short", "shop.example.com.\n192.0.2.1\n"),
        ("example.com TXT +short", "\"v=spf1 -all\"\n"),
        (
            "example.com SOA +short",
            "ns1.example.com. hostmaster.example.com. 2026 7200 900 1209600 60\n",
        ),
        ("example.com NS +short", "ns1.example.com.\n"),
        ("example.com ANY +notcp +short", "\"RFC8482\" \"\"\n"),
        ("two.example.com A +short", ""),
    ] {
        assert_eq!(dig(&stage, arguments), expected, "{arguments}");
    }
    for (arguments, seen) in [
        ("shop.example.com A", "status: NOERROR"),
        ("shop.example.com A", "flags: qr aa;"),
        ("shop.example.com A", "udp: 1232"),
        ("a.two.example.com A", "status: NXDOMAIN"),
        ("two.example.com A", "AUTHORITY: 1"),
        ("x.given.example.com A", "flags: qr;"),
        ("x.given.example.com A", "ns.given.example.com.\t60\tIN\tA\t192.0.2.53"),
        ("example.org A", "status: REFUSED"),
        ("version.bind CH TXT", "status: REFUSED"),
        ("example.com AXFR", "Transfer failed"),
        ("example.com A +edns=1 +noednsnegotiation", "status: BADVERS"),
        ("example.com A +opcode=UPDATE", "status: NOTIMP"),
        ("example.com A +header-only", "status: FORMERR"),
        ("example.com A +cookie +subnet=192.0.2.0/24 +nsid", "status: NOERROR"),
    ] {
        let output = dig(&stage, arguments);
        assert!(output.contains(seen), "{arguments}: {seen}\n{output}");
        assert!(
            !output.contains("Warning") && !output.contains("WARNING"),
            "{arguments}\n{output}"
        );
    }
}

#[test]
fn dig_comes_back_over_tcp_for_what_was_cut() {
    let stage = Stage::new(Limits::default());
    let output = dig(&stage, "many.example.com A +short");
    assert_eq!(output.lines().count(), 150, "more than UDP carries\n{output}");
}
