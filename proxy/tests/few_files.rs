//! An edge whose process runs out of file descriptors.
//!
//! The limit holds for a whole process, so the test starts itself again as a process of its own.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;

use crate::stage::{Origin, Stage};

const INSIDE: &str = "EDGE_TEST_WITH_FEW_FILES";
const NAME: &str = "few_files::listeners_survive_a_lack_of_file_descriptors";

#[test]
fn listeners_survive_a_lack_of_file_descriptors() {
    if std::env::var_os(INSIDE).is_some() {
        return starve();
    }
    let mut command = Command::new("prlimit");
    command.arg("--nofile=96").arg(std::env::current_exe().unwrap());
    let out = command.args(["--exact", NAME]).env(INSIDE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stdout));
    assert!(String::from_utf8_lossy(&out.stdout).contains("1 passed"), "it ran nothing");
}

/// Connects until nothing is left, twice, and is served again each time something is.
fn starve() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    assert_eq!(stage.client().get("/").unwrap().status, 200);
    let mut faults = 0;
    for _ in 0..2 {
        // Clients and edge share the descriptors: when no client can connect, none can be accepted
        // either, but those that wait in the socket already took theirs.
        let mut crowd = Vec::new();
        while let Ok(mut stream) = TcpStream::connect(stage.address()) {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\n");
            crowd.push(stream);
        }
        assert!(crowd.len() > 10, "the limit leaves room for some");
        faults = stage
            .await_traffic("accepting to fail", |traffic| traffic.accept_faults > faults)
            .accept_faults;
        drop(crowd);
        stage.await_traffic("the crowd to be gone", |traffic| traffic.connections == 0);
        assert_eq!(stage.client().get("/").unwrap().status, 200);
    }
}
