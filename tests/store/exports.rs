//! Exports: what they look like, that they come back, that half of one is not taken for one, and
//! how many are kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use paas::store::{RestoreError, Store, StoreError, View as _, restore};

use crate::cell::{self, Cell, Last};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/golden/export.jsonl");
const ENVELOPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/golden/envelope.json");

fn golden_cells() -> Vec<Cell> {
    let texts = ["plain", "quotes \" and \\ and\nlines", "ä€😀", ""];
    (0..).zip(texts).map(|(number, text)| Cell { number, text: text.to_owned() }).collect()
}

async fn fill(store: &Store) {
    let work = |tx: &mut paas::store::Transaction<'_>| {
        golden_cells().iter().try_for_each(|cell| tx.put(cell))?;
        tx.put(&Last { number: 4 })
    };
    store.transact::<_, StoreError, _>(work).await.expect("it writes");
}

#[tokio::test]
async fn an_export_is_the_golden_file_and_private() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let store = cell::open(&home.path().join("store"));
    fill(&store).await;
    let path = home.path().join("export.jsonl");
    store.export(&path, cell::noon()).expect("it exports");
    let golden = fs::read_to_string(GOLDEN).expect("the golden file is there");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), golden);
    let envelope = fs::read_to_string(ENVELOPE).expect("the golden file is there");
    assert!(golden.contains(envelope.trim_end()), "an envelope is stored as {envelope}");
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Whatever an earlier version has written stays readable.
#[test]
fn the_golden_export_is_restored() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let dir = home.path().join("store");
    restore(Path::new(GOLDEN), &dir).expect("it restores");
    let store = cell::open(&dir);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.scan::<Cell>(&()).expect("it reads"), golden_cells());
    assert_eq!(snapshot.get::<Last>(&()).expect("it reads"), Some(Last { number: 4 }));
    let again = restore(Path::new(GOLDEN), &dir).expect_err("there is a store");
    assert!(matches!(again, RestoreError::Occupied { .. }), "{again}");
}

#[test]
fn a_damaged_export_is_refused_and_leaves_nothing() {
    let golden = fs::read(GOLDEN).expect("the golden file is there");
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let path = home.path().join("export.jsonl");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).expect("it can be written");
        let error = restore(&path, &home.path().join("store")).expect_err(what);
        assert!(error.hint().is_some(), "{what}: {error}");
        assert!(!home.path().join("store").exists(), "{what}");
    };
    for length in 0..golden.len() - 1 {
        check(&golden[..length], &format!("cut after {length} bytes"));
    }
    for at in 0..golden.len() - 1 {
        let mut bytes = golden.clone();
        bytes[at] ^= 1;
        check(&bytes, &format!("byte {at} changed"));
    }
    let newer =
        String::from_utf8(golden).expect("it is text").replace("_export\":1", "_export\":2");
    check(newer.as_bytes(), "a newer format");
}

/// A daemon exports when it starts; one that is restarted all the time must not lose a day of them.
#[tokio::test]
async fn another_export_within_the_hour_is_the_same_one() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let store = cell::open(home.path());
    fill(&store).await;
    let at = |minute| store.export_hourly(cell::noon() + Duration::from_mins(minute));
    let first = at(0).expect("it exports");
    assert_eq!(at(1).expect("it exports"), first);
    let second = at(60).expect("it exports");
    assert_ne!(second, first);
    assert_eq!(at(109).expect("it exports"), second);
    // A clock that went back does not end the exports.
    assert_ne!(at(30).expect("it exports"), second);
}

#[tokio::test]
async fn twenty_four_hourly_exports_are_kept() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let store = cell::open(home.path());
    fill(&store).await;
    for hour in 0..30 {
        store.export_hourly(cell::noon() + Duration::from_hours(hour)).expect("it exports");
    }
    let files = fs::read_dir(home.path().join("exports")).expect("it is there");
    let mut names: Vec<_> = files
        .map(|file| file.expect("it lists").file_name().into_string().expect("it is text"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 24);
    assert_eq!(names.first().map(String::as_str), Some("hourly-19700101T180000Z.jsonl"));
    assert_eq!(names.last().map(String::as_str), Some("hourly-19700102T170000Z.jsonl"));
}
