//! A record and the envelope it is stored in: `{"v":1,"data":{…}}`. The envelope carries the
//! version of the record's shape, so that a newer binary can read an older folder. Not a place
//! for behaviour: a record is a boundary, add-only within one version.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::error::StoreError;
use super::key::{Key, KeyBytes};

/// Keys and values as the image holds them: shared, never changed in place.
pub(super) type Bytes = Arc<[u8]>;

/// Something the store remembers.
pub trait Record: Serialize + DeserializeOwned {
    /// The table it is kept in: lower-case letters, digits and `_`, a letter first.
    const TABLE: &'static str;
    /// The version of its stored shape; starts at 1. A change that old data does not decode as
    /// raises it by one and teaches [`Record::migrate`] the step.
    const VERSION: u32;
    /// What it is found by.
    type Key: Key;

    /// The key of this record.
    fn key(&self) -> Self::Key;

    /// Brings data from version `from` to `from + 1`. Called at open, step by step, never later.
    fn migrate(from: u32, data: Value) -> Result<Value, MigrateError> {
        drop(data);
        Err(MigrateError::NoStep { from })
    }
}

/// Why stored data could not be brought forward.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The record knows no step from this version.
    #[error("no migration from version {from} is known")]
    NoStep { from: u32 },
    /// The data is not what that version promised.
    #[error("the data does not have the shape of version {from}")]
    Shape { from: u32, source: serde_json::Error },
}

/// The longest stored value, in bytes.
pub(super) const MAX_VALUE: usize = 64 * 1024;
/// The longest key, in bytes. `chunk` counts on it.
pub(super) const MAX_KEY: usize = 512;

#[derive(Serialize)]
struct Envelope<'a, R> {
    v: u32,
    data: &'a R,
}

#[derive(Deserialize)]
struct Opened<R> {
    v: u32,
    data: R,
}

/// A record as it is stored.
pub(super) fn encode<R: Record>(record: &R, key: &KeyBytes) -> Result<Bytes, StoreError> {
    let bytes = serde_json::to_vec(&Envelope { v: R::VERSION, data: record })
        .map_err(|source| StoreError::Encode { table: R::TABLE, source: Arc::new(source) })?;
    let too_large = |size, limit| StoreError::RecordTooLarge {
        table: R::TABLE,
        key: readable(key.as_slice()),
        size,
        limit,
    };
    if key.as_slice().len() > MAX_KEY {
        return Err(too_large(key.as_slice().len(), MAX_KEY));
    }
    if bytes.len() > MAX_VALUE {
        return Err(too_large(bytes.len(), MAX_VALUE));
    }
    Ok(bytes.into())
}

/// A stored record, which must have this binary's version: `migrate` has been there before.
pub(super) fn decode<R: Record>(key: &[u8], bytes: &[u8]) -> Result<R, StoreError> {
    let unreadable = |source| StoreError::Unreadable {
        table: R::TABLE,
        key: readable(key),
        source: Arc::new(source),
    };
    let opened: Opened<R> = serde_json::from_slice(bytes).map_err(unreadable)?;
    if opened.v != R::VERSION {
        return Err(StoreError::Version {
            table: R::TABLE,
            key: readable(key),
            found: opened.v,
            expected: R::VERSION,
        });
    }
    Ok(opened.data)
}

/// The version and the data of an envelope, whatever record it holds.
pub(super) fn open(bytes: &[u8]) -> Result<(u32, Value), serde_json::Error> {
    let opened: Opened<Value> = serde_json::from_slice(bytes)?;
    Ok((opened.v, opened.data))
}

/// An envelope around data that is already a value.
pub(super) fn seal(version: u32, data: &Value) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(&Envelope { v: version, data }).map(Bytes::from)
}

/// A key as people read it in a message.
pub(super) fn readable(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}
