//! The ledger when the disk has failed it: the database is written anew from the image (see
//! `rebuild`), and until that has worked and there is space in reserve again, writes are refused
//! with the reason. Reads go on. Attempts come with the writes, at a bounded pace.

use std::time::{Duration, Instant};

use super::error::StoreError;
use super::journal::Fault;
use super::ledger::Ledger;
use super::open;
use super::rebuild::rebuild;

/// Why writes are refused at present.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    /// When the last attempt to recover was made.
    tried: Instant,
}

impl Trouble {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, tried: Instant::now() }
    }
}

impl Ledger {
    /// After a failed commit: closes the database, and says what became of the commit.
    pub(super) fn settle(&mut self, fault: Fault) -> StoreError {
        tracing::warn!(error = %fault, dir = %self.shared.dir.display(), "store write failed");
        self.journal = None;
        self.reserve.release();
        self.trouble = Some(Trouble::new(fault.clone()));
        match self.rebuild() {
            // The image does not have the commit, so now the disk does not have it either.
            Ok(()) => self.refused(fault),
            // The old files may show it, if the next thing that happens is a restart.
            Err(_) => StoreError::Uncertain { dir: self.dir(), source: fault },
        }
    }

    /// In trouble, and not too soon after the last attempt: brings the database back if need be,
    /// and takes the reserve again, which shows that there is space.
    pub(super) fn recover(&mut self) {
        let Some(trouble) = &self.trouble else { return };
        if trouble.tried.elapsed() < PACE {
            return;
        }
        let recovered = match &self.journal {
            Some(_) => Ok(()),
            None => self.rebuild(),
        };
        match recovered.and_then(|()| self.reserve.hold()) {
            Ok(()) => {
                self.trouble = None;
                tracing::info!(dir = %self.shared.dir.display(), "store accepts writes again");
            }
            Err(fault) => self.trouble = Some(Trouble::new(fault)),
        }
    }

    fn rebuild(&mut self) -> Result<(), Fault> {
        let database = open::database(&self.shared.dir);
        let versions = self.shared.schema.versions();
        let image = self.shared.image();
        self.journal = Some(rebuild(&database, &image, &versions, self.minutes.as_ref())?);
        Ok(())
    }
}

/// The least time between two attempts to recover.
const PACE: Duration = Duration::from_millis(250);
