//! The list of records a binary knows, with their versions. A folder remembers the list of the
//! binary that last wrote it; comparing the two says what to migrate, and whether the folder is
//! too new. Not the records themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{OpenError, StoreError};
use super::record::{MigrateError, Record, decode};

/// The records a binary can store: `Schema::default().with::<App>().with::<Release>()`.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    tables: BTreeMap<&'static str, Table>,
}

/// What the store must know of one record type without naming it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) version: u32,
    pub(super) migrate: fn(u32, Value) -> Result<Value, MigrateError>,
    pub(super) check: fn(&[u8], &[u8]) -> Result<(), StoreError>,
}

/// A schema as a folder and an export remember it: table → version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Versions(pub(super) BTreeMap<String, u32>);

impl Schema {
    /// Adds a record type. Adding one twice changes nothing.
    #[must_use]
    pub fn with<R: Record>(mut self) -> Self {
        const { assert!(is_name(R::TABLE), "a table is named with a-z, 0-9 and _, a letter first") };
        let table = Table {
            name: R::TABLE,
            version: R::VERSION,
            migrate: R::migrate,
            check: |key, bytes| decode::<R>(key, bytes).map(drop),
        };
        self.tables.insert(R::TABLE, table);
        self
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    pub(super) fn versions(&self) -> Versions {
        Versions(self.tables.values().map(|t| (t.name.to_owned(), t.version)).collect())
    }

    /// Refuses a folder that a newer binary has written: guessing at its records would lose them.
    pub(super) fn admit(&self, stored: &Versions) -> Result<(), OpenError> {
        for (name, &version) in &stored.0 {
            let known = self.table(name).map_or(0, |table| table.version);
            if version > known {
                return Err(OpenError::Newer { table: name.clone(), stored: version, known });
            }
        }
        Ok(())
    }
}

/// Checked when the program is compiled: the journal's own notes and the marks in its keys must
/// not be taken for a table's.
const fn is_name(name: &str) -> bool {
    let mut rest = name.as_bytes();
    if !matches!(rest, [b'a'..=b'z', ..]) {
        return false;
    }
    while let [first, others @ ..] = rest {
        if !matches!(first, b'a'..=b'z' | b'0'..=b'9' | b'_') {
            return false;
        }
        rest = others;
    }
    name.len() <= 64
}
