//! The daemon dies at every step of a deploy and at random moments: what served serves on, what
//! was promised comes, and nothing is left over.
//!
//! It needs a debug build, in which the points of `paas::faults` are there. Invariant: a round
//! ends only when the records, `paas ps` and Docker tell the same story.

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
#[path = "../e2e/http.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod http;
#[path = "../e2e/kept.rs"]
mod kept;
#[path = "../load/ledger.rs"]
#[allow(dead_code, reason = "the load test needs more of it")]
mod ledger;
#[path = "../load/line.rs"]
mod line;
mod points;
#[path = "../acme/ports.rs"]
mod ports;
#[path = "../e2e/server.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod server;
#[path = "../e2e/sources.rs"]
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
mod sources;
mod trickle;
mod world;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use world::{Promise, World};

const SIGABRT: i32 = 6;
const RANDOM_KILLS: u32 = 12;

#[test]
fn a_daemon_that_dies_at_an_odd_point_loses_nothing() {
    dies_at_all(paas::faults::POINTS.iter().step_by(2));
}

/// The other half, which has a server of its own and can be tried at the same time.
#[test]
fn a_daemon_that_dies_at_an_even_point_loses_nothing() {
    dies_at_all(paas::faults::POINTS.iter().skip(1).step_by(2));
}

fn dies_at_all<'a>(points: impl Iterator<Item = &'a &'a str>) {
    let mut world = World::new();
    for point in points {
        for pass in 1..=passes(point) {
            dies_at(&mut world, point, pass);
        }
    }
    world.deploys();
    world.end();
}

/// At how many of its passes it is died: each of two instances is started, told to end and removed, and a rollout of
/// two waves has seven steps, where dying before one is on record is dying after the one before it. All others are
/// passed once.
fn passes(point: &str) -> u32 {
    match point {
        "apps.start" | "apps.started" | "apps.terminate" | "apps.remove" => 2,
        "apps.advanced" => 7,
        _ => 1,
    }
}

/// One round: a deploy during which the daemon dies there, and what becomes of it afterwards. That
/// the next deploy works is shown by the next round.
fn dies_at(world: &mut World, point: &str, pass: u32) {
    let began = Instant::now();
    world.kill();
    world.start(&[("PAAS_FAULT", &format!("{point}:{pass}"))]);
    world.until_settled(Promise::Old);
    let deploy = world.begin_deploy();
    let status = world.server.ended();
    assert_eq!(status.signal(), Some(SIGABRT), "{point}:{pass} did not end the daemon: {status}");
    world.start(&[]);
    let promise = deploy.promise();
    // Before the upload is on record nothing is promised and nothing may come; after it, it must.
    let (told, comes) = match point {
        "upload.kept" => (Promise::Either, Promise::Old),
        _ => (Promise::New, Promise::New),
    };
    assert_eq!(promise, told, "{point}:{pass}");
    world.until_settled(comes);
    println!("{point}:{pass}: {comes:?} serves, settled {:?} after it all began", began.elapsed());
}

#[test]
fn a_daemon_that_is_killed_at_random_moments_loses_nothing() {
    let seed = std::env::var("PAAS_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("PAAS_SEED={seed}");
    let mut world = World::new();
    let began = Instant::now();
    world.deploys();
    let whole = began.elapsed();
    for _ in 0..RANDOM_KILLS {
        let moment = whole.mul_f64(fraction(&mut seed));
        let deploy = world.begin_deploy();
        std::thread::sleep(moment);
        world.kill();
        world.start(&[]);
        let promise = deploy.promise();
        world.until_settled(promise);
        println!("killed {moment:?} after a deploy began: {promise:?}");
    }
    world.deploys();
    world.end();
}

/// The next of a row of numbers from 0 to 1 (splitmix64).
fn fraction(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
}

/// A machine is allowed so long to bring everything in order after a restart.
const DEADLINE: Duration = Duration::from_secs(90);
