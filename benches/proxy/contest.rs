//! The contest: everybody is measured in turns, row by row, round by round.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::contestant::{COLUMNS, Contestant, Kind};
use crate::row::{ROWS, Row, Sample};
use crate::{origin, table, tools};

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Of one measurement.
    pub(crate) length: Duration,
    /// Idle connections held at once.
    pub(crate) idle: usize,
}

/// About four minutes.
pub(crate) const FULL: Plan = Plan { rounds: 5, length: Duration::from_secs(1), idle: 10_000 };
/// A minute: whether everything runs, not how fast.
pub(crate) const QUICK: Plan = Plan { rounds: 1, length: Duration::from_secs(1), idle: 200 };

/// The samples of each row, by column.
pub(crate) type Samples = BTreeMap<Row, [Vec<Sample>; COLUMNS.len()]>;

/// Holds it and prints the table. `wanted` are parts of the names of rows; none means all.
pub(crate) fn hold(plan: &Plan, wanted: &[&str]) -> ExitCode {
    stay_on_core(1);
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let origin = origin::start();
    let rows: Vec<Row> = ROWS
        .into_iter()
        .filter(|row| wanted.is_empty() || wanted.iter().any(|part| row.name().contains(part)))
        .collect();
    let contestants = COLUMNS.map(|kind| Contestant::start(kind, origin, folder.path()));

    let began = Instant::now();
    // Caches and pools are filled before anything counts, and half of nginx's rate is found.
    let warm = contestants.each_ref().map(|one| Row::Small.measure(one, plan, 0.0));
    let rate = warm[0].value / 2.0;
    let mut samples = Samples::new();
    for round in 0..plan.rounds {
        for row in rows.iter().filter(|row| round < row.rounds(plan)) {
            eprintln!("{:?}: round {}, {}", began.elapsed(), round + 1, row.name());
            let columns = samples.entry(*row).or_default();
            for turn in 0..contestants.len() {
                // Nobody always follows the same neighbour.
                let column = (turn + round) % contestants.len();
                columns[column].push(row.measure(&contestants[column], plan, rate));
            }
        }
    }
    table::print(&samples);
    println!("p99 is measured at {rate:.0} requests/s; the rest took {:?}", began.elapsed());
    for one in &contestants {
        println!("resident after all: {} {} KiB", one.kind.name(), one.memory() / 1024);
    }
    drop(contestants);

    let mut failures = table::failures(&samples);
    if wanted.is_empty() || wanted.contains(&"swaps") {
        failures += swaps(origin, folder.path(), plan);
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Load on an edge that gets a hundred tables per second: no request may fail.
fn swaps(origin: std::net::SocketAddr, folder: &Path, plan: &Plan) -> u64 {
    let edge = Contestant::start(Kind::Restless, origin, folder);
    let length = plan.length * 3;
    let load = tools::wrk("http", edge.plain, "/", 64, length);
    println!(
        "100 new tables per second for {length:?}: {} requests, {} failed",
        load.answers, load.failures
    );
    load.failures
}

/// This process, its threads and the generators it starts.
fn stay_on_core(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).expect("a machine with two cores");
}

/// One certificate for all, in the three files that they want.
fn certificate(folder: &Path) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let names = ["app.test".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let (chain, key) = (certificate.pem(), key.serialize_pem());
    for (name, text) in
        [("cert.pem", &chain), ("key.pem", &key), ("both.pem", &(chain.clone() + &key))]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
}
