//! TLS listeners: who is shown what, how sessions resume, and what becomes of those who are slow,
//! lost or hostile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use proxy::{Certificates, HandshakeFailures, Limits, Speaks};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ProtocolVersion};

use crate::secure::{Authority, Secure};
use crate::stage::{Origin, Plan, Stage};

fn stage(certificates: Certificates, origin: &Origin) -> Stage {
    let plan = Plan { speaks: Speaks::Https, certificates, workers: 1, ..Plan::default() };
    Stage::planned(&plan, &[origin])
}

#[test]
fn a_request_over_tls_is_answered_and_says_so() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let stage = stage(authority.set(3, &["app.test"]), &origin);
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(authority.client_of(&[version]));
        let mut client = Secure::connect(stage.address(), "app.test", &config).unwrap();
        assert_eq!(client.stream.conn.protocol_version(), Some(version.version));
        assert_eq!(client.stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        for _ in 0..3 {
            let answer = client.get("app.test", "/").unwrap();
            assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
        }
    }
    for seen in origin.seen() {
        assert_eq!(seen.field("X-Forwarded-Proto"), Some("https"));
    }
    let traffic = stage.edge.traffic();
    assert_eq!((traffic.presented, traffic.tls.handshakes), (Some(3), 2));
    assert_eq!(traffic.tls.failed, HandshakeFailures::default());
}

#[test]
fn a_large_body_crosses_both_ways() {
    let authority = Authority::new();
    let body = vec![b'x'; 3_000_000];
    let mut reply =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    reply.extend_from_slice(&body);
    let origin = Origin::saying(reply);
    let stage = stage(authority.set(1, &["app.test"]), &origin);
    let mut client =
        Secure::connect(stage.address(), "app.test", &Arc::new(authority.client())).unwrap();
    let head =
        format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send(head);
    client.send(&body);
    assert!(client.answer().unwrap().body == body, "what came down is what was sent");
    assert!(origin.seen()[0].body == body, "what went up is what was sent");
}

#[test]
fn each_host_is_shown_its_own_certificate() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let mut set = authority.set(1, &["app.test", "*.app.test", "own.app.test"]);
    let stage = stage(set.clone(), &origin);
    let config = Arc::new(authority.client());
    let shown = |name: &str| {
        let client = Secure::connect(stage.address(), name, &config);
        client.map(|client| client.presented())
    };
    let (app, own, any) = (
        shown("app.test").unwrap(),
        shown("own.app.test").unwrap(),
        shown("any.app.test").unwrap(),
    );
    assert!(app != own && own != any && any != app);
    assert_eq!(shown("APP.test").unwrap(), app);
    let unknown = shown("else.test").unwrap_err();
    assert!(unknown.to_string().contains("UnrecognisedName"), "{unknown}");
    assert!(shown("too.deep.app.test").is_err());
    assert!(shown("127.0.0.1").is_err(), "who names nobody is shown nothing either");
    stage.await_traffic("three failures", |traffic| traffic.tls.failed.unknown_name == 3);

    set.generation = 2;
    set.fallback = Some(authority.issue(&["else.test", "127.0.0.1"]));
    stage.certificates.send_replace(Arc::new(set));
    stage.await_traffic("the new set", |traffic| traffic.presented == Some(2));
    let fallback = shown("else.test").unwrap();
    assert_eq!(shown("127.0.0.1").unwrap(), fallback);
    assert_eq!(shown("app.test").unwrap(), app);
}

#[test]
fn another_set_disturbs_no_connection() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let stage = stage(authority.set(1, &["app.test"]), &origin);
    let config = Arc::new(authority.client());
    let connect = || Secure::connect(stage.address(), "app.test", &config).unwrap();
    let mut early = connect();
    let mut ticks = stage.edge.changes();
    ticks.borrow_and_update();
    stage.certificates.send_replace(Arc::new(authority.set(2, &["app.test"])));
    stage.await_traffic("the renewed set", |traffic| traffic.presented == Some(2));
    assert!(ticks.has_changed().unwrap(), "the edge says that it presents another set");
    let late = connect();
    assert_ne!(early.presented(), late.presented());
    assert_eq!(early.get("app.test", "/").unwrap().status, 200);
    stage.certificates.send_replace(Arc::new(Certificates { generation: 3, ..Default::default() }));
    stage.await_traffic("the empty set", |traffic| traffic.presented == Some(3));
    assert_eq!(early.get("app.test", "/").unwrap().status, 200);
    assert!(Secure::connect(stage.address(), "app.test", &config).is_err());
}

#[test]
fn sessions_resume_without_being_remembered() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let stage = stage(authority.set(1, &["app.test"]), &origin);
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(authority.client_of(&[version]));
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let mut client = Secure::connect(stage.address(), "app.test", &config).unwrap();
            // A TLS 1.3 ticket comes with the first answer at the latest.
            client.get("app.test", "/").unwrap();
            kinds.push(client.stream.conn.handshake_kind().unwrap());
        }
        let [full, resumed] = [HandshakeKind::Full, HandshakeKind::Resumed];
        assert_eq!(kinds, [full, resumed, resumed], "{version:?}");
    }
    assert_eq!(stage.edge.traffic().tls.resumed, 4);
}

#[test]
fn a_proof_is_shown_to_an_authority_and_to_nobody_else() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let mut set = authority.set(1, &["app.test", "other.test"]);
    let proof = rcgen::CustomExtension::new_acme_identifier(&[7; 32]);
    let proof = authority.issue_with(&["app.test"], Some(proof));
    set.challenges.insert(proxy::Host::parse("app.test").unwrap(), proof);
    let stage = stage(set, &origin);
    let offering = |protocols: &[&[u8]]| {
        let mut config = authority.client();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    };
    let ordinary = Secure::connect(stage.address(), "app.test", &offering(&[b"http/1.1"])).unwrap();

    // rustls refuses the critical extension of a proof, which shows that it was presented.
    let refused = Secure::connect(stage.address(), "app.test", &offering(&[b"acme-tls/1"]));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("UnsupportedCriticalExtension"), "{refused}");

    let both = offering(&[b"acme-tls/1", b"http/1.1"]);
    let both = Secure::connect(stage.address(), "app.test", &both).unwrap();
    assert_eq!(both.presented(), ordinary.presented());
    let none = Secure::connect(stage.address(), "other.test", &offering(&[b"acme-tls/1"]));
    assert!(none.unwrap_err().to_string().contains("NoApplicationProtocol"));
}

#[test]
fn what_fails_is_counted_by_its_reason() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let plan = Plan {
        speaks: Speaks::Https,
        certificates: authority.set(1, &["app.test"]),
        limits: Limits { handshake: Duration::from_millis(200), ..Limits::default() },
        ..Plan::default()
    };
    let stage = Stage::planned(&plan, &[&origin]);
    let failed = |what: &str, count: fn(&HandshakeFailures) -> u64| {
        stage.await_traffic(what, |traffic| count(&traffic.tls.failed) == 1);
    };
    let mut http = TcpStream::connect(stage.address()).unwrap();
    http.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").unwrap();
    failed("plain HTTP", |failed| failed.malformed);

    drop(TcpStream::connect(stage.address()).unwrap());
    failed("a client that leaves", |failed| failed.gone);

    let mut slow = TcpStream::connect(stage.address()).unwrap();
    slow.write_all(&[22, 3, 1, 0, 200, 1]).unwrap();
    assert_eq!(slow.read(&mut [0]).unwrap_or(0), 0, "it is closed");
    failed("a client that stops in its greeting", |failed| failed.slow);

    let stranger = Arc::new(Authority::new().client());
    Secure::connect(stage.address(), "app.test", &stranger).unwrap_err();
    failed("a client that does not trust us", |failed| failed.refused);

    let mut odd = authority.client();
    odd.alpn_protocols = vec![b"spdy/3".to_vec()];
    Secure::connect(stage.address(), "app.test", &Arc::new(odd)).unwrap_err();
    failed("a client that wants another protocol", |failed| failed.incompatible);
    assert_eq!(stage.edge.traffic().tls.handshakes, 0);
}

#[test]
fn a_greeting_in_pieces_is_a_greeting() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let stage = stage(authority.set(1, &["app.test"]), &origin);
    let config = Arc::new(authority.client());
    let name = "app.test".try_into().unwrap();
    let mut session = rustls::ClientConnection::new(config, name).unwrap();
    let mut hello = Vec::new();
    session.write_tls(&mut hello).unwrap();
    let mut stream = TcpStream::connect(stage.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in hello {
        stream.write_all(&[byte]).unwrap();
    }
    while session.is_handshaking() {
        session.complete_io(&mut stream).unwrap();
    }
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn an_issuers_word_is_stapled() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let mut set = authority.set(1, &[]);
    let own = authority.issue(&["app.test"]).with_ocsp(b"not revoked".to_vec());
    set.hosts.insert("app.test".parse().unwrap(), own);
    let stage = stage(set, &origin);
    let seen = openssl(&stage, &["-status", "-servername", "app.test"]);
    // The word is not DER, so openssl says that it got one it cannot read.
    assert!(seen.contains("OCSP response"), "{seen}");
    assert!(!seen.contains("no response sent"), "{seen}");
}

#[test]
fn old_versions_are_not_spoken() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let stage = stage(authority.set(1, &["app.test"]), &origin);
    for (flag, spoken) in
        [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)]
    {
        let flags = [flag, "-cipher", "ALL:@SECLEVEL=0", "-servername", "app.test"];
        let seen = openssl(&stage, &flags);
        assert_eq!(seen.contains("BEGIN CERTIFICATE"), spoken, "{flag}: {seen}");
    }
}

/// What `openssl s_client` says about a handshake.
fn openssl(stage: &Stage, flags: &[&str]) -> String {
    let mut command = std::process::Command::new("openssl");
    command.args(["s_client", "-connect", &stage.address().to_string()]).args(flags);
    let out = command.stdin(std::process::Stdio::null()).output().expect("openssl is installed");
    let said = [out.stdout, out.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}
