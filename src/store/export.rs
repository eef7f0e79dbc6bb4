//! An export: the whole state as one text file of JSON lines that people can read and
//! [`restore`](super::restore()) reads back, whatever engine the store has by then.
//!
//! ```text
//! {"paas_export":1,"taken":"2026-11-21T00:44:00Z","schema":{"apps":1}}
//! {"table":"apps","key":"626c6f6700","record":{"v":1,"data":{…}}}
//! {"records":1,"sha256":"…"}
//! ```
//!
//! The last line counts the records and sums up every byte before it, so half a file is not
//! taken for a whole one. It appears under its name only when it is complete and on the disk,
//! with mode 0600, because records hold what is nobody else's business.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::image::Image;
use super::journal::sync_folder;
use super::schema::Versions;

/// Why an export was not made. No file of its name has been left behind or changed.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The folder or the file cannot be written.
    #[error("cannot write the export {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A record is not the JSON it was stored as.
    #[error("a record of {table} cannot be exported")]
    Record { table: String, source: serde_json::Error },
    /// The time cannot be written as a date.
    #[error("the time of the export is out of range")]
    Time { source: jiff::Error },
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) paas_export: u32,
    pub(super) taken: jiff::Timestamp,
    pub(super) schema: Versions,
}

/// A line in between.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) table: &'a str,
    /// Hexadecimal, because keys are bytes.
    pub(super) key: String,
    #[serde(borrow)]
    pub(super) record: &'a RawValue,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trailer {
    pub(super) records: u64,
    pub(super) sha256: String,
}

/// The version of the format itself.
pub(super) const FORMAT: u32 = 1;

pub(super) fn write_image(
    path: &Path,
    image: &Image,
    schema: &Versions,
    now: SystemTime,
) -> Result<(), ExportError> {
    write(path, image.records().map(|(t, k, v)| (t, &**k, &**v)), schema, now)
}

/// Writes the records, each a (table, key, value).
pub(super) fn write<'a>(
    path: &Path,
    records: impl Iterator<Item = (&'a str, &'a [u8], &'a [u8])>,
    schema: &Versions,
    now: SystemTime,
) -> Result<(), ExportError> {
    let failed = |source| ExportError::Write { path: path.to_owned(), source };
    let header = Header { paas_export: FORMAT, taken: second(now)?, schema: schema.clone() };
    let unfinished = path.with_added_extension("unfinished");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(&unfinished).map_err(failed)?;
    let written = write_lines(&file, &header, records, failed)
        .and_then(|()| file.sync_all().map_err(failed))
        .and_then(|()| fs::rename(&unfinished, path).map_err(failed));
    if written.is_err() {
        // It is of no use to anyone; if even this fails, the next export overwrites it.
        fs::remove_file(&unfinished).ok();
    }
    written?;
    path.parent().map_or(Ok(()), sync_folder).map_err(failed)
}

fn write_lines<'a>(
    file: &File,
    header: &Header,
    records: impl Iterator<Item = (&'a str, &'a [u8], &'a [u8])>,
    failed: impl Fn(io::Error) -> ExportError,
) -> Result<(), ExportError> {
    let mut out = Summed { out: BufWriter::new(file), sum: Sha256::new() };
    let mut count = 0;
    out.line(header).map_err(&failed)?;
    for (table, key, value) in records {
        let record = serde_json::from_slice(value)
            .map_err(|source| ExportError::Record { table: table.to_owned(), source })?;
        out.line(&Line { table, key: hex::encode(key), record }).map_err(&failed)?;
        count += 1;
    }
    let Summed { mut out, sum } = out;
    let trailer = Trailer { records: count, sha256: hex::encode(sum.finalize()) };
    serde_json::to_writer(&mut out, &trailer).map_err(io::Error::from).map_err(&failed)?;
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(&failed)
}

/// The moment, to the second: enough for people, and it keeps names short.
pub(super) fn second(now: SystemTime) -> Result<jiff::Timestamp, ExportError> {
    jiff::Timestamp::try_from(now)
        .and_then(|now| jiff::Timestamp::from_second(now.as_second()))
        .map_err(|source| ExportError::Time { source })
}

/// A file that sums up what goes into it.
struct Summed<W> {
    out: W,
    sum: Sha256,
}

impl<W: Write> Summed<W> {
    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.sum.update(&bytes);
        self.out.write_all(&bytes)
    }
}
