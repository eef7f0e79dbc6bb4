//! The stage of all tests: an edge, origins that record what they see, and clients that send bytes.
//!
//! Not a model of HTTP: clients and origins speak raw bytes, so that they can also speak nonsense.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use proxy::{
    Absence, Certificates, Edge, Feeds, Hold, Limits, Listen, Policy, Preface, Protocol, Records,
    Service, ServiceName, Settings, Site, Speaks, Table, Traffic, Upstream, UpstreamId, access_log,
};
use tokio::sync::watch;

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One request as an origin saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    /// The body without chunked framing.
    pub(crate) body: Vec<u8>,
    /// Which of the origin's connections it came on, from 0.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// What an origin does after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    KeepOpen,
    Close,
}

/// An upstream that records every request and answers by script.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    faults: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Origin {
    pub(crate) fn start<F>(answer: F) -> Self
    where
        F: Fn(&Seen, &mut TcpStream) -> Then + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            faults: Arc::default(),
            connections: Arc::default(),
        };
        let (answer, running) = (Arc::new(answer), origin.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, origin) = (Arc::clone(&answer), running.clone());
                thread::spawn(move || origin.serve(&mut stream.unwrap(), &*answer));
            }
        });
        origin
    }

    /// An origin that always sends these bytes and keeps its connection open.
    pub(crate) fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |_, stream| {
            stream.write_all(&bytes).unwrap();
            Then::KeepOpen
        })
    }

    /// An origin that answers 200 with the body `ok`.
    pub(crate) fn ok() -> Self {
        Self::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    fn serve(&self, stream: &mut TcpStream, answer: &dyn Fn(&Seen, &mut TcpStream) -> Then) {
        let connection = {
            let mut connections = self.connections.lock().unwrap();
            *connections += 1;
            *connections - 1
        };
        stream.set_nodelay(true).unwrap();
        let mut buffer = Vec::new();
        while let Some(head) = read_head(stream, &mut buffer) {
            let head = String::from_utf8_lossy(&head).into_owned();
            if let Some(fault) = fault_in(&head) {
                self.faults.lock().unwrap().push(format!("{fault}: {head:?}"));
            }
            let Some(body) = read_body(stream, &mut buffer, &head) else { return };
            let seen = Seen { head, body, connection };
            self.seen.lock().unwrap().push(seen.clone());
            if answer(&seen, stream) == Then::Close {
                return;
            }
        }
        if !buffer.is_empty() {
            self.faults.lock().unwrap().push(format!("stray bytes {:?}", buffer.escape_ascii()));
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What reached it that no origin should ever see.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// Reads up to and with an empty line; `None` at the end of the stream.
pub(crate) fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            return Some(buffer.drain(..end + 4).collect());
        }
        read_more(stream, buffer)?;
    }
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 16 * 1024];
    match stream.read(&mut piece) {
        Ok(0) | Err(_) => None,
        Ok(count) => {
            buffer.extend_from_slice(&piece[..count]);
            Some(())
        }
    }
}

pub(crate) fn read_body(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    head: &str,
) -> Option<Vec<u8>> {
    let lower = head.to_ascii_lowercase();
    if lower.contains("transfer-encoding: chunked") {
        return read_chunks(stream, buffer);
    }
    let length = lower.split("content-length: ").nth(1);
    let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    while buffer.len() < length {
        read_more(stream, buffer)?;
    }
    Some(buffer.drain(..length).collect())
}

fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = buffer.windows(2).position(|two| two == b"\r\n") else {
            read_more(stream, buffer)?;
            continue;
        };
        let size = std::str::from_utf8(&buffer[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).expect("the edge writes plain chunk sizes");
        let whole = if size == 0 { end + 2 } else { end + 2 + size + 2 };
        while buffer.len() < whole {
            read_more(stream, buffer)?;
        }
        if size > 0 {
            assert_eq!(&buffer[whole - 2..whole], b"\r\n");
            body.extend_from_slice(&buffer[end + 2..whole - 2]);
            buffer.drain(..whole);
            continue;
        }
        buffer.drain(..whole);
        loop {
            if buffer.starts_with(b"\r\n") {
                buffer.drain(..2);
                return Some(body);
            }
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                buffer.drain(..end + 4);
                return Some(body);
            }
            read_more(stream, buffer)?;
        }
    }
}

/// What is wrong with a head that reached an origin, by rules written apart from the edge's own.
fn fault_in(head: &str) -> Option<&'static str> {
    let mut lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
    let first: Vec<&str> = lines.next()?.split(' ').collect();
    let [method, target, "HTTP/1.1"] = first[..] else { return Some("a bad request line") };
    if method.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("a bad method or target");
    }
    let mut hosts = 0;
    let mut lengths = 0;
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else { return Some("a bad field") };
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Some("a bad field name");
        }
        if value.bytes().any(|byte| byte < 0x20 && byte != b'\t' || byte == 0x7f) {
            return Some("a control character");
        }
        let name = name.to_ascii_lowercase();
        hosts += usize::from(name == "host");
        lengths += usize::from(name == "content-length" || name == "transfer-encoding");
        if name == "content-length" && !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some("a bad length");
        }
    }
    match (hosts, lengths) {
        (1, 0 | 1) => None,
        (1, _) => Some("two lengths"),
        _ => Some("not exactly one host"),
    }
}

/// An edge with one service, `app`, at the host `app.test`.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) edge: Edge,
    pub(crate) table: watch::Sender<Arc<Table>>,
    pub(crate) certificates: watch::Sender<Arc<Certificates>>,
    pub(crate) records: Records,
    pub(crate) plan: Plan,
}

/// How a stage differs from the ordinary one.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) workers: usize,
    pub(crate) hold: Hold,
    pub(crate) trusted: Vec<proxy::Network>,
    pub(crate) speaks: Speaks,
    pub(crate) preface: Preface,
    pub(crate) certificates: Certificates,
    pub(crate) protocol: Protocol,
    pub(crate) policy: Policy,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            workers: 2,
            hold: Hold { most: 100, deadline: PATIENCE },
            trusted: Vec::new(),
            speaks: Speaks::Http,
            preface: Preface::None,
            certificates: Certificates::default(),
            protocol: Protocol::default(),
            policy: Policy::default(),
        }
    }
}

impl Stage {
    pub(crate) fn new(origins: &[&Origin]) -> Self {
        Self::planned(&Plan::default(), origins)
    }

    pub(crate) fn planned(plan: &Plan, origins: &[&Origin]) -> Self {
        let addresses: Vec<SocketAddr> = origins.iter().map(|origin| origin.address).collect();
        Self::at(plan, &addresses)
    }

    pub(crate) fn at(plan: &Plan, addresses: &[SocketAddr]) -> Self {
        let (table, tables) = watch::channel(plan.table(1, addresses));
        let (certificates, presented) = watch::channel(Arc::new(plan.certificates.clone()));
        let (log, records) = access_log();
        let address = "127.0.0.1:0".parse().unwrap();
        let settings = Settings {
            workers: plan.workers,
            limits: plan.limits.clone(),
            trusted: plan.trusted.clone(),
            ..Settings::new(vec![plan.listen(address)], clock)
        };
        let feeds = Feeds { table: tables, certificates: presented };
        let edge = Edge::bind(settings, &feeds, &log).unwrap();
        Self { edge, table, certificates, records, plan: plan.clone() }
    }

    /// Publishes a table with these upstreams and returns its generation.
    pub(crate) fn publish(&self, addresses: &[SocketAddr]) -> u64 {
        let generation = self.table.borrow().generation + 1;
        self.table.send_replace(self.plan.table(generation, addresses));
        generation
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.edge.addresses()[0]
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// Sends bytes on a connection of their own and reads whatever comes until it is closed.
    pub(crate) fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.client();
        client.send(bytes);
        client.rest()
    }

    /// The traffic, once it is as wanted.
    pub(crate) fn await_traffic(&self, what: &str, wanted: impl Fn(&Traffic) -> bool) -> Traffic {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let traffic = self.edge.traffic();
            if wanted(&traffic) {
                return traffic;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}: {traffic:#?}");
            thread::sleep(Duration::from_millis(1)); // between looks, not instead of them
        }
    }
}

/// The identity of the upstream at an address.
pub(crate) fn id(address: SocketAddr) -> UpstreamId {
    UpstreamId::new(address.to_string())
}

pub(crate) fn app() -> ServiceName {
    ServiceName::new("app")
}

impl Plan {
    /// A listener as planned.
    pub(crate) fn listen(&self, address: SocketAddr) -> Listen {
        Listen { address, speaks: self.speaks, preface: self.preface }
    }

    /// A table with one app, at `app.test` and `[::1]`, that has these upstreams.
    pub(crate) fn table(&self, generation: u64, addresses: &[SocketAddr]) -> Arc<Table> {
        let upstream =
            |address: &SocketAddr| Upstream { id: id(*address), address: *address, door: None };
        let absent = Absence {
            title: "This app is being deployed".into(),
            explanation: "Try again in a moment.".into(),
            retry_after: Duration::from_secs(3),
        };
        let service = Service {
            protocol: self.protocol,
            policy: self.policy.clone(),
            ..Service::new(addresses.iter().map(upstream).collect(), self.hold, absent)
        };
        let sites = ["app.test", "[::1]"].map(|host| (host.parse().unwrap(), Site::of(app())));
        Arc::new(Table {
            generation,
            services: BTreeMap::from([(app(), Arc::new(service))]),
            sites: BTreeMap::from(sites),
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of the tests is the real one")]
pub(crate) fn clock() -> SystemTime {
    SystemTime::now()
}

/// A client that sends and reads raw bytes.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// One response as a client read it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The edge may have answered and closed before all was sent: the answer is what counts.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// A whole response with its body; `None` if the connection ended first.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let head = self.head()?;
        let body = read_body(&mut self.stream, &mut self.buffer, &head)?;
        Some(Answer { status: status(&head), head, body })
    }

    pub(crate) fn head(&mut self) -> Option<String> {
        let head = read_head(&mut self.stream, &mut self.buffer)?;
        Some(String::from_utf8(head).unwrap())
    }

    /// The next bytes, exactly this many.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            read_more(&mut self.stream, &mut self.buffer).expect("more bytes");
        }
        self.buffer.drain(..count).collect()
    }

    /// Everything until the connection is closed.
    pub(crate) fn rest(&mut self) -> String {
        let began = Instant::now();
        while read_more(&mut self.stream, &mut self.buffer).is_some() {}
        assert!(began.elapsed() < PATIENCE, "the edge did not close the connection");
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }

    pub(crate) fn get(&mut self, path: &str) -> Option<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
        self.answer()
    }
}

/// The status of a head; 0 if there is none.
pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}
