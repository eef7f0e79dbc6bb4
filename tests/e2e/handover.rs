//! What happens around a hand-over: a successor that fails at the last moment, what systemd is told,
//! and what visitors of the API and the DNS server see.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use crate::{
    domains,
    ends::Ends,
    http::Request,
    server::{BINARY, Server, Setup, run, says, until},
    sources,
    traffic::Traffic,
    upgrade::{APP, Socket},
};

/// A folder with a copy of the binary that can be replaced.
fn copy() -> (tempfile::TempDir, PathBuf) {
    // Beside the binary itself, so that a copy is a link and costs nothing.
    let folder = tempfile::tempdir_in(Path::new(BINARY).parent().unwrap()).unwrap();
    let binary = folder.path().join("paas");
    replace(&binary, |new| fs::hard_link(BINARY, new).unwrap());
    (folder, binary)
}

/// Puts another file in the binary's place, as an installer does.
fn replace(binary: &Path, make: impl FnOnce(&Path)) {
    let new = binary.with_extension("new");
    make(&new);
    fs::rename(&new, binary).unwrap();
}

#[test]
fn a_successor_that_fails_with_the_edge_in_its_hands_is_done_without() {
    let (_folder, binary) = copy();
    let setup = Setup { binary: Some(binary.clone()), ..Setup::default() };
    let mut server = Server::starting(setup);
    server.until_ready();
    server.deploy("app", sources::node(APP).path()).ok();
    let (pid, mut socket) = (server.pid(), Socket::open(&server));
    let visitors = Traffic::to(&server, "app");

    // A version that dies when it has everything and is about to accept its first visitor.
    replace(&binary, |new| {
        let script = format!("#!/bin/sh\nPAAS_FAULT=upgrade.bound exec {BINARY} \"$@\"\n");
        fs::write(new, script).unwrap();
        fs::set_permissions(new, fs::Permissions::from_mode(0o755)).unwrap();
    });
    server.ask_for_upgrade();
    until("the daemon says that it begins again", || {
        server.log().contains("this daemon begins again").then_some(())
    });
    until("its API answers", || server.info());
    let log = server.log();
    let line = log.lines().find(|line| line.contains("this daemon begins again")).unwrap();
    says(line, &["the successor failed", "the hand-over broke off", "does not answer"]);
    assert_eq!(server.pid(), pid);
    socket.echoes("still here");
    // It is what it was, whatever stands in its place now: also what apps get from its binary.
    server.deploy("other", sources::server("other").path()).ok();
    assert_eq!(server.page("other", "/"), "other\n");

    // And the next version is taken.
    replace(&binary, |new| fs::hard_link(BINARY, new).unwrap());
    server.upgrade();
    assert_ne!(server.pid(), pid);
    until("the API of the successor answers", || server.info());
    server.until_page("other", "other\n");
    assert_eq!(visitors.all_were_answered(), ["steady\n"]);
    socket.echoes("here as well");
    drop(socket);
    let status = server.ended();
    assert!(status.success(), "{status}");
    assert_eq!(server.page("app", "/"), "steady\n");
}

#[test]
fn systemd_is_told_of_every_turn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
    let told = || {
        let mut text = [0; 1000];
        let length = socket.recv(&mut text).expect("systemd is told something");
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let settings = vec![("NOTIFY_SOCKET", path.display().to_string())];
    let mut server = Server::starting(Setup { settings, ..Setup::default() });
    assert_eq!(told(), format!("READY=1\nMAINPID={}\n", server.pid()));

    let reloading = |text: String| {
        let micros = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
        micros.parse::<u64>().unwrap()
    };
    let (clock, up) = (fs::read_to_string("/proc/uptime").unwrap(), |text: &str| {
        let seconds = text.split(' ').next().unwrap().parse::<f64>().unwrap();
        Duration::from_secs_f64(seconds)
    });
    server.upgrade();
    let at = Duration::from_micros(reloading(told()));
    // The monotonic clock stands still while the machine sleeps; the other does not.
    assert!(!at.is_zero() && at < up(&clock) + Duration::from_hours(1), "{at:?}");
    assert_eq!(told(), format!("READY=1\nMAINPID={}\n", server.pid()));
    let status = server.ended();
    assert!(status.success(), "{status}");

    // A reload that changes nothing ends as well; the former process has said nothing at its end.
    fs::write(server.data().join("config.toml"), "nonsense = 1\n").unwrap();
    server.ask_for_upgrade();
    assert!(Duration::from_micros(reloading(told())) > at);
    assert_eq!(told(), format!("READY=1\nMAINPID={}\n", server.pid()));
    server.terminate();
    assert_eq!(told(), "STOPPING=1\n");
}

#[test]
fn neither_the_api_nor_the_dns_is_silent_during_an_upgrade() {
    let (mut server, dns) = domains::server(Vec::new());
    let (socket, api) = (server.socket(), port(&server.address("http")));
    let answers = |what: &str, asked: &AtomicUsize, over: &AtomicBool, ask: &dyn Fn() -> String| {
        let mut faults = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let said = ask();
            if said != "well" {
                faults.push(said);
            }
            asked.fetch_add(1, Ordering::Relaxed);
            // A pace that leaves the machine to those who are tested.
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(faults.is_empty(), "{what}: {} failed: {:?}", faults.len(), faults.first());
    };
    let over_socket = || match Request::get("paas", "/v1/server").over_socket(&socket) {
        Ok(answer) if answer.status == 200 => "well".to_owned(),
        other => format!("{other:?}"),
    };
    // Who asks over the network has to say who it is, and not too often; that is answer enough.
    let over_tcp = || match Request::get("paas", "/v1/server").over_tcp(api) {
        Ok(answer) if matches!(answer.status, 401 | 429) => "well".to_owned(),
        other => format!("{other:?}"),
    };
    let over_dns = || {
        let mut dig = Command::new("dig");
        dig.args(["@127.0.0.1", "-p", &dns.to_string(), "apps.example.test", "A", "+short"]);
        let said = run(dig.args(["+tries=2", "+time=2", "+norecurse"]));
        if said.stdout == "127.0.0.1\n" { "well".to_owned() } else { format!("{said:?}") }
    };
    let over = AtomicBool::new(false);
    let counts: [AtomicUsize; 3] = Default::default();
    std::thread::scope(|scope| {
        let (over, counts) = (&over, &counts);
        // Also if something fails here: whoever asks must come to an end.
        let ends = Ends(over);
        scope.spawn(|| answers("the socket", &counts[0], over, &over_socket));
        scope.spawn(|| answers("the API's port", &counts[1], over, &over_tcp));
        scope.spawn(|| answers("the DNS", &counts[2], over, &over_dns));
        let more = |what: &str| {
            let before = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
            until(what, || {
                let now = counts.iter().map(|count| count.load(Ordering::Relaxed));
                now.zip(before).all(|(now, before)| now > before + 2).then_some(())
            });
        };
        more("all of them are asked");
        server.upgrade();
        more("the successor answers all of them");
        let status = server.ended();
        assert!(status.success(), "{status}");
        more("it still does when the former has gone");
        drop(ends);
    });
    println!("{counts:?} were asked");
    assert_eq!(port(&server.address("http")), api, "it is the same socket");
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}
