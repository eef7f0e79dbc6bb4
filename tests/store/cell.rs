//! The record that the store's tests write: a numbered cell with a text.

use paas::store::{Record, Schema, Store, StoreOptions};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A numbered text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) number: u64,
    pub(crate) text: String,
}

/// The number of the last commit, as a record of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    pub(crate) number: u64,
}

impl Record for Cell {
    const TABLE: &'static str = "cells";
    const VERSION: u32 = 1;
    type Key = u64;

    fn key(&self) -> u64 {
        self.number
    }
}

impl Record for Last {
    const TABLE: &'static str = "last";
    const VERSION: u32 = 1;
    type Key = ();

    fn key(&self) {}
}

/// Opens a store of cells.
pub(crate) fn open(dir: &Path) -> Store {
    let schema = Schema::default().with::<Cell>().with::<Last>();
    Store::open(dir, StoreOptions { schema, now: noon() }).expect("the store opens")
}

/// A moment that tests can rely on.
pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(12)
}
