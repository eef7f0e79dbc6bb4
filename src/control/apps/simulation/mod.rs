//! A simulation: random users, sick instances, a faulty engine and a daemon that dies between any
//! two steps, against the real records, verbs, planner, routes and executor. Time is virtual.
//!
//! In the storm the laws of [`laws`] and [`lingering`] hold after every pass. When it is over everything converges:
//! what is wanted runs, nothing else is there, and there is nothing left to plan.
//!
//! `PAAS_SIM_SEED=n` repeats one seed with its whole story; `PAAS_SIM_SEEDS=n` tries so many.

mod edge;
mod laws;
mod lingering;
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
    control::apps::vault::Vault,
    logs::{LogSettings, Logs},
    node::Handout,
    store::{SealingKey, Store, StoreOptions, records},
};
use world::{Disks, World};

#[test]
fn whatever_happens_it_converges_and_nothing_is_lost_on_the_way() {
    everywhere(Disks::None, SEEDS);
}

#[test]
fn whatever_happens_a_volume_has_one_writer() {
    everywhere(Disks::Some, SEEDS_WITH_DISKS);
}

fn everywhere(disks: Disks, seeds: u64) {
    if let Some(seed) = number("PAAS_SIM_SEED") {
        return simulate(seed..=seed, disks);
    }
    let seeds = number("PAAS_SIM_SEEDS").unwrap_or(seeds);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let share = (thread..seeds).step_by(usize::try_from(THREADS).unwrap());
            scope.spawn(move || simulate(share, disks));
        }
    });
}

/// One home serves many seeds: each leaves it as empty as it found it, which is a law.
fn simulate(seeds: impl Iterator<Item = u64>, disks: Disks) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let home = Home::new();
        for seed in seeds {
            let mut world = World::new(&home, seed, disks);
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
    folder: TempDir,
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
            folder,
        })
    }
}

impl Home {
    /// What no app of the simulation needs: none has secrets.
    fn vault(&self) -> Vault {
        let handout = Handout::new("simulation", self.folder.path(), b"");
        Vault::new(self.store.clone(), SealingKey::new([7; 32]), handout, self.logs.clone())
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Enough to meet every pair of misfortunes, few enough for every run of the tests.
const SEEDS: u64 = 1000;

/// Fewer, as they differ in one respect only.
const SEEDS_WITH_DISKS: u64 = 300;

/// As many as the smallest machine has cores.
const THREADS: u64 = 2;
