//! The words of the quorum: what is agreed on, by whom, and what comes of it.

use std::io::Cursor;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::store::image::Writes;
use crate::store::record::Bytes;
use crate::store::schema::Schema;

openraft::declare_raft_types!(
    /// What openraft is told of us.
    pub(super) Types:
        D = Commit,
        R = Outcome,
        NodeId = u64,
        Node = Member,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(super) type Id = openraft::LogId<u64>;
pub(super) type Membership = openraft::StoredMembership<u64, Member>;
pub(super) type StorageError = openraft::StorageError<u64>;

/// A machine that keeps the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// What it is called.
    pub name: String,
    /// Where it is asked.
    pub at: Option<SocketAddr>,
    /// Where its API listens, as others reach it.
    #[serde(default)]
    pub api: Vec<SocketAddr>,
}

/// One commit that is proposed. It is stored, and neighbouring versions tell each other: fields are only added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    /// The number of the commit that it was made on. On top of another it changes nothing.
    pub(super) base: u64,
    pub(super) writes: Vec<Write>,
}

/// One record of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Write {
    table: String,
    #[serde(with = "text")]
    key: Vec<u8>,
    /// The new value; none deletes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Blob>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Blob(#[serde(with = "text")] pub(super) Vec<u8>);

/// What came of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// It is saved.
    Saved,
    /// It was made on another commit than the last.
    Stale,
    /// It was none: an entry of the protocol's own.
    Nothing,
}

impl Commit {
    pub(super) fn new(base: u64, writes: Writes) -> Self {
        let write = |((table, key), value): ((&str, Bytes), Option<Bytes>)| Write {
            table: table.to_owned(),
            key: key.to_vec(),
            value: value.map(|value| Blob(value.to_vec())),
        };
        Self { base, writes: writes.into_iter().map(write).collect() }
    }

    /// The same as the image takes them; the name of a table that this binary does not know otherwise.
    pub(super) fn into_writes(self, schema: &Schema) -> Result<Writes, String> {
        let known = |write: Write| {
            let table = schema.table(&write.table).ok_or(write.table)?;
            Ok(((table.name, write.key.into()), write.value.map(|value| value.0.into())))
        };
        self.writes.into_iter().map(known).collect()
    }
}

/// Bytes as text.
mod text {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        STANDARD_NO_PAD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}
