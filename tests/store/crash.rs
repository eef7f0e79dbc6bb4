//! The store keeps its word: whatever was acknowledged is there after a kill at any moment, a kill
//! while opening, and a power cut; and what was not acknowledged is there wholly or not at all.
//!
//! A child process (this same program, see `writes_until_killed`) commits numbered transactions,
//! a few at once, and prints the last one's number when it is told "saved" of all. The parent kills it at a random
//! moment, opens what is left, and compares it with what the last number implies, byte by byte.
//! `PAAS_CRASH_ROUNDS=1000` runs more rounds of each; `PAAS_CRASH_SEED` repeats a run's choices.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use paas::store::{Store, StoreError, Transaction, View as _};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::cell::{self, Cell, Last};
use crate::disk::Disk;

#[test]
fn a_kill_loses_nothing() {
    let (rounds, mut rng) = (rounds(120), rng());
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let mut known = 0;
    for round in 0..rounds {
        let mut child = Writer::start(home.path());
        child.await_ack(1);
        wait(&mut rng, WRITING);
        known = known.max(child.kill());
        known = verify(home.path(), known..=known + GROUP, round);
    }
}

#[test]
fn a_kill_while_opening_loses_nothing() {
    let (rounds, mut rng) = (rounds(200), rng());
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let mut child = Writer::start(home.path());
    // Something to recover from the start.
    child.await_ack(CELLS);
    let mut known = child.kill();
    let (mut unverified, mut opening) = (1, Duration::from_millis(60));
    for round in 0..rounds {
        let child = Writer::start(home.path());
        wait(&mut rng, opening);
        known = known.max(child.kill());
        // Each kill may leave commits that are there although their number was not printed.
        unverified += 1;
        // Most rounds leave the next opening to the next child, as found.
        if round % 5 == 4 || round + 1 == rounds {
            let started = Instant::now();
            known = verify(home.path(), known..=known + unverified * GROUP, round);
            // The next kills fall into the time that opening takes by now.
            (unverified, opening) = (0, started.elapsed());
        }
    }
}

/// The rarest of kills by hand: sled was writing a snapshot, which it does at every opening. It
/// would take what is there of the file for the newest snapshot.
#[test]
fn half_a_snapshot_does_not_matter() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let mut child = Writer::start(home.path());
    child.await_ack(1);
    let known = child.kill();
    let known = verify(home.path(), known..=known + GROUP, 0);
    let database = home.path().join("sled");
    let files = fs::read_dir(&database).expect("it is there").map(|file| file.expect("it lists"));
    let mut snapshots = files.map(|file| file.path()).filter(|path| is_snapshot(path));
    let whole = fs::read(snapshots.next().expect("opening wrote one")).expect("it reads");
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        let half = database.join("snap.7FFFFFFFFFFFFFFF.generating");
        fs::write(half, &whole[..length]).expect("it can be written");
        verify(home.path(), known..=known, 0);
    }
}

fn is_snapshot(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap."))
}

#[test]
fn a_power_cut_loses_nothing() {
    let (rounds, mut rng) = (rounds(80), rng());
    let mut disk = Disk::new(DISK);
    let mut known = 0;
    for round in 0..rounds {
        // A long-lived database and a young one fail in different ways.
        if round % 20 == 0 {
            (disk, known) = (Disk::new(DISK), 0);
        }
        let mut child = Writer::start(&disk.folder());
        // Some cuts come while it opens.
        if round % 4 != 3 {
            child.await_ack(1);
        }
        wait(&mut rng, WRITING);
        known = known.max(child.kill());
        disk = disk.cut();
        known = verify(&disk.folder(), known..=known + GROUP, round);
    }
}

/// The child's part: it is no test by itself and ends at once when run as one.
#[test]
fn writes_until_killed() {
    let Some(dir) = env::var_os(CHILD) else { return };
    let store = cell::open(&PathBuf::from(dir));
    let runtime = runtime();
    let last = store.snapshot().get::<Last>(&()).expect("it reads").map_or(0, |last| last.number);
    for number in (last + GROUP..).step_by(usize::try_from(GROUP).expect("it is small")) {
        // They are handed over in this order, and share a commit as the writer sees fit.
        let group = (number + 1 - GROUP..=number).map(|number| commit(&store, number));
        runtime.block_on(try_join_all(group)).expect("it writes");
        let mut out = std::io::stdout();
        writeln!(out, "{ACK}{number}").and_then(|()| out.flush()).expect("the parent listens");
    }
}

/// Commit `number` writes one cell, and now and then a whole row of large ones or a deletion.
async fn commit(store: &Store, number: u64) -> Result<(), StoreError> {
    let work = move |tx: &mut Transaction<'_>| {
        for cell in written_by(number) {
            tx.put(&cell)?;
        }
        if let Some(cell) = deleted_by(number) {
            tx.delete::<Cell>(&cell)?;
        }
        tx.put(&Last { number })
    };
    store.transact(work).await
}

fn written_by(number: u64) -> Vec<Cell> {
    let small = Cell { number: number % CELLS, text: format!("{number:0200}") };
    let row = if number.is_multiple_of(97) { CELLS..CELLS + 20 } else { 0..0 };
    let large = row.map(|cell| Cell {
        number: cell,
        text: format!("{number} ").repeat(usize::try_from(1 + number % 60).expect("small") * 100),
    });
    large.chain([small]).collect()
}

fn deleted_by(number: u64) -> Option<u64> {
    number.is_multiple_of(13).then_some((number / 13) % CELLS)
}

/// Opens what is left, checks it, closes it; the number of the last commit in it.
fn verify(dir: &Path, possible: RangeInclusive<u64>, round: u32) -> u64 {
    let store = cell::open(dir);
    let snapshot = store.snapshot();
    let last = snapshot.get::<Last>(&()).expect("it reads").map_or(0, |last| last.number);
    assert!(possible.contains(&last), "round {round}: {last} is there, not one of {possible:?}");
    let found = snapshot.scan::<Cell>(&()).expect("it reads");
    let expected = cells_as_of(last);
    assert!(found.iter().eq(expected.values()), "round {round}: not exactly as of commit {last}");
    let blobs = fs::read_dir(dir.join("sled/blobs")).expect("sled has this folder").count();
    assert_eq!(blobs, 0, "round {round}: sled wrote a file that it never syncs");
    runtime().block_on(store.close());
    last
}

/// Each cell is written anew every [`CELLS`] commits, so older ones do not matter.
fn cells_as_of(last: u64) -> BTreeMap<u64, Cell> {
    let mut cells = BTreeMap::new();
    for number in last.saturating_sub(CELLS) + 1..=last {
        cells.extend(written_by(number).into_iter().map(|cell| (cell.number, cell)));
        if let Some(cell) = deleted_by(number) {
            cells.remove(&cell);
        }
    }
    cells
}

/// The child process.
struct Writer {
    child: Child,
    acks: BufReader<ChildStdout>,
    acked: u64,
}

impl Writer {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program has a path"))
            .args(["--exact", "crash::writes_until_killed", "--nocapture"])
            .env(CHILD, dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let acks = BufReader::new(child.stdout.take().expect("it was asked for"));
        Self { child, acks, acked: 0 }
    }

    /// Waits until this commit, or a later one, is acknowledged.
    fn await_ack(&mut self, number: u64) {
        while self.acked < number {
            assert!(self.read(), "the child ended by itself");
        }
    }

    /// Kills it; the last number it was able to print.
    fn kill(mut self) -> u64 {
        self.child.kill().expect("the child can be killed");
        self.child.wait().expect("the child can be waited for");
        while self.read() {}
        self.acked
    }

    /// Reads one line; false at the end.
    fn read(&mut self) -> bool {
        let mut line = String::new();
        let length = self.acks.read_line(&mut line).expect("the pipe can be read");
        if let Some((_, number)) = line.trim_end().rsplit_once(ACK) {
            self.acked = number.parse().expect("the child prints numbers");
        }
        length > 0
    }
}

fn rounds(usual: u32) -> u32 {
    env::var("PAAS_CRASH_ROUNDS").map_or(usual, |rounds| rounds.parse().expect("a number"))
}

fn rng() -> StdRng {
    let given = env::var("PAAS_CRASH_SEED").map(|seed| seed.parse().expect("a number"));
    let seed = given.unwrap_or_else(|_| rand::random());
    // Past the test harness, which would keep it to itself when all goes well.
    writeln!(std::io::stderr(), "PAAS_CRASH_SEED={seed}").expect("it can be said");
    StdRng::seed_from_u64(seed)
}

/// A pause of random length: here it is the input, not a way to wait for something.
fn wait(rng: &mut StdRng, up_to: Duration) {
    thread::sleep(up_to.mul_f64(rng.random()));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made")
}

/// Names the child's folder to it.
const CHILD: &str = "PAAS_CRASH_CHILD";
/// Stands before each acknowledged number.
const ACK: &str = "saved: ";
/// How many small cells there are; larger numbers are the row of large ones.
const CELLS: u64 = 2000;
/// How many transactions the child has under way at once.
const GROUP: u64 = 3;
/// How long the child writes, at most.
const WRITING: Duration = Duration::from_millis(40);
/// The size of the disk, in MiB.
const DISK: u64 = 64;
