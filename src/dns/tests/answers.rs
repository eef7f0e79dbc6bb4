//! The rules of answering, as a table: a question, and what is answered.

use std::fmt::Write as _;

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{
        Record,
        RecordType::{self, A, AAAA, ANY, AXFR, CAA, CNAME, DS, MX, NS, SRV, TXT},
    },
};

use super::{ask, question, zones};

const ZONES: &str = "
    ns1.example.com A 192.0.2.1
    ns2.example.com A 192.0.2.2
    example.com A 192.0.2.1
    example.com MX 10 mail.example.com
    example.com CAA 0 issue \"letsencrypt.org\"
    *.example.com A 192.0.2.1
    *.example.com AAAA 2001:db8::1
    *.example.com TXT wild
    mail.example.com A 192.0.2.9
    www.example.com CNAME example.com
    far.example.com CNAME elsewhere.invalid
    lost.example.com CNAME nothing.other.test
    loop.example.com CNAME pool.example.com
    pool.example.com CNAME loop.example.com
    into.example.com CNAME x.given.example.com
    _acme-challenge.shop.example.com TXT proof
    a.b.deep.example.com A 192.0.2.4
    given.example.com NS ns.given.example.com
    ns.given.example.com A 192.0.2.53
    *.wild.other.test CNAME www.example.com
    sub.example.com A 192.0.2.7
    _sip._tcp.example.com SRV 10 5 5060 mail.example.com
";

/// The answer as lines: code and flags, then each section.
fn shown(name: &str, kind: RecordType) -> String {
    let answer = ask(&zones(ZONES), &question(name, kind));
    let authority = if answer.metadata.authoritative { " aa" } else { "" };
    let mut text = format!("{:?}{authority}", answer.metadata.response_code);
    for (mark, records) in
        [('=', &answer.answers), ('^', &answer.authorities), ('+', &answer.additionals)]
    {
        for record in records {
            let _ = write!(text, " {mark} {}", line(record));
        }
    }
    assert!(!answer.metadata.recursion_available && answer.metadata.recursion_desired);
    text
}

fn line(record: &Record) -> String {
    if record.record_type() == RecordType::SOA {
        return format!("{} {} SOA", record.name, record.ttl);
    }
    format!("{} {} {} {}", record.name, record.ttl, record.record_type(), record.data)
}

fn check(cases: &[(&str, RecordType, &str)]) {
    for (name, kind, expected) in cases {
        assert_eq!(shown(name, *kind), *expected, "{name} {kind}");
    }
}

#[test]
fn what_is_said_is_answered_and_what_is_not_is_denied() {
    check(&[
        ("example.com.", A, "NoError aa = example.com. 60 A 192.0.2.1"),
        ("example.com.", AAAA, "NoError aa ^ example.com. 60 SOA"),
        (
            "example.com.",
            MX,
            "NoError aa = example.com. 60 MX 10 mail.example.com. \
             + mail.example.com. 60 A 192.0.2.9",
        ),
        (
            "example.com.",
            NS,
            "NoError aa = example.com. 300 NS ns1.example.com. = example.com. 300 NS ns2.example.com. \
             + ns1.example.com. 60 A 192.0.2.1 + ns2.example.com. 60 A 192.0.2.2",
        ),
        ("example.com.", CAA, "NoError aa = example.com. 60 CAA 0 issue \"letsencrypt.org\""),
        ("example.com.", ANY, "NoError aa = example.com. 3600 HINFO RFC8482 "),
        ("www.example.com.", ANY, "NoError aa = www.example.com. 3600 HINFO RFC8482 "),
        (
            "_sip._tcp.example.com.",
            SRV,
            "NoError aa = _sip._tcp.example.com. 60 SRV 10 5 5060 mail.example.com. \
             + mail.example.com. 60 A 192.0.2.9",
        ),
        // The asker's own letters come back (draft-vixie-dnsext-dns0x20).
        ("eXaMPLe.com.", A, "NoError aa = eXaMPLe.com. 60 A 192.0.2.1"),
    ]);
}

/// Any depth, but not over names that exist, nor over what is between them and the apex (RFC 4592).
#[test]
fn wildcards_cover_what_does_not_exist() {
    check(&[
        ("shop1.example.com.", A, "NoError aa = shop1.example.com. 60 A 192.0.2.1"),
        ("x.shop1.example.com.", AAAA, "NoError aa = x.shop1.example.com. 60 AAAA 2001:db8::1"),
        ("shop1.example.com.", MX, "NoError aa ^ example.com. 60 SOA"),
        ("*.example.com.", TXT, "NoError aa = *.example.com. 60 TXT wild"),
        ("mail.example.com.", AAAA, "NoError aa ^ example.com. 60 SOA"),
        ("x.mail.example.com.", A, "NXDomain aa ^ example.com. 60 SOA"),
        ("shop.example.com.", A, "NoError aa ^ example.com. 60 SOA"),
        ("b.deep.example.com.", A, "NoError aa ^ example.com. 60 SOA"),
        ("c.deep.example.com.", A, "NXDomain aa ^ example.com. 60 SOA"),
        ("a.b.deep.example.com.", A, "NoError aa = a.b.deep.example.com. 60 A 192.0.2.4"),
    ]);
}

#[test]
fn aliases_are_followed_inside_and_told_outside() {
    check(&[
        (
            "www.example.com.",
            A,
            "NoError aa = www.example.com. 60 CNAME example.com. = example.com. 60 A 192.0.2.1",
        ),
        ("www.example.com.", CNAME, "NoError aa = www.example.com. 60 CNAME example.com."),
        ("far.example.com.", A, "NoError aa = far.example.com. 60 CNAME elsewhere.invalid."),
        (
            "lost.example.com.",
            A,
            "NXDomain aa = lost.example.com. 60 CNAME nothing.other.test. ^ other.test. 60 SOA",
        ),
        (
            "x.wild.other.test.",
            A,
            "NoError aa = x.wild.other.test. 60 CNAME www.example.com. \
             = www.example.com. 60 CNAME example.com. = example.com. 60 A 192.0.2.1",
        ),
        ("into.example.com.", A, "NoError aa = into.example.com. 60 CNAME x.given.example.com."),
    ]);
}

#[test]
fn what_is_somebody_elses_is_referred_or_refused() {
    let referral = "NoError ^ given.example.com. 60 NS ns.given.example.com. \
                    + ns.given.example.com. 60 A 192.0.2.53";
    check(&[
        ("given.example.com.", A, referral),
        ("x.y.given.example.com.", NS, referral),
        ("ns.given.example.com.", A, referral),
        ("given.example.com.", DS, "NoError aa ^ example.com. 60 SOA"),
        // A zone in a zone is a zone.
        ("sub.example.com.", A, "NoError aa = sub.example.com. 60 A 192.0.2.7"),
        ("x.sub.example.com.", A, "NXDomain aa ^ sub.example.com. 60 SOA"),
        ("example.org.", A, "Refused"),
        ("com.", NS, "Refused"),
        (".", NS, "Refused"),
        ("badexample.com.", A, "Refused"),
        ("example.com.", AXFR, "Refused"),
        ("example.com.", RecordType::Unknown(251), "Refused"),
    ]);
}

#[test]
fn a_loop_of_aliases_ends() {
    let answer: Message = ask(&zones(ZONES), &question("loop.example.com.", RecordType::A));
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert!((2..=8).contains(&answer.answers.len()), "{answer:?}");
}

#[test]
fn a_name_of_127_labels_is_answered_like_any_other() {
    let long = format!("{}example.com.", "a.".repeat(120));
    assert!(shown(&long, RecordType::A).starts_with("NoError aa = a.a."));
    let strange = format!("{}invalid.", "a.".repeat(120));
    assert_eq!(shown(&strange, RecordType::A), "Refused");
}
