//! The only file that talks to sled. sled is fast and simple to carry, but by itself it loses
//! what it has acknowledged; three repairs make it keep its word, and `tests/store_crash.rs`
//! holds them:
//!
//! 1. `flush` syncs a file range, which a power cut forgets: every commit ends with our own
//!    `fdatasync` on sled's file.
//! 2. A kill while sled writes `snap.N.generating` makes the next open fail: those go first.
//! 3. Large pages go to files that are never synced: `chunk` keeps pages small.
//!
//! After any error sled refuses everything until it is opened anew; `recovery` sees to that.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};
use thiserror::Error;

use super::chunk::{self, Entry, Joiner};
use super::record::Bytes;
use super::schema::Versions;

/// Why the disk did not take or give what was asked.
#[derive(Debug, Clone, Error)]
pub enum Fault {
    /// No space, no inodes or no quota is left.
    #[error("disk full")]
    DiskFull { source: Arc<io::Error> },
    /// The disk, or the way to it, fails.
    #[error("reading or writing failed")]
    Io { source: Arc<io::Error> },
    /// What is there is not what was written.
    #[error("the database is damaged: {what}")]
    Damaged { what: String },
}

impl Fault {
    /// Whether freeing space mends it.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }
}

/// An open database.
#[derive(Debug)]
pub(super) struct Journal {
    sled: sled::Db,
    /// sled's file once more, for `fdatasync`.
    file: File,
}

/// All that a database holds.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) entries: Vec<Entry>,
    /// The number of the last commit.
    pub(super) sequence: u64,
    /// The schema it was written under; none before the first commit. Still encoded.
    pub(super) schema: Option<Vec<u8>>,
    /// How far the quorum is that keeps the records, if one does. Still encoded.
    pub(super) minutes: Option<Vec<u8>>,
}

/// One record to write.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) table: &'a str,
    pub(super) key: &'a [u8],
    /// The new value; none deletes.
    pub(super) value: Option<&'a [u8]>,
    /// The value that is there now.
    pub(super) old: Option<&'a Bytes>,
}

impl Journal {
    /// Opens the database in `dir`, or makes one.
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        remove_unfinished_snapshots(dir)?;
        forget_cached(&dir.join("db"))?;
        let sled = open_sled(dir)?;
        let file = File::options().read(true).write(true).open(dir.join("db"))?;
        // What recovery has read may so far be in the page cache only; and a new file needs its
        // name on the disk, too.
        file.sync_all()?;
        sync_folder(dir)?;
        sync_parent(dir)?;
        Ok(Self { sled, file })
    }

    /// Everything in it.
    pub(super) fn contents(&self) -> Result<Contents, Fault> {
        let mut joiner = Joiner::default();
        for item in self.sled.iter() {
            let (key, piece) = item?;
            joiner.add(&key, &piece).ok_or_else(|| damaged("a foreign key"))?;
        }
        let all = joiner.finish().ok_or_else(|| damaged("part of a value is missing"))?;
        let (notes, entries): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(table, _, _)| table == NOTES);
        let note = |name: &[u8]| notes.iter().find(|(_, key, _)| key == name).map(|(.., v)| v);
        let sequence = match note(SEQUENCE).map(|bytes| <[u8; 8]>::try_from(bytes.as_slice())) {
            None => 0,
            Some(Ok(bytes)) => u64::from_be_bytes(bytes),
            Some(Err(_)) => return Err(damaged("the commit number")),
        };
        let (schema, minutes) = (note(SCHEMA).cloned(), note(MINUTES).cloned());
        Ok(Contents { entries, sequence, schema, minutes })
    }

    /// Makes all changes or none. When it returns, they survive a power cut. After an error the
    /// journal is of no more use, and nobody knows whether the changes are there.
    pub(super) fn commit<'a>(
        &self,
        changes: impl IntoIterator<Item = Change<'a>>,
        sequence: u64,
    ) -> Result<(), Fault> {
        self.apply(batch(changes), sequence)
    }

    /// Notes the schema that the records now have. Part of the commit that brings them there.
    pub(super) fn commit_schema<'a>(
        &self,
        changes: impl IntoIterator<Item = Change<'a>>,
        schema: &Versions,
        sequence: u64,
    ) -> Result<(), Fault> {
        let note = serde_json::to_vec(schema).map_err(|_| damaged("the schema"))?;
        let mut batch = batch(changes);
        add(&mut batch, &Change::note(SCHEMA, &note));
        self.apply(batch, sequence)
    }

    fn apply(&self, mut batch: sled::Batch, sequence: u64) -> Result<(), Fault> {
        add(&mut batch, &Change::note(SEQUENCE, &sequence.to_be_bytes()));
        // sled states some of its invariants as assertions; a failed one must not end the
        // writer, which can open the database anew.
        let applied = catch_unwind(AssertUnwindSafe(|| {
            self.sled.apply_batch(batch)?;
            self.sled.flush()
        }));
        applied.map_err(|_| damaged("sled panicked"))??;
        Ok(self.file.sync_data()?)
    }
}

impl<'a> Change<'a> {
    fn note(name: &'a [u8], value: &'a [u8]) -> Self {
        Self { table: NOTES, key: name, value: Some(value), old: None }
    }

    /// Notes how far the quorum is.
    pub(super) fn minutes(new: &'a [u8], old: Option<&'a Bytes>) -> Self {
        Self { old, ..Self::note(MINUTES, new) }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let full = matches!(error.kind(), StorageFull | QuotaExceeded);
        let source = Arc::new(error);
        if full { Self::DiskFull { source } } else { Self::Io { source } }
    }
}

impl From<sled::Error> for Fault {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => error.into(),
            other => Self::Damaged { what: other.to_string() },
        }
    }
}

/// Writes the name of a new or renamed file to the disk.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        None => Ok(()),
        // What a relative name of one part stands in.
        Some(parent) if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) => sync_folder(parent),
    }
}

fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn batch<'a>(changes: impl IntoIterator<Item = Change<'a>>) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for change in changes {
        add(&mut batch, &change);
    }
    batch
}

/// Adds a change's pieces, and takes away those of a longer old value.
fn add(batch: &mut sled::Batch, change: &Change<'_>) {
    let key = |index| chunk::piece_key(change.table, change.key, index);
    let new = change.value.map_or(0, |value| chunk::count(value.len()));
    let old = change.old.map_or(0, |value| chunk::count(value.len()));
    for (index, piece) in (0..).zip(change.value.into_iter().flat_map(chunk::split)) {
        batch.insert(key(index), piece);
    }
    for index in new..old {
        batch.remove(key(index));
    }
}

fn remove_unfinished_snapshots(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Lets sled read what is on the disk: after a failed sync in the last process, the page cache may
/// hold what is not.
fn forget_cached(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(file) => {
            // Only pages that are on the disk, or pass for it, can be dropped.
            file.sync_all()?;
            Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
        }
    }
}

/// sled's threads let go of the file a little after its last handle is dropped, so that opening
/// anew at once finds it locked by ourselves.
fn open_sled(dir: &Path) -> Result<sled::Db, Fault> {
    // The writer flushes; a second, timed flush would only disturb it.
    let config = sled::Config::new().path(dir).cache_capacity(CACHE).flush_every_ms(None);
    let started = Instant::now();
    loop {
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        match opened.map_err(|_| damaged("sled panicked"))? {
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock")
                    && started.elapsed() < LET_GO =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            opened => return Ok(opened?),
        }
    }
}

fn damaged(what: &str) -> Fault {
    Fault::Damaged { what: what.to_owned() }
}

/// Our own notes; no record's table can be called so.
const NOTES: &str = "_store";
const SEQUENCE: &[u8] = b"sequence";
const SCHEMA: &[u8] = b"schema";
const MINUTES: &[u8] = b"minutes";
/// sled's page cache, in bytes. Reads come from the image, so it only serves writes.
const CACHE: u64 = 4 * 1024 * 1024;
/// How long a dropped database may hold its lock.
const LET_GO: Duration = Duration::from_secs(3);
