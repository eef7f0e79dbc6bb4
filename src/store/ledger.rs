//! The records of this machine: what its disk has, and what everybody sees of it. Every commit goes through
//! it, whether this machine keeps the records alone or a quorum of several has agreed on it.
//!
//! What it does when the disk fails stands in `recovery`.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::StoreError;
use super::handle::Shared;
use super::image::{Image, Writes};
use super::journal::{Change, Fault, Journal};
use super::open;
use super::rebuild::rebuild;
use super::record::Bytes;
use super::recovery::Trouble;
use super::reserve::Reserve;

/// The records of this machine.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) shared: Arc<Shared>,
    /// None while it cannot be opened.
    pub(super) journal: Option<Journal>,
    pub(super) reserve: Reserve,
    pub(super) trouble: Option<Trouble>,
    /// How far the quorum is that keeps the records, if one does; it is written with each commit.
    pub(super) minutes: Option<Bytes>,
}

impl Ledger {
    /// Puts writes on the disk as one commit, on top of this image, and shows them. It takes the image rather
    /// than borrowing it: as the last holder of it, showing them changes it in place.
    pub(super) fn commit(
        &mut self,
        image: Arc<Image>,
        writes: Writes,
        minutes: Option<Bytes>,
    ) -> Result<(), StoreError> {
        if let Some(trouble) = &self.trouble {
            return Err(self.refused(trouble.fault.clone()));
        }
        let Some(journal) = &self.journal else { return Err(StoreError::Closed) };
        let sequence = image.sequence + 1;
        let changes = writes.iter().map(|((table, key), value)| Change {
            table,
            key,
            value: value.as_deref(),
            old: image.get(table, key),
        });
        let far = minutes.as_deref().map(|new| Change::minutes(new, self.minutes.as_ref()));
        let committed = journal.commit(changes.chain(far), sequence);
        drop(image);
        match committed {
            Ok(()) => {
                self.minutes = minutes.or(self.minutes.take());
                self.publish(writes, sequence);
                Ok(())
            }
            Err(fault) => Err(self.settle(fault)),
        }
    }

    /// Puts on the disk how far the quorum is; the records stay as they are.
    pub(super) fn minute(&mut self, minutes: Bytes) -> Result<(), StoreError> {
        if let Some(trouble) = &self.trouble {
            return Err(self.refused(trouble.fault.clone()));
        }
        let Some(journal) = &self.journal else { return Err(StoreError::Closed) };
        let note = Change::minutes(&minutes, self.minutes.as_ref());
        match journal.commit([note], self.shared.image().sequence) {
            Ok(()) => {
                self.minutes = Some(minutes);
                Ok(())
            }
            Err(fault) => Err(self.settle(fault)),
        }
    }

    /// Has other records in the place of all that there are.
    pub(super) fn replace(&mut self, image: Image, minutes: Bytes) -> Result<(), StoreError> {
        self.journal = None;
        let database = open::database(&self.shared.dir);
        let versions = self.shared.schema.versions();
        match rebuild(&database, &image, &versions, Some(&minutes)) {
            Ok(journal) => self.journal = Some(journal),
            Err(fault) => return Err(self.settle(fault)),
        }
        self.minutes = Some(minutes);
        self.shared.publish(|shown| *shown = Arc::new(image));
        Ok(())
    }

    /// Lets go of the disk.
    pub(super) fn close(&mut self) {
        self.journal = None;
    }

    fn publish(&self, writes: Writes, sequence: u64) {
        self.shared.publish(|image| {
            let image = Arc::make_mut(image);
            image.sequence = sequence;
            for ((table, key), value) in writes {
                image.set(table, key, value);
            }
        });
    }

    pub(super) fn refused(&self, source: Fault) -> StoreError {
        StoreError::Refused { dir: self.dir(), source }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.shared.dir.clone()
    }
}
