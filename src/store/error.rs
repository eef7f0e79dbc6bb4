//! How the store fails, sorted by what a caller can do about it. Texts name the operation and the
//! subject; `hint` says what a person can do. The cause behind is the error's source.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::export::ExportError;
use super::journal::Fault;
use super::record::MigrateError;

/// Why a read or a transaction failed. Clone, because one failed commit answers many callers.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// A value or a key is over its limit (bytes); nothing was written.
    #[error("record {key} of {table} is too large: {size} bytes, the limit is {limit}")]
    RecordTooLarge { table: &'static str, key: String, size: usize, limit: usize },
    /// One transaction writes more than the limit (bytes); nothing was written.
    #[error("the transaction is too large: {size} bytes, the limit is {limit}")]
    TransactionTooLarge { size: usize, limit: usize },
    /// A record does not turn into JSON: a defect of its type.
    #[error("a record of {table} cannot be encoded")]
    Encode { table: &'static str, source: Arc<serde_json::Error> },
    /// A stored record does not decode.
    #[error("record {key} of {table} cannot be read")]
    Unreadable { table: &'static str, key: String, source: Arc<serde_json::Error> },
    /// A stored record has a version that open should have migrated.
    #[error("record {key} of {table} has version {found}, expected {expected}")]
    Version { table: &'static str, key: String, found: u32, expected: u32 },
    /// The record type is missing from the schema the store was opened with.
    #[error("table {table} is not part of the schema")]
    UnknownTable { table: &'static str },
    /// The store accepts no writes until its disk works again; this write changed nothing.
    #[error("the store in {} accepts no writes at present; nothing was saved", dir.display())]
    Refused { dir: PathBuf, source: Fault },
    /// The write failed half-way and the disk cannot be asked: it may or may not be there when
    /// the store recovers. Look before repeating it.
    #[error("a write to the store in {} failed; it may or may not have been saved", dir.display())]
    Uncertain { dir: PathBuf, source: Fault },
    /// Several machines keep the records, and another one leads them; this write changed nothing.
    #[error("another machine leads; nothing was saved")]
    Elsewhere { dir: PathBuf },
    /// Several machines keep the records, and most of them did not answer: it may or may not be there when they
    /// do. Look before repeating it.
    #[error("most machines that keep the records do not answer; it may or may not have been saved")]
    Undecided { dir: PathBuf },
    /// The transaction panicked, or the store stopped, before an answer was there.
    #[error("the transaction was not finished; nothing was saved")]
    Abandoned,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { dir, source } | Self::Uncertain { dir, source } => Some(match source {
                Fault::DiskFull { .. } => format!(
                    "free space under {0} (see `df -h {0}`); writes work again by themselves",
                    dir.display()
                ),
                Fault::Io { .. } => "look at `dmesg` for errors of the disk".to_owned(),
                Fault::Damaged { .. } => "try again: the store writes its files anew".to_owned(),
            }),
            Self::Elsewhere { .. } => Some("try again: the machine that leads is asked".to_owned()),
            Self::Undecided { .. } => Some("look at `paas nodes`".to_owned()),
            Self::RecordTooLarge { .. }
            | Self::TransactionTooLarge { .. }
            | Self::Encode { .. }
            | Self::Unreadable { .. }
            | Self::Version { .. }
            | Self::UnknownTable { .. }
            | Self::Abandoned
            | Self::Closed => None,
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder cannot be made or listed.
    #[error("cannot use the folder {}", dir.display())]
    Folder { dir: PathBuf, source: io::Error },
    /// The database in it does not open.
    #[error("cannot open the database in {}", dir.display())]
    Database { dir: PathBuf, source: Fault },
    /// The folder was written by a newer `paas`. Nothing was touched.
    #[error(
        "the data was written by a newer paas: table {table} has version {stored}, this paas knows {known}"
    )]
    Newer { table: String, stored: u32, known: u32 },
    /// A stored record does not decode.
    #[error("the data is damaged")]
    Record { exports: PathBuf, source: StoreError },
    /// The note of the stored schema does not decode.
    #[error("the note of the stored schema is damaged")]
    Schema { exports: PathBuf, source: serde_json::Error },
    /// A record could not be brought to this binary's version. Nothing was changed.
    #[error("record {key} of {table} cannot be brought from version {from} to {to}")]
    Migrate { table: String, key: String, from: u32, to: u32, source: MigrateError },
    /// Several machines keep the records, and one alone may not bring them to another version. Nothing was changed.
    #[error("this paas keeps {table} otherwise, and other machines keep the same records")]
    Shared { table: &'static str },
    /// The export that goes before a migration failed. Nothing was changed.
    #[error("the export before the upgrade failed")]
    Export { source: ExportError },
    /// The writer thread could not be started.
    #[error("cannot start the store's writer")]
    Writer { source: io::Error },
}

impl OpenError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Folder { dir, .. } => Some(format!("see `ls -ld {}`", dir.display())),
            Self::Database { dir, source: Fault::DiskFull { .. } } => {
                Some(format!("free space under {0} (see `df -h {0}`)", dir.display()))
            }
            Self::Database { source: Fault::Io { .. }, .. } => {
                Some("look at `dmesg` for errors of the disk".to_owned())
            }
            Self::Database { dir, source: Fault::Damaged { .. } } => {
                Some(restore_hint(&dir.join(super::exports::FOLDER)))
            }
            Self::Newer { .. } => {
                Some("start the newer paas again; this one changed nothing".to_owned())
            }
            Self::Record { exports, .. } | Self::Schema { exports, .. } => {
                Some(restore_hint(exports))
            }
            Self::Shared { .. } => Some(
                "start the older binary again; `paas nodes demote` all but one machine, upgrade that one, and \
                 promote them again"
                    .to_owned(),
            ),
            Self::Migrate { .. } => {
                Some("start the older binary again; the data is unchanged".to_owned())
            }
            Self::Export { .. } | Self::Writer { .. } => None,
        }
    }
}

/// The exports lie in the store's folder, and that in the data folder.
fn restore_hint(exports: &std::path::Path) -> String {
    let store = exports.parent().unwrap_or(exports);
    let data = store.parent().unwrap_or(store);
    format!(
        "go back to the newest export: `mv {0} {0}.old && paas init --data {1} --restore \
         {0}.old/{2}/FILE`",
        store.display(),
        data.display(),
        super::exports::FOLDER,
    )
}
