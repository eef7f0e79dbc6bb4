//! Backups: from a folder to the place where they are kept, and back.
//!
//! A backup is a tar, compressed by zstd, encrypted in the age format, and beside it a description that is
//! written last: without it there is no backup. Whoever has the key reads one without us:
//! `age -d -i backup.key b3-….tar.zst.age | zstd -d | tar x`.
//!
//! It knows places and folders, no records and no volumes of apps. All of it blocks. Invariants: nothing
//! leaves this machine unencrypted; what comes back is believed by nobody before it was checked, and leads
//! nowhere but below the folder that it is for; memory is bounded, and no second copy lies on a disk.

mod age;
mod depot;
mod error;
mod folder;
mod keys;
mod metered;
mod pack;
mod place;
mod receive;
mod s3;
mod send;
mod unpack;

pub use depot::{Depot, Shipment};
pub use error::BackupError;
pub use keys::{BackupKeys, KeysError};
pub use metered::Watch;
pub use pack::pack;
pub use unpack::unpack;
