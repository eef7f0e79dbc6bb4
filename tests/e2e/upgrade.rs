//! A daemon that hands over to its successor while visitors keep asking.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

use crate::{
    server::{Server, until},
    sources,
    traffic::Traffic,
};

/// The app of these tests: it says `steady`, and says back whatever it hears on a WebSocket.
pub(crate) const APP: &str = r"
const server = require('node:http').createServer((request, response) => response.end('steady\n'));
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  socket.pipe(socket);
});
server.listen(PORT, '0.0.0.0');";

/// A WebSocket, as far as the edge is concerned: bytes after a switch of protocols.
pub(crate) struct Socket(TcpStream);

impl Socket {
    pub(crate) fn open(server: &Server) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", server.edge())).unwrap();
        let ask = "GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(ask.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    #[track_caller]
    pub(crate) fn echoes(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
        let mut heard = vec![0; text.len()];
        self.0.read_exact(&mut heard).unwrap();
        assert_eq!(heard, text.as_bytes());
    }
}

#[test]
fn no_visitor_notices_an_upgrade() {
    let mut server = Server::start();
    server.deploy("app", sources::node(APP).path()).ok();
    let (before, seen) = (server.containers(), server.paas(&["ps", "-a", "app", "--json"]).json());
    let mut kept = TcpStream::connect(("127.0.0.1", server.edge())).unwrap();
    let mut socket = Socket::open(&server);
    socket.echoes("before");
    let visitors = Traffic::to(&server, "app");

    let old = server.pid();
    server.upgrade();
    assert_ne!(server.pid(), old);
    until("the API of the successor answers", || server.info());
    until("`paas ps` says what it said", || same(&server, &seen).then_some(()));
    assert_eq!(server.containers(), before, "apps run on");

    // A connection of the old one that never said anything is closed in the end; a WebSocket stays.
    let mut byte = [0];
    assert_eq!(kept.read(&mut byte).unwrap_or(0), 0);
    socket.echoes("after");
    assert_eq!(visitors.all_were_answered(), ["steady\n"]);
    drop(socket);
    let status = server.ended();
    assert!(status.success(), "{status}");
    assert_eq!(server.page("app", "/"), "steady\n");

    // The successor is a daemon like any other.
    server.deploy("app", sources::server("newer").path()).ok();
    server.until_page("app", "newer\n");
}

/// Whether `paas ps` shows the same instances of the same release, but for figures that move.
fn same(server: &Server, before: &serde_json::Value) -> bool {
    let told = server.paas(&["ps", "-a", "app", "--json"]).json();
    let still = ["name", "release", "state", "health", "container", "started_at"];
    let of = |all: &serde_json::Value| -> Vec<Vec<serde_json::Value>> {
        let all = all.as_array().unwrap();
        all.iter().map(|one| still.iter().map(|key| one[key].clone()).collect()).collect()
    };
    of(&told) == of(before)
}

#[test]
fn a_build_under_way_does_not_hold_an_upgrade_up() {
    let mut server = Server::start();
    let slow = r#"{"name":"app","version":"1.0.0","private":true,
        "scripts":{"start":"exec node app.js","build":"echo building; sleep 12"}}"#;
    let folder = sources::server("slow");
    sources::write(folder.path(), "package.json", slow);
    server.api("POST", "/v1/apps", br#"{"name":"app"}"#);
    let mut deploy = server.command(&["deploy", "-a", "app"]);
    let deploy = deploy.arg(folder.path()).stdout(std::process::Stdio::piped());
    let deploy = deploy.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let built = || server.api("GET", "/v1/apps/app/builds/1/log", b"").text();
    until("the build is under way", || built().contains("building").then_some(()));

    let began = Instant::now();
    server.upgrade();
    until("the API of the successor answers", || server.info());
    println!("the API was silent for less than {:?}", began.elapsed());
    let told = deploy.wait_with_output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(server.page("app", "/"), "slow\n");
    assert!(!server.log().contains("panicked"));
    server.ended();
}

#[test]
fn a_successor_that_dies_with_the_store_in_its_hands_is_done_without() {
    let mut server = Server::start();
    server.deploy("app", sources::node(APP).path()).ok();
    server.terminate();
    server.ended();
    // Only a successor passes this point, when it has the store and everything else but the edge.
    server.start_again(&[("PAAS_FAULT", "upgrade.opened")]);
    server.until_page("app", "steady\n");
    let (pid, containers) = (server.pid(), server.containers());
    let mut socket = Socket::open(&server);
    let visitors = Traffic::to(&server, "app");

    for time in 1..=2 {
        server.ask_for_upgrade();
        until("the daemon says that it begins again", || {
            let said = server.log().matches("this daemon begins again").count();
            (said == time).then_some(())
        });
        until("its API answers", || server.info());
        socket.echoes("still here");
    }
    assert_eq!(visitors.all_were_answered(), ["steady\n"]);
    assert_eq!((server.pid(), server.containers()), (pid, containers));
    server.deploy("app", sources::server("newer").path()).ok();
    server.until_page("app", "newer\n");
}

#[test]
fn a_successor_that_cannot_run_changes_nothing() {
    let server = Server::starting(crate::server::Setup::default());
    // The successor reads the same configuration; by now it is not valid any more.
    std::fs::write(server.data().join("config.toml"), "nonsense = 1\n").unwrap();
    server.ask_for_upgrade();
    until("the daemon says so", || {
        server.log().contains("no successor; this daemon goes on as it was").then_some(())
    });
    assert!(server.info().is_some());
    assert_eq!(server.get("nobody", "/").status, 404);
}
