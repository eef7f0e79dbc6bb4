//! Commits that this machine proposes, one after another, for the thread that writes.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use openraft::Raft;
use openraft::error::{ClientWriteError, RaftError};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::words::{Commit, Outcome, Types};
use crate::store::error::StoreError;
use crate::store::image::Writes;

/// Where commits are proposed.
#[derive(Clone)]
pub(in crate::store) struct Proposals {
    pub(super) raft: Raft<Types>,
    pub(super) runtime: Handle,
    pub(super) dir: PathBuf,
}

impl Proposals {
    /// Returns when the commit is on the disks of most members, and shown here. Blocks.
    pub(in crate::store) fn propose(&self, base: u64, writes: Writes) -> Result<(), StoreError> {
        let commit = Commit::new(base, writes);
        let proposed = async { timeout(PATIENCE, self.raft.client_write(commit)).await };
        match self.runtime.block_on(proposed) {
            Ok(Ok(written)) => match written.data {
                Outcome::Saved => Ok(()),
                Outcome::Stale | Outcome::Nothing => Err(self.elsewhere()),
            },
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
                Err(self.elsewhere())
            }
            // Sent perhaps, and nobody knows to whom.
            Ok(Err(_)) | Err(_) => Err(StoreError::Undecided { dir: self.dir.clone() }),
        }
    }

    fn elsewhere(&self) -> StoreError {
        StoreError::Elsewhere { dir: self.dir.clone() }
    }
}

impl fmt::Debug for Proposals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Proposals").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Longer than a lost leader is without a successor.
const PATIENCE: Duration = Duration::from_secs(10);
