//! A simulation: random users, sick instances, a faulty engine and a daemon that dies between any
//! two steps, against the real records, verbs, planner, routes and executor. Time is virtual.
//!
//! In the storm the laws of [`laws`] hold after every pass. When it is over everything converges:
//! what is wanted runs, nothing else is there, and there is nothing left to plan.
//!
//! `PAAS_SIM_SEED=n` repeats one seed with its whole story; `PAAS_SIM_SEEDS=n` tries so many.

mod edge;
mod laws;
mod pass;
mod rest;
mod steps;
mod users;
mod weather;
mod world;

use std::{path::Path, sync::Arc};

use tempfile::TempDir;

use crate::{
    build::BuildFolders,
    clock,
    logs::{LogSettings, Logs},
    store::{Store, StoreOptions, records},
};
use world::World;

#[test]
fn whatever_happens_it_converges_and_nothing_is_lost_on_the_way() {
    if let Some(seed) = number("PAAS_SIM_SEED") {
        return simulate(seed..=seed);
    }
    let seeds = number("PAAS_SIM_SEEDS").unwrap_or(SEEDS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let share = (thread..seeds).step_by(usize::try_from(THREADS).unwrap());
            scope.spawn(move || simulate(share));
        }
    });
}

/// One home serves many seeds: each leaves it as empty as it found it, which is a law.
fn simulate(seeds: impl Iterator<Item = u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let home = Home::new();
        for seed in seeds {
            let mut world = World::new(&home, seed);
            world.storm().await;
            world.converge().await;
            world.destroy_all().await;
        }
    });
}

/// What a daemon finds on its disk.
struct Home {
    store: Store,
    logs: Logs,
    folders: BuildFolders,
    _folder: TempDir,
}

impl Home {
    /// In memory where that is possible: the disk is not what is tested here.
    fn new() -> Arc<Self> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let folder = folder.unwrap();
        let options = StoreOptions { schema: records::schema(), now: clock::system() };
        Arc::new(Self {
            store: Store::open(&folder.path().join("store"), options).unwrap(),
            logs: Logs::open(&folder.path().join("logs"), LogSettings::default()).unwrap(),
            folders: BuildFolders::new(folder.path()),
            _folder: folder,
        })
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Enough to meet every pair of misfortunes, few enough for every run of the tests.
const SEEDS: u64 = 1000;

/// As many as the smallest machine has cores.
const THREADS: u64 = 2;
