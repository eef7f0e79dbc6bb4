//! What is remembered: the only door to the database. It stores records; which nouns of
//! `model` are records stands in [`records`], and the changes of records that users and control
//! share in [`diary`], [`releasing`], [`running`], [`cron`], [`volumes`] and [`backups`]. Logs, metrics and
//! images are files of their own and never come here.
//!
//! The whole state is small, so it is held twice: as an image in memory, which
//! every read sees, and as sled's log on disk, which only the writer thread touches. The invariant:
//! **nobody is told "saved" before the disk has it, and the image never shows what the disk may
//! lose.** sled alone does not keep the first half at a power cut; `journal` says how we do.
//!
//! In reading order: a [`Record`] is stored under a [`Key`]; a [`Schema`] lists the records;
//! [`Store::open`] brings the folder up to this binary's schema; a [`Transaction`] changes records
//! on the writer thread; a [`Snapshot`] reads them; an [`export`] is the state as text, which
//! [`restore()`] reads.

pub mod backups;
mod chunk;
pub mod cron;
pub mod diary;
mod error;
pub mod export;
mod exports;
mod handle;
mod image;
mod journal;
mod key;
mod ledger;
mod lock;
mod migrate;
mod open;
pub mod quorum;
mod rebuild;
mod record;
pub mod records;
mod recovery;
pub mod releasing;
pub mod reseal;
mod reserve;
mod restore;
pub mod running;
mod schema;
pub mod sealing;
pub mod secrets;
mod transaction;
mod view;
pub mod volumes;
mod writer;

pub use error::{OpenError, StoreError};
pub use handle::{Store, StoreOptions};
pub use image::Snapshot;
pub use journal::Fault;
pub use key::{Key, KeyBytes};
pub use lock::{DataDirLock, LockError};
pub use record::{MigrateError, Record};
pub use restore::{RestoreError, restore};
pub use schema::Schema;
pub use sealing::{SealingError, SealingKey, SealingKeyError};
pub use transaction::Transaction;
pub use view::View;
