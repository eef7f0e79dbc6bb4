//! Whether this machine keeps the records together with others: a file in the folder `quorum`, beside the log.
//!
//! Invariants: a machine that has joined keeps records while that file is there, and only then. It is written when all
//! else is in its place that a member needs, and is the first to go when the machine keeps records no more.

use std::{fs, io, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    daemon::{folders::Folders, init::write_secret},
    model::NodeName,
    store::quorum::Member,
};

/// This machine as a member. It is stored: fields are only added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Membership {
    /// Its number, which is random, and another after each admission: a log that is gone must not be believed in.
    pub(super) id: u64,
    /// What the others know of it.
    pub(super) member: Member,
    /// Where it listens for them.
    pub(super) listen: SocketAddr,
    /// Who asked it to keep the records; nobody if it was the first of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<NodeName>,
}

/// A file of it cannot be read, written or removed.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used", path.display())]
pub struct MembershipError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Membership {
    /// Reads it; `None` if this machine is no member.
    pub(super) fn read(folders: &Folders) -> Result<Option<Self>, MembershipError> {
        let path = folders.quorum().join(MEMBER);
        let failed = |source| MembershipError { path: path.clone(), source };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| failed(e.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes it.
    pub(super) fn keep(&self, folders: &Folders) -> Result<(), MembershipError> {
        let path = folders.quorum().join(MEMBER);
        let json = serde_json::to_vec_pretty(self).expect("it is names, numbers and addresses");
        write_secret(&path, &json).map_err(|source| MembershipError { path, source })
    }
}

/// Notes that this machine is to keep records no more, which is then done by [`resign`], now or after a crash.
pub(super) fn note_resignation(folders: &Folders) -> Result<(), MembershipError> {
    let path = folders.quorum().join(RESIGNED);
    write_secret(&path, b"").map_err(|source| MembershipError { path, source })
}

/// Removes what only a machine has that keeps records, if that was noted. No daemon may have it open.
pub(in crate::daemon) fn resign(folders: &Folders) -> Result<(), MembershipError> {
    if !folders.quorum().join(RESIGNED).exists() {
        return Ok(());
    }
    let member = folders.quorum().join(MEMBER);
    for path in [member, folders.store(), folders.keys(), folders.installation()] {
        remove(&path)?;
    }
    remove(&folders.quorum())
}

fn remove(path: &std::path::Path) -> Result<(), MembershipError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| MembershipError { path: path.to_owned(), source }),
    }
}

const MEMBER: &str = "member.json";
const RESIGNED: &str = "resigned";

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = r#"{
  "id": 7,
  "member": {
    "name": "edge-1",
    "at": "203.0.113.9:7601",
    "api": [
      "203.0.113.9:8443"
    ]
  },
  "listen": "0.0.0.0:7601",
  "by": "box"
}"#;

    #[test]
    fn who_resigns_has_no_records_left_whenever_it_is_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::of(folder.path());
        folders.make().unwrap();
        folders.make_quorum().unwrap();
        assert_eq!(Membership::read(&folders).unwrap(), None);
        let membership: Membership = serde_json::from_str(GOLDEN).unwrap();
        membership.keep(&folders).unwrap();
        assert_eq!(Membership::read(&folders).unwrap(), Some(membership));
        let file = folders.quorum().join(MEMBER);
        assert_eq!(fs::read_to_string(file).unwrap(), GOLDEN);
        fs::create_dir_all(folders.store().join("sled")).unwrap();
        fs::write(folders.keys().join("sealing.key"), "a key").unwrap();

        resign(&folders).unwrap();
        assert!(folders.store().exists(), "nobody said that it resigns");
        note_resignation(&folders).unwrap();
        resign(&folders).unwrap();
        resign(&folders).unwrap();
        for gone in [folders.quorum(), folders.store(), folders.keys()] {
            assert!(!gone.exists(), "{}", gone.display());
        }
        assert_eq!(Membership::read(&folders).unwrap(), None);
    }
}
