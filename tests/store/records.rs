//! What the store promises to its callers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use paas::store::{
    DataDirLock, Key, KeyBytes, LockError, Record, Schema, Store, StoreError, StoreOptions, View,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::cell::{self, Cell};

/// A record with a key of two parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    app: String,
    version: u64,
}

struct StepKey(String, u64);

impl Key for StepKey {
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes {
        bytes.text(&self.0).number(self.1)
    }
}

impl Record for Step {
    const TABLE: &'static str = "steps";
    const VERSION: u32 = 1;
    type Key = StepKey;

    fn key(&self) -> StepKey {
        StepKey(self.app.clone(), self.version)
    }
}

fn steps() -> (TempDir, Store) {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let schema = Schema::default().with::<Step>();
    let store = Store::open(home.path(), StoreOptions { schema, now: cell::noon() });
    (home, store.expect("the store opens"))
}

fn cells() -> (TempDir, Store) {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let store = cell::open(home.path());
    (home, store)
}

async fn put(store: &Store, number: u64, text: &str) -> Result<(), StoreError> {
    let cell = Cell { number, text: text.to_owned() };
    store.transact(move |tx| tx.put(&cell)).await
}

/// What [`versions`] finds of the blog's steps 9, 10 and 256.
const EXPECTED: [&[u64]; 4] = [&[9, 10, 256], &[256, 10], &[10, 256], &[]];

fn versions(view: &impl View) -> [Vec<u64>; 4] {
    let after = |version| StepKey("blog".to_owned(), version);
    [
        view.scan::<Step>("blog"),
        view.latest::<Step>("blog", 2),
        view.scan_after::<Step>("blog", &after(9), 5),
        view.scan_after::<Step>("blog", &after(256), 5),
    ]
    .map(|found| found.expect("it reads").iter().map(|step| step.version).collect())
}

#[tokio::test]
async fn records_are_found_by_app_and_in_order() {
    let (_home, store) = steps();
    let put = |tx: &mut paas::store::Transaction<'_>| {
        for (app, version) in [("blog", 10), ("blog", 9), ("blog2", 1), ("blo", 3), ("blog", 256)] {
            tx.put(&Step { app: app.to_owned(), version })?;
        }
        assert_eq!(versions(tx), EXPECTED, "a transaction reads what it wrote");
        Ok::<_, StoreError>(())
    };
    store.transact(put).await.expect("it writes");
    assert_eq!(versions(&store.snapshot()), EXPECTED);
}

#[tokio::test]
async fn a_failed_transaction_changes_nothing() {
    let (_home, store) = cells();
    put(&store, 1, "one").await.expect("it writes");
    let sequence = store.snapshot().sequence();
    let result = store.transact(|tx| {
        tx.put(&Cell { number: 2, text: "two".to_owned() })?;
        tx.delete::<Cell>(&1)?;
        assert_eq!(tx.get::<Cell>(&1)?, None, "it sees its own deletion");
        Err::<(), _>(StoreError::Closed)
    });
    assert!(matches!(result.await, Err(StoreError::Closed)));
    let snapshot = store.snapshot();
    assert_eq!(snapshot.scan::<Cell>(&()).expect("it reads").len(), 1);
    assert_eq!(snapshot.sequence(), sequence);
}

#[tokio::test]
async fn many_writers_at_once_lose_no_update() {
    let (home, store) = cells();
    let adders = (0..500).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .transact(|tx| {
                    let text = tx.get::<Cell>(&0)?.map_or_else(String::new, |cell| cell.text);
                    let seen = text.len();
                    tx.put(&Cell { number: 0, text: text + "x" })?;
                    Ok::<_, StoreError>(seen)
                })
                .await
        })
    });
    let adders: Vec<_> = adders.collect();
    let mut seen = Vec::new();
    for adder in adders {
        seen.push(adder.await.expect("it does not panic").expect("it writes"));
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..500), "each saw a state of its own");
    store.close().await;
    let store = cell::open(home.path());
    let cell = store.snapshot().get::<Cell>(&0).expect("it reads").expect("it is there");
    assert_eq!(cell.text.len(), 500);
}

#[tokio::test]
async fn a_snapshot_stays_as_it_was_and_changes_are_announced() {
    let (_home, store) = cells();
    let mut changes = store.changes();
    put(&store, 1, "old").await.expect("it writes");
    let before = store.snapshot();
    changes.changed().await.expect("the store is open");
    put(&store, 1, "new").await.expect("it writes");
    changes.changed().await.expect("the store is open");
    assert_eq!(*changes.borrow(), store.snapshot().sequence());
    assert_eq!(*changes.borrow(), before.sequence() + 1);
    assert_eq!(before.get::<Cell>(&1).expect("it reads").expect("there").text, "old");
    let nothing = tokio::time::timeout(Duration::from_millis(1), changes.changed()).await;
    assert!(nothing.is_err(), "nothing else has changed");
}

#[tokio::test]
async fn writing_what_is_there_is_no_change() {
    let (_home, store) = cells();
    put(&store, 1, "same").await.expect("it writes");
    let sequence = store.snapshot().sequence();
    put(&store, 1, "same").await.expect("it writes");
    store.transact(|tx| tx.delete::<Cell>(&2)).await.expect("it writes");
    assert_eq!(store.snapshot().sequence(), sequence);
}

#[tokio::test]
async fn large_records_come_back_and_too_large_ones_are_refused() {
    let (home, store) = cells();
    let text = |length: usize| "ä".repeat(length / 2);
    for length in [60_000, 10, 65_000, 0, 30_000] {
        put(&store, 1, &text(length)).await.expect("it fits");
    }
    let error = put(&store, 1, &text(66_000)).await.expect_err("it does not fit");
    let said = error.to_string();
    assert!(said.starts_with("record \\x00\\x00") && said.contains("limit is 65536"), "{said}");
    let whole = store.transact(|tx| {
        (0..100).try_for_each(|n| tx.put(&Cell { number: n, text: "x".repeat(60_000) }))
    });
    let error = whole.await.expect_err("it does not fit");
    assert!(matches!(error, StoreError::TransactionTooLarge { .. }), "{error}");
    store.close().await;
    let found = cell::open(home.path()).snapshot().scan::<Cell>(&()).expect("it reads");
    assert_eq!(found, [Cell { number: 1, text: text(30_000) }]);
}

#[tokio::test]
async fn a_panic_in_one_transaction_is_its_own() {
    let (_home, store) = cells();
    let result = store.transact::<(), StoreError, _>(|_| panic!("on purpose")).await;
    assert!(matches!(result, Err(StoreError::Abandoned)), "{result:?}");
    put(&store, 1, "still there").await.expect("it writes");
}

#[tokio::test]
async fn a_closed_store_says_so_and_an_unknown_record_is_refused() {
    let (_home, store) = cells();
    let step = Step { app: "blog".to_owned(), version: 1 };
    let result = store.transact(move |tx| tx.put(&step)).await;
    assert!(matches!(result, Err(StoreError::UnknownTable { table: "steps" })), "{result:?}");
    store.clone().close().await;
    let result = put(&store, 1, "late").await;
    assert!(matches!(result, Err(StoreError::Closed)), "{result:?}");
}

#[tokio::test]
async fn nobody_else_can_read_it() {
    let (home, store) = cells();
    store.export_hourly(cell::noon()).expect("it exports");
    for folder in ["sled", "exports"] {
        let mode = fs::metadata(home.path().join(folder)).expect("it is there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o700, "{folder}");
    }
}

#[test]
fn one_daemon_per_folder() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let lock = DataDirLock::take(home.path()).expect("nobody else wants it");
    let error = DataDirLock::take(home.path()).expect_err("it is taken");
    let pid = std::process::id();
    assert!(matches!(&error, LockError::Held { pid: Some(held), .. } if *held == pid), "{error}");
    assert_eq!(error.hint(), Some(format!("stop it with `kill {pid}`")));
    drop(lock);
    DataDirLock::take(home.path()).expect("it is free again");
}

/// A killed daemon is seen to be dead before its last thread has let go of its files.
#[test]
fn a_folder_whose_holder_is_on_its_way_out_is_waited_for() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let lock = DataDirLock::take(home.path()).expect("nobody else wants it");
    std::thread::scope(|scope| {
        let next = scope.spawn(|| DataDirLock::take(home.path()));
        while open_copies(&home.path().join("lock")) < 2 {
            std::thread::yield_now();
        }
        drop(lock);
        next.join().expect("it does not panic").expect("it is free in time");
    });
}

/// How often this process has the file open.
fn open_copies(file: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("Linux lists them").flatten();
    open.filter(|one| fs::read_link(one.path()).is_ok_and(|target| target == file)).count()
}
