//! A full disk, and a failing one: what was acknowledged stays, reads go on, writes say why they are refused, and
//! work again by themselves once there is space.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use paas::store::{Fault, Store, StoreError, View as _};

use crate::cell::{self, Cell};
use crate::disk::Disk;

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_space() {
    let disk = Disk::new(32);
    let dir = disk.folder().join("store");
    let store = cell::open(&dir);
    put(&store, 0).await.expect("there is space");
    let ballast = fill(&disk.folder());

    let (acked, refusal) = write_until_refused(&store).await;
    assert!(
        matches!(&refusal, StoreError::Refused { source: Fault::DiskFull { .. }, .. }),
        "{refusal:?}"
    );
    let hint = refusal.hint().expect("a person can do something");
    assert!(hint.contains(&format!("free space under {}", dir.display())), "{hint}");
    assert_cells(&store, acked);

    // A restart on the full disk serves reads, too.
    store.close().await;
    fill(&disk.folder());
    let store = cell::open(&dir);
    assert_cells(&store, acked);

    fs::remove_file(ballast).expect("the ballast can go");
    fs::remove_file(disk.folder().join("ballast-1")).ok();
    put_patiently(&store, acked + 1).await;
    assert_cells(&store, acked + 1);
    store.close().await;
    let store = cell::open(&dir);
    assert_cells(&store, acked + 1);
    store.close().await;
}

#[tokio::test]
async fn it_recovers_without_a_restart() {
    let disk = Disk::new(32);
    let store = cell::open(&disk.folder().join("store"));
    put(&store, 0).await.expect("there is space");
    for _ in 0..3 {
        let ballast = fill(&disk.folder());
        let (acked, _) = write_until_refused(&store).await;
        assert_cells(&store, acked);
        fs::remove_file(ballast).expect("the ballast can go");
        put_patiently(&store, acked + 1).await;
        assert_cells(&store, acked + 1);
    }
    store.close().await;
}

/// After a failed sync the system takes for written what is not. What the store says afterwards
/// must hold all the same.
#[tokio::test]
async fn a_failing_disk_loses_nothing_acknowledged() {
    let disk = Disk::thin(48);
    let dir = disk.folder().join("store");
    let store = cell::open(&dir);
    put(&store, 0).await.expect("the disk works");
    let ballast = fill(disk.behind());
    let (acked, failure) = write_until_refused(&store).await;
    assert!(matches!(&failure, StoreError::Uncertain { .. }), "{failure:?}");
    assert_cells(&store, acked);

    fs::remove_file(ballast).expect("the ballast can go");
    put_patiently(&store, acked + 1).await;
    assert_cells(&store, acked + 1);
    let after = disk.cut();
    let restarted = cell::open(&after.folder().join("store"));
    assert_cells(&restarted, acked + 1);
    restarted.close().await;
    store.close().await;
}

/// Takes all space there is with a file, whose path it returns.
fn fill(folder: &Path) -> PathBuf {
    let path = (0..9).map(|n| folder.join(format!("ballast-{n}"))).find(|path| !path.exists());
    let path = path.expect("tests use a few");
    let mut file = File::create(&path).expect("a name costs nothing");
    for size in [64 * 1024, 1024, 1] {
        while file.write_all(&vec![1; size]).and_then(|()| file.sync_data()).is_ok() {}
    }
    path
}

/// Writes cell after cell; the last that was acknowledged, and the refusal.
async fn write_until_refused(store: &Store) -> (u64, StoreError) {
    let first = store.snapshot().latest::<Cell>(&(), 1).expect("it reads");
    for number in first.first().map_or(0, |cell| cell.number) + 1..100_000 {
        if let Err(refusal) = put(store, number).await {
            return (number - 1, refusal);
        }
    }
    unreachable!("a full disk takes no end of cells")
}

/// Writes it as soon as the store accepts it.
async fn put_patiently(store: &Store, number: u64) {
    while let Err(refusal) = put(store, number).await {
        let expected = matches!(refusal, StoreError::Refused { .. } | StoreError::Uncertain { .. });
        assert!(expected, "{refusal:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn put(store: &Store, number: u64) -> Result<(), StoreError> {
    let text = format!("{number:04000}");
    store.transact(move |tx| tx.put(&Cell { number, text })).await
}

fn assert_cells(store: &Store, last: u64) {
    let cells = store.snapshot().scan::<Cell>(&()).expect("it reads");
    let numbers = cells.iter().map(|cell| cell.number);
    assert!(numbers.eq(0..=last), "{} cells, the last should be {last}", cells.len());
}
