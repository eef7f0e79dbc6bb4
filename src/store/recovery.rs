//! The writer when the disk has failed it: writes are refused with the reason, reads go on from
//! the image, and with the next write it tries to recover, at a bounded pace.
//!
//! After a full disk the database is opened anew; it then tells by its number whether the failed
//! commit is there. After any other fault its files are not to be trusted (see `rebuild`), and
//! the image, which holds all that was acknowledged, is written to new ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::StoreError;
use super::image::Writes;
use super::journal::{Contents, Fault, Journal};
use super::open;
use super::rebuild::rebuild;
use super::writer::Writer;

/// Why writes are refused at present.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    remedy: Remedy,
    /// When the last attempt to recover was made.
    tried: Instant,
}

/// What brings a database back that has been closed after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    Reopen,
    Rebuild,
}

impl Trouble {
    pub(super) fn new(fault: Fault) -> Self {
        let remedy = match &fault {
            Fault::DiskFull { .. } => Remedy::Reopen,
            Fault::Io { .. } | Fault::Damaged { .. } => Remedy::Rebuild,
        };
        Self { fault, remedy, tried: Instant::now() }
    }
}

impl Writer {
    /// After a failed commit: closes the database and says what became of the commit.
    pub(super) fn settle(
        &mut self,
        fault: Fault,
        writes: Writes,
        sequence: u64,
    ) -> Result<(), StoreError> {
        tracing::warn!(error = %fault, dir = %self.shared.dir.display(), "store write failed");
        self.journal = None;
        self.reserve.release();
        let trouble = Trouble::new(fault.clone());
        let remedy = trouble.remedy;
        self.trouble = Some(trouble);
        let uncertain = StoreError::Uncertain { dir: self.dir(), source: fault.clone() };
        if remedy == Remedy::Rebuild {
            return Err(uncertain);
        }
        match self.reopen() {
            Ok(found) if found.sequence == sequence => {
                self.publish(writes, sequence);
                Ok(())
            }
            Ok(_) => Err(self.refused(fault)),
            Err(fault) => {
                self.trouble = Some(Trouble::new(fault));
                Err(uncertain)
            }
        }
    }

    /// In trouble, and not too soon after the last attempt: brings the database back if need be,
    /// and takes the reserve again, which shows that there is space.
    pub(super) fn recover(&mut self) {
        let Some(trouble) = &self.trouble else { return };
        if trouble.tried.elapsed() < PACE {
            return;
        }
        let before = trouble.remedy;
        let recovered = match (&self.journal, before) {
            (Some(_), _) => Ok(()),
            (None, Remedy::Reopen) => self.reload(),
            (None, Remedy::Rebuild) => self.rebuild(),
        };
        match recovered.and_then(|()| self.reserve.hold()) {
            Ok(()) => {
                self.trouble = None;
                tracing::info!(dir = %self.shared.dir.display(), "store accepts writes again");
            }
            Err(fault) => {
                let mut trouble = Trouble::new(fault);
                // Files that were not to be trusted do not become so by a full disk.
                if before == Remedy::Rebuild {
                    trouble.remedy = before;
                }
                self.trouble = Some(trouble);
            }
        }
    }

    /// Opens the database anew and shows what is in it: a commit whose caller was told that its
    /// fate is uncertain may have made it.
    fn reload(&mut self) -> Result<(), Fault> {
        let contents = self.reopen()?;
        let loaded = open::load(contents, &self.shared.dir, &self.shared.schema);
        let image = loaded.map_err(|error| Fault::Damaged { what: error.to_string() })?;
        self.shared.publish(|current| *current = Arc::new(image));
        Ok(())
    }

    fn reopen(&mut self) -> Result<Contents, Fault> {
        let journal = Journal::open(&open::database(&self.shared.dir))?;
        let contents = journal.contents()?;
        self.journal = Some(journal);
        Ok(contents)
    }

    /// An uncertain commit is gone for good after this: the image does not have it.
    fn rebuild(&mut self) -> Result<(), Fault> {
        let database = open::database(&self.shared.dir);
        let versions = self.shared.schema.versions();
        self.journal = Some(rebuild(&database, &self.shared.image(), &versions)?);
        tracing::warn!(dir = %self.shared.dir.display(), "store written anew after a disk fault");
        Ok(())
    }
}

/// The least time between two attempts to recover.
const PACE: Duration = Duration::from_millis(250);
