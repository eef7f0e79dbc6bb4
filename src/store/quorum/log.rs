//! The log of what was proposed, on this machine's disk: a database of its own beside that of the records,
//! with the same care (see `journal`), and held in memory whole.
//!
//! It is short: what all have is cut off.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{
    AnyError, Entry, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader,
    StorageIOError, Vote,
};
use serde::de::DeserializeOwned;

use super::words::{Id, StorageError, Types};
use crate::store::journal::{Change, Fault, Journal};
use crate::store::record::Bytes;

/// The log. Clones are the same log.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    journal: Journal,
    /// What is on the disk, by table and key.
    values: BTreeMap<(&'static str, Vec<u8>), Bytes>,
    entries: BTreeMap<u64, Entry<Types>>,
    vote: Option<Vote<u64>>,
    /// The last entry that was cut off.
    purged: Option<Id>,
}

/// Values to write: table, key, and the new value unless it is to go.
type News = Vec<((&'static str, Vec<u8>), Option<Vec<u8>>)>;

impl Log {
    /// Opens it, or makes it. Blocks on the disk.
    pub(super) fn open(folder: &Path) -> Result<Self, Fault> {
        let journal = Journal::open(folder)?;
        let (mut values, mut entries) = (BTreeMap::new(), BTreeMap::new());
        let (mut vote, mut purged) = (None, None);
        for (table, key, value) in journal.contents()?.entries {
            let name = match table.as_str() {
                ENTRIES => {
                    let index = <[u8; 8]>::try_from(key.as_slice());
                    let index = index.map_err(|_| strange("the number of an entry"))?;
                    entries.insert(u64::from_be_bytes(index), read(&value, "an entry")?);
                    ENTRIES
                }
                STATE if key == VOTE => {
                    vote = Some(read(&value, "the vote")?);
                    STATE
                }
                STATE if key == PURGED => {
                    purged = Some(read(&value, "where it begins")?);
                    STATE
                }
                _ => return Err(strange("a foreign table")),
            };
            values.insert((name, key), Bytes::from(value));
        }
        Ok(Self(Arc::new(Mutex::new(Kept { journal, values, entries, vote, purged }))))
    }

    /// Does something to it where blocking on the disk is nobody's harm.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Kept) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let log = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&mut log.kept())).await;
        done.map_err(io::Error::other)?
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Writes values. After an error nobody knows whether they are there, and the log is of no more use.
    fn write(&mut self, news: News) -> io::Result<()> {
        let changes = news.iter().map(|((table, key), value)| Change {
            table,
            key,
            value: value.as_deref(),
            old: self.values.get(&(*table, key.clone())),
        });
        self.journal.commit(changes, 0).map_err(io::Error::other)?;
        for (place, value) in news {
            match value {
                Some(value) => drop(self.values.insert(place, value.into())),
                None => drop(self.values.remove(&place)),
            }
        }
        Ok(())
    }

    /// Removes entries, and writes something besides.
    fn remove(&mut self, range: impl RangeBounds<u64>, mut news: News) -> io::Result<()> {
        let gone: Vec<u64> = self.entries.range(range).map(|(index, _)| *index).collect();
        news.extend(gone.iter().map(|index| (place_of(*index), None)));
        self.write(news)?;
        for index in gone {
            self.entries.remove(&index);
        }
        Ok(())
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R>(&mut self, range: R) -> Result<Vec<Entry<Types>>, StorageError>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        Ok(self.kept().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let kept = self.kept();
        let last = kept.entries.last_key_value().map(|(_, entry)| entry.log_id);
        Ok(LogState { last_purged_log_id: kept.purged, last_log_id: last.or(kept.purged) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError> {
        let vote = *vote;
        let saved = self.work(move |kept| {
            kept.write(vec![((STATE, VOTE.to_vec()), Some(serde_json::to_vec(&vote)?))])?;
            kept.vote = Some(vote);
            Ok(())
        });
        saved.await.map_err(|error| StorageIOError::write_vote(AnyError::new(&error)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError> {
        Ok(self.kept().vote)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: LogFlushed<Types>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        let appended = self.work(move |kept| {
            let line = |entry: &Entry<Types>| {
                let value = serde_json::to_vec(entry)?;
                Ok((place_of(entry.log_id.index), Some(value)))
            };
            kept.write(entries.iter().map(line).collect::<io::Result<_>>()?)?;
            kept.entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
            Ok(())
        });
        let appended = appended.await;
        let failed = appended.as_ref().err().map(AnyError::new);
        flushed.log_io_completed(appended);
        failed.map_or(Ok(()), |error| Err(StorageIOError::write_logs(error).into()))
    }

    async fn truncate(&mut self, from: Id) -> Result<(), StorageError> {
        let cut = self.work(move |kept| kept.remove(from.index.., Vec::new()));
        cut.await.map_err(|error| StorageIOError::write_logs(AnyError::new(&error)).into())
    }

    async fn purge(&mut self, last: Id) -> Result<(), StorageError> {
        let cut = self.work(move |kept| {
            let begins = ((STATE, PURGED.to_vec()), Some(serde_json::to_vec(&last)?));
            kept.remove((Bound::Unbounded, Bound::Included(last.index)), vec![begins])?;
            kept.purged = Some(last);
            Ok(())
        });
        cut.await.map_err(|error| {
            let error = AnyError::new(&error);
            StorageIOError::new(ErrorSubject::Log(last), ErrorVerb::Delete, error).into()
        })
    }
}

fn place_of(index: u64) -> (&'static str, Vec<u8>) {
    (ENTRIES, index.to_be_bytes().to_vec())
}

fn read<T: DeserializeOwned>(value: &[u8], what: &str) -> Result<T, Fault> {
    serde_json::from_slice(value).map_err(|_| strange(what))
}

fn strange(what: &str) -> Fault {
    Fault::Damaged { what: format!("{what} of the log of the quorum") }
}

const ENTRIES: &str = "entries";
const STATE: &str = "state";
const VOTE: &[u8] = b"vote";
const PURGED: &[u8] = b"purged";
