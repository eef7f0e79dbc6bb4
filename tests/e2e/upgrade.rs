//! A daemon that hands over to its successor while visitors keep asking.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::{
    server::{Server, until},
    sources,
    traffic::Traffic,
};

#[test]
fn no_visitor_notices_an_upgrade() {
    let mut server = Server::start();
    server.deploy("app", sources::server("steady").path()).ok();
    let before = server.containers();
    let mut kept = TcpStream::connect(("127.0.0.1", server.edge())).unwrap();
    let visitors = Traffic::to(&server, "app");

    let old = server.pid();
    let status = server.upgrade();
    assert!(status.success(), "{status}");
    assert_ne!(server.pid(), old);

    until("the API of the successor answers", || server.info());
    let seen = visitors.all_were_answered();
    assert_eq!(seen, ["steady\n"]);
    assert_eq!(server.containers(), before, "apps run on");
    assert_eq!(server.page("app", "/"), "steady\n");

    // A connection of the old one that never said anything was closed in the end.
    let _ = kept.write_all(b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n");
    assert_eq!(kept.read(&mut [0]).unwrap_or(0), 0);

    // The successor is a daemon like any other.
    server.deploy("app", sources::server("newer").path()).ok();
    until("the new release answers", || server.get("app", "/").text().eq("newer\n").then_some(()));
}

#[test]
fn a_successor_that_cannot_run_changes_nothing() {
    let server = Server::starting(crate::server::Setup::default());
    // The successor reads the same configuration; by now it is not valid any more.
    std::fs::write(server.data().join("config.toml"), "nonsense = 1\n").unwrap();
    let pid = server.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-USR2", &pid]).status().unwrap().success());
    until("the daemon says so", || {
        server.log().contains("no successor; this daemon goes on as it was").then_some(())
    });
    assert!(server.info().is_some());
    assert_eq!(server.get("nobody", "/").status, 404);
}
