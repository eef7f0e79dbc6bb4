//! Several machines: each in a network namespace of its own, with the real binary, on one bridge.
//!
//! Cables are cut and daemons killed; what a visitor sees at the edge of any of them is what counts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "clippy takes only the test functions themselves for tests, not what they share"
)]

mod bed;
mod cable;
mod collector;
#[path = "../store/disk.rs"]
#[allow(dead_code, reason = "the store's tests need more of it")]
mod disk;
#[path = "../e2e/docker.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod docker;
#[path = "../e2e/ends.rs"]
mod ends;
mod engine;
#[path = "../e2e/http.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod http;
#[path = "../e2e/inside.rs"]
mod inside;
mod keepers;
#[path = "../e2e/kept.rs"]
mod kept;
mod machine;
mod members;
mod once;
mod peers;
mod placement;
#[path = "../acme/ports.rs"]
mod ports;
mod private;
mod public;
mod quorum;
mod renewals;
#[path = "../e2e/server.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod server;
#[path = "../e2e/sources.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod sources;
mod switch;
mod three;
#[path = "../e2e/traffic.rs"]
mod traffic;
mod user;
mod volumes;

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Instant,
};

use bed::Bed;
use machine::Machine;
use server::{Server, Setup, says, until};

const APP: &str = "site";

/// A control with an app, and a bridge to plug machines into.
struct Stage {
    // Machines go before the bridge that they are plugged into.
    server: Server,
    folder: tempfile::TempDir,
    bed: Bed,
}

impl Stage {
    fn set() -> Self {
        Self::with(Vec::new())
    }

    /// The same, with these settings besides.
    fn with(mut settings: Vec<(&'static str, String)>) -> Self {
        let bed = Bed::make();
        let at = bed.address();
        settings.extend([
            ("PAAS_CLUSTER_LISTEN", format!("{at}:7600")),
            ("PAAS_ADDRESSES", at.to_string()),
            ("PAAS_NODE", "box".to_owned()),
            ("PAAS_DNS", format!("{at}:53")),
        ]);
        let api = Some(format!("https://{at}:8443,http://127.0.0.1:0"));
        let server = Server::starting(Setup { api, settings, ..Setup::default() });
        server.until_ready();
        Self { server, folder: sources::example("static-site"), bed }
    }

    /// Deploys the app with this text, and answers its page.
    fn deploy(&self, text: &str) -> String {
        write(self.folder.path(), text);
        self.server.deploy(APP, self.folder.path()).ok();
        let page = self.server.page(APP, "/");
        assert!(page.contains(text), "{page}");
        page
    }

    /// Waits until `paas nodes` shows a node so.
    #[track_caller]
    fn until_is(&self, node: &str, state: &str) {
        until(&format!("{node} is {state}"), || {
            let nodes = self.server.paas(&["nodes", "--json"]).json();
            let nodes = nodes.as_array().unwrap();
            nodes.iter().any(|one| one["name"] == node && one["state"] == state).then_some(())
        });
    }
}

fn write(folder: &Path, text: &str) {
    let file = folder.join("index.html");
    fs::write(file, format!("<h1>{text}</h1>\n")).unwrap();
}

#[test]
fn every_machine_serves_what_one_runs() {
    let stage = Stage::set();
    let page = stage.deploy("first");
    let mut one = Machine::join(&stage.server, "edge-1", stage.bed.plug(1));
    let mut two = Machine::join(&stage.server, "edge-2", stage.bed.plug(2));
    for machine in [&one, &two] {
        machine.until_shows(APP, &page);
        assert_eq!(machine.get("nobody").unwrap().status, 404);
    }
    stage.until_is("edge-1", "up");
    stage.until_is("edge-2", "up");
    says(&stage.server.paas(&["nodes"]).ok(), &["box", "control", env!("CARGO_PKG_VERSION")]);

    // Whoever is cut off is noticed, keeps nobody from deploying, and is right again when it is back.
    let cut = Instant::now();
    one.port().cut();
    stage.until_is("edge-1", "down");
    println!("a cut cable was noticed after {:?}", cut.elapsed());
    let page = stage.deploy("second");
    two.until_shows(APP, &page);
    let mended = Instant::now();
    one.port().mend();
    one.until_shows(APP, &page);
    println!("a mended one served again after {:?}", mended.elapsed());

    one.kill9();
    stage.until_is("edge-1", "down");
    one.start(&stage.server);
    one.until_shows(APP, &page);
    assert!(one.end().success());
    one.start(&stage.server);
    one.until_shows(APP, &page);

    // A machine whose provider has given it another address says so.
    two.renumber(7);
    until("edge-2 is found where it is now", || {
        let nodes = stage.server.paas(&["nodes", "--json"]).json();
        let found = nodes.as_array().unwrap().iter().find(|one| one["name"] == "edge-2").cloned();
        found.filter(|one| one["address"] == two.link() && one["state"] == "up")
    });
    two.until_shows(APP, &page);

    // Whoever is removed is not let in any more, though it has all that it had.
    stage.server.paas(&["nodes", "remove", "edge-2", "--confirm", "edge-2"]).ok();
    until("edge-2 reaches nobody", || two.get(APP).ok().filter(|answer| answer.status >= 500));
    one.until_shows(APP, &page);
    two.join_anew(&stage.server);
    two.until_shows(APP, &page);
}

#[test]
fn visitors_of_another_machine_notice_no_deploy_and_no_death_of_a_daemon_for_long() {
    let mut stage = Stage::set();
    stage.deploy("first");
    let one = Machine::join(&stage.server, "edge-1", stage.bed.plug(1));
    until("edge-1 serves", || one.get(APP).ok().filter(|answer| answer.status == 200));
    let over = AtomicBool::new(false);
    let page = std::thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            let mut asked = 0;
            while !over.load(Relaxed) {
                let answer = one.get(APP).unwrap();
                assert_eq!(answer.status, 200, "after {asked} requests: {}", answer.text());
                asked += 1;
            }
            asked
        });
        for text in ["second", "third"] {
            stage.deploy(text);
        }
        stage.server.paas(&["scale", "web=2", "-a", APP]).ok();
        stage.server.paas(&["scale", "web=1", "-a", APP]).ok();
        let page = stage.deploy("fourth");
        over.store(true, Relaxed);
        println!("{} requests through another machine, none failed", visitor.join().unwrap());
        page
    });
    one.until_shows(APP, &page);

    stage.server.kill9();
    let killed = Instant::now();
    stage.server.start_again(&[]);
    one.until_shows(APP, &page);
    println!("{:?} after the death of the control another machine served", killed.elapsed());
    let page = stage.deploy("fifth");
    one.until_shows(APP, &page);
}
