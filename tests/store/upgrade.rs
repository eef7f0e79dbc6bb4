//! A folder meets a newer binary, and an older one.

use std::fs;
use std::path::Path;

use paas::store::{
    MigrateError, OpenError, Record, Schema, Store, StoreOptions, View as _, restore,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cell::{self, Cell};

/// The cell of a later day: two versions on, its text is split and its size noted.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CellV3 {
    number: u64,
    lines: Vec<String>,
    size: u64,
}

impl Record for CellV3 {
    const TABLE: &'static str = Cell::TABLE;
    const VERSION: u32 = 3;
    type Key = u64;

    fn key(&self) -> u64 {
        self.number
    }

    fn migrate(from: u32, mut data: Value) -> Result<Value, MigrateError> {
        match from {
            1 => {
                let cell: Cell = serde_json::from_value(data)
                    .map_err(|source| MigrateError::Shape { from, source })?;
                let lines: Vec<&str> = cell.text.lines().collect();
                Ok(serde_json::json!({ "number": cell.number, "lines": lines }))
            }
            2 => {
                let size = data.get("lines").and_then(Value::as_array).map_or(0, Vec::len);
                if let Some(cell) = data.as_object_mut() {
                    cell.insert("size".to_owned(), size.into());
                }
                Ok(data)
            }
            _ => Err(MigrateError::NoStep { from }),
        }
    }
}

pub(crate) fn open_v3(dir: &Path) -> Result<Store, OpenError> {
    let schema = Schema::default().with::<CellV3>().with::<cell::Last>();
    Store::open(dir, StoreOptions { schema, now: cell::noon() })
}

async fn with_one_cell(dir: &Path, text: &str) {
    let store = cell::open(dir);
    let cell = Cell { number: 7, text: text.to_owned() };
    store
        .transact::<_, paas::store::StoreError, _>(move |tx| tx.put(&cell))
        .await
        .expect("it writes");
    store.close().await;
}

#[tokio::test]
async fn records_migrate_step_by_step_after_an_export() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let dir = home.path().join("store");
    with_one_cell(&dir, "a\nb").await;

    let store = open_v3(&dir).expect("it migrates");
    let expected = CellV3 { number: 7, lines: vec!["a".into(), "b".into()], size: 2 };
    assert_eq!(store.snapshot().get(&7).expect("it reads"), Some(expected));
    store.close().await;
    open_v3(&dir).expect("it opens again").close().await;

    let exports: Vec<_> = fs::read_dir(dir.join("exports")).expect("it is there").collect();
    assert_eq!(exports.len(), 1, "the second opening has nothing to migrate");
    let export = exports.into_iter().next().expect("one").expect("it lists").path();
    assert!(export.ends_with("before-upgrade-19700101T120000Z.jsonl"), "{export:?}");

    // The way back: the older binary refuses the folder, and the export makes the old one.
    let schema = Schema::default().with::<Cell>().with::<cell::Last>();
    let old = Store::open(&dir, StoreOptions { schema, now: cell::noon() });
    let error = old.expect_err("it is too new");
    assert_eq!(
        error.to_string(),
        "the data was written by a newer paas: table cells has version 3, this paas knows 1"
    );
    let back = home.path().join("back");
    restore(&export, &back).expect("it restores");
    let cells = cell::open(&back).snapshot().scan::<Cell>(&()).expect("it reads");
    assert_eq!(cells, [Cell { number: 7, text: "a\nb".into() }]);
}

#[tokio::test]
async fn a_failed_migration_leaves_the_folder_as_it_was() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    with_one_cell(home.path(), "fine").await;
    let schema = Schema::default().with::<Stuck>().with::<cell::Last>();
    let stuck = Store::open(home.path(), StoreOptions { schema, now: cell::noon() });
    let error = stuck.expect_err("there is no step from 1");
    assert!(matches!(error, OpenError::Migrate { from: 1, to: 2, .. }), "{error:?}");
    let cells = cell::open(home.path()).snapshot().scan::<Cell>(&()).expect("it reads");
    assert_eq!(cells.len(), 1);
}

/// A newer cell whose author forgot the migration.
#[derive(Debug, Serialize, Deserialize)]
struct Stuck {
    number: u64,
}

impl Record for Stuck {
    const TABLE: &'static str = Cell::TABLE;
    const VERSION: u32 = 2;
    type Key = u64;

    fn key(&self) -> u64 {
        self.number
    }
}
