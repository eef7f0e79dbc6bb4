//! Reading records, the same in a snapshot and inside a transaction, so that a rule about records
//! is written once for both.

use super::error::StoreError;
use super::key::Key;
use super::record::{Bytes, Record, decode};

/// Somewhere records can be read. Snapshots and transactions implement the first two methods;
/// callers use the others.
pub trait View {
    /// The stored bytes of one record.
    #[doc(hidden)]
    fn value(&self, table: &'static str, key: &[u8]) -> Option<Bytes>;

    /// The stored keys and bytes of a range.
    #[doc(hidden)]
    fn values(&self, table: &'static str, range: &Range) -> Vec<(Bytes, Bytes)>;

    /// The record with this key.
    fn get<R: Record>(&self, key: &R::Key) -> Result<Option<R>, StoreError> {
        let key = key.bytes();
        let value = self.value(R::TABLE, key.as_slice());
        value.map(|bytes| decode(key.as_slice(), &bytes)).transpose()
    }

    /// Every record whose key begins with `prefix`, in key order; `&()` means the whole table.
    fn scan<R: Record>(&self, prefix: &(impl Key + ?Sized)) -> Result<Vec<R>, StoreError> {
        read(&self.values(R::TABLE, &Range::of(prefix)))
    }

    /// At most `limit` records with this prefix whose keys come after `after`, in key order.
    fn scan_after<R: Record>(
        &self,
        prefix: &(impl Key + ?Sized),
        after: &R::Key,
        limit: usize,
    ) -> Result<Vec<R>, StoreError> {
        let after = Some(after.bytes().as_slice().to_vec());
        read(&self.values(R::TABLE, &Range { after, limit, ..Range::of(prefix) }))
    }

    /// The last `limit` records with this prefix, the last first.
    fn latest<R: Record>(
        &self,
        prefix: &(impl Key + ?Sized),
        limit: usize,
    ) -> Result<Vec<R>, StoreError> {
        let order = Order::Descending;
        read(&self.values(R::TABLE, &Range { limit, order, ..Range::of(prefix) }))
    }
}

/// Which records of a table, and in which order.
#[doc(hidden)]
#[derive(Debug)]
pub struct Range {
    pub(super) prefix: Vec<u8>,
    pub(super) after: Option<Vec<u8>>,
    pub(super) limit: usize,
    pub(super) order: Order,
}

/// The direction of a range.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Ascending,
    Descending,
}

impl Range {
    fn of(prefix: &(impl Key + ?Sized)) -> Self {
        Self {
            prefix: prefix.bytes().as_slice().to_vec(),
            after: None,
            limit: usize::MAX,
            order: Order::Ascending,
        }
    }

    /// All records with the same prefix.
    pub(super) fn whole(&self) -> Self {
        Self {
            prefix: self.prefix.clone(),
            after: None,
            limit: usize::MAX,
            order: Order::Ascending,
        }
    }

    /// The first key behind all that begin with the prefix; none if the prefix is open-ended.
    pub(super) fn end(&self) -> Option<Vec<u8>> {
        let mut end = self.prefix.clone();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return Some(end);
            }
        }
        None
    }
}

fn read<R: Record>(found: &[(Bytes, Bytes)]) -> Result<Vec<R>, StoreError> {
    found.iter().map(|(key, value)| decode(key, value)).collect()
}
