//! What the daemon says of the wall between containers and its machine. What that closes is seen in
//! `tests/engine/wall.rs`.

use std::{os::unix::fs::PermissionsExt, process::Command};

use crate::server::{BINARY, Server, Setup, says, until};

#[track_caller]
fn until_it_says(server: &Server, part: &str) {
    until(part, || {
        let info = server.info()?;
        info["firewall"].as_str()?.starts_with(part).then_some(())
    });
    says(&server.paas(&["status"]).ok(), &["Firewall", part]);
}

#[test]
fn a_daemon_says_how_its_firewall_stands() {
    let mut server = Server::starting(Setup::default());
    until_it_says(&server, "on");
    let chain = format!("PAAS-{}-", server.installation());
    let chains = || {
        let saved = Command::new("iptables-save").args(["-t", "filter"]).output().unwrap();
        String::from_utf8(saved.stdout).unwrap().contains(&chain)
    };
    assert!(chains());

    server.kill9();
    assert!(chains(), "apps outlive the daemon, and so does what is between them and the machine");
    server.start_again(&[("PAAS_FIREWALL", "off")]);
    until_it_says(&server, "off, by the settings");
    assert!(!chains(), "what an earlier daemon made is taken away");
}

#[test]
fn a_daemon_that_may_not_make_rules_says_so_and_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let binary = place.path().join("paas");
    let script = format!("#!/bin/sh\nexec setpriv --bounding-set=-net_admin {BINARY} \"$@\"\n");
    std::fs::write(&binary, script).unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = Server::starting(Setup { binary: Some(binary), ..Setup::default() });
    let told = "containers reach this machine's own services: `iptables-save` refused: ";
    until_it_says(&server, told);
    assert_eq!(server.log().matches("CAP_NET_ADMIN").count(), 1, "{}", server.log());
}
