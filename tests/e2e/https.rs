//! A certificate that gets itself, and one that a user brings, as `curl` sees them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::json;

use crate::{
    domains::server,
    ports::free_port,
    server::{Output, Server, run, says, until},
};

/// A running pebble, a certificate authority for tests.
struct Pebble {
    child: Child,
    port: u16,
    roots: u16,
}

impl Pebble {
    /// Starts one that asks for names at `dns` and for proofs at the edge.
    fn start(folder: &Path, dns: u16, http: u16, tls: u16, port: u16) -> Self {
        let roots = free_port();
        let settings = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{roots}"),
            "certificate": folder.join("server.pem"),
            "privateKey": folder.join("server.key"),
            "httpPort": http,
            "tlsPort": tls,
            "ocspResponderURL": "",
        }});
        fs::write(folder.join("pebble.json"), settings.to_string()).unwrap();
        let log = fs::File::create(folder.join("pebble.log")).unwrap();
        let mut command = Command::new("pebble");
        command.arg("-config").arg(folder.join("pebble.json"));
        command.args(["-dnsserver", &format!("127.0.0.1:{dns}")]);
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "20");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().expect("pebble is installed: scripts/setup.sh");
        until("pebble listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, port, roots }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An authority's root and, under it, the certificate of `names`, as files.
fn certificate(folder: &Path, names: &[&str]) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate whose issuer has the name of its owner for self-signed.
    authority.distinguished_name.push(DnType::CommonName, "the authority of a test");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    fs::write(folder.join("root.pem"), authority.pem()).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

fn curl(root: &Path, port: u16, host: &str) -> Output {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "10", "--http2", "-w", " over HTTP/%{http_version}"]);
    command.arg("--cacert").arg(root);
    command.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]);
    command.arg(format!("https://{host}:{port}/"));
    run(&mut command)
}

/// The port that the server speaks TLS on, as the daemon that started last says.
pub(crate) fn tls(server: &Server) -> u16 {
    let log = server.log();
    let line = log.lines().rev().find(|line| line.contains("edge") && line.contains("at=https://"));
    let at = line.unwrap().split("at=https://").nth(1).unwrap();
    at.split([' ', '"']).next().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn a_domain_gets_its_certificate_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), &["localhost"]);
    let port = free_port();
    let (server, dns) = server(vec![
        ("PAAS_ACME", format!("https://localhost:{port}/dir")),
        ("PAAS_ACME_ROOT", folder.path().join("root.pem").display().to_string()),
    ]);
    let pebble = Pebble::start(folder.path(), dns, server.edge(), tls(&server), port);
    server.paas(&["apps", "create", "shop"]).ok();
    server.paas(&["dns", "zones", "add", "example.test"]).ok();
    let added = server.paas(&["domains", "add", "shop.example.test", "-a", "shop", "--wait"]).ok();
    says(&added, &["issued by", "works"]);

    let roots = format!("https://localhost:{}/roots/0", pebble.roots);
    let mut fetch = Command::new("curl");
    fetch.args(["-sS", "--cacert"]).arg(folder.path().join("root.pem")).arg(roots);
    let issued = folder.path().join("issued.pem");
    fs::write(&issued, run(&mut fetch).stdout).unwrap();
    until("HTTPS works", || {
        let seen = curl(&issued, tls(&server), "shop.example.test");
        let good = seen.stdout.contains("shop has nothing to show yet");
        (good && seen.stdout.ends_with("over HTTP/2")).then_some(())
    });
    says(&server.paas(&["certs"]).ok(), &["shop.example.test", "issued", "renewed in"]);
    // The authority was not there when the daemon wanted its own, and the daemon may be about to ask again by itself.
    let again = server.paas(&["certs", "retry", "*.apps.example.test"]);
    assert!(again.code == 0 || again.stderr.contains("it is there, and is renewed"), "{again:?}");
    until("apps have HTTPS under the platform's own domain", || {
        server.paas(&["apps"]).ok().contains("https://shop.apps.example.test").then_some(())
    });
    assert!(pebble.port == port && !server.log().contains("PRIVATE KEY"));
}

#[test]
fn a_user_brings_a_certificate_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), &["shop.example.test"]);
    let (mut server, _) = server(Vec::new());
    server.paas(&["apps", "create", "shop"]).ok();
    server.paas(&["domains", "add", "shop.example.test", "-a", "shop"]).ok();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (at("server.pem"), at("server.key"));
    let wrong = ["certs", "add", "www.example.test", "--cert", &cert, "--key", &key];
    says(&server.paas(&wrong).ended(1), &["it is for shop.example.test, not for"]);
    let right = ["certs", "add", "shop.example.test", "--cert", &cert, "--key", &key];
    says(&server.paas(&right).ok(), &["done, until"]);
    until("HTTPS works", || {
        let seen = curl(&folder.path().join("root.pem"), tls(&server), "shop.example.test");
        seen.stdout.contains("shop has nothing to show yet").then_some(())
    });
    says(&server.paas(&["certs"]).ok(), &["shop.example.test", "yours to renew"]);
    let secret = fs::read_to_string(&key).unwrap();
    let line = secret.lines().nth(1).unwrap();
    let export = server.paas(&["certs", "--json"]).ok() + &server.log();
    assert!(!export.contains(line), "the key is shown");
    the_first_visitor_sees_it_too(&mut server, &folder.path().join("root.pem"));
    server.paas(&["certs", "remove", "shop.example.test"]).ok();
    until("it is not presented any more", || {
        let seen = curl(&folder.path().join("root.pem"), tls(&server), "shop.example.test");
        (seen.code != 0).then_some(())
    });
}

/// A connection of a visitor who trusts one root.
type Visit = BufReader<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>;

fn connect(root: &Path, port: u16, host: &'static str) -> Result<Visit, std::io::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = host.try_into().unwrap();
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(BufReader::new(rustls::StreamOwned::new(session, stream)))
}

/// One request on a connection that is kept, and its whole answer.
fn ask(visit: &mut Visit, host: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    visit.get_mut().write_all(request.as_bytes()).unwrap();
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let from = head.len();
        assert!(visit.read_line(&mut head).unwrap() > 0, "it was closed after {head:?}");
        if let Some(value) = head[from..].to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    visit.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn a_certificate_is_replaced_under_open_connections() {
    const NAME: &str = "shop.example.test";
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, _) = server(Vec::new());
    server.paas(&["apps", "create", "shop"]).ok();
    server.paas(&["domains", "add", NAME, "-a", "shop"]).ok();
    let bring = |folder: &Path| {
        certificate(folder, &[NAME]);
        let at = |name: &str| folder.join(name).display().to_string();
        let (cert, key) = (at("server.pem"), at("server.key"));
        server.paas(&["certs", "add", NAME, "--cert", &cert, "--key", &key]).ok();
    };
    let visit = |folder: &Path| connect(&folder.join("root.pem"), tls(&server), NAME);
    let page = "shop has nothing to show yet";

    bring(old.path());
    let mut early = until("the first is presented", || visit(old.path()).ok());
    until("the name is known", || ask(&mut early, NAME).contains(page).then_some(()));

    bring(new.path());
    let mut late = until("the second is presented", || visit(new.path()).ok());
    assert!(visit(old.path()).is_err(), "the first is not presented any more");
    // The connection that was open before goes on, beside one that was opened after.
    says(&ask(&mut early, NAME), &[page]);
    says(&ask(&mut late, NAME), &[page]);
    says(&ask(&mut early, NAME), &[page]);
    let listed = server.paas(&["certs", "--json"]).json();
    let serial = |folder: &Path| {
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout", "-serial", "-in"]).arg(folder.join("server.pem"));
        run(&mut openssl).ok().trim().replace("serial=", "").to_lowercase()
    };
    assert_eq!(listed[0]["serial"].as_str(), Some(&*serial(new.path())), "{listed}");
}

/// No handshake fails while a daemon takes over from another, nor right after a start.
fn the_first_visitor_sees_it_too(server: &mut Server, root: &Path) {
    let (port, over) = (tls(server), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let visits = scope.spawn(|| {
            let mut visits = Vec::new();
            while !over.load(Ordering::Relaxed) {
                visits.push(curl(root, port, "shop.example.test"));
            }
            visits
        });
        server.upgrade();
        until("the API of the successor answers", || server.info());
        over.store(true, Ordering::Relaxed);
        let visits = visits.join().unwrap();
        println!("{} visitors during the upgrade", visits.len());
        for visit in visits {
            says(&visit.ok(), &["shop has nothing to show yet"]);
        }
    });
    server.ended();
    assert_eq!(tls(server), port);

    server.kill9();
    server.start_again(&[]);
    let seen = curl(root, tls(server), "shop.example.test").ok();
    says(&seen, &["over HTTP/2"]);
}
