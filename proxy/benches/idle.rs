//! What an idle client costs: thousands of connections that were served once and are kept alive,
//! plain and over TLS, and what the process grew by for each.
//!
//! Clients and origin are another process (this program once more), so that only the edge's memory
//! is measured. `IDLE` sets the number of connections.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement, not a part of the edge"
)]
#![expect(clippy::disallowed_methods, reason = "the clock of a measurement is the real one")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use proxy::{
    Absence, Certificate, Certificates, Edge, Feeds, Hold, Limits, Listen, Service, ServiceName,
    Settings, Site, Table, Upstream, UpstreamId, access_log,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::sync::watch;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "clients") {
        Some(at) => clients(&arguments[at + 1..]),
        None => measure(),
    }
}

fn measure() {
    let count: usize = std::env::var("IDLE").map_or(10_000, |count| count.parse().unwrap());
    let key = rcgen::generate_simple_self_signed(vec!["app.test".to_owned()]).unwrap();
    let certificate = Certificate::from_pem(&key.cert.pem(), &key.signing_key.serialize_pem());
    let hosts = BTreeMap::from([("app.test".parse().unwrap(), certificate.unwrap())]);
    let certificates = Certificates { generation: 1, hosts, ..Certificates::default() };
    let origin = origin();
    for (name, listen) in [("plain", Listen::http as fn(_) -> _), ("tls", Listen::https)] {
        let (_table, table) = watch::channel(Arc::new(table(origin)));
        let (_certificates, certificates) = watch::channel(Arc::new(certificates.clone()));
        let (log, _records) = access_log();
        let settings = Settings {
            limits: Limits {
                connections: 2 * count,
                connections_per_client: usize::MAX,
                idle: Duration::from_hours(1),
                ..Limits::default()
            },
            ..Settings::new(vec![listen("127.0.0.1:0".parse().unwrap())], SystemTime::now)
        };
        let edge = Edge::bind(settings, &Feeds { table, certificates }, &log).unwrap();
        let at = *edge.addresses().first().unwrap();
        let pem = key.cert.pem();
        // What is allocated once is no cost of a connection.
        drop(crowd(name, at, 50, &pem));
        while edge.traffic().connections > 0 {
            thread::sleep(Duration::from_millis(10));
        }
        let before = resident();
        let _clients = crowd(name, at, count, &pem);
        let grown = resident() - before;
        let open = edge.traffic().connections;
        println!("{name:<6} {open} idle connections, {} bytes each", grown / count);
    }
}

/// A process with this many clients, which have all been answered.
fn crowd(kind: &str, at: SocketAddr, count: usize, certificate: &str) -> Ended {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["clients", kind, &at.to_string(), &count.to_string(), certificate]);
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    Ended(child)
}

/// A child that does not outlive this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

fn clients(arguments: &[String]) {
    let [kind, at, count, certificate] = arguments else { unreachable!("as `crowd` calls it") };
    let (at, count): (SocketAddr, usize) = (at.parse().unwrap(), count.parse().unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let config = Arc::new(config);
    let mut kept = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(at).unwrap();
        let mut session = (kind == "tls").then(|| {
            ClientConnection::new(Arc::clone(&config), "app.test".try_into().unwrap()).unwrap()
        });
        let request = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
        let mut piece = [0; 1024];
        let read = match &mut session {
            None => {
                stream.write_all(request).unwrap();
                stream.read(&mut piece).unwrap()
            }
            Some(session) => {
                let mut tls = rustls::Stream::new(session, &mut stream);
                tls.write_all(request).unwrap();
                tls.read(&mut piece).unwrap()
            }
        };
        assert!(piece[..read].starts_with(b"HTTP/1.1 200"));
        kept.push(stream);
    }
    println!("ready");
    // Until the other end is closed.
    let _ = std::io::stdin().read(&mut [0]);
}

fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let (mut stream, mut piece) = (stream.unwrap(), [0; 2048]);
                while stream.read(&mut piece).is_ok_and(|count| count > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn table(origin: SocketAddr) -> Table {
    let upstream = Upstream { id: UpstreamId::new("origin"), address: origin, door: None };
    let absence = Absence {
        title: "Nobody".into(),
        explanation: "is here".into(),
        retry_after: Duration::from_secs(1),
    };
    let hold = Hold { most: 10, deadline: Duration::from_secs(1) };
    let name = ServiceName::new("app");
    let service = Service::new(vec![upstream], hold, absence);
    Table {
        generation: 1,
        services: BTreeMap::from([(name.clone(), Arc::new(service))]),
        sites: BTreeMap::from([("app.test".parse().unwrap(), Site::of(name))]),
    }
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
