//! Opening: from a folder to a running store. The order matters: refuse a newer folder before
//! anything is touched, export before anything is migrated, check every record before anything
//! is served.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;

use tokio::sync::{mpsc, watch};

use super::error::OpenError;
use super::exports;
use super::handle::{QUEUE, Shared, Store, StoreOptions};
use super::image::Image;
use super::journal::{Contents, Fault, Journal, sync_parent};
use super::ledger::Ledger;
use super::migrate::bring_forward;
use super::record::Bytes;
use super::recovery::Trouble;
use super::reserve::Reserve;
use super::schema::Schema;
use super::writer::Writer;

impl Store {
    /// Opens the store in `dir`, or makes one: recovers from whatever ended the last run, brings
    /// old records to this binary's versions (after an export) and starts the writer. Blocks on
    /// the disk. On a full disk it opens, serves reads, and refuses writes until there is space.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let StoreOptions { schema, now } = options;
        prepare_folder(dir)?;
        let reserve = Reserve::in_folder(dir);
        let journal = open_journal(dir, &reserve)?;
        let contents = journal.contents().map_err(|source| failed(dir, source))?;
        let contents = bring_forward(&journal, dir, &schema, contents, now)?;
        let minutes = contents.minutes.clone().map(Bytes::from);
        let image = load(contents, dir, &schema)?;
        let trouble = reserve.hold().err().map(|fault| {
            tracing::warn!(error = %fault, dir = %dir.display(), "store opened without writes");
            Trouble::new(fault)
        });
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            schema,
            changes: watch::Sender::new(image.sequence),
            image: RwLock::new(Arc::new(image)),
        });
        let (jobs, queue) = mpsc::channel(QUEUE);
        let journal = Some(journal);
        let ledger = Ledger { shared: Arc::clone(&shared), journal, reserve, trouble, minutes };
        let ledger = Arc::new(Mutex::new(ledger));
        let writer = Writer::new(Arc::clone(&shared), queue, Arc::clone(&ledger));
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Writer { source })?;
        Ok(Self { shared, jobs, ledger })
    }
}

/// sled's own folder inside the store's.
pub(super) fn database(dir: &Path) -> PathBuf {
    dir.join("sled")
}

/// All records, each of them checked, so that reading one later cannot fail.
pub(super) fn load(contents: Contents, dir: &Path, schema: &Schema) -> Result<Image, OpenError> {
    let mut image = Image::default();
    image.sequence = contents.sequence;
    for (name, key, value) in contents.entries {
        let Some(table) = schema.table(&name) else {
            return Err(OpenError::Newer { table: name, stored: 1, known: 0 });
        };
        (table.check)(&key, &value)
            .map_err(|source| OpenError::Record { exports: exports::folder(dir), source })?;
        image.set(table.name, key.into(), Some(value.into()));
    }
    Ok(image)
}

fn prepare_folder(dir: &Path) -> Result<(), OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    let named = made.and_then(|()| sync_parent(dir));
    let listed = named.and_then(|()| fs::read_dir(dir).map(drop));
    listed.map_err(|source| OpenError::Folder { dir: dir.to_owned(), source })
}

/// On a full disk the reserve makes room for opening.
fn open_journal(dir: &Path, reserve: &Reserve) -> Result<Journal, OpenError> {
    let database = database(dir);
    let opened = match Journal::open(&database) {
        Err(Fault::DiskFull { .. }) => {
            reserve.release();
            Journal::open(&database)
        }
        opened => opened,
    };
    opened.map_err(|source| failed(dir, source))
}

pub(super) fn failed(dir: &Path, source: Fault) -> OpenError {
    OpenError::Database { dir: dir.to_owned(), source }
}
