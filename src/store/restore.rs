//! Making a store out of an export. The file is checked to its last byte before anything is
//! written, and the store appears only when it is whole. Records are taken as they are; opening
//! the store migrates them if they are old and refuses them if they are too new.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::export::{FORMAT, Header, Line, Trailer};
use super::journal::{Change, Fault, Journal, sync_folder};
use super::open::database;
use super::record::{MAX_KEY, MAX_VALUE};
use super::schema::Versions;

/// Why nothing was restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The export cannot be read.
    #[error("cannot read the export {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The export is not whole, or was changed.
    #[error("{} is not a whole export: {reason}", path.display())]
    Damaged { path: PathBuf, reason: &'static str },
    /// The export has a format this binary does not know.
    #[error("{} has export format {found}, this paas knows {FORMAT}", path.display())]
    Format { path: PathBuf, found: u32 },
    /// There is a store in the folder already; restoring would lose it.
    #[error("{} holds a store already", dir.display())]
    Occupied { dir: PathBuf },
    /// The new store cannot be written.
    #[error("cannot write the restored store to {}", dir.display())]
    Write { dir: PathBuf, source: Fault },
}

impl RestoreError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, .. } => Some(format!("see `ls -l {}`", path.display())),
            Self::Damaged { .. } => Some("take an older export from the same folder".to_owned()),
            Self::Format { .. } => Some("restore it with the newer paas that made it".to_owned()),
            Self::Occupied { dir } => {
                Some(format!("move it away first: `mv {0} {0}.old`", dir.display()))
            }
            Self::Write { dir, .. } => Some(format!("see `df -h {}`", dir.display())),
        }
    }
}

/// Makes the store in `dir` from the export at `path`. `dir` must not hold a store. Blocks.
pub fn restore(path: &Path, dir: &Path) -> Result<(), RestoreError> {
    let target = database(dir);
    if target.exists() {
        return Err(RestoreError::Occupied { dir: dir.to_owned() });
    }
    let schema = Export::open(path)?.check()?;
    let failed = |source| RestoreError::Write { dir: dir.to_owned(), source };
    let unfinished = target.with_added_extension("unfinished");
    let started = || -> Result<(), Fault> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    };
    started().map_err(failed)?;
    fill(path, &unfinished, &schema, failed)?;
    let named = fs::rename(&unfinished, &target).and_then(|()| sync_folder(dir));
    named.map_err(|error| failed(error.into()))
}

/// Writes the records of a checked export to a new database.
fn fill(
    path: &Path,
    database: &Path,
    schema: &Versions,
    failed: impl Fn(Fault) -> RestoreError,
) -> Result<(), RestoreError> {
    let journal = Journal::open(database).map_err(&failed)?;
    let mut export = Export::open(path)?;
    let mut sequence = 0;
    loop {
        let batch = export.batch()?;
        if batch.is_empty() {
            break;
        }
        sequence += 1;
        let changes = batch.iter().map(|record| Change {
            table: &record.table,
            key: &record.key,
            value: Some(&record.value),
            old: None,
        });
        journal.commit(changes, sequence).map_err(&failed)?;
    }
    journal.commit_schema([], schema, sequence + 1).map_err(&failed)
}

/// An export being read.
struct Export<'a> {
    path: &'a Path,
    lines: BufReader<File>,
    sum: Sha256,
    schema: Versions,
    records: u64,
    /// Whether the trailer has been read.
    finished: bool,
}

/// One record of an export.
struct Exported {
    table: String,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl<'a> Export<'a> {
    fn open(path: &'a Path) -> Result<Self, RestoreError> {
        let file = File::open(path)
            .map_err(|source| RestoreError::Read { path: path.to_owned(), source })?;
        let lines = BufReader::new(file);
        let mut export = Self {
            path,
            lines,
            sum: Sha256::new(),
            schema: Versions::default(),
            records: 0,
            finished: false,
        };
        let first = export.line()?;
        let header: Header =
            serde_json::from_slice(&first).map_err(|_| export.damaged("no header"))?;
        if header.paas_export != FORMAT {
            let found = header.paas_export;
            return Err(RestoreError::Format { path: path.to_owned(), found });
        }
        export.sum.update(&first);
        export.schema = header.schema;
        Ok(export)
    }

    /// Reads it to the end; its schema if every byte is as it was written.
    fn check(mut self) -> Result<Versions, RestoreError> {
        while self.next()?.is_some() {}
        Ok(self.schema)
    }

    /// The next records, up to a size; none at the end.
    fn batch(&mut self) -> Result<Vec<Exported>, RestoreError> {
        let (mut batch, mut size) = (Vec::new(), 0);
        while size < BATCH {
            let Some(record) = self.next()? else { break };
            size += record.key.len() + record.value.len();
            batch.push(record);
        }
        Ok(batch)
    }

    /// The next record; none after a trailer that agrees with what came before.
    fn next(&mut self) -> Result<Option<Exported>, RestoreError> {
        if self.finished {
            return Ok(None);
        }
        let line = self.line()?;
        if line.is_empty() {
            return Err(self.damaged("it ends early"));
        }
        if let Ok(trailer) = serde_json::from_slice::<Trailer>(&line) {
            return self.finish(&trailer).map(|()| None);
        }
        let parsed: Line<'_> =
            serde_json::from_slice(&line).map_err(|_| self.damaged("a line is not a record"))?;
        let key = hex::decode(&parsed.key).map_err(|_| self.damaged("a key is not hex"))?;
        let value = parsed.record.get().as_bytes().to_vec();
        if key.len() > MAX_KEY || value.len() > MAX_VALUE {
            return Err(self.damaged("a record is too large"));
        }
        self.sum.update(&line);
        self.records += 1;
        Ok(Some(Exported { table: parsed.table.to_owned(), key, value }))
    }

    fn finish(&mut self, trailer: &Trailer) -> Result<(), RestoreError> {
        let sum = hex::encode(self.sum.finalize_reset());
        if trailer.sha256 != sum || trailer.records != self.records {
            return Err(self.damaged("the checksum does not agree"));
        }
        self.finished = true;
        Ok(())
    }

    /// One line with its end; empty at the end of the file.
    fn line(&mut self) -> Result<Vec<u8>, RestoreError> {
        let mut line = Vec::new();
        let read = (&mut self.lines).take(MAX_LINE).read_until(b'\n', &mut line);
        read.map_err(|source| RestoreError::Read { path: self.path.to_owned(), source })?;
        if line.last().is_some_and(|&byte| byte != b'\n') {
            return Err(self.damaged("a line is cut short or too long"));
        }
        Ok(line)
    }

    fn damaged(&self, reason: &'static str) -> RestoreError {
        RestoreError::Damaged { path: self.path.to_owned(), reason }
    }
}

/// The longest line: a largest value, a largest key in hex, and what stands around them.
const MAX_LINE: u64 = (MAX_VALUE + 2 * MAX_KEY + 1024) as u64;
/// How much one commit of a restore holds, in bytes.
const BATCH: usize = 1024 * 1024;
