//! A change of several records that happens wholly or not at all. Transactions run one after
//! another on the writer thread, so each sees what those before it did, and none sees half of
//! another. Not a place to wait or to do IO: all others wait behind it.

use std::sync::Arc;

use super::error::StoreError;
use super::image::{Image, Table, Writes, select};
use super::key::{Key, KeyBytes};
use super::record::{Bytes, Record, encode};
use super::schema::Schema;
use super::view::{Range, View};

/// Reads and writes of one transaction; what it writes, it reads back.
#[derive(Debug)]
pub struct Transaction<'a> {
    schema: &'a Schema,
    image: &'a Image,
    /// What earlier transactions of the same commit wrote.
    earlier: &'a Writes,
    own: Writes,
    size: usize,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(schema: &'a Schema, image: &'a Image, earlier: &'a Writes) -> Self {
        Self { schema, image, earlier, own: Writes::new(), size: 0 }
    }

    /// Stores a record under its key, in place of the one that is there.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<(), StoreError> {
        let key = record.key().bytes();
        let value = encode(record, &key)?;
        self.write::<R>(&key, Some(value))
    }

    /// Deletes the record with this key, if there is one.
    pub fn delete<R: Record>(&mut self, key: &R::Key) -> Result<(), StoreError> {
        let key = key.bytes();
        match self.value(R::TABLE, key.as_slice()) {
            Some(_) => self.write::<R>(&key, None),
            None => Ok(()),
        }
    }

    /// What it wrote, and about how many bytes that is.
    pub(super) fn into_writes(self) -> (Writes, usize) {
        (self.own, self.size)
    }

    fn write<R: Record>(&mut self, key: &KeyBytes, value: Option<Bytes>) -> Result<(), StoreError> {
        if self.schema.table(R::TABLE).is_none() {
            return Err(StoreError::UnknownTable { table: R::TABLE });
        }
        let size = self.size + key.as_slice().len() + value.as_ref().map_or(0, |v| v.len());
        if size > MAX_TRANSACTION {
            return Err(StoreError::TransactionTooLarge { size, limit: MAX_TRANSACTION });
        }
        self.size = size;
        self.own.insert((R::TABLE, key.as_slice().into()), value);
        Ok(())
    }
}

impl View for Transaction<'_> {
    fn value(&self, table: &'static str, key: &[u8]) -> Option<Bytes> {
        let place = (table, Bytes::from(key));
        match self.own.get(&place).or_else(|| self.earlier.get(&place)) {
            Some(written) => written.clone(),
            None => self.image.get(table, key).cloned(),
        }
    }

    fn values(&self, table: &'static str, range: &Range) -> Vec<(Bytes, Bytes)> {
        let mut written =
            within(self.earlier, table, range).chain(within(&self.own, table, range)).peekable();
        if written.peek().is_none() {
            return self.image.range(table, range);
        }
        let mut records: Table = self.image.range(table, &range.whole()).into_iter().collect();
        for (key, value) in written {
            match value {
                Some(value) => drop(records.insert(Arc::clone(key), Arc::clone(value))),
                None => drop(records.remove(key)),
            }
        }
        select(&records, range)
    }
}

/// The writes whose keys begin with the range's prefix.
fn within<'a>(
    writes: &'a Writes,
    table: &'static str,
    range: &'a Range,
) -> impl Iterator<Item = (&'a Bytes, &'a Option<Bytes>)> {
    writes
        .range((table, Bytes::from(range.prefix.as_slice()))..)
        .take_while(move |((name, key), _)| *name == table && key.starts_with(&range.prefix))
        .map(|((_, key), value)| (key, value))
}

/// The most one transaction may write, in bytes.
const MAX_TRANSACTION: usize = 4 * 1024 * 1024;
