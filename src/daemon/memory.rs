//! What a node was told last, on its disk, sealed: the keys of certificates are in it. One that leads others keeps
//! what it tells them.
//!
//! A file that cannot be read is as good as none: the control says it all again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{council::ToldNodes, folders::Folders, init::write_secret};
use crate::{
    model::{NodeName, Sealed},
    node::{Hub, Leader, Memory, Notes},
    store::{SealingError, SealingKey, SealingKeyError},
    telemetry::chain,
};

/// What keeps it.
#[derive(Debug)]
pub(super) struct Keeper {
    path: PathBuf,
    sealing: SealingKey,
    memory: watch::Receiver<Arc<Memory>>,
}

/// Why nothing is known of before.
#[derive(Debug, thiserror::Error)]
enum Forgotten {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    Sealed(#[from] SealingError),
    #[error("it is not understood")]
    Strange(#[from] serde_json::Error),
}

/// What an earlier daemon remembered, and what keeps what this one does.
pub(super) fn begin(folders: &Folders) -> Result<(Notes, Keeper), SealingKeyError> {
    let sealing = SealingKey::open(&folders.node().join("sealing.key"), None)?;
    let path = folders.node().join("told");
    let before = match read(&path, &sealing) {
        Ok(before) => before,
        Err(Forgotten::File(error)) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
        Err(error) => {
            let path = path.display();
            tracing::warn!(error = %chain(&error), %path, "what an earlier daemon was told is not known");
            Memory::default()
        }
    };
    let (notes, memory) = Notes::from(before);
    Ok((notes, Keeper { path, sealing, memory }))
}

/// Keeps what this machine, of this name, tells nodes, from when there are others that may lead, until it is told to stop:
/// it may be a node next, and find nobody who leads.
pub(super) async fn of_leader(
    folders: Folders,
    hub: Hub,
    (name, (term, mut keepers)): (NodeName, ToldNodes),
    stop: CancellationToken,
) {
    let alone = async { keepers.wait_for(|keepers| keepers.len() > 1).await.is_err() };
    tokio::select! {
        biased;
        () = stop.cancelled() => return,
        alone = alone => if alone { return },
    }
    let begun = begin(&folders).map_err(|error| chain(&error));
    let installation = fs::read_to_string(folders.identity()).map_err(|error| error.to_string());
    let ((notes, keeper), installation) = match begun.and_then(|begun| Ok((begun, installation?))) {
        Ok(begun) => begun,
        Err(error) => {
            tracing::warn!(%error, "what nodes are told is not kept");
            return;
        }
    };
    let term = term.borrow().unwrap_or_default();
    notes.leads(&Leader { name, term }, installation.trim());
    tokio::select! {
        () = keeper.keep(stop) => {}
        () = hub.note(&notes) => {}
    }
}

fn read(path: &Path, sealing: &SealingKey) -> Result<Memory, Forgotten> {
    let sealed = Sealed(fs::read_to_string(path)?);
    Ok(serde_json::from_slice(&sealing.unseal(CONTEXT, &sealed)?)?)
}

impl Keeper {
    /// Writes it whenever it is another, until it is told to stop.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = self.memory.changed() => if changed.is_err() { return },
            }
            // A deploy changes it many times in a row.
            let _ = timeout(TOGETHER, stop.cancelled()).await;
            if let Err(error) = self.write() {
                let path = self.path.display();
                tracing::warn!(error = %chain(&error), %path, "what was told is not kept");
                self.memory.mark_changed();
                let _ = timeout(TRY_AGAIN, stop.cancelled()).await;
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let memory = self.memory.borrow_and_update().clone();
        let text = Zeroizing::new(serde_json::to_vec(&*memory).map_err(io::Error::other)?);
        write_secret(&self.path, self.sealing.seal(CONTEXT, &text).0.as_bytes())
    }
}

/// The purpose of what is sealed.
const CONTEXT: &str = "node-memory";
/// What changes within this is written once.
const TOGETHER: Duration = Duration::from_secs(1);
/// After which a disk that took nothing is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_sealed_and_one_that_is_spoilt_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::of(folder.path());
        folders.make_node().unwrap();
        let (_, mut keeper) = begin(&folders).unwrap();
        let (path, sealing) = (keeper.path.clone(), keeper.sealing.clone());
        assert!(matches!(read(&path, &sealing), Err(Forgotten::File(_))));
        keeper.write().unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("v1."));
        let (_, keeper) = begin(&folders).unwrap();
        read(&path, &keeper.sealing).unwrap();

        fs::write(&path, "v1.AAAA").unwrap();
        assert!(matches!(read(&path, &sealing), Err(Forgotten::Sealed(_))));
        begin(&folders).unwrap();
    }
}
