//! Nobody who uses an app notices that it is deployed, configured, scaled or rolled back: the real
//! binary, real apps, and a load that checks every answer.
//!
//! It measures nothing but correctness; the few times that it prints are for people to read.
//! Invariant: a fault is never excused here, because the app honours SIGTERM.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "clippy takes only the test functions themselves for tests, not what they share"
)]

#[path = "../e2e/docker.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod docker;
mod generator;
#[path = "../e2e/http.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod http;
#[path = "../e2e/kept.rs"]
mod kept;
mod ledger;
mod line;
#[path = "../acme/ports.rs"]
mod ports;
#[path = "../e2e/server.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod server;
#[path = "../e2e/sources.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod sources;

use std::{
    env, fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use generator::{Aim, Load};
use ledger::Ledger;
use server::{Server, until};
use tokio::runtime::Runtime;

const APP: &str = "shop";
/// Good answers per change, on average: twenty changes see more than fifty thousand.
const EACH: u64 = 2_600;
/// Good answers from when a change is done to the next one.
const BETWEEN: u64 = 300;
const CONNECTIONS: usize = 8;
const SOCKETS: usize = 20;

/// A server with an app under load, and the book that says what is right.
struct Stage {
    server: Server,
    folder: tempfile::TempDir,
    ledger: Arc<Ledger>,
    load: Option<Load>,
    runtime: Runtime,
}

impl Stage {
    /// The app serves with three instances, and the load has begun.
    fn set() -> Self {
        let server = Server::start();
        let folder = sources::example("node-express");
        sources::write(folder.path(), "paas.toml", sources::WATCHED_BRIEFLY);
        let ledger = Arc::new(Ledger::default());
        write_app(folder.path(), 1);
        ledger.begin(1);
        server.deploy(APP, folder.path()).ok();
        server.paas(&["scale", "web=3", "-a", APP]).ok();
        server.until_runs(APP, &["web.1", "web.2", "web.3"]);
        ledger.done(1);
        let runtime = Runtime::new().unwrap();
        let aim = Aim {
            edge: ([127, 0, 0, 1], server.edge()).into(),
            host: format!("{APP}.localhost"),
            ledger: Arc::clone(&ledger),
            stop: tokio_util::sync::CancellationToken::new(),
        };
        let load = {
            let _inside = runtime.enter();
            Load::start(&aim, CONNECTIONS, SOCKETS)
        };
        Self { server, folder, ledger, load: Some(load), runtime }
    }

    /// Makes a change under load: the answers may be old or new meanwhile, and only new after it.
    #[track_caller]
    fn change(&self, mark: u32, what: &[&str]) -> Duration {
        self.ledger.begin(mark);
        self.carry_out(mark, what)
    }

    #[track_caller]
    fn carry_out(&self, mark: u32, what: &[&str]) -> Duration {
        let began = Instant::now();
        self.server.paas(what).ok();
        let took = began.elapsed();
        self.ledger.done(mark);
        let changes = u64::try_from(self.ledger.changes()).unwrap();
        self.see((self.ledger.requests() + BETWEEN).max(changes * EACH));
        took
    }

    /// Waits for so many good answers in all, and that none was wrong.
    #[track_caller]
    fn see(&self, goal: u64) {
        until("the load goes on", || {
            let faults = self.ledger.faults();
            assert!(faults.is_empty(), "{} faults: {:#?}", faults.len(), first(&faults));
            (self.ledger.requests() >= goal).then_some(())
        });
    }

    #[track_caller]
    fn deploy(&self, mark: u32, strategy: &str) -> Duration {
        write_app(self.folder.path(), mark);
        if strategy == "blue-green" {
            self.ledger.begin_flip(mark);
        } else {
            self.ledger.begin(mark);
        }
        let folder = self.folder.path().to_str().unwrap();
        self.carry_out(mark, &["deploy", folder, "-a", APP, "--strategy", strategy])
    }

    /// Ends the load and looks at the book for the last time.
    #[track_caller]
    fn strike(mut self) -> String {
        // Old instances keep their WebSockets until the drain is over, which takes longer than all
        // the changes on a quick machine.
        until("a WebSocket is told to go", || (self.ledger.partings() > 0).then_some(()));
        self.runtime.block_on(self.load.take().unwrap().end());
        let faults = self.ledger.faults();
        assert!(faults.is_empty(), "{} faults: {:#?}", faults.len(), first(&faults));
        println!("daemon's resident memory after the load: {}", resident(self.server.pid()));
        format!("{} requests, {} WebSockets moved", self.ledger.requests(), self.ledger.partings())
    }
}

#[test]
fn deploys_and_a_rollback_under_load_lose_nothing() {
    let stage = Stage::set();
    let mut mark = 1;
    for strategy in ["rolling", "blue-green"] {
        let mut took: Vec<Duration> = (0..changes(5))
            .map(|_| {
                mark += 1;
                stage.deploy(mark, strategy)
            })
            .collect();
        took.sort();
        let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
        println!(
            "{} {strategy} deploys under load: median {median:?}, slowest {slowest:?}",
            took.len()
        );
    }
    let (seen, wanted) = (stage.ledger.requests(), u64::from(mark - 1) * EACH);
    assert!(seen >= wanted, "only {seen} requests");

    let back = stage.change(mark - 1, &["rollback", "-a", APP]);
    println!("rollback under load: {back:?}");
    println!("in all: {}", stage.strike());
}

#[test]
fn config_changes_and_scaling_under_load_lose_nothing() {
    let stage = Stage::set();
    for mark in 2..2 + changes(5) {
        stage.change(mark, &["config", "set", &format!("MARK={mark}"), "-a", APP]);
    }
    let mark = 1 + changes(5);
    // Scaling changes no text: the old one stays the only right one.
    for count in ["web=1", "web=3", "web=1"] {
        stage.change(mark, &["scale", count, "-a", APP]);
    }
    stage.change(mark, &["restart", "-a", APP]);
    println!("in all: {}", stage.strike());
}

/// How many changes of a kind are made: so many, or what `PAAS_LOAD_CHANGES` says (`make test-load`).
fn changes(usually: u32) -> u32 {
    env::var("PAAS_LOAD_CHANGES").map_or(usually, |count| count.parse().unwrap())
}

fn write_app(folder: &Path, mark: u32) {
    let text = include_str!("server.js").replace("CODE_MARK", &mark.to_string());
    fs::write(folder.join("server.js"), text).unwrap();
}

fn first(faults: &[String]) -> &[String] {
    &faults[..faults.len().min(20)]
}

fn resident(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap_or("unknown").trim().to_owned()
}
