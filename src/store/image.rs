//! The state in memory: what every read sees. The writer changes it only after the journal has
//! the change on disk. Cloning an image is cheap, and changing one that somebody still holds
//! copies only the tables that change.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::record::Bytes;
use super::view::{Order, Range, View};

/// Records of one table by key.
pub(super) type Table = BTreeMap<Bytes, Bytes>;

/// Writes that are not in the image yet: (table, key) → the new value, none if deleted.
pub(super) type Writes = BTreeMap<(&'static str, Bytes), Option<Bytes>>;

/// All records.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    tables: BTreeMap<&'static str, Arc<Table>>,
    /// The number of the commit it shows.
    pub(super) sequence: u64,
}

/// The state as of one commit. It never changes; hold it as long as one pass, not for ever.
#[derive(Debug, Clone)]
pub struct Snapshot(pub(super) Arc<Image>);

impl Image {
    pub(super) fn get(&self, table: &str, key: &[u8]) -> Option<&Bytes> {
        self.tables.get(table)?.get(key)
    }

    /// Sets or deletes one record.
    pub(super) fn set(&mut self, table: &'static str, key: Bytes, value: Option<Bytes>) {
        let records = Arc::make_mut(self.tables.entry(table).or_default());
        match value {
            Some(value) => drop(records.insert(key, value)),
            None => drop(records.remove(&key)),
        }
    }

    /// Every record, by table and key.
    pub(super) fn records(&self) -> impl Iterator<Item = (&'static str, &Bytes, &Bytes)> {
        self.tables
            .iter()
            .flat_map(|(name, table)| table.iter().map(|(key, value)| (*name, key, value)))
    }

    pub(super) fn range(&self, table: &str, range: &Range) -> Vec<(Bytes, Bytes)> {
        self.tables.get(table).map_or_else(Vec::new, |records| select(records, range))
    }
}

impl Snapshot {
    /// The number of the commit it shows; compare with [`Store::changes`](super::Store::changes).
    pub fn sequence(&self) -> u64 {
        self.0.sequence
    }
}

impl View for Snapshot {
    fn value(&self, table: &'static str, key: &[u8]) -> Option<Bytes> {
        self.0.get(table, key).cloned()
    }

    fn values(&self, table: &'static str, range: &Range) -> Vec<(Bytes, Bytes)> {
        self.0.range(table, range)
    }
}

/// The records of a range, in its order, up to its limit.
pub(super) fn select(records: &Table, range: &Range) -> Vec<(Bytes, Bytes)> {
    let lower = match &range.after {
        Some(after) => Bound::Excluded(after.as_slice()),
        None => Bound::Included(range.prefix.as_slice()),
    };
    let end = range.end();
    let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    // A lower bound beyond the upper one, which `range` panics on, holds nothing.
    if let (Some(after), Some(end)) = (&range.after, &end)
        && after >= end
    {
        return Vec::new();
    }
    let found = records.range::<[u8], _>((lower, upper));
    let owned = |(key, value): (&Bytes, &Bytes)| (Arc::clone(key), Arc::clone(value));
    match range.order {
        Order::Ascending => found.take(range.limit).map(owned).collect(),
        Order::Descending => found.rev().take(range.limit).map(owned).collect(),
    }
}
