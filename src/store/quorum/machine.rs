//! What was agreed on, applied to the records of this machine, and the records as a whole for whoever lacks
//! too much of the log.

use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, Entry, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftLogId,
    RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageIOError,
};
use serde::{Deserialize, Serialize};

use super::words::{Commit, Id, Membership, Outcome, StorageError, Types};
use crate::store::error::StoreError;
use crate::store::image::{Image, Writes};
use crate::store::ledger::Ledger;
use crate::store::record::Bytes;

/// The records of this machine. Clones are of the same.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    ledger: Arc<Mutex<Ledger>>,
}

/// How far the quorum is, as it is written beside the records. It is stored: fields are only added.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Minutes {
    /// The last entry that was applied.
    applied: Option<Id>,
    /// Who keeps the records.
    membership: Membership,
}

/// All records.
#[derive(Debug, Serialize, Deserialize)]
struct Whole {
    minutes: Minutes,
    records: Commit,
}

impl Machine {
    pub(super) fn of(ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { ledger }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn minutes(&self) -> Result<Minutes, StorageError> {
        read(&self.ledger())
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let machine = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&machine)).await;
        done.map_err(|error| failed(ErrorVerb::Write, &error))?
    }

    fn apply_all(&self, entries: Vec<Entry<Types>>) -> Result<Vec<Outcome>, StorageError> {
        let mut minutes = self.minutes()?;
        let mut outcomes = Vec::with_capacity(entries.len());
        let mut noted = true;
        for entry in entries {
            minutes.applied = Some(*entry.get_log_id());
            let outcome = match entry.payload {
                EntryPayload::Blank => Outcome::Nothing,
                EntryPayload::Membership(members) => {
                    minutes.membership = Membership::new(minutes.applied, members);
                    Outcome::Nothing
                }
                EntryPayload::Normal(commit) => self.apply_one(commit, &minutes)?,
            };
            noted = outcome == Outcome::Saved;
            outcomes.push(outcome);
        }
        if !noted {
            let written = self.ledger().minute(encode(&minutes)?);
            written.map_err(|error| failed(ErrorVerb::Write, &error))?;
        }
        Ok(outcomes)
    }

    fn apply_one(&self, commit: Commit, minutes: &Minutes) -> Result<Outcome, StorageError> {
        let mut ledger = self.ledger();
        let image = ledger.shared.image();
        if commit.base != image.sequence {
            return Ok(Outcome::Stale);
        }
        let writes = Self::known(&ledger, commit)?;
        let committed = ledger.commit(image, writes, Some(encode(minutes)?));
        committed.map_err(|error| failed(ErrorVerb::Write, &error))?;
        Ok(Outcome::Saved)
    }

    /// A commit of tables that this binary knows, with records that it can read.
    fn known(ledger: &Ledger, commit: Commit) -> Result<Writes, StorageError> {
        let schema = &ledger.shared.schema;
        let unknown = |table: String| {
            failed(ErrorVerb::Read, &std::io::Error::other(format!("table {table} is not known")))
        };
        let writes = commit.into_writes(schema).map_err(unknown)?;
        for ((name, key), value) in &writes {
            let checked = match (schema.table(name), value) {
                (Some(table), Some(value)) => (table.check)(key, value),
                _ => Ok(()),
            };
            checked.map_err(|error: StoreError| failed(ErrorVerb::Read, &error))?;
        }
        Ok(writes)
    }

    fn whole(&self) -> Result<Snapshot<Types>, StorageError> {
        let (minutes, image) = {
            // As of one moment.
            let ledger = self.ledger();
            (read(&ledger)?, ledger.shared.image())
        };
        let records = image.records();
        let writes =
            records.map(|(table, key, value)| ((table, Arc::clone(key)), Some(Arc::clone(value))));
        let records = Commit::new(image.sequence, writes.collect());
        let whole = Whole { minutes: minutes.clone(), records };
        let bytes = serde_json::to_vec(&whole).map_err(|error| failed(ErrorVerb::Read, &error))?;
        let Minutes { applied, membership } = minutes;
        let snapshot_id =
            applied.map_or_else(String::new, |id| format!("{}-{}", id.leader_id, id.index));
        let meta = SnapshotMeta { last_log_id: applied, last_membership: membership, snapshot_id };
        Ok(Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) })
    }

    fn install(&self, bytes: &[u8]) -> Result<(), StorageError> {
        let whole: Whole =
            serde_json::from_slice(bytes).map_err(|error| failed(ErrorVerb::Read, &error))?;
        let mut ledger = self.ledger();
        let mut image = Image::default();
        image.sequence = whole.records.base;
        for ((table, key), value) in Self::known(&ledger, whole.records)? {
            image.set(table, key, value);
        }
        let replaced = ledger.replace(image, encode(&whole.minutes)?);
        replaced.map_err(|error| failed(ErrorVerb::Write, &error))
    }
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        self.work(Self::whole).await
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<Id>, Membership), StorageError> {
        let Minutes { applied, membership } = self.minutes()?;
        Ok((applied, membership))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>, StorageError>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        self.work(move |machine| machine.apply_all(entries)).await
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        _: &SnapshotMeta<u64, super::Member>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        self.work(move |machine| machine.install(snapshot.get_ref())).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        self.work(Self::whole).await.map(Some)
    }
}

/// Whether others keep the records, too, as the minutes say. Of minutes that cannot be read it is believed.
pub(in crate::store) fn is_shared(minutes: &[u8]) -> bool {
    let minutes = serde_json::from_slice::<Minutes>(minutes);
    minutes.map_or(true, |minutes| minutes.membership.voter_ids().count() > 1)
}

fn read(ledger: &Ledger) -> Result<Minutes, StorageError> {
    let Some(minutes) = &ledger.minutes else { return Ok(Minutes::default()) };
    serde_json::from_slice(minutes).map_err(|error| failed(ErrorVerb::Read, &error))
}

fn encode(minutes: &Minutes) -> Result<Bytes, StorageError> {
    serde_json::to_vec(minutes).map(Bytes::from).map_err(|error| failed(ErrorVerb::Write, &error))
}

fn failed(verb: ErrorVerb, error: &(impl std::error::Error + 'static)) -> StorageError {
    StorageIOError::new(ErrorSubject::StateMachine, verb, AnyError::new(error)).into()
}
